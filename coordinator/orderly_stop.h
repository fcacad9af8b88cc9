// When an orderly stop that was recorded (R32) has not happened: the leader then takes it back, and minds lost nodes
// again. A stop that has begun is never taken back: whoever ended in order must not count as lost.
//
// Volatile: a new leader begins anew. Pure: time is an argument. Thread-safety: none; one owner.
#pragma once

#include "base/time.h"
#include "coordinator/lease.h"
#include "coordinator/state_ring.h"

namespace chainring::coordinator {

class OrderlyStop {
 public:
  // For so long every member of every chain that had a lease when the stop was recorded has renewed it: nobody has
  // ended, so nobody is about to.
  static constexpr Micros kLapsesAfter = 30 * kMicrosPerSecond;

  // Leadership began.
  void begin() { since_ = kNever; }
  [[nodiscard]] bool lapsed(const RingState& ring, const LeaseBook& leases, Micros now);
  // When it may have lapsed; kNever while there is nothing to wait for.
  [[nodiscard]] Micros next_check() const { return since_ == kNever ? kNever : since_ + kLapsesAfter; }

 private:
  Micros since_ = kNever;  // a stop is recorded, and everybody is there
};

}  // namespace chainring::coordinator
