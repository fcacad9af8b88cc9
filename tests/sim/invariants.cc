#include "tests/sim/invariants.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "protocol/slot.h"
#include "raft/raft.h"
#include "ring/table.h"

namespace chainring::sim {
namespace {

constexpr uint64_t kWholeCheckEvery = 16384;  // turns
constexpr raft::Index kStateCheckEvery = 8;   // entries

bool same_view(const node::Chains::View& a, const node::Chains::View& b) {
  return a.epoch == b.epoch && a.promised == b.promised && a.applied == b.applied && a.committed == b.committed &&
         a.active == b.active && a.member == b.member;
}

// Whether the member has said that it stopped, and has not taken up the next epoch.
bool has_stopped(const node::Chains::View& view) { return view.member && view.promised > view.epoch; }

}  // namespace

Invariants::Invariants(const World& world, const Hosts& hosts, std::vector<Slot> watched)
    : world_(world),
      hosts_(hosts),
      watched_(std::move(watched)),
      seen_(hosts.end()),
      begun_empty_(kSlotCount, -1),
      compared_(hosts.end()) {
  std::sort(watched_.begin(), watched_.end());
  watched_.erase(std::unique(watched_.begin(), watched_.end()), watched_.end());
}

void Invariants::violate(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

void Invariants::after_turn(HostId host) {
  if (!violation_.empty()) return;
  if (hosts_.is_coordinator(host)) {
    check_raft(host);
    check_state(host);
    note_losses(hosts_.coordinator(host)->state().ring());
    const coordinator::Coordinator* turned = hosts_.coordinator(host);
    if (turned->leads()) newest_term_ = std::max(newest_term_, turned->replica()->term());
  }
  if (hosts_.is_node(host)) check_node(host);
  if (++turns_ % kWholeCheckEvery == 0) check_all_slots();
}

bool Invariants::has_lease(HostId host, const node::Node& node) const {
  return node.lease().valid(world_.local_now(host).mono);
}

bool Invariants::serves(HostId host, Slot slot) const {
  const node::Node* node = hosts_.node(host);
  return node != nullptr && node->store().chains().heads(slot, 0) && has_lease(host, *node);
}

// Leases are lost by time alone and won in a turn of their own node only, so nothing new can come from another's turn.
void Invariants::check_node(HostId host) {
  const node::Node* node = hosts_.node(host);
  if (!node->table().has_ranges()) return;
  Seen& seen = seen_[host];
  const bool new_life = seen.node != node || seen.views.empty();
  const uint64_t lease = node->lease().number(world_.local_now(host).mono);
  const bool look_at_all = new_life || seen.lease != lease || seen.table != node->table().version();
  if (seen.table != node->table().version() || new_life) check_table(node->table().message());
  if (lease != 0) check_lease(host);
  seen.node = node;
  seen.lease = lease;
  seen.table = node->table().version();
  seen.views.resize(watched_.size());
  for (size_t i = 0; i < watched_.size(); ++i) {
    const node::Chains::View view = node->store().chains().view(watched_[i]);
    const node::Chains::View before = std::exchange(seen.views[i], view);
    if (!look_at_all && same_view(view, before)) continue;
    if (!new_life) check_promise(host, watched_[i], before, view);
    check_slot(host, watched_[i], view);
  }
}

// A member that has stopped takes nothing of the epoch that it stopped in: neither effects nor acknowledgements. Only
// what levels the new chain still comes, under the epoch that was promised (R15).
void Invariants::check_promise(HostId host, Slot slot, const node::Chains::View& before,
                               const node::Chains::View& view) {
  if (view.active && view.newest_came_under != 0 && view.newest_came_under != view.epoch) {
    return violate(concat("slot ", slot, ": ", world_.name(host), " has taken a record of epoch ",
                          view.newest_came_under, " in epoch ", view.epoch));
  }
  if (!has_stopped(before) || !has_stopped(view) || before.epoch != view.epoch) return;
  const bool took_a_record = view.applied > before.applied && view.newest_came_under <= view.epoch;
  if (!took_a_record && view.committed == before.committed) return;
  violate(concat("slot ", slot, ": ", world_.name(host), " has promised epoch ", before.promised, " at ",
                 before.applied, ", ", before.committed, " of it committed, and comes to ", view.applied, ", ",
                 view.committed, " of it committed, by epoch ", view.epoch));
}

void Invariants::check_all_slots() {
  for (const HostId host : hosts_.nodes()) {
    const node::Node* node = hosts_.node(host);
    if (node == nullptr || !node->table().has_ranges()) continue;
    for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
      check_slot(host, static_cast<Slot>(slot), node->store().chains().view(static_cast<Slot>(slot)));
    }
  }
}

void Invariants::check_slot(HostId host, Slot slot, const node::Chains::View& view) {
  if (view.committed > view.applied) return violate(concat("slot ", slot, ": committed beyond applied"));
  if (!view.active) return;
  for (const HostId other : hosts_.nodes()) {
    if (other != host && hosts_.node(other) != nullptr) check_pair(host, other, slot, view);
  }
}

void Invariants::check_pair(HostId host, HostId other, Slot slot, const node::Chains::View& view) {
  const node::Node& ours = *hosts_.node(host);
  const node::Node& theirs = *hosts_.node(other);
  const node::Chains::View their_view = theirs.store().chains().view(slot);
  if (!their_view.active) return;
  if (ours.finished() || theirs.finished()) return;  // by a table that it has not obeyed any more
  if (has_lease(host, ours) && has_lease(other, theirs)) {
    if (view.head && their_view.head) {
      return violate(concat("slot ", slot, " is served by ", world_.name(host), " and by ", world_.name(other)));
    }
    if (view.epoch != their_view.epoch) {
      return violate(concat("slot ", slot, " is served by ", world_.name(host), " under epoch ", view.epoch, " and by ",
                            world_.name(other), " under epoch ", their_view.epoch));
    }
  }
  if (view.epoch != their_view.epoch) return;
  const std::vector<MemberId>& chain = ours.table().range(slot).chain;
  const auto place = std::find(chain.begin(), chain.end(), ours.self());
  const auto their_place = std::find(chain.begin(), chain.end(), theirs.self());
  const bool first = place < their_place;
  const node::Chains::View& before = first ? view : their_view;
  const node::Chains::View& behind = first ? their_view : view;
  if (before.applied < behind.applied || behind.applied < before.committed) {
    violate(concat("slot ", slot, " epoch ", view.epoch, ": ", world_.name(first ? host : other), " applied ",
                   before.applied, " committed ", before.committed, ", behind it ", world_.name(first ? other : host),
                   " applied ", behind.applied));
  }
  if (view.applied == their_view.applied) check_settled(host, other, slot);
}

// Who has applied as much knows as well what has run, so that a retry runs nowhere again (R20).
void Invariants::check_settled(HostId host, HostId other, Slot slot) {
  const node::SenderLog& ours = hosts_.node(host)->store().chains().senders(slot);
  const node::SenderLog& theirs = hosts_.node(other)->store().chains().senders(slot);
  const Micros now = world_.local_now(host).mono, their_now = world_.local_now(other).mono;
  if (ours.covers(theirs, now, their_now) && theirs.covers(ours, their_now, now)) return;
  violate(concat("slot ", slot, ": ", world_.name(host), " and ", world_.name(other),
                 " have applied as much, and do not know the same requests to have run"));
}

// Epochs of a slot only grow from version to version, so it is enough to compare a table with its neighbours.
void Invariants::note_losses(const coordinator::RingState& ring) {
  if (ring.version() <= version_) return;
  version_ = ring.version();
  for (const protocol::TableRange& range : ring.ranges()) {
    if (!range.chain.empty() || range.next_epoch == 0) continue;
    std::fill(begun_empty_.begin() + range.first, begun_empty_.begin() + range.last + 1, world_.now());
  }
  std::set<MemberId> live;
  for (const coordinator::Member& member : ring.members()) {
    if (!member.gone() && member.listed.state != protocol::MemberState::absent) live.insert(member.listed.id);
  }
  for (const MemberId member : live_) {
    if (!live.contains(member)) lapses_.push_back(world_.now());
  }
  live_ = std::move(live);
}

size_t Invariants::lapsed_between(Micros from, Micros to) const {
  return static_cast<size_t>(std::upper_bound(lapses_.begin(), lapses_.end(), to) -
                             std::lower_bound(lapses_.begin(), lapses_.end(), from));
}

void Invariants::check_table(const protocol::TableMessage& table) {
  const auto same_chains = [&](const std::vector<protocol::TableRange>& a, const std::vector<protocol::TableRange>& b) {
    size_t i = 0, j = 0;
    while (i < a.size() && j < b.size()) {
      const bool given_up = b[j].chain.empty();  // by an operator's word
      if (a[i].epoch == b[j].epoch && a[i].chain != b[j].chain && !given_up) {
        violate(concat("slot ", std::max(a[i].first, b[j].first), " has two chains in epoch ", a[i].epoch));
      }
      if (a[i].epoch > b[j].epoch) {
        violate(concat("the epoch of slot ", std::max(a[i].first, b[j].first), " went back to ", b[j].epoch));
      }
      const Slot last = std::min(a[i].last, b[j].last);
      if (a[i].last == last) ++i;
      if (b[j].last == last) ++j;
    }
  };
  const auto [at, fresh] = tables_.try_emplace(table.version, table.ranges);
  if (!fresh) {
    const bool same = std::equal(
        at->second.begin(), at->second.end(), table.ranges.begin(), table.ranges.end(),
        [](const auto& a, const auto& b) { return a.first == b.first && a.last == b.last && ring::same_chains(a, b); });
    if (!same) violate(concat("two tables have version ", table.version));
    return;
  }
  if (at != tables_.begin()) same_chains(std::prev(at)->second, at->second);
  if (std::next(at) != tables_.end()) same_chains(at->second, std::next(at)->second);
}

// The leader counts a lease from when it granted it, the node from when it asked: so the node's is over first. Whoever
// has been deposed and does not know it yet counts what it likes: it can commit nothing. Nor does who has yet to be
// told what to found.
void Invariants::check_lease(HostId host) {
  const node::Node& node = *hosts_.node(host);
  if (node.finished()) return;  // it serves nobody any more
  for (const HostId at : hosts_.coordinators()) {
    const coordinator::Coordinator* leader = hosts_.coordinator(at);
    if (leader == nullptr || !leader->leads() || leader->replica()->term() < newest_term_) continue;
    if (!leader->state().ring().founded()) continue;
    if (!leader->leases().lapsed(node.self(), world_.local_now(at).mono)) continue;
    violate(concat(world_.name(host), " holds a lease that ", world_.name(at), " counts as lapsed"));
  }
}

// Coordinators that have applied as much hold the same, whether from the log or from a snapshot (R28, R29).
void Invariants::check_state(HostId host) {
  const coordinator::Coordinator* turned = hosts_.coordinator(host);
  const raft::Index applied = turned->replica()->founded() ? turned->replica()->applied() : 0;
  if (applied % kStateCheckEvery != 0 || std::exchange(compared_[host], applied) == applied) return;
  const uint64_t digest = protocol::key_hash(turned->state().snapshot());
  if (states_.try_emplace(applied, digest).first->second == digest) return;
  violate(concat(world_.name(host), " holds another state at entry ", applied, " than who has applied it before"));
}

const raft::Core* Invariants::core_at(HostId host) const {
  const raft::Replica* replica = hosts_.coordinator(host)->replica();
  return replica == nullptr ? nullptr : replica->core();
}

// A group is founded in a turn, or at a start when a crash came in between.
void Invariants::coordinator_started(HostId host) {
  const raft::Core* core = core_at(host);
  if (core == nullptr) return;
  const uint64_t disk = hosts_.coordinator(host)->disk_id();
  if (!founded_.contains(disk)) return check_raft(host);
  raft_.started(disk, *core);
}

void Invariants::coordinator_killed(HostId host) {
  if (const raft::Core* core = core_at(host)) raft_.crashing(hosts_.coordinator(host)->disk_id(), *core);
}

void Invariants::group_lost() {
  raft_ = raft::testing::Checker();
  founded_.clear();
  newest_term_ = 0;
  states_.clear();
}

void Invariants::check_raft(HostId host) {
  const raft::Core* core = core_at(host);
  if (core == nullptr) return;
  const uint64_t disk = hosts_.coordinator(host)->disk_id();
  founded_.insert(disk);
  raft_.turned(disk, *core);
  if (!raft_.ok()) violate(concat("Raft: ", raft_.violation()));
}

}  // namespace chainring::sim
