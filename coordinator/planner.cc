#include "coordinator/planner.h"

#include <algorithm>

namespace chainring::coordinator {
namespace {

using protocol::MemberState;
using Chain = std::vector<MemberId>;

bool is_live(const RingState& ring, const LeaseBook& leases, MemberId id, Micros now) {
  const Member* member = ring.member(id);
  return member != nullptr && !member->gone() && !leases.lapsed(id, now);
}

// Those that can begin slots now, by ascending id; only ids above `after`.
enum class Who { all, placed };
std::vector<ring::Candidate> candidates(const RingState& ring, const LeaseBook& leases, Micros now, MemberId after,
                                        Who who) {
  std::vector<ring::Candidate> found;
  for (const Member& member : ring.members()) {
    const protocol::TableMember& listed = member.listed;
    if (who == Who::placed && !member.placed) continue;
    if (listed.id <= after || member.draining || !is_live(ring, leases, listed.id, now) || ring.superseded(member)) {
      continue;
    }
    found.push_back(candidate_of(listed));
  }
  return found;
}

// Since when an absent member has been away, by this leader's clock. Its book may have begun long after that.
Micros absent_from(const Member& member, const LeaseBook& leases, Micros now, Millis lock_time) {
  const Micros found_absent = now - (lock_time - *member.absent_since) * kMicrosPerMilli;
  return std::min(leases.ends(member.listed.id), found_absent);
}

}  // namespace

ring::Candidate candidate_of(const protocol::TableMember& listed) {
  return {listed.id, listed.name, listed.failure_host, listed.failure_zone, listed.weight};
}

std::vector<IntendedRun> chains_from_empty(const RingState& ring, const LeaseBook& leases, Micros now,
                                           const Slots& slots) {
  const std::vector<ring::Candidate> members = candidates(ring, leases, now, kNoMember, Who::placed);
  std::vector<IntendedRun> runs;
  if (members.empty()) return runs;
  std::vector<ring::Chain> in_force(kSlotCount);
  for (const protocol::TableRange& range : ring.ranges()) {
    for (uint32_t slot = range.first; slot <= range.last; ++slot) {
      if (!slots.test(slot)) in_force[slot] = basis(range);
    }
  }
  const std::vector<ring::Chain> target = ring::target_table(members, ring.copies(), in_force);
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    if (slots.test(slot)) append_run(runs, static_cast<Slot>(slot), static_cast<Slot>(slot), target[slot]);
  }
  return runs;
}

void Planner::begin() {
  std::fill(settled_at_.begin(), settled_at_.end(), kSettled);
  next_check_ = kNever;
}

Plan Planner::plan(const RingState& ring, const LeaseBook& leases, Micros now, Millis lock_time) {
  Plan plan;
  next_check_ = leases.next_end(now);
  plan_states(ring, leases, now, lock_time, plan);
  if (ring.ranges().empty() || ring.stopped()) {
    plan_first_table(ring, leases, now, plan);
    return plan;
  }
  plan_failover(ring, leases, now, plan);
  if (!plan.intention && options_.empty_on_loss) plan_refounding(ring, leases, now, plan);
  return plan;
}

void Planner::plan_states(const RingState& ring, const LeaseBook& leases, Micros now, Millis lock_time, Plan& plan) {
  MemberStatesEntry entry;
  entry.time = lock_time;
  for (const Member& member : ring.members()) {
    if (member.gone()) continue;
    const MemberId id = member.listed.id;
    const bool absent = member.listed.state == MemberState::absent;
    if (!leases.lapsed(id, now)) {
      // A new leader has to reckon with a lease of the last one's, also of those that are away for long.
      if (!absent || !leases.was_granted(id)) continue;
      entry.changes.push_back({id, ring.in_any_chain(id) ? MemberState::up : MemberState::joining});
      continue;
    }
    if (ring.superseded(member)) {
      entry.changes.push_back({id, MemberState::gone});
    } else if (!member.absent_since) {
      if (leases.ends(id) != 0) entry.changes.push_back({id, MemberState::absent});
    } else if (const Micros repair_at = absent_from(member, leases, now, lock_time) + options_.repair_after_us;
               now < repair_at) {
      check_at(repair_at);
    } else if (!ring.in_any_chain(id)) {
      entry.changes.push_back({id, MemberState::gone});
    } else if (member.placed && !member.struck) {
      entry.struck.push_back(id);  // it holds slots that nobody else can serve, and may come back with them (R18)
    }
  }
  if (!entry.struck.empty() && !may_strike(ring, leases, now)) entry.struck.clear();
  if (!entry.changes.empty() || !entry.struck.empty()) plan.states = std::move(entry);
}

// Whether those who are away can be done without: somebody else is there, and has been for so long that the rest of
// those who were cut off together would be, too. After an orderly stop everybody who has a place is waited for (R32).
bool Planner::may_strike(const RingState& ring, const LeaseBook& leases, Micros now) {
  if (ring.stopped()) return false;
  Micros longest = 0;
  for (const Member& member : ring.members()) {
    if (member.in_target()) longest = std::max(longest, leases.held_for(member.listed.id, now));
  }
  if (longest >= options_.settle_us) return true;
  if (longest > 0) check_at(now + options_.settle_us - longest);
  return false;
}

// All slots at once, from empty: when the cluster is new, or was stopped in order and its nodes have come back (R32).
void Planner::plan_first_table(const RingState& ring, const LeaseBook& leases, Micros now, Plan& plan) const {
  const MemberId before = ring.stopped() ? ring.stopped_before() : kNoMember;
  const size_t needed = ring.stopped() ? std::max<size_t>(1, ring.placed_count()) : options_.initial_nodes;
  if (needed == 0) return;
  for (const Member& member : ring.members()) {
    // Somebody from before the stop may still serve.
    if (member.listed.id <= before && !leases.lapsed(member.listed.id, now)) return;
  }
  const std::vector<ring::Candidate> members =
      candidates(ring, leases, now, before, ring.stopped() ? Who::placed : Who::all);
  if (members.size() < needed) return;
  const std::vector<ring::Chain> target = ring::target_table(members, ring.copies(), {});
  IntentionEntry entry;
  entry.from_empty = true;
  entry.planned_on = ring.ranges_version();
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    append_run(entry.runs, static_cast<Slot>(slot), static_cast<Slot>(slot), target[slot]);
  }
  plan.intention = std::move(entry);
  for (const Member& member : ring.members()) {
    if (member.listed.id <= before && !member.gone()) plan.gone.push_back(member.listed.id);
  }
}

void Planner::plan_failover(const RingState& ring, const LeaseBook& leases, Micros now, Plan& plan) {
  // An epoch is activated for all of its slots at once: those that stand still get one of their own, afterwards.
  std::vector<IntendedRun> going, standing;
  for (const protocol::TableRange& range : ring.ranges()) {
    if (ring.lost(range)) {
      settle_at(range, kSettled);  // nobody comes back to it
      continue;
    }
    const Chain live = serving(ring, leases, basis(range), now);
    const Chain next = serving(ring, leases, range.next_chain, now);
    if (const std::optional<Chain> chain = wish(range, live, next.size() == range.next_chain.size(), now)) {
      append_run(live.empty() ? standing : going, range.first, range.last, *chain);
    }
  }
  if (going.empty() && standing.empty()) return;
  IntentionEntry entry;
  entry.planned_on = ring.ranges_version();
  entry.runs = std::move(going.empty() ? standing : going);
  plan.intention = std::move(entry);
}

// The chain's members that have leases, without those that are about to end or set aside, if anybody is left then.
Planner::Chain Planner::serving(const RingState& ring, const LeaseBook& leases, const Chain& chain, Micros now) {
  Chain live, staying;
  for (const MemberId id : chain) {
    if (!is_live(ring, leases, id, now)) continue;
    live.push_back(id);
    if (!ring.member(id)->draining && !leases.set_aside(id, now)) staying.push_back(id);
  }
  return staying.empty() ? live : staying;
}

// The chain that the range should be changed to; nothing when it is well, or when nothing can be done. `can_finish`
// says of a change that is under way whether all who are to serve then are there.
std::optional<Chain> Planner::wish(const protocol::TableRange& range, const Chain& live, bool can_finish, Micros now) {
  const Chain& holders = basis(range);
  if (live.empty()) {
    // It stands still (R18). A change that was under way is taken back: whoever comes back first must find the way open
    // for all of them.
    settle_at(range, kNever);
    if (range.next_epoch != 0 && range.next_chain != holders) return holders;
    return std::nullopt;
  }
  if (still_settling(range, live.size() == holders.size(), now)) return std::nullopt;
  if (range.next_epoch == 0) return live == holders ? std::nullopt : std::optional(live);
  return can_finish ? std::nullopt : std::optional(live);
}

// Whether a chain that stood still waits for the rest of its members. Those that were cut off together come back within
// moments of each other, and whoever is left behind has to be copied to again.
bool Planner::still_settling(const protocol::TableRange& range, bool complete, Micros now) {
  Micros until = kSettled;
  for (uint32_t slot = range.first; slot <= range.last; ++slot) {
    Micros& settled_at = settled_at_[slot];
    if (settled_at == kNever) settled_at = now + options_.settle_us;
    until = std::max(until, settled_at);
  }
  if (until == kSettled) return false;
  if (complete || now >= until) {
    settle_at(range, kSettled);
    return false;
  }
  check_at(until);
  return true;
}

void Planner::settle_at(const protocol::TableRange& range, Micros when) {
  std::fill(settled_at_.begin() + range.first, settled_at_.begin() + range.last + 1, when);
}

void Planner::plan_refounding(const RingState& ring, const LeaseBook& leases, Micros now, Plan& plan) const {
  Slots lost;
  for (const protocol::TableRange& range : ring.ranges()) {
    if (!ring.lost(range)) continue;
    for (uint32_t slot = range.first; slot <= range.last; ++slot) lost.set(slot);
  }
  if (lost.none()) return;
  IntentionEntry entry;
  entry.from_empty = true;
  entry.planned_on = ring.ranges_version();
  entry.runs = chains_from_empty(ring, leases, now, lost);
  if (!entry.runs.empty()) plan.intention = std::move(entry);
}

}  // namespace chainring::coordinator
