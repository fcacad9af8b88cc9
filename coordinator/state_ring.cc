#include "coordinator/state_ring.h"

#include <algorithm>
#include <set>
#include <utility>

#include "ring/table.h"

namespace chainring::coordinator {

using protocol::MemberState;

const Member* RingState::member(MemberId id) const {
  const auto at = std::lower_bound(members_.begin(), members_.end(), id,
                                   [](const Member& member, MemberId wanted) { return member.listed.id < wanted; });
  return at != members_.end() && at->listed.id == id ? &*at : nullptr;
}

Member* RingState::mutable_member(MemberId id) { return const_cast<Member*>(member(id)); }

const Member* RingState::find(Incarnation incarnation) const {
  for (const Member& member : members_) {
    if (member.listed.incarnation == incarnation) return &member;
  }
  return nullptr;
}

const protocol::TableRange& RingState::range_of(Slot slot) const {
  const auto at = std::lower_bound(ranges_.begin(), ranges_.end(), slot,
                                   [](const protocol::TableRange& range, Slot wanted) { return range.last < wanted; });
  CHECK(at != ranges_.end(), "ranges cover all slots");
  return *at;
}

bool RingState::superseded(const Member& older) const {
  return std::any_of(members_.begin(), members_.end(), [&](const Member& member) {
    return member.listed.id > older.listed.id && member.listed.name == older.listed.name;
  });
}

bool RingState::in_any_chain(MemberId id) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const auto& range) { return ring::names(range, id); });
}

bool RingState::full() const {
  return std::count_if(members_.begin(), members_.end(), [](const Member& member) { return !member.gone(); }) >=
         static_cast<ptrdiff_t>(kMembersMax);
}

bool RingState::is_named(MemberId id) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const auto& range) { return ring::names(range, id) || ring::contains(range.goal, id); });
}

size_t RingState::placed_count() const {
  return static_cast<size_t>(std::count_if(members_.begin(), members_.end(), [](const Member& member) {
    return member.placed && !member.struck && !member.gone();
  }));
}

// What a member is called follows from its wish and its slots; returns whether anything has changed.
bool RingState::refresh_states() {
  std::set<MemberId> holders;
  for (const protocol::TableRange& range : ranges_) holders.insert(range.chain.begin(), range.chain.end());
  bool changed = false;
  for (Member& member : members_) {
    if (member.gone() || member.listed.state == MemberState::absent) continue;
    MemberState state = MemberState::joining;
    if (member.draining) {
      state = MemberState::leaving;
    } else if (holders.contains(member.listed.id)) {
      state = member.placed ? MemberState::up : MemberState::leaving;
    }
    changed = changed || state != member.listed.state;
    member.listed.state = state;
  }
  return changed;
}

void RingState::apply(const FoundEntry& entry) {
  if (founded() || entry.cluster_id == 0) return;
  cluster_id_ = entry.cluster_id;
  generation_ = entry.generation;
  hash_seed_ = entry.hash_seed;
  copies_ = entry.copies;
  lock_prefixes_ = entry.lock_prefixes;
  settings_ = entry.settings;
  coordinators_ = entry.coordinators;
  ++version_;
}

void RingState::apply(const SettingsEntry& entry) {
  if (entry == settings_) return;
  settings_ = entry;
  ++version_;
}

void RingState::apply(const RegisterEntry& entry) {
  if (find(entry.incarnation) != nullptr || full()) return;
  Member member;
  member.listed.id = next_member_++;
  member.listed.name = entry.name;
  member.listed.incarnation = entry.incarnation;
  member.listed.host = entry.host;
  member.listed.port = entry.port;
  member.listed.failure_host = entry.failure_host;
  member.listed.failure_zone = entry.failure_zone;
  member.listed.weight = entry.weight;
  inherit(member);
  members_.push_back(std::move(member));
  ++version_;
}

// A node that comes back has the place in the ring that it had: its slots, which are copied to it, and its weight.
void RingState::inherit(Member& member) {
  for (Member& earlier : members_) {
    if (earlier.listed.name != member.listed.name) continue;
    if (earlier.weighed) member.listed.weight = earlier.listed.weight;
    member.weighed = earlier.weighed;
    if (!std::exchange(earlier.placed, false)) continue;
    member.placed = true;
    ++wishes_;
  }
}

void RingState::apply(const MemberStatesEntry& entry) {
  bool changed = false;
  for (const MemberStateChange& change : entry.changes) {
    Member* member = mutable_member(change.member);
    // Nobody comes back from being gone: its place is another's (R1).
    if (member == nullptr || member->gone()) continue;
    if (change.state == MemberState::leaving) {
      if (std::exchange(member->draining, true)) continue;
    } else {
      const bool absent = change.state == MemberState::absent;
      if (absent && member->absent_since) continue;
      member->absent_since = absent ? std::optional(entry.time) : std::nullopt;
      if (member->listed.state == change.state) continue;
      member->listed.state = change.state;
      const bool was_struck = std::exchange(member->struck, false);
      if (member->placed && (was_struck || member->gone())) ++wishes_;
    }
    changed = true;
  }
  for (const MemberId id : entry.struck) {
    Member* member = mutable_member(id);
    if (member == nullptr || member->listed.state != MemberState::absent) continue;
    if (std::exchange(member->struck, true)) continue;
    ++wishes_;
    changed = true;
  }
  if (!changed) return;
  evacuate_leaving();
  refresh_states();
  forget_gone();
  ++version_;
}

// Those who are about to end and hold slots alone: the target has to do without them. Elsewhere the others go on
// without them at once, and the place is kept for the next incarnation.
void RingState::evacuate_leaving() {
  for (Member& member : members_) {
    if (!member.draining || member.gone() || member.evacuated || !member.placed || !holds_alone(member)) continue;
    member.evacuated = true;
    ++wishes_;
  }
}

// Whether a slot would be lost with those who are leaving.
bool RingState::holds_alone(const Member& leaving) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const protocol::TableRange& range) {
    return ring::contains(range.chain, leaving.listed.id) &&
           std::all_of(range.chain.begin(), range.chain.end(), [&](MemberId id) {
             const Member* holder = member(id);
             return holder == nullptr || holder->draining;
           });
  });
}

bool RingState::well_formed(const std::vector<IntendedRun>& runs, bool may_be_empty) const {
  uint32_t next = 0;
  for (const IntendedRun& run : runs) {
    if (run.first < next || run.last < run.first || run.last >= kSlotCount) return false;
    if (run.chain.empty() && !may_be_empty) return false;
    next = run.last + 1u;
    for (size_t i = 0; i < run.chain.size(); ++i) {
      if (member(run.chain[i]) == nullptr) return false;
      if (std::count(run.chain.begin(), run.chain.end(), run.chain[i]) != 1) return false;
    }
  }
  return !runs.empty();
}

void RingState::apply(const IntentionEntry& entry) {
  if (entry.planned_on != ranges_version_ || !well_formed(entry.runs, false)) return;
  if (ranges_.empty()) {
    if (!entry.from_empty) return;
    ranges_.push_back({0, kSlotCount - 1, 0, {}, 0, {}, {}});
  }
  if (entry.from_empty && stopped_) begin_again();
  intend(entry.runs, entry.from_empty, entry.planned);
}

void RingState::intend(const std::vector<IntendedRun>& runs, bool from_empty, bool planned) {
  ++epochs_;
  ranges_version_ = ++version_;
  std::set<MemberId> named, begin;
  change_runs(ranges_, runs, [&](protocol::TableRange& part, const IntendedRun& run) {
    named.insert(part.chain.begin(), part.chain.end());
    named.insert(part.next_chain.begin(), part.next_chain.end());
    named.insert(run.chain.begin(), run.chain.end());
    if (from_empty) {
      begin.insert(run.chain.begin(), run.chain.end());
      part.chain.clear();
      part.goal.clear();
    }
    if (planned) part.goal = run.chain;
    part.next_epoch = epochs_;
    part.next_chain = run.chain;
  });
  for (const MemberId id : named) {
    if (Member* member = mutable_member(id)) member->must_obey = version_;
  }
  for (const MemberId id : begin) give_place(id);
  refresh_states();
  forget_gone();
}

// Who begins slots has a place from then on; when its name has registered again meanwhile, the later incarnation has
// it: a name has one place.
void RingState::give_place(MemberId beginner) {
  Member* const member = mutable_newest(mutable_member(beginner)->listed.name);
  if (member != nullptr && !std::exchange(member->placed, true)) ++wishes_;
}

// The first table after an orderly stop: whoever was there before has nothing to say any more (R32).
void RingState::begin_again() {
  for (Member& member : members_) {
    if (member.listed.id > stopped_before_) continue;
    member.listed.state = MemberState::gone;
    if (std::exchange(member.placed, false)) ++wishes_;
  }
  stopped_ = false;
}

void RingState::apply(const ActivationEntry& entry) {
  if (entry.epoch == 0) return;
  bool taken_up = false;
  Ranges changed;
  changed.reserve(ranges_.size());
  for (protocol::TableRange& range : ranges_) {
    if (range.next_epoch == entry.epoch) {
      range.epoch = range.next_epoch;
      range.chain = std::move(range.next_chain);
      range.next_epoch = 0;
      range.next_chain.clear();
      if (range.goal == range.chain) range.goal.clear();
      taken_up = true;
    }
    append_folded(changed, std::move(range));
  }
  ranges_ = std::move(changed);
  if (!taken_up) return;
  ranges_version_ = ++version_;
  evacuate_leaving();
  refresh_states();
  forget_gone();
  end_change_when_done();
}

void RingState::apply(const ShutdownEntry&) {
  if (stopped_ || ranges_.empty()) return;
  stopped_ = true;
  stopped_before_ = next_member_ - 1;
  for (Member& member : members_) {
    member.missed_stop = member.gone() || member.listed.state == MemberState::absent;
  }
  ranges_version_ = ++version_;
}

void RingState::apply(const CoordinatorsEntry& entry) {
  if (entry.list.version != coordinators_.version + 1 || !coordinator::well_formed(entry.list)) return;
  coordinators_ = entry.list;
  ++version_;
}

void RingState::apply(const StopLapsedEntry&) {
  if (!stopped_) return;
  stopped_ = false;
  ranges_version_ = ++version_;
}

void RingState::forget_gone() {
  size_t kept = 0;
  for (size_t i = members_.size(); i-- > 0;) {  // the latest are the likeliest to come again
    if (!members_[i].gone() || is_named(members_[i].listed.id)) continue;
    if (++kept > kGoneMembersMax) members_.erase(members_.begin() + static_cast<ptrdiff_t>(i));
  }
}

protocol::TableMessage RingState::table() const {
  protocol::TableMessage message;
  message.cluster_id = cluster_id_;
  message.generation = generation_;
  message.version = version_;
  message.hash_seed = hash_seed_;
  message.copies = copies_;
  message.stopped = stopped_;
  message.lock_prefixes = lock_prefixes_;
  message.coordinators = addresses_to_ask(coordinators_);
  message.rules = rules_;
  message.rules_change = rules_change_.since;
  message.next_rules = rules_change_.next;
  message.ranges = ranges_;
  for (const Member& member : members_) {
    if (!member.gone() || is_named(member.listed.id)) message.members.push_back(member.listed);
  }
  return message;
}

}  // namespace chainring::coordinator
