// How the table in force is brought to the target (R14, R16, R17): slots get goals, a batch at a time; when those who
// are new have learned them, one barrier takes the chain to its goal.
//
// Volatile: what members have learned, and for how long a barrier has been open; a new leader goes on from the goals in
// the replicated state and hears the rest again within a heartbeat.
// Pure: time is an argument. Thread-safety: none; one owner.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/entries.h"
#include "coordinator/lease.h"
#include "coordinator/state_ring.h"
#include "ring/placement.h"

namespace chainring::coordinator {

// Who is to have slots, by the wishes so far: the input of ring::target_table.
[[nodiscard]] std::vector<ring::Candidate> placed_candidates(const RingState& ring);
// By slot the members that hold it, or are to begin it.
[[nodiscard]] std::vector<ring::Chain> chains_in_force(const RingState& ring);

class Mover {
 public:
  static constexpr uint32_t kSlotsPerBarrier = 512;                 // that one barrier pauses
  static constexpr uint32_t kSlotsLearning = 2 * kSlotsPerBarrier;  // that are copied at once
  static constexpr Micros kPatience = 100 * kMicrosPerMilli;  // for a planned change; doubled when it was too little
  static constexpr Micros kPatienceMax = 2 * kMicrosPerSecond;
  static constexpr Micros kReadyWait = 250 * kMicrosPerMilli;  // for others that still learn, of slots that are ready

  struct Plan {
    std::optional<TargetEntry> target;
    std::optional<GoalsEntry> goals;
    std::optional<IntentionEntry> intention;
    bool withdraws = false;  // the intention takes a change back that took too long
  };

  // How the moving stands, for people.
  struct Progress {
    uint32_t learning = 0;  // slots that have goals
    uint64_t keys = 0;      // copied since the change began, as far as this leader has heard
    uint64_t bytes = 0;
    std::string trouble;  // why nothing moves; empty when something does, or need not
  };

  // Leadership began.
  void begin();
  // A learner's statement. It is ignored when it was made before the learner knew of goals that have been taken back
  // since: what it had learned for them it forgets, though the same goals may be set again.
  void learned(const protocol::Learned& statement);
  // What to propose now: at most one of the three. REQUIRES: everything proposed from earlier plans has been applied or
  // lost.
  [[nodiscard]] Plan plan(const RingState& ring, const LeaseBook& leases, Micros now);
  // When a plan may turn out otherwise although nothing else has changed; kNever for never.
  [[nodiscard]] Micros next_check() const { return next_check_; }
  [[nodiscard]] const Progress& progress() const { return progress_; }

 private:
  // Slots that are to go on now.
  struct Todo {
    std::vector<IntendedRun> ready;      // everybody has learned them
    std::vector<IntendedRun> to_begin;   // that could have goals
    std::vector<IntendedRun> to_forget;  // whose goals cannot be reached, or are no goals any more
    uint32_t ready_slots = 0;
    uint32_t learning_slots = 0;
    uint32_t changing_slots = 0;
    std::set<std::string> awaited;  // why others wait
  };
  // What is heard of one learner.
  struct Pupil {
    TableVersion obeyed = 0;
    std::vector<protocol::LearnedRun> runs;
    uint64_t keys_before = 0, bytes_before = 0;  // of earlier changes
    uint64_t keys = 0, bytes = 0;
  };

  [[nodiscard]] static TargetEntry target_of(const RingState& ring);
  [[nodiscard]] std::optional<IntentionEntry> withdrawal(const RingState& ring, const LeaseBook& leases, Micros now);
  [[nodiscard]] Todo look(const RingState& ring, const LeaseBook& leases, Micros now) const;
  void judge(const RingState& ring, const LeaseBook& leases, Micros now, Slot first, Slot last,
             const protocol::TableRange& range, const std::vector<MemberId>& wanted, Todo& todo) const;
  [[nodiscard]] Slot learned_through(const protocol::TableRange& range, const std::vector<MemberId>& wanted, Slot first,
                                     Slot last, bool& learned) const;
  void forget_taken_back(const RingState& ring);
  void tell(const RingState& ring, const Todo& todo);
  void check_at(Micros when) { next_check_ = std::min(next_check_, when); }

  std::map<MemberId, Pupil> pupils_;
  TableVersion heard_from_ = 0;  // tables below which a learner's statement says nothing
  // Goals may have been taken back since this ranges_version(); nullopt for not since the last plan.
  std::optional<TableVersion> forgetting_since_;
  std::map<Epoch, Micros> open_since_;  // of planned changes
  Micros patience_ = kPatience;
  Micros retry_at_ = 0;  // after a withdrawal
  Micros ready_since_ = kNever;
  Micros next_check_ = kNever;
  Progress progress_;
  bool was_idle_ = true;
};

}  // namespace chainring::coordinator
