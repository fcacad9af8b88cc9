#include "coordinator/orderly_stop.h"

#include <algorithm>

namespace chainring::coordinator {

bool OrderlyStop::lapsed(const RingState& ring, const LeaseBook& leases, Micros now) {
  const bool all_there =
      ring.stopped() && std::all_of(ring.members().begin(), ring.members().end(), [&](const Member& member) {
        return !ring.in_any_chain(member.listed.id) || !leases.lapsed(member.listed.id, now);
      });
  if (!all_there) {
    since_ = kNever;
    return false;
  }
  if (since_ == kNever) since_ = now;
  return now >= since_ + kLapsesAfter;
}

}  // namespace chainring::coordinator
