// When an orderly stop that was recorded (R32) is not carried out: the leader then takes it back, and minds lost nodes
// again. An orderly stop of all ends every process within seconds; who goes on renewing its lease long after the last
// one ended was not asked to end, and its slots must not stand still for ever.
//
// What is lost by that: nothing that somebody holds. Each acknowledged write is with every member of its chain, so the
// chains go on with those who are there, as after any failure. Slots whose every member has ended count as lost then,
// and begin empty by an operator's word only (R18).
//
// Volatile: a new leader begins anew. Pure: time is an argument. Thread-safety: none; one owner.
#pragma once

#include <set>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/lease.h"
#include "coordinator/state_ring.h"

namespace chainring::coordinator {

class OrderlyStop {
 public:
  // For so long nobody of those who held slots and had a lease when the stop was recorded has been found to have ended,
  // and one of them has renewed its lease without a gap. Two leases are added: until the leader knows who has one.
  static constexpr Micros kLapsesAfter = 30 * kMicrosPerSecond;

  // Leadership began, or the stop was taken back.
  void begin();
  [[nodiscard]] bool lapsed(const RingState& ring, const LeaseBook& leases, Micros now);
  // When it may have lapsed; kNever while there is nothing to wait for.
  [[nodiscard]] Micros next_check() const { return lapses_at_; }

 private:
  Micros since_ = kNever;  // a stop is recorded, and nobody more has been found to have ended
  // Who has been without a lease, each once: one that comes and goes delays nothing for ever.
  std::set<MemberId> ended_;
  Micros lapses_at_ = kNever;  // as it looks now
};

}  // namespace chainring::coordinator
