#include "coordinator/lease.h"

#include <algorithm>

#include "ring/table.h"

namespace chainring::coordinator {

bool may_be_granted(const RingState& ring, const Member& member, TableVersion obeyed) {
  return obeyed >= member.must_obey && !member.gone() && !ring.superseded(member);
}

bool is_being_left(const RingState& ring, MemberId member) {
  return std::any_of(ring.ranges().begin(), ring.ranges().end(), [&](const protocol::TableRange& range) {
    return range.next_epoch != 0 && ring::contains(range.chain, member) && !ring::contains(range.next_chain, member);
  });
}

void LeaseBook::begin(const std::vector<Member>& members, Micros now, Micros patience) {
  ends_.clear();
  held_since_.clear();
  granted_.clear();
  aside_until_.clear();
  for (const Member& member : members) {
    if (member.gone()) continue;
    ends_[member.listed.id] = now + lease_us_ + patience + margin_us_;
    held_since_[member.listed.id] = now;
  }
}

void LeaseBook::grant(MemberId member, Micros now) {
  granted_.insert(member);
  if (lapsed(member, now)) held_since_[member] = now;
  Micros& end = ends_[member];
  end = std::max(end, now + lease_us_ + margin_us_);
}

bool LeaseBook::lapsed(MemberId member, Micros now) const { return now >= ends(member); }

Micros LeaseBook::held_for(MemberId member, Micros now) const {
  const auto since = held_since_.find(member);
  return since == held_since_.end() || lapsed(member, now) ? 0 : now - since->second;
}

Micros LeaseBook::ends(MemberId member) const {
  const auto at = ends_.find(member);
  return at == ends_.end() ? 0 : at->second;
}

bool LeaseBook::set_aside(MemberId member, Micros now) const {
  const auto at = aside_until_.find(member);
  return at != aside_until_.end() && now < at->second;
}

Micros LeaseBook::next_end(Micros now) const {
  Micros next = kNever;
  for (const auto* ends : {&ends_, &aside_until_}) {
    for (const auto& [member, end] : *ends) {
      if (end > now) next = std::min(next, end);
    }
  }
  return next;
}

}  // namespace chainring::coordinator
