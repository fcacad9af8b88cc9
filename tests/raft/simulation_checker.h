// Judges a simulated Raft group from outside: Raft's five safety properties (figure 3.2 of the dissertation),
// durability of what a server has said, and linearizability of reads. It keeps its own memory of every log and never
// asks one server about another.
//
// Cost: proportional to what changed; now and then a server is compared in full.
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "raft/message.h"
#include "raft/raft.h"
#include "raft/types.h"

namespace chainring::raft::testing {

uint64_t digest_of(const Entry& entry);
// The state machine of the simulation: a chain over all data entries.
uint64_t next_state(uint64_t state, EntryKind kind, uint64_t digest);

class Checker {
 public:
  // The server is up: its log must hold all that it had on disk when it went.
  void started(ServerId id, const Core& core);
  // Around a flush; the second only when it succeeded: then what the core held before it is on the server's disk.
  void flushing(ServerId id, const Core& core);
  void flushed(ServerId id, const Core& core);
  // For who sees a server only between its turns: all that the core has persisted by now is on its disk.
  void turned(ServerId id, const Core& core);
  // The server is about to crash; its disk holds something between its last flush and `core`.
  void crashing(ServerId id, const Core& core);

  void sent(const Message& message);
  // To be called after flushed(), in the order in which the state machine saw them.
  void applied(ServerId id, Index index, uint64_t state);
  void restored(ServerId id, uint64_t state, uint64_t entries);

  // Everything that was committed anywhere when the read began.
  [[nodiscard]] Index read_frontier() const { return committed_.size(); }
  void read_answered(ServerId id, Index frontier, Index applied);
  void told_leading(ServerId id, Term term, const Core& core);
  // A majority knew this note: whoever is elected from now on must know it, until a server restarts.
  void note_confirmed(int64_t note);
  void server_forgot_note();

  void fail(ServerId id, const std::string& what);
  [[nodiscard]] bool ok() const { return violation_.empty(); }
  [[nodiscard]] const std::string& violation() const { return violation_; }
  [[nodiscard]] Index committed() const { return committed_.size(); }
  [[nodiscard]] uint64_t elections() const { return leader_of_.size(); }

 private:
  struct KnownEntry {
    Term term;
    Term previous_term;
    EntryKind kind;
    uint64_t digest;
  };
  // How a log differs from its mirror.
  struct Change {
    Index base = 0;
    Index kept = 0;  // the mirror holds true so far
    Index applied = 0;
    std::vector<KnownEntry> entries;
  };
  struct CommittedEntry {
    Term term;
    Term commit_term;        // of the leader that committed it first
    uint64_t state;          // of the state machine after it
    uint64_t configuration;  // digest of the newest configuration up to it
  };
  // What is certainly on a server's disk, as a whole log from index 1 (a snapshot stands for committed entries).
  struct Mirror {
    std::vector<Term> terms;
    HardState hard_state;
    Index committed = 0;
    Index snapshot = 0;
    bool was_leader = false;
    std::pair<Term, int64_t> note;  // with the term of who set it
    uint64_t flushes = 0;
    bool flushing = false;
    Change change;                 // what the flush that is going on will make durable
    std::vector<Term> core_terms;  // what the core held at the crash
  };

  void note_change(ServerId id, const Core& core, Index last);  // of the log up to `last`
  void check_hard_state(ServerId id, Mirror& mirror, const Core& core);
  void check_leader(ServerId id, const Mirror& mirror, const Core& core);
  void take_change(ServerId id, Mirror& mirror, const Core& core);
  void take_entry(ServerId id, Mirror& mirror, const KnownEntry& entry);
  [[nodiscard]] static KnownEntry known_entry(const EntryLog& log, Index index);
  [[nodiscard]] const KnownEntry* known(Index index, Term term) const;
  void take_commits(ServerId id, Mirror& mirror, const Core& core);
  void commit(ServerId id, const Core& core, Index index);
  void check_majority_has(ServerId id, const Core& core, Index index);
  void check_configuration(ServerId id, const Core& core);
  void check_snapshot(ServerId id, Mirror& mirror, const Core& core);
  void compare_in_full(ServerId id, const Mirror& mirror, const Core& core);
  [[nodiscard]] std::vector<Term> terms_of(const Core& core) const;

  std::map<ServerId, Mirror> mirrors_;
  std::unordered_map<Term, ServerId> leader_of_;
  std::map<std::pair<ServerId, Term>, ServerId> votes_;
  std::vector<std::vector<KnownEntry>> known_;  // by index - 1
  std::vector<CommittedEntry> committed_;       // by index - 1
  std::unordered_set<uint64_t> states_;         // that were committed
  int64_t quorum_note_ = 0;
  bool notes_kept_ = true;
  std::string violation_;
};

}  // namespace chainring::raft::testing
