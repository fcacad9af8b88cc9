#include "coordinator/orderly_stop.h"

namespace chainring::coordinator {
namespace {

// Whether those who held slots when the stop was recorded have their leases yet. Who was away then cannot tell whether
// the stop has begun; when all were, nothing can.
bool all_go_on(const RingState& ring, const LeaseBook& leases, Micros now) {
  bool somebody = false;
  for (const Member& member : ring.members()) {
    if (member.missed_stop || !ring.in_any_chain(member.listed.id)) continue;
    if (leases.lapsed(member.listed.id, now)) return false;
    somebody = true;
  }
  return somebody;
}

}  // namespace

bool OrderlyStop::lapsed(const RingState& ring, const LeaseBook& leases, Micros now) {
  const bool nobody_has_ended = ring.stopped() && all_go_on(ring, leases, now);
  if (!nobody_has_ended) {
    since_ = kNever;
    return false;
  }
  if (since_ == kNever) since_ = now;
  return now >= since_ + kLapsesAfter;
}

}  // namespace chainring::coordinator
