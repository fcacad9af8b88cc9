// The consensus core: Raft as a pure state machine. Messages, ticks and proposals go in; what must be on disk, what is
// to be sent and what is committed come out. It owns no disk, no network, no clock and no thread.
//
// One turn of its owner (Replica) is:
//   1. tick(), step(), propose() ... as often as wanted;
//   2. ready = take_ready(): write its snapshot, hard state and entries to disk, then sync; only then
//   3. persisted(), and ready.messages may leave: each of them rests on what was synced, so a server that cannot sync
//      says nothing;
//   4. apply each next_to_apply(), telling applied_to(); then answer take_reads().
//
// Section numbers are those of Ongaro's dissertation. Beyond its basic algorithm: pre-vote (9.6), check-quorum (6.2),
// leader stickiness (4.2.3), pipelined appends (10.2.1), read-index (6.4), leadership transfer (3.10), and one server
// added, removed or promoted at a time, never before an entry of the leader's own term is committed (4.1 and its
// erratum).
//
// A blank server (no log at all) votes for nobody: it does not know yet that it belongs to anything. So that no
// election has to wait for one, nobody is made a voter before it has the log, and no change leaves the group to servers
// that have not caught up.
//
// Thread-safety: none; one owner. Messages from peers are judged, never trusted.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "raft/entry_log.h"
#include "raft/limits.h"
#include "raft/message.h"
#include "raft/progress.h"
#include "raft/types.h"

namespace chainring::raft {

struct CoreOptions {
  ServerId id = kNobody;
  Micros heartbeat_us = 0;
  Micros election_us = 0;  // timeouts are drawn from [election_us, 2 * election_us)
  Limits limits;
};

enum class Role { follower, pre_candidate, candidate, leader };

struct Ready {
  std::optional<Snapshot> snapshot;  // came from the leader: it replaces the whole log and the state
  std::optional<HardState> hard_state;
  // Entries [entries_first, entries_last] of log() are new; they replace what the disk holds from entries_first on.
  Index entries_first = 1;
  Index entries_last = 0;
  // Messages of type snapshot have an empty `chunk`: the owner fills in the bytes at `offset`.
  std::vector<Message> messages;

  [[nodiscard]] bool must_sync() const { return hard_state.has_value() || entries_first <= entries_last; }
};

struct Reads {
  std::vector<uint64_t> confirmed;  // the state as applied now answers them
  std::vector<uint64_t> failed;     // leadership was lost
};

class Core {
 public:
  // `log` and `hard_state` are what the disk held. REQUIRES: 0 < heartbeat_us < election_us.
  // Ownership: random is not owned and outlives the Core.
  Core(const CoreOptions& options, Random& random, const HardState& hard_state, EntryLog log, Micros now);

  // --- inputs
  void tick(Micros now);
  [[nodiscard]] Micros next_tick() const;
  void step(const Message& message);
  [[nodiscard]] Result<Index> propose(std::string data);
  [[nodiscard]] Result<Index> propose_configuration(const Configuration& configuration);
  [[nodiscard]] Status read(uint64_t context);
  [[nodiscard]] Status transfer_leadership(ServerId to);
  void set_note(int64_t note);

  // --- outputs, in the order of a turn
  [[nodiscard]] bool has_work() const;
  [[nodiscard]] Ready take_ready();
  void persisted();
  [[nodiscard]] const Entry* next_to_apply() const;  // nullptr when all that is committed is applied
  void applied_to(Index index);
  [[nodiscard]] Reads take_reads();

  // The owner has saved a snapshot of the state as it was applied at `snapshot.index`; entries up to `base` go.
  void compact(SnapshotMark snapshot, Index base);
  // Whether a peer that answers is being sent the snapshot: a newer one would make it begin again.
  [[nodiscard]] bool sending_snapshot() const;

  // --- state
  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] Term term() const { return hard_state_.term; }
  [[nodiscard]] ServerId vote() const { return hard_state_.vote; }
  [[nodiscard]] ServerId leader() const { return leader_; }
  // Leads, and has committed and applied an entry of its own term.
  [[nodiscard]] bool leading() const;
  [[nodiscard]] Index committed() const { return committed_; }
  [[nodiscard]] Index applied() const { return applied_; }
  [[nodiscard]] Index stable() const { return stable_; }
  [[nodiscard]] const EntryLog& log() const { return log_; }
  [[nodiscard]] const Configuration& configuration() const { return log_.configuration(); }
  [[nodiscard]] int64_t note() const { return note_.value; }
  [[nodiscard]] Term note_term() const { return note_.term; }  // of the leader that set it
  [[nodiscard]] int64_t quorum_note() const;
  [[nodiscard]] const Progress* progress(ServerId peer) const;  // leader only, nullptr for others
  // Leader only: whether a peer answers and lacks little of the log.
  [[nodiscard]] bool has_caught_up(ServerId server) const;
  // Leader only: whether a transfer is under way. It ends with the leadership, or after an election timeout.
  [[nodiscard]] bool handing_over() const { return lead_ && lead_->transfer.to != kNobody; }
  // Not ok once a leader contradicted what is committed here: some disk broke its promises. The process must end.
  [[nodiscard]] const Status& fault() const { return fault_; }

 private:
  struct PendingRead {
    uint64_t context;
    uint64_t round;  // the first round that confirms it
  };
  struct Transfer {
    ServerId to = kNobody;
    Micros deadline = 0;
  };
  // All that only a leader has; made anew in each term.
  struct Leadership {
    Index first_index = 0;  // of the no-op that opens the term
    std::map<ServerId, Progress> peers;
    std::deque<PendingRead> reads;  // ascending by round
    uint64_t round = 0;             // the newest round that was begun
    Micros heartbeat_due = 0;
    bool heartbeat_now = false;
    bool commit_news = false;
    uint64_t uncommitted_bytes = 0;
    Transfer transfer;
  };
  // The snapshot that a leader is sending here.
  struct Incoming {
    ServerId from = kNobody;
    Term term = 0;  // of that leader
    Snapshot snapshot;
  };

  // raft.cc
  [[nodiscard]] bool is_well_formed(const Message& m) const;
  void dispatch(const Message& m);
  void answer_older_term(const Message& m);
  [[nodiscard]] Message message(MessageType type, ServerId to) const;
  void send(Message m) { messages_.push_back(std::move(m)); }
  [[nodiscard]] bool is_blank() const { return configuration().voters.empty(); }
  void commit_to(Index index);
  void set_fault(std::string_view what);

  // election.cc
  [[nodiscard]] bool may_campaign() const;
  [[nodiscard]] bool hears_leader() const;
  [[nodiscard]] bool ignores_election(const Message& m) const;
  void reset_election_timer();
  void enter_term(Term term);
  void become_follower(Term term, ServerId leader);
  void begin_pre_vote();
  void begin_election(bool transfer);
  void ask_for_votes(MessageType type, Term term, bool transfer);
  void on_vote_request(const Message& m);
  void on_vote_reply(const Message& m);
  void count_ballot();

  // follower.cc
  void follow(const Message& m);
  void on_append(const Message& m);
  [[nodiscard]] bool store_entries(const Message& m);
  void refuse_append(const Message& m);
  void acknowledge(const Message& m, Index match);
  void on_snapshot_chunk(const Message& m);
  void install(Snapshot snapshot);

  // leader.cc
  void become_leader();
  [[nodiscard]] bool is_settled() const;  // an entry of the own term is committed
  [[nodiscard]] Index append_own(EntryKind kind, std::string data);
  void refresh_peers();
  [[nodiscard]] Status check_voters(const Configuration& to) const;
  void lead_tick();
  [[nodiscard]] bool hears_quorum() const;
  void on_append_reply(const Message& m);
  void on_refused_append(const Message& m, Progress& peer);
  void on_snapshot_reply(const Message& m);
  void advance_commit();
  void confirm_reads();
  void fail_reads();
  void continue_transfer();

  // sending.cc
  void send_to_peers();
  void feed(ServerId id, Progress& peer, bool announce);
  void send_entries(ServerId id, Progress& peer);
  void send_empty_append(ServerId id, Progress& peer);
  void send_chunk(ServerId id, Progress& peer);
  void finish_removals();

  const CoreOptions options_;
  Random& random_;
  Micros now_;

  HardState hard_state_;
  HardState saved_hard_state_;  // as the disk has it, or will have it once take_ready()'s output is synced
  EntryLog log_;
  Index stable_;   // the last entry on disk
  Index offered_;  // the last entry that take_ready() gave out
  Index committed_;
  Index applied_;

  Role role_ = Role::follower;
  ServerId leader_ = kNobody;
  Micros last_contact_ = 0;  // when that leader was last heard
  Micros election_deadline_ = 0;
  std::vector<ServerId> granted_;
  std::vector<ServerId> refused_;
  std::optional<Leadership> lead_;  // present exactly while role_ is leader
  std::optional<Incoming> incoming_;
  std::optional<Snapshot> installed_;
  struct Note {
    Term term = 0;  // of the leader that set it
    int64_t value = 0;
    friend auto operator<=>(const Note&, const Note&) = default;
  };
  Note note_;

  std::vector<Message> messages_;
  Reads reads_;
  Status fault_;
};

}  // namespace chainring::raft
