// The log as the core sees it: entries in memory after a base, and the configurations among them.
//
// All entries since the base are held in memory; Replica bounds them by taking snapshots. What is on disk is
// raft/log.h's business.
// Thread-safety: none; belongs to one Core.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "raft/types.h"

namespace chainring::raft {

// What a snapshot's place in the log is, without the state itself.
struct SnapshotMark {
  Index index = 0;  // 0: none
  Term term = 0;
  Configuration configuration;
};

class EntryLog {
 public:
  EntryLog() = default;
  // Begins right after a snapshot.
  explicit EntryLog(SnapshotMark snapshot);

  [[nodiscard]] Index base() const { return base_index_; }  // the last index that is no longer here
  [[nodiscard]] Index last_index() const { return base_index_ + entries_.size(); }
  [[nodiscard]] Term last_term() const { return entries_.empty() ? base_term_ : entries_.back().term; }
  // Known for the base and all that follows; nothing elsewhere.
  [[nodiscard]] std::optional<Term> term_at(Index index) const;
  [[nodiscard]] bool matches(Index index, Term term) const { return term_at(index) == term; }
  // REQUIRES: base() < index <= last_index(). Lifetime: until the entry is truncated or compacted.
  [[nodiscard]] const Entry& at(Index index) const;
  // What the entries after `index` weigh, in bytes. REQUIRES: base() <= index <= last_index().
  [[nodiscard]] uint64_t bytes_after(Index index) const;
  [[nodiscard]] uint64_t bytes() const { return bytes_; }

  // Copies entries from `from` on, as many as fit `bytes_max` but always one when there is one.
  [[nodiscard]] std::vector<Entry> slice(Index from, uint64_t bytes_max) const;

  // REQUIRES: entry.index == last_index() + 1, terms never fall, a configuration entry carries a valid one.
  void append(Entry entry);
  // Drops `from` and all that follows. REQUIRES: snapshot().index < from.
  void truncate(Index from);

  // Where a log that has `term` at `index` can still agree with this one: the greatest index up to `index` whose term
  // is not above `term` (the paper's fast backtracking, section 5.3). It does not look below the base.
  [[nodiscard]] Index last_agreement(Index index, Term term) const;

  // The newest snapshot; what a peer gets that needs entries from before the base.
  [[nodiscard]] const SnapshotMark& snapshot() const { return snapshot_; }
  // A snapshot of the state at snapshot.index was taken; entries up to `base` go.
  // REQUIRES: base() <= base <= snapshot.index <= last_index().
  void compact(SnapshotMark snapshot, Index base);

  // The configuration in use is the newest in the log, committed or not (4.1). Empty on a blank server.
  [[nodiscard]] const Configuration& configuration() const { return configurations_.back().configuration; }
  [[nodiscard]] Index configuration_index() const { return configurations_.back().index; }
  // REQUIRES: index >= snapshot().index.
  [[nodiscard]] const Configuration& configuration_at(Index index) const;

  // What an entry counts against limits: its data and what surrounds it.
  static uint64_t weight(const Entry& entry) { return entry.data.size() + kEntryOverheadBytes; }

 private:
  static constexpr uint64_t kEntryOverheadBytes = 32;
  struct Dated {
    Index index = 0;
    Configuration configuration;
  };

  Index base_index_ = 0;
  Term base_term_ = 0;
  std::deque<Entry> entries_;
  uint64_t bytes_ = 0;
  SnapshotMark snapshot_;
  std::vector<Dated> configurations_ = {Dated{}};  // ascending; the first is the snapshot's
};

}  // namespace chainring::raft
