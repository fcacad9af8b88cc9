#include "coordinator/gray.h"

#include <algorithm>
#include <set>

#include "ring/table.h"

namespace chainring::coordinator {
namespace {

using Accuser = GrayBook::Accuser;

constexpr Micros kSettledAfterPatience = 3;  // of a member that has come, or come back
constexpr Micros kForgivenAfterWaits = 10;   // so many waits after the last one without a new verdict

// Slots that both hold, or are about to: only then one can owe the other an acknowledgement.
bool share_a_chain(const RingState& ring, MemberId a, MemberId b) {
  return std::any_of(ring.ranges().begin(), ring.ranges().end(), [&](const protocol::TableRange& range) {
    const auto has = [&](MemberId id) { return ring::names(range, id) || ring::contains(range.goal, id); };
    return has(a) && has(b);
  });
}

}  // namespace

void GrayBook::begin() {
  accusations_.clear();
  waits_.clear();
}

bool GrayBook::accused(Accuser by, std::vector<MemberId> whom, Micros now) {
  if (whom.empty()) {
    accusations_.erase(by);
    return false;
  }
  if (accusations_.size() >= kAccusersMax && !accusations_.contains(by)) return false;
  accusations_[by] = {std::move(whom), now};
  return true;
}

// The accused links whose ends are both in their places, and have been for long enough to be dialled by everybody.
std::vector<GrayBook::Link> GrayBook::links(const RingState& ring, const LeaseBook& leases, Micros now) {
  std::erase_if(accusations_, [&](const auto& entry) { return now - entry.second.said_at >= patience_us_; });
  const auto counts = [&](MemberId id) {
    return leases.held_for(id, now) >= kSettledAfterPatience * patience_us_ && !leases.set_aside(id, now);
  };
  std::vector<Link> links;
  for (const auto& [by, accusation] : accusations_) {
    const auto accuser = static_cast<MemberId>(by.id);
    if (!by.is_router && !counts(accuser)) continue;
    for (const MemberId whom : accusation.whom) {
      if (!counts(whom)) continue;
      if (by.is_router ? ring.in_any_chain(whom) : share_a_chain(ring, accuser, whom)) links.push_back({by, whom});
    }
  }
  return links;
}

// Whether somebody who was set aside is in a chain yet that others can serve.
bool GrayBook::one_is_leaving(const RingState& ring, const LeaseBook& leases, Micros now) {
  const auto is_aside = [&](MemberId id) { return leases.set_aside(id, now); };
  return std::any_of(ring.ranges().begin(), ring.ranges().end(), [&](const protocol::TableRange& range) {
    return std::any_of(range.chain.begin(), range.chain.end(), is_aside) &&
           !std::all_of(range.chain.begin(), range.chain.end(), is_aside);
  });
}

// The member that is on most of the accused links, among those that are their guilty ends.
std::optional<GrayBook::Guilt> GrayBook::guiltiest(const std::vector<Link>& accused) {
  // By end: who is at the other end of its accused links.
  std::map<Accuser, std::set<Accuser>> others;
  for (const Link& link : accused) {
    others[link.by].insert(end_of(link));
    others[end_of(link)].insert(link.by);
  }
  std::optional<Guilt> found;
  for (const Link& link : accused) {
    const Accuser whom = end_of(link);
    const Accuser guilty = others[link.by].size() > others[whom].size() ? link.by : whom;
    if (guilty.is_router) continue;  // it is the router that reaches nobody
    if (found && others[guilty].size() <= others[found->end].size()) continue;
    found = Guilt{guilty, guilty == whom ? link.by : whom};
  }
  return found;
}

// Whether every member accuses somebody, and that not the same one: then it is nobody's fault.
bool GrayBook::nobody_explains(const RingState& ring, const LeaseBook& leases, Micros now,
                               const std::vector<Link>& accused, Accuser end) {
  const bool explains_all = std::all_of(accused.begin(), accused.end(),
                                        [&](const Link& link) { return link.by == end || end_of(link) == end; });
  if (explains_all) return false;
  return std::all_of(ring.members().begin(), ring.members().end(), [&](const Member& member) {
    const MemberId id = member.listed.id;
    if (member.gone() || leases.lapsed(id, now) || !ring.in_any_chain(id)) return true;
    return std::any_of(accused.begin(), accused.end(), [&](const Link& link) { return link.by == Accuser{false, id}; });
  });
}

std::optional<GrayBook::Verdict> GrayBook::judge(const RingState& ring, const LeaseBook& leases, Micros now) {
  if (accusations_.empty() || one_is_leaving(ring, leases, now)) return std::nullopt;
  const std::vector<Link> accused = links(ring, leases, now);
  const std::optional<Guilt> guilt = guiltiest(accused);
  if (!guilt || nobody_explains(ring, leases, now, accused, guilt->end)) return std::nullopt;
  const auto member = static_cast<MemberId>(guilt->end.id);
  return Verdict{member, guilt->other, now + wait_for(ring.member(member)->listed.name, now)};
}

Micros GrayBook::wait_for(const std::string& name, Micros now) {
  Wait& wait = waits_[name];
  const bool again = wait.length != 0 && now - wait.ends < kForgivenAfterWaits * wait.length;
  wait.length = again ? std::min(2 * wait.length, kWaitMax) : kFirstWait;
  wait.ends = now + wait.length;
  return wait.length;
}

}  // namespace chainring::coordinator
