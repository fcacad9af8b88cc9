// What a leader knows of one peer, and how it feeds it.
//
// Invariant: match < next. Thread-safety: none; belongs to one Core.
#pragma once

#include <cstdint>
#include <deque>

#include "base/check.h"
#include "base/time.h"
#include "raft/types.h"

namespace chainring::raft {

struct Progress {
  enum class State {
    probe,      // it is not known where the logs agree: one append at a time
    replicate,  // appends follow each other without waiting, as many as the window allows (10.2.1)
    snapshot,   // it needs entries that are gone: it is sent the snapshot, chunk by chunk
  };

  State state = State::probe;
  Index match = 0;  // known to be on its disk
  Index next = 1;   // first entry to send
  bool probe_sent = false;
  std::deque<Index> in_flight;  // the last index of each append with entries that is not acknowledged, ascending
  Index commit_sent = 0;        // the commit index that the last append told

  // Of the snapshot in transfer; the chunk that begins at `offset` is next, or was sent and is not acknowledged.
  Index snapshot_index = 0;
  uint64_t snapshot_offset = 0;
  bool chunk_sent = false;

  Micros last_contact = 0;  // when it last answered in this term
  uint64_t round = 0;       // the newest round of reads that it has answered
  int64_t note = 0;         // the greatest heartbeat note that it has answered with

  void become_probe(Index first) {
    CHECK(first > match, "what matches is not sent again");
    state = State::probe;
    next = first;
    probe_sent = false;
    in_flight.clear();
  }
  void become_replicate() {
    state = State::replicate;
    next = match + 1;
    in_flight.clear();
  }
  void become_snapshot(Index index) {
    state = State::snapshot;
    snapshot_index = index;
    snapshot_offset = 0;
    chunk_sent = false;
    in_flight.clear();
  }
  void sent_append(Index last) {
    in_flight.push_back(last);
    next = last + 1;
  }
  // Returns whether this told something new.
  bool acknowledge(Index index) {
    while (!in_flight.empty() && in_flight.front() <= index) in_flight.pop_front();
    if (index <= match) return false;
    match = index;
    if (next <= match) next = match + 1;
    return true;
  }
};

}  // namespace chainring::raft
