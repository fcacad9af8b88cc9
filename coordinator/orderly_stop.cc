#include "coordinator/orderly_stop.h"

#include <algorithm>

namespace chainring::coordinator {

void OrderlyStop::begin() {
  since_ = kNever;
  ended_.clear();
  lapses_at_ = kNever;
}

bool OrderlyStop::lapsed(const RingState& ring, const LeaseBook& leases, Micros now) {
  if (!ring.stopped()) {
    begin();
    return false;
  }
  since_ = std::min(since_, now);
  Micros longest = 0;  // that one of those from before has gone on
  for (const Member& member : ring.members()) {
    const MemberId id = member.listed.id;
    // Who was away when the stop was recorded cannot tell whether it has begun.
    if (member.missed_stop || !ring.in_any_chain(id)) continue;
    if (leases.lapsed(id, now)) {
      if (ended_.insert(id).second) since_ = now;
    } else {
      longest = std::max(longest, leases.held_for(id, now));
    }
  }
  // Who has ended is known a lease after it renewed last; of those whom an earlier leader granted one, a little later.
  const Micros needed = kLapsesAfter + 2 * leases.lease_us() + leases.margin_us();
  lapses_at_ = longest == 0 ? kNever : now + needed - std::min(longest, now - since_);
  return now >= lapses_at_;
}

}  // namespace chainring::coordinator
