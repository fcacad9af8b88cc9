// All that the coordinators agree on: the ring and the lock keyspace, changed by log entries alone (R28).
//
// Pure and deterministic. Thread-safety: none; one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "coordinator/answers.h"
#include "coordinator/entries.h"
#include "coordinator/state_locks.h"
#include "coordinator/state_ring.h"

namespace chainring::coordinator {

inline constexpr uint64_t kDigestEvery = 1024;  // entries between the digests that members compare

// What became of a lock command, or of an operator's wish.
struct LockOutcome {
  bool expired = false;  // it was called answered before, or may have run and been forgotten: it did not run now (R20)
  LockReply reply;
};

struct Applied {
  bool table_changed = false;
  std::optional<LockOutcome> lock;
  std::optional<LockOutcome> wish;
  std::optional<RulesOutcomeEntry> rules_outcome;
};

// The digest of all outcomes up to and including the entry at `index`.
struct DigestMark {
  uint64_t index = 0;
  uint64_t digest = 0;
  template <class A>
  void fields(A& a) {
    a(index, digest);
  }
  friend bool operator==(const DigestMark&, const DigestMark&) = default;
};

class State {
 public:
  // Entries come once each, by ascending index. An error is an entry that this program cannot run, or a digest that
  // differs from the leader's: this member's state is not to be trusted any more and its process must end.
  [[nodiscard]] Result<Applied> apply(uint64_t index, std::string_view entry);

  [[nodiscard]] const RingState& ring() const { return ring_; }
  [[nodiscard]] const LockSpace& locks() const { return locks_; }
  // For reads, which leave it as it is.
  [[nodiscard]] LockSpace& locks() { return locks_; }
  [[nodiscard]] const Answers& answers() const { return answers_; }
  // What was answered when this write came for the first time; nothing when this is the first time (R20).
  [[nodiscard]] std::optional<LockOutcome> answered_before(Incarnation sender, uint64_t number,
                                                           protocol::Sent sent) const;

  // The newest mark; there is one about every kDigestEvery entries.
  [[nodiscard]] const DigestMark& digest_mark() const { return mark_; }
  [[nodiscard]] uint64_t digest() const { return digest_; }

  // Exact: a state restored from a snapshot answers every later entry as the one that made it.
  [[nodiscard]] std::string snapshot() const;
  // What locks and answers have of it at most. The ring beside them is never long.
  [[nodiscard]] uint64_t snapshot_bytes() const { return locks_.snapshot_bytes() + answers_.snapshot_bytes(); }
  [[nodiscard]] Status restore(std::string_view snapshot);

 private:
  template <class E>
  bool apply_to_ring(ByteReader& reader);
  template <class E>
  [[nodiscard]] std::optional<LockOutcome> grant_wish(uint64_t index, ByteReader& reader);
  // The answer is empty while the change has still to be made.
  [[nodiscard]] std::optional<LockOutcome> grant_rules(ByteReader& reader);
  [[nodiscard]] std::optional<LockOutcome> run_command(uint64_t index, ByteReader& reader);
  [[nodiscard]] std::optional<LockOutcome> run_transaction(uint64_t index, ByteReader& reader);
  // Moves the lock time on, takes in what the sender was answered without an entry, and runs what the entry asks for
  // unless it has run before (R20).
  template <class E, class Run>
  [[nodiscard]] LockOutcome run_once(uint64_t index, const E& entry, Run&& run);
  [[nodiscard]] Status compare(ByteReader& reader) const;
  void fold_digest(uint64_t index, const Applied& applied);

  RingState ring_;
  LockSpace locks_;
  Answers answers_;
  uint64_t digest_ = 0;
  DigestMark mark_;
};

}  // namespace chainring::coordinator
