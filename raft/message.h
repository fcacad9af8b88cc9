// What the servers of a Raft group say to each other. docs/wire.md names the frame that carries one.
//
// Messages may be lost, doubled, delayed and reordered. Every field but the first four depends on the type;
// unused ones are zero and empty. Section numbers are those of Ongaro's dissertation.
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raft/types.h"

namespace chainring::raft {

// Pinned: these numbers travel.
enum class MessageType : uint8_t {
  append = 1,          // leader -> peer: entries after (index, log_term), or none (a heartbeat)
  append_reply = 2,    // peer -> leader: index is the last one known to match, or with `refused` a hint where to try
  vote = 3,            // candidate -> voter: (index, log_term) is the candidate's last entry
  vote_reply = 4,      // voter -> candidate
  pre_vote = 5,        // as vote, with the term that the sender would begin (9.6); nobody changes its term for it
  pre_vote_reply = 6,  // as vote_reply; with that same term when granted, the voter's own when refused
  snapshot = 7,        // leader -> peer: a chunk of the snapshot at (index, log_term)
  snapshot_reply = 8,  // peer -> leader: holds the first `offset` bytes of the snapshot at `index`
  timeout_now = 9,     // leader -> voter: begin an election at once (3.10)
};

struct Message {
  MessageType type = MessageType::append;
  ServerId from = kNobody;
  ServerId to = kNobody;
  Term term = 0;

  Index index = 0;
  Term log_term = 0;      // append_reply, refused: the term of the sender's entry at `hint`
  Index commit = 0;       // append
  Index hint = 0;         // append_reply, refused: the greatest index at which the logs can still match
  bool refused = false;   // replies
  bool transfer = false;  // vote: the leader itself asked for this election, so nobody ignores it for the leader's sake
  uint64_t round = 0;     // append and its reply: the newest round of reads (6.4)
  // The greatest heartbeat note that the sender knows (R25). In every message, so that whoever wins a vote knows the
  // note of every server that voted for it. A note that a later leader set counts as the greater: what one that was
  // deposed sets, it sets by a clock of its own, which no quorum has gone by.
  int64_t note = 0;
  Term note_term = 0;  // of the leader that set it
  std::vector<Entry> entries;

  // snapshot and snapshot_reply
  uint64_t offset = 0;
  bool last_chunk = false;
  Configuration configuration;
  std::string chunk;

  template <class A>
  void fields(A& a) {
    a(type, from, to, term, index, log_term, commit, hint, refused, transfer, round, note, note_term, entries, offset,
      last_chunk, configuration, chunk);
  }
  friend bool operator==(const Message&, const Message&) = default;
};

}  // namespace chainring::raft
