#include "tests/sim/sabotage.h"

#include <algorithm>
#include <numeric>

#include "base/text.h"
#include "tests/sim/history.h"

namespace chainring::sim {
namespace {

constexpr Micros kFaultEvery = 300 * kMicrosPerMilli;  // on average
constexpr Micros kRestartWithin = 2 * kMicrosPerSecond;
constexpr Micros kFaultMost = 1500 * kMicrosPerMilli;
constexpr Micros kStallMost = 3 * kMicrosPerSecond;
constexpr Micros kCutOff = 2 * kMicrosPerSecond;
// How long a fault that is over may keep a node from renewing its lease, and its effects from being seen in the table.
constexpr Micros kAftermath = 500 * kMicrosPerMilli;
constexpr Micros kFreshLeaseLeft = 250 * kMicrosPerMilli;  // of a node that renews as it should
constexpr uint32_t kSlowedBy = 100;
constexpr Micros kSyncTakes = 200;  // microseconds
constexpr Micros kSlowSyncTakes = 60 * kMicrosPerMilli;
constexpr Millis kWallStepMost = 250;

using Ranges = std::vector<protocol::TableRange>;

bool keep_one(const Ranges& ranges, const std::vector<MemberId>& healthy) {
  const auto has_one = [&](const std::vector<MemberId>& chain) {
    return std::any_of(chain.begin(), chain.end(), [&](MemberId member) { return ring::contains(healthy, member); });
  };
  return std::all_of(ranges.begin(), ranges.end(), [&](const protocol::TableRange& range) {
    return has_one(range.chain) && (range.next_epoch == 0 || has_one(range.next_chain));
  });
}

bool name_only(const Ranges& ranges, const std::vector<MemberId>& alive) {
  return std::all_of(ranges.begin(), ranges.end(), [&](const protocol::TableRange& range) {
    return std::all_of(range.chain.begin(), range.chain.end(),
                       [&](MemberId member) { return ring::contains(alive, member); });
  });
}

}  // namespace

const std::vector<Sabotage::Kind>& Sabotage::kinds() {
  static const std::vector<Kind> kKinds = {
      {Fault::node_killed, 12, &Sabotage::kill_node},
      {Fault::node_ended, 6, &Sabotage::end_node},
      {Fault::node_paused, 10, &Sabotage::pause_node},
      {Fault::node_stalled, 5, &Sabotage::stall_node},
      {Fault::node_slowed, 4, &Sabotage::slow_node},
      {Fault::coordinator_killed, 15, &Sabotage::kill_coordinator},
      {Fault::coordinator_paused, 6, &Sabotage::pause_coordinator},
      {Fault::coordinator_disk_lost, 6, &Sabotage::lose_disk},
      {Fault::disk_slowed, 4, &Sabotage::slow_disk},
      {Fault::link_cut, 6, &Sabotage::cut_link},
      {Fault::link_cut_one_way, 6, &Sabotage::cut_link_one_way},
      {Fault::neighbours_cut, 5, &Sabotage::cut_neighbours},
      {Fault::router_cut_from_leader, 3, &Sabotage::cut_router_from_leader},
      {Fault::router_cut_from_node, 3, &Sabotage::cut_router_from_node},
      {Fault::host_isolated, 4, &Sabotage::isolate_host},
      {Fault::network_parted, 3, &Sabotage::part_network},
      {Fault::coordinators_cut_off, 2, &Sabotage::cut_off_coordinators},
      {Fault::chain_lost, 1, &Sabotage::lose_chain},
      {Fault::coordinators_lost, 1, &Sabotage::lose_coordinators},
      {Fault::wall_clock_stepped, 4, &Sabotage::step_wall_clock},
      {Fault::clock_drifted, 4, &Sabotage::drift_clock},
      {Fault::replies_cut, 5, &Sabotage::cut_replies},
      {Fault::router_killed, 5, &Sabotage::kill_router},
      {Fault::router_paused, 4, &Sabotage::pause_router},
      {Fault::client_killed, 5, &Sabotage::kill_client},
      {Fault::client_paused, 4, &Sabotage::pause_client},
  };
  return kKinds;
}

Sabotage::Sabotage(World& world, const Hosts& hosts)
    : world_(world),
      hosts_(hosts),
      standings_(hosts.end()),
      syncs_(hosts.coordinators().size()),
      sync_takes_(hosts.coordinators().size(), kSyncTakes) {
  Random& random = world.random();
  if (random.percent(70)) world.faults().breaks_per_100k = static_cast<uint32_t>(random.below(120));
  if (random.percent(50)) world.faults().late_per_100k = static_cast<uint32_t>(random.below(60));
  world.turn_cost = [this](HostId host) { return hosts_.is_coordinator(host) ? disk_time(host) : 0; };
}

void Sabotage::begin() {
  on_ = true;
  schedule();
}

bool Sabotage::fail_a_node() {
  const HostId node = any(hosts_.nodes());
  if (!world_.running(node) || !may_lose(node)) return false;
  switch (world_.random().below(3)) {
    case 0:
      kill(node);
      world_.counts().add(Fault::node_killed);
      return true;
    case 1:
      disturb(node, kFaultMost);
      world_.pause(node, kFaultMost);
      world_.counts().add(Fault::node_paused);
      return true;
    default:
      world_.counts().add(Fault::host_isolated);
      return isolate(node, kFaultMost);
  }
}

void Sabotage::end() {
  on_ = false;
  world_.faults().breaks_per_100k = world_.faults().late_per_100k = 0;
  world_.heal_all();
  std::fill(sync_takes_.begin(), sync_takes_.end(), kSyncTakes);
  for (HostId host = 0; host < hosts_.end(); ++host) {
    world_.slow(host, 1);
    if (!world_.running(host)) world_.start(host);
  }
}

void Sabotage::schedule() {
  world_.at(world_.now() + up_to(2 * kFaultEvery), [this] {
    if (!on_) return;
    inject();
    schedule();
  });
}

void Sabotage::inject() {
  const uint32_t all = std::accumulate(kinds().begin(), kinds().end(), uint32_t{0},
                                       [](uint32_t sum, const Kind& kind) { return sum + kind.weight; });
  uint64_t drawn = world_.random().below(all);
  for (const Kind& kind : kinds()) {
    if (drawn < kind.weight) {
      if ((this->*kind.inject)()) world_.counts().add(kind.fault);
      return;
    }
    drawn -= kind.weight;
  }
}

// ---- what may be lost ----------------------------------------------------------------------------------------------

void Sabotage::note_turn(HostId host) {
  Standing& standing = standings_[host];
  const uint64_t lease = hosts_.node(host)->lease().number(world_.local_now(host).mono);
  if (lease != standing.lease) standing.lease_since = world_.now();
  standing.lease = lease;
}

void Sabotage::disturb(HostId host, Micros length) {
  Micros& until = standings_[host].disturbed_until;
  until = std::max(until, world_.now() + length + kAftermath);
}

// Renews its lease, has done so for so long that nobody is about to go on without it, and nothing is about to befall
// it.
bool Sabotage::healthy(HostId host) const {
  const node::Node* node = hosts_.node(host);
  const Standing& standing = standings_[host];
  return node != nullptr && standing.disturbed_until < world_.now() && standing.lease != 0 &&
         node->lease().left(world_.local_now(host).mono) >= kFreshLeaseLeft &&
         standing.lease_since + kAftermath < world_.now();
}

const node::Node* Sabotage::best_informed() const {
  const node::Node* best = nullptr;
  for (const HostId host : hosts_.nodes()) {
    const node::Node* node = hosts_.node(host);
    if (node != nullptr && (best == nullptr || node->table().version() > best->table().version())) best = node;
  }
  return best != nullptr && best->table().has_ranges() ? best : nullptr;
}

bool Sabotage::holds_in_all_tables(const std::function<bool(const std::vector<protocol::TableRange>&)>& holds) const {
  const node::Node* informed = best_informed();
  if (informed == nullptr || !holds(informed->table().message().ranges)) return false;
  // The coordinators may know more than the nodes.
  return std::all_of(hosts_.coordinators().begin(), hosts_.coordinators().end(), [&](HostId host) {
    const coordinator::Coordinator* coordinator = hosts_.coordinator(host);
    return coordinator == nullptr || holds(coordinator->state().ring().ranges());
  });
}

bool Sabotage::may_lose(HostId victim) const {
  std::vector<MemberId> others;
  for (const HostId host : hosts_.nodes()) {
    if (host != victim && healthy(host)) others.push_back(hosts_.node(host)->self());
  }
  return holds_in_all_tables([&](const Ranges& ranges) { return keep_one(ranges, others); });
}

// A lapse alone loses nothing: the last member of a chain is waited for. But whoever lapses before a dead member has
// lapsed makes the dead one the last.
bool Sabotage::may_disturb(HostId victim) const {
  const std::vector<MemberId> all = alive();
  return holds_in_all_tables([&](const Ranges& ranges) { return name_only(ranges, all); }) || may_lose(victim);
}

std::vector<MemberId> Sabotage::alive() const {
  std::vector<MemberId> alive;
  for (const HostId host : hosts_.nodes()) {
    if (hosts_.node(host) != nullptr) alive.push_back(hosts_.node(host)->self());
  }
  return alive;
}

bool Sabotage::may_disturb_all(const std::vector<HostId>& hosts) const {
  return std::all_of(hosts.begin(), hosts.end(),
                     [&](HostId host) { return !hosts_.is_node(host) || may_disturb(host); });
}

bool Sabotage::ended_as_asked(HostId host) {
  if (!asked_to_end_.contains(host)) return false;
  another_life(host);
  return true;
}

void Sabotage::another_life(HostId node) {
  asked_to_end_.erase(node);
  standings_[node] = Standing();  // another, empty member
  restart_later(node);
}

void Sabotage::restart_later(HostId host) {
  world_.at(world_.now() + up_to(kRestartWithin), [this, host] {
    if (!world_.running(host)) world_.start(host);
  });
}

Micros Sabotage::up_to(Micros most) { return static_cast<Micros>(world_.random().below(static_cast<uint64_t>(most))); }

HostId Sabotage::any(const std::vector<HostId>& hosts) { return hosts[world_.random().below(hosts.size())]; }

// ---- nodes ---------------------------------------------------------------------------------------------------------

bool Sabotage::kill_node() {
  const HostId victim = any(hosts_.nodes());
  if (!world_.running(victim) || !may_lose(victim)) return false;
  kill(victim);
  return true;
}

void Sabotage::kill(HostId node) {
  world_.kill(node);
  another_life(node);
}

bool Sabotage::end_node() {
  const HostId node = any(hosts_.nodes());
  if (!world_.running(node) || !may_lose(node)) return false;
  asked_to_end_.insert(node);
  standings_[node].disturbed_until = kNever;
  world_.request_stop(node);
  return true;
}

bool Sabotage::pause_node() {
  const HostId node = any(hosts_.nodes());
  if (!world_.running(node) || !may_disturb(node)) return false;
  const Micros length = up_to(kFaultMost);
  disturb(node, length);
  world_.pause(node, length);
  return true;
}

bool Sabotage::stall_node() {
  const HostId node = any(hosts_.nodes());
  if (!world_.running(node) || !may_disturb(node)) return false;
  const Micros length = up_to(kStallMost);
  disturb(node, length);
  world_.stall(node, length);
  return true;
}

bool Sabotage::slow_node() {
  const HostId node = any(hosts_.nodes());
  if (!world_.running(node) || !may_disturb(node)) return false;
  const Micros length = up_to(2 * kFaultMost);
  disturb(node, length);
  world_.slow(node, kSlowedBy);
  world_.at(world_.now() + length, [this, node] { world_.slow(node, 1); });
  return true;
}

// ---- coordinators --------------------------------------------------------------------------------------------------

bool Sabotage::kill_coordinator() {
  const HostId victim = any(hosts_.coordinators());
  if (!world_.running(victim)) return false;
  world_.kill(victim);
  hosts_.disk_of(victim).crash(world_.random());
  restart_later(victim);
  return true;
}

bool Sabotage::pause_coordinator() {
  const HostId coordinator = any(hosts_.coordinators());
  world_.pause(coordinator, up_to(kFaultMost));
  return world_.running(coordinator);
}

// One at a time: what a group of three has committed may be on two disks only.
bool Sabotage::lose_disk() {
  const HostId victim = any(hosts_.coordinators());
  if (hosts_.coordinators().size() < 3 || !hosts_.group_is_whole()) return false;
  lose_disk_of(victim);
  return true;
}

void Sabotage::lose_disk_of(HostId coordinator) {
  world_.kill(coordinator);
  hosts_.disk_of(coordinator).wipe();
  restart_later(coordinator);
}

bool Sabotage::slow_disk() {
  const HostId coordinator = any(hosts_.coordinators());
  sync_takes_[coordinator] = kSlowSyncTakes;
  world_.at(world_.now() + up_to(2 * kFaultMost), [this, coordinator] { sync_takes_[coordinator] = kSyncTakes; });
  return true;
}

// What a coordinator's turn says leaves when its disk is done.
Micros Sabotage::disk_time(HostId coordinator) {
  const uint64_t syncs = hosts_.disk_of(coordinator).syncs();
  return static_cast<Micros>(syncs - std::exchange(syncs_[coordinator], syncs)) * sync_takes_[coordinator];
}

// ---- the network ---------------------------------------------------------------------------------------------------

void Sabotage::cut_for(HostId from, HostId to, bool both, Micros length) {
  world_.cut(from, to, true);
  if (both) world_.cut(to, from, true);
  world_.at(world_.now() + length, [this, from, to, both] {
    world_.cut(from, to, false);
    if (both) world_.cut(to, from, false);
  });
}

bool Sabotage::cut(bool both) {
  std::vector<HostId> hosts = hosts_.coordinators();
  hosts.insert(hosts.end(), hosts_.nodes().begin(), hosts_.nodes().end());
  hosts.insert(hosts.end(), hosts_.routers().begin(), hosts_.routers().end());
  const HostId from = any(hosts), to = any(hosts);
  if (from == to || !may_disturb_all({from, to})) return false;
  const Micros length = up_to(kFaultMost);
  cut_for(from, to, both, length);
  disturb(from, length);
  disturb(to, length);
  return true;
}

bool Sabotage::cut_link() { return cut(true); }
bool Sabotage::cut_link_one_way() { return cut(false); }

bool Sabotage::cut_neighbours() {
  const node::Node* informed = best_informed();
  if (informed == nullptr) return false;
  const auto slot = static_cast<Slot>(world_.random().below(kSlotCount));
  const std::vector<MemberId>& chain = informed->table().range(slot).chain;
  if (chain.size() < 2) return false;
  const size_t first = world_.random().below(chain.size() - 1);
  const auto host_of = [&](MemberId member) {
    return std::find_if(hosts_.nodes().begin(), hosts_.nodes().end(), [&](HostId host) {
      return hosts_.node(host) != nullptr && hosts_.node(host)->self() == member;
    });
  };
  const auto from = host_of(chain[first]), to = host_of(chain[first + 1]);
  if (from == hosts_.nodes().end() || to == hosts_.nodes().end() || !may_disturb_all({*from, *to})) return false;
  const Micros length = up_to(2 * kFaultMost);
  cut_for(*from, *to, world_.random().percent(50), length);
  disturb(*from, length);
  disturb(*to, length);
  return true;
}

bool Sabotage::cut_router_from_leader() {
  const auto leads = [&](HostId host) {
    return hosts_.coordinator(host) != nullptr && hosts_.coordinator(host) == hosts_.leader();
  };
  const auto leader = std::find_if(hosts_.coordinators().begin(), hosts_.coordinators().end(), leads);
  if (leader == hosts_.coordinators().end()) return false;
  cut_for(any(hosts_.routers()), *leader, world_.random().percent(70), up_to(2 * kFaultMost));
  return true;
}

bool Sabotage::cut_router_from_node() {
  const HostId node = any(hosts_.nodes());
  if (!may_disturb(node)) return false;
  const Micros length = up_to(2 * kFaultMost);
  cut_for(any(hosts_.routers()), node, world_.random().percent(70), length);
  disturb(node, length);  // it is set aside when the router reaches it on no other way
  return true;
}

// What has run is asked for again, elsewhere when the slot or the leadership goes over meanwhile.
bool Sabotage::cut_replies() {
  const HostId mute = any(world_.random().percent(70) ? hosts_.nodes() : hosts_.coordinators());
  if (!may_disturb_all({mute})) return false;
  const Micros length = up_to(kFaultMost);
  cut_for(mute, any(hosts_.routers()), false, length);
  disturb(mute, length);
  return true;
}

bool Sabotage::isolate_host() {
  std::vector<HostId> hosts = hosts_.coordinators();
  hosts.insert(hosts.end(), hosts_.nodes().begin(), hosts_.nodes().end());
  return isolate(any(hosts), up_to(kFaultMost));
}

bool Sabotage::isolate(HostId alone, Micros length) {
  if (!may_disturb_all({alone})) return false;
  for (HostId other = 0; other < hosts_.end(); ++other) {
    if (other != alone) cut_for(alone, other, true, length);
  }
  disturb(alone, length);
  return true;
}

// Whoever is with the smaller part of the coordinators has to stop in time, also towards clients on its side.
bool Sabotage::part_network() {
  if (!may_disturb_all(hosts_.nodes())) return false;
  const Micros length = up_to(2 * kFaultMost);
  std::vector<bool> beyond(hosts_.end());
  for (HostId host = 0; host < hosts_.end(); ++host) beyond[host] = world_.random().percent(40);
  for (HostId one = 0; one < hosts_.end(); ++one) {
    for (HostId other = one + 1; other < hosts_.end(); ++other) {
      if (beyond[one] != beyond[other]) cut_for(one, other, true, length);
    }
  }
  for (const HostId node : hosts_.nodes()) disturb(node, length);
  return true;
}

bool Sabotage::cut_off_coordinators() {
  if (!may_disturb_all(hosts_.nodes())) return false;
  for (const HostId node : hosts_.nodes()) {
    for (const HostId coordinator : hosts_.coordinators()) cut_for(node, coordinator, true, kCutOff);
    disturb(node, kCutOff);
  }
  return true;
}

// ---- disasters -----------------------------------------------------------------------------------------------------

bool Sabotage::lose_chain() {
  const coordinator::Coordinator* leader = hosts_.leader();
  if (lost_a_chain_ || leader == nullptr || leader->state().ring().ranges().empty()) return false;
  const std::vector<Slot> slots = slots_in_use();
  const Slot slot = slots[world_.random().below(slots.size())];
  const std::vector<MemberId> chain = leader->state().ring().range_of(slot).chain;
  for (const HostId host : hosts_.nodes()) {
    if (hosts_.node(host) != nullptr && ring::contains(chain, hosts_.node(host)->self())) kill(host);
  }
  return lost_a_chain_ = true;
}

// Only the locks are lost with them, so no slot may be lost already.
bool Sabotage::lose_coordinators() {
  const std::vector<MemberId> all = alive();
  if (lost_coordinators_ || !holds_in_all_tables([&](const Ranges& ranges) { return keep_one(ranges, all); })) {
    return false;
  }
  for (const HostId coordinator : hosts_.coordinators()) lose_disk_of(coordinator);
  on_coordinators_lost();
  return lost_coordinators_ = true;
}

// ---- clocks, routers, clients --------------------------------------------------------------------------------------

HostId Sabotage::any_with_a_clock() {
  const uint64_t choice = world_.random().below(100);
  return any(choice < 45 ? hosts_.coordinators() : choice < 80 ? hosts_.nodes() : hosts_.routers());
}

bool Sabotage::step_wall_clock() {
  const HostId host = any_with_a_clock();
  world_.set_wall(host, static_cast<Millis>(up_to(2 * kWallStepMost)) - kWallStepMost);
  return true;
}

bool Sabotage::drift_clock() {
  const HostId host = any_with_a_clock();
  world_.set_drift(host, static_cast<int32_t>(world_.random().below(2 * kDriftPpmMost)) - kDriftPpmMost);
  return true;
}

bool Sabotage::kill_router() {
  const HostId victim = any(hosts_.routers());
  if (!world_.running(victim)) return false;
  world_.kill(victim);
  restart_later(victim);
  return true;
}

bool Sabotage::pause_router() {
  const HostId router = any(hosts_.routers());
  world_.pause(router, up_to(kFaultMost));
  return world_.running(router);
}

bool Sabotage::kill_client() {
  const HostId victim = any(hosts_.clients());
  if (!world_.running(victim)) return false;
  world_.kill(victim);
  restart_later(victim);
  return true;
}

// Its locks run out meanwhile, and its answers wait for it at the router or node. The operator may be one, too.
bool Sabotage::pause_client() {
  const uint64_t choice = world_.random().below(100);
  const HostId client = choice < 60   ? any(hosts_.clients())
                        : choice < 90 ? any(hosts_.node_clients())
                                      : hosts_.operator_host();
  world_.pause(client, up_to(kFaultMost));
  return world_.running(client);
}

}  // namespace chainring::sim
