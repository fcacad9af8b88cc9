// Which changes of membership and chains the leader proposes at once: the first table, chains without members that
// lapsed or are about to end, the start after an orderly stop (R14, R18, R32). What can be done in its own time, moves
// towards the target, is the Mover's.
//
// Volatile: a new leader plans anew from the replicated state and its own book of leases.
// Pure: time is an argument. Thread-safety: none; one owner.
#pragma once

#include <algorithm>
#include <bitset>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/entries.h"
#include "coordinator/lease.h"
#include "coordinator/state_ring.h"
#include "ring/placement.h"

namespace chainring::coordinator {

struct PlannerOptions {
  size_t initial_nodes = 0;    // how many must be there for the first table; 0 waits for the operator
  bool empty_on_loss = false;  // chains whose every member is gone begin again, empty
  Micros settle_us = 0;        // how long members of a chain that stood still may take to come back together
  Micros repair_after_us = 0;  // after how long an absent member is struck from the target, or forgotten
};

struct Plan {
  std::optional<MemberStatesEntry> states;
  std::optional<IntentionEntry> intention;
  // Members that the intention declares gone, whatever lease they have then: until it is applied, none may be granted
  // one.
  std::vector<MemberId> gone;
};

using Slots = std::bitset<kSlotCount>;

[[nodiscard]] ring::Candidate candidate_of(const protocol::TableMember& listed);

// Chains for these slots, which begin empty, of members that are in the ring and have leases; none when nobody is
// there.
[[nodiscard]] std::vector<IntendedRun> chains_from_empty(const RingState& ring, const LeaseBook& leases, Micros now,
                                                         const Slots& slots);

class Planner {
 public:
  explicit Planner(PlannerOptions options) : options_(options) {}

  // Leadership began.
  void begin();
  // What to propose now, at this lock time. REQUIRES: everything that was proposed from earlier plans has been applied
  // or lost.
  [[nodiscard]] Plan plan(const RingState& ring, const LeaseBook& leases, Micros now, Millis lock_time);
  // When a plan may turn out otherwise although neither state nor leases were touched; kNever for never.
  [[nodiscard]] Micros next_check() const { return next_check_; }

 private:
  using Chain = std::vector<MemberId>;
  void plan_states(const RingState& ring, const LeaseBook& leases, Micros now, Millis lock_time, Plan& plan);
  void plan_first_table(const RingState& ring, const LeaseBook& leases, Micros now, Plan& plan) const;
  void plan_failover(const RingState& ring, const LeaseBook& leases, Micros now, Plan& plan);
  void plan_refounding(const RingState& ring, const LeaseBook& leases, Micros now, Plan& plan) const;
  [[nodiscard]] static Chain serving(const RingState& ring, const LeaseBook& leases, const Chain& chain, Micros now);
  [[nodiscard]] bool may_strike(const RingState& ring, const LeaseBook& leases, Micros now);
  [[nodiscard]] std::optional<Chain> wish(const protocol::TableRange& range, const Chain& live, bool can_finish,
                                          Micros now);
  [[nodiscard]] bool still_settling(const protocol::TableRange& range, bool complete, Micros now);
  void settle_at(const protocol::TableRange& range, Micros when);
  void check_at(Micros when) { next_check_ = std::min(next_check_, when); }

  static constexpr Micros kSettled = 0;

  PlannerOptions options_;
  // By slot: kNever while its chain stands still; when somebody is back, until when it waits for the rest of its
  // members; otherwise kSettled. Each slot has a time of its own: some stand still for good, and others do so again.
  std::vector<Micros> settled_at_ = std::vector<Micros>(kSlotCount, kSettled);
  Micros next_check_ = kNever;
};

}  // namespace chainring::coordinator
