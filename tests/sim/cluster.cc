#include "tests/sim/cluster.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "protocol/slot.h"
#include "router/router.h"
#include "tests/sim/operator.h"

namespace chainring::sim {
namespace {

constexpr uint16_t kRouterPort = 7379;
constexpr uint16_t kNodePorts = 7401;
constexpr uint16_t kCoordinatorPorts = 7301;
constexpr uint16_t kClientPorts = 9000;
constexpr uint16_t kOperatorPort = 8999;
constexpr Micros kFoundedWithin = 10 * kMicrosPerSecond;
constexpr Micros kServedAgainWithin = 8 * kMicrosPerSecond;
constexpr Micros kInPlaceWithin = 30 * kMicrosPerSecond;
constexpr Micros kAnsweredWithin = 10 * kMicrosPerSecond;
constexpr Micros kFaultEvery = 400 * kMicrosPerMilli;
constexpr size_t kJudgeStatesMax = 200'000;
constexpr uint64_t kWholeCheckEvery = 512;  // turns

void must(const Status& status) { CHECK(status.ok(), "the simulator's settings are valid"); }

}  // namespace

struct Cluster::Disk {
  std::unique_ptr<chainring::testing::SimDisk> disk;
};

Cluster::Cluster(const ClusterPlan& plan) : plan_(plan), world_(plan.seed, plan.verbose) {
  world_.faults().breaks_per_100k = world_.random().percent(70) ? static_cast<uint32_t>(world_.random().below(120)) : 0;
  add_coordinators();
  add_nodes();
  add_router();
  add_clients();
  add_operator();
  disturbed_until_.resize(operator_ + 1);
  world_.after_turn = [this](HostId host) { check_after(host); };
  world_.on_end = [this](HostId host) {
    if (asked_to_end_.erase(host) != 0 && world_.process(host)->outcome().ok()) return restart_later(host);
    violate(concat(world_.name(host), " ended by itself: ", world_.process(host)->outcome().message()));
  };
}

Cluster::~Cluster() = default;

Settings Cluster::settings(Role role, const std::string& name, uint16_t port) const {
  Settings settings(role);
  std::string coordinators;
  for (size_t i = 0; i < plan_.coordinators; ++i) {
    append_text(coordinators, i == 0 ? "" : ",", "c", i + 1, "=127.0.0.1:", kCoordinatorPorts + i);
  }
  must(settings.set(Setting::name, name));
  must(settings.set(Setting::port, concat(port)));
  must(settings.set(Setting::coordinators, coordinators));
  return settings;
}

void Cluster::add_coordinators() {
  for (size_t i = 0; i < plan_.coordinators; ++i) {
    disks_.push_back(std::make_unique<Disk>());
    Disk* disk = disks_.back().get();
    disk->disk = std::make_unique<chainring::testing::SimDisk>();
    const std::string name = concat("c", i + 1);
    const auto port = static_cast<uint16_t>(kCoordinatorPorts + i);
    coordinators_.push_back(world_.add_host(
        name, port,
        [this, disk, name, port](Transport& transport, Random& random, Log& log) {
          Settings own = settings(kCoordinatorRole, name, port);
          must(own.set(Setting::initial_nodes, concat(plan_.founders)));
          must(own.set(Setting::snapshot_entries, "200"));
          return std::make_unique<coordinator::Coordinator>(own, transport, *disk->disk, random, log);
        },
        static_cast<int32_t>(world_.random().below(100)) - 50));
  }
}

void Cluster::add_nodes() {
  for (size_t i = 0; i < plan_.nodes; ++i) {
    const std::string name = concat("n", i + 1);
    const auto port = static_cast<uint16_t>(kNodePorts + i);
    nodes_.push_back(world_.add_host(
        name, port,
        [this, name, port](Transport& transport, Random& random, Log& log) {
          return std::make_unique<node::Node>(settings(kNodeRole, name, port), transport, random, log);
        },
        static_cast<int32_t>(world_.random().below(100)) - 50));
  }
}

void Cluster::add_router() {
  router_ = world_.add_host(
      "r1", kRouterPort,
      [this](Transport& transport, Random& random, Log& log) {
        return std::make_unique<router::Router>(settings(kRouterRole, "r1", kRouterPort), transport, random, log);
      },
      0);
}

void Cluster::add_clients() {
  for (size_t i = 0; i < plan_.clients; ++i) {
    Client::Plan plan;
    plan.id = i + 1;
    plan.router = {"127.0.0.1", kRouterPort};
    clients_.push_back(world_.add_host(
        concat("client", i + 1), static_cast<uint16_t>(kClientPorts + i),
        [this, plan](Transport& transport, Random& random, Log&) {
          return std::make_unique<Client>(plan, notebook_, world_time_, transport, random);
        },
        0));
    for (size_t key = 0; key < plan.keys; ++key) {
      watched_.push_back(protocol::slot_of(concat(key % 3 == 0 ? "count" : "key", key)));
    }
  }
  std::sort(watched_.begin(), watched_.end());
  watched_.erase(std::unique(watched_.begin(), watched_.end()), watched_.end());
}

void Cluster::add_operator() {
  Operator::Plan plan;
  plan.router = {"127.0.0.1", kRouterPort};
  for (const HostId host : nodes_) plan.nodes.push_back(world_.name(host));
  operator_ = world_.add_host(
      "operator", kOperatorPort,
      [plan](Transport& transport, Random& random, Log&) {
        return std::make_unique<Operator>(plan, transport, random);
      },
      0);
}

node::Node* Cluster::node_at(HostId host) const { return dynamic_cast<node::Node*>(world_.process(host)); }

bool Cluster::serves(HostId host, Slot slot) const {
  const node::Node* node = node_at(host);
  return node != nullptr && node->store().chains().heads(slot, 0) && node->lease().valid(world_.local_now(host).mono);
}

bool Cluster::all_served() const {
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const bool served =
        std::any_of(nodes_.begin(), nodes_.end(), [&](HostId host) { return serves(host, static_cast<Slot>(slot)); });
    if (!served) return false;
  }
  return true;
}

bool Cluster::all_in_place() const {
  const coordinator::Coordinator* leading = leader();
  if (leading == nullptr || !all_served()) return false;
  const coordinator::RingState& ring = leading->state().ring();
  if (ring.wishes() != ring.target_wishes() || ring.slots_left() != 0) return false;
  for (const HostId host : nodes_) {
    const node::Node* node = node_at(host);
    if (node == nullptr || node->table().version() != ring.version()) return false;
  }
  return true;
}

std::string Cluster::misplaced() const {
  const coordinator::Coordinator* leading = leader();
  if (leading == nullptr) return "nobody leads";
  const coordinator::RingState& ring = leading->state().ring();
  std::string text = concat("wishes ", ring.wishes(), ", target for ", ring.target_wishes(),
                            ring.paused() ? ", paused" : "", ", ", ring.slots_left(), " slots left");
  for (const coordinator::IntendedRun& run : ring.target()) {
    const protocol::TableRange& range = ring.range_of(run.first);
    if (range.chain == run.chain) continue;
    append_text(text, "; slot ", run.first, " epoch ", range.epoch, " next ", range.next_epoch, " goal of ",
                range.goal.size());
    for (const MemberId member : range.chain) append_text(text, " has ", member);
    for (const MemberId member : run.chain) {
      append_text(text, " wants ", member);
      const node::Node* node = node_of(member);
      if (node == nullptr) continue;
      const node::Chains& chains = node->store().chains();
      const node::Chains::View view = chains.view(run.first);
      append_text(text, " (epoch ", view.epoch, " promised ", view.promised, " applied ", view.applied,
                  view.learning ? " learning" : "", chains.copies().has_work() ? " copying" : "", ")");
      for (const protocol::LearnedRun& learned : chains.learned().runs) {
        if (learned.first <= run.first && run.first <= learned.last) append_text(text, " learned at ", learned.epoch);
      }
    }
    break;
  }
  for (const coordinator::Member& member : ring.members()) {
    append_text(text, "; ", member.listed.id, " ", member.listed.name, " state ", static_cast<int>(member.listed.state),
                member.placed ? " placed" : "", member.draining ? " draining" : "");
    const node::Node* node = node_of(member.listed.id);
    if (node == nullptr) continue;
    append_text(text, " table ", node->table().version(), " of ", ring.version());
  }
  return text;
}

// Whether every member of a chain holds the same; the text says who does not.
std::string Cluster::difference() const {
  const coordinator::Coordinator* leading = leader();
  if (leading == nullptr) return "nobody leads";
  for (const protocol::TableRange& range : leading->state().ring().ranges()) {
    for (uint32_t at = range.first; at <= range.last; ++at) {
      const auto slot = static_cast<Slot>(at);
      const node::Node* head = node_of(range.chain.front());
      for (const MemberId member : range.chain) {
        const node::Node* node = node_of(member);
        if (head == nullptr || node == nullptr) return "a chain names somebody who is not there";
        const node::Chains::View ours = head->store().chains().view(slot);
        const node::Chains::View theirs = node->store().chains().view(slot);
        if (ours.applied != theirs.applied ||
            node->store().database()->digest(slot) != head->store().database()->digest(slot)) {
          return concat("slot ", slot, " epoch ", theirs.epoch, ": member ", member, " holds something else at ",
                        theirs.applied, " than its head at ", ours.applied);
        }
      }
    }
  }
  return {};
}

bool Cluster::run_until(Micros limit, const std::function<bool()>& done) {
  while (violation_.empty() && world_.now() < limit) {
    if (!world_.step()) return done();
    world_time_ = world_.now();
    if (turns_ % 16 == 0 && done()) return true;
  }
  return violation_.empty() && done();
}

RunReport Cluster::run() {
  for (const HostId host : coordinators_) world_.start(host);
  for (const HostId host : nodes_) world_.start(host);
  world_.start(router_);
  if (!run_until(world_.now() + kFoundedWithin, [&] { return all_served(); }) && violation_.empty()) {
    violate("the cluster did not come up");
  }
  for (const HostId host : clients_) world_.start(host);
  world_.start(operator_);
  faults_on_ = true;
  schedule_fault();
  const Micros faults_end = world_.now() + plan_.faults_for;
  run_until(faults_end, [] { return false; });
  end_faults();
  RunReport report;
  const Micros healed = world_.now();
  if (violation_.empty() && !run_until(healed + kServedAgainWithin, [&] { return all_served(); }) &&
      violation_.empty()) {
    violate("faults stopped, and some slot is not served again");
  }
  report.served_after = world_.now() - healed;
  if (auto* retiring = dynamic_cast<Operator*>(world_.process(operator_))) retiring->retire();
  if (violation_.empty() && !run_until(world_.now() + kInPlaceWithin, [&] { return all_in_place(); }) &&
      violation_.empty()) {
    violate(concat("faults stopped, and the slots do not come to where they belong: ", misplaced()));
  }
  for (const HostId host : clients_) {
    if (auto* client = dynamic_cast<Client*>(world_.process(host))) client->stop_calling();
  }
  const auto quiet = [&] {
    return std::all_of(clients_.begin(), clients_.end(), [&](HostId host) {
      const auto* client = dynamic_cast<const Client*>(world_.process(host));
      return client == nullptr || client->quiet();
    });
  };
  if (violation_.empty() && !run_until(world_.now() + kAnsweredWithin, quiet) && violation_.empty()) {
    violate("faults stopped, and a client still waits for a reply");
  }
  const auto alike = [&] { return all_in_place() && difference().empty(); };
  if (violation_.empty() && !run_until(world_.now() + kAnsweredWithin, alike) && violation_.empty()) {
    violate(concat("all is quiet, and copies differ: ", difference()));
  }
  if (violation_.empty()) judge_histories(report);
  if (violation_.empty()) judge_locks();
  if (violation_.empty() && !notebook_.complaints.empty()) violate(notebook_.complaints.front());
  report.violation = violation_;
  report.operations = notebook_.operations.size();
  report.answered = notebook_.answered;
  report.errors = notebook_.errors;
  report.grants = notebook_.grants.size();
  report.faults = world_.counts();
  return report;
}

void Cluster::violate(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

// ---- faults --------------------------------------------------------------------------------------------------------

void Cluster::schedule_fault() {
  world_.at(world_.now() + static_cast<Micros>(world_.random().below(2 * kFaultEvery)), [this] {
    if (!faults_on_) return;
    inject_fault();
    schedule_fault();
  });
}

bool Cluster::may_lose(HostId victim) const {
  const node::Node* newest = nullptr;
  for (const HostId host : nodes_) {
    const node::Node* node = node_at(host);
    if (node != nullptr && (newest == nullptr || node->table().version() > newest->table().version())) newest = node;
  }
  if (newest == nullptr || !newest->table().has_ranges()) return false;
  std::vector<MemberId> healthy;
  for (const HostId host : nodes_) {
    const node::Node* node = node_at(host);
    if (host != victim && node != nullptr && disturbed_until_[host] < world_.now()) healthy.push_back(node->self());
  }
  // The coordinators may know more than the nodes.
  for (const HostId host : coordinators_) {
    const auto* coordinator = dynamic_cast<const coordinator::Coordinator*>(world_.process(host));
    if (coordinator != nullptr && !keeps_one(coordinator->state().ring().ranges(), healthy)) return false;
  }
  return keeps_one(newest->table().message().ranges, healthy);
}

bool Cluster::keeps_one(const std::vector<protocol::TableRange>& ranges, const std::vector<MemberId>& healthy) {
  const auto has_one = [&](const std::vector<MemberId>& chain) {
    return std::any_of(chain.begin(), chain.end(), [&](MemberId member) {
      return std::find(healthy.begin(), healthy.end(), member) != healthy.end();
    });
  };
  return std::all_of(ranges.begin(), ranges.end(), [&](const protocol::TableRange& range) {
    return has_one(range.chain) && (range.next_epoch == 0 || has_one(range.next_chain));
  });
}

void Cluster::restart_later(HostId host) {
  const Micros after = static_cast<Micros>(world_.random().below(2 * kMicrosPerSecond));
  world_.at(world_.now() + after, [this, host] {
    if (!world_.running(host)) world_.start(host);
  });
}

void Cluster::inject_fault() {
  Random& random = world_.random();
  // How long a fault may keep a node from renewing its lease, and its effects from being seen in the table.
  constexpr Micros kAftermath = 3 * kMicrosPerSecond;
  const uint64_t choice = random.below(100);
  if (choice < 6) {  // a node is asked to end
    const HostId node = nodes_[random.below(nodes_.size())];
    if (!world_.running(node) || !may_lose(node)) return;
    asked_to_end_.insert(node);
    disturbed_until_[node] = kNever;
    world_.request_stop(node);
  } else if (choice < 20) {  // a node dies
    const HostId victim = nodes_[random.below(nodes_.size())];
    if (!world_.running(victim) || !may_lose(victim)) return;
    world_.kill(victim);
    asked_to_end_.erase(victim);
    disturbed_until_[victim] = kNever;  // its next life is another, empty member
    restart_later(victim);
  } else if (choice < 35) {  // a node stands still
    const HostId victim = nodes_[random.below(nodes_.size())];
    if (!may_lose(victim)) return;
    const Micros length = static_cast<Micros>(random.below(1500 * kMicrosPerMilli));
    world_.pause(victim, length);
    disturbed_until_[victim] = std::max(disturbed_until_[victim], world_.now() + length + kAftermath);
  } else if (choice < 55) {  // a coordinator dies; its unsynced writes are lost or torn
    const size_t index = random.below(coordinators_.size());
    if (!world_.running(coordinators_[index])) return;
    world_.kill(coordinators_[index]);
    disks_[index]->disk->crash(random);
    restart_later(coordinators_[index]);
  } else if (choice < 65) {
    world_.pause(coordinators_[random.below(coordinators_.size())],
                 static_cast<Micros>(random.below(kMicrosPerSecond)));
  } else if (choice < 85) {  // a link is cut, one way or both
    std::vector<HostId> hosts = coordinators_;
    hosts.insert(hosts.end(), nodes_.begin(), nodes_.end());
    hosts.push_back(router_);
    const HostId from = hosts[random.below(hosts.size())];
    const HostId to = hosts[random.below(hosts.size())];
    if (from == to) return;
    for (const HostId end : {from, to}) {
      const bool is_node = std::find(nodes_.begin(), nodes_.end(), end) != nodes_.end();
      if (is_node && !may_lose(end)) return;
    }
    const bool both = random.percent(50);
    const Micros length = static_cast<Micros>(random.below(1500 * kMicrosPerMilli));
    world_.cut(from, to, true);
    if (both) world_.cut(to, from, true);
    disturbed_until_[from] = std::max(disturbed_until_[from], world_.now() + length + kAftermath);
    disturbed_until_[to] = std::max(disturbed_until_[to], world_.now() + length + kAftermath);
    world_.at(world_.now() + length, [this, from, to, both] {
      world_.cut(from, to, false);
      if (both) world_.cut(to, from, false);
    });
  } else if (choice < 95) {
    const HostId client = clients_[random.below(clients_.size())];
    world_.kill(client);
    restart_later(client);
  } else {
    world_.kill(router_);
    restart_later(router_);
  }
}

void Cluster::end_faults() {
  faults_on_ = false;
  world_.faults().breaks_per_100k = 0;
  world_.heal_all();
  for (HostId host = 0; host <= operator_; ++host) {
    if (!world_.running(host)) world_.start(host);
  }
}

const coordinator::Coordinator* Cluster::leader() const {
  for (const HostId host : coordinators_) {
    const auto* coordinator = dynamic_cast<const coordinator::Coordinator*>(world_.process(host));
    if (coordinator != nullptr && coordinator->leads()) return coordinator;
  }
  return nullptr;
}

node::Node* Cluster::node_of(MemberId member) const {
  for (const HostId host : nodes_) {
    node::Node* node = node_at(host);
    if (node != nullptr && node->self() == member) return node;
  }
  return nullptr;
}

// ---- checks --------------------------------------------------------------------------------------------------------

void Cluster::check_after(HostId host) {
  ++turns_;
  world_time_ = world_.now();
  if (!violation_.empty() || node_at(host) == nullptr) return;
  for (const Slot slot : watched_) check_slot(slot);
  if (turns_ % kWholeCheckEvery == 0) {
    for (uint32_t slot = 0; slot < kSlotCount; ++slot) check_slot(static_cast<Slot>(slot));
  }
}

void Cluster::check_slot(Slot slot) {
  HostId server = 0;
  size_t servers = 0;
  for (const HostId host : nodes_) {
    if (!serves(host, slot)) continue;
    ++servers;
    if (servers == 2) {
      return violate(concat("slot ", slot, " is served by ", world_.name(server), " and by ", world_.name(host)));
    }
    server = host;
  }
  // One chain for each slot and epoch, and the prefix invariant along it.
  for (const HostId host : nodes_) {
    const node::Node* node = node_at(host);
    if (node == nullptr || !node->table().has_ranges()) continue;
    const node::Chains::View view = node->store().chains().view(slot);
    if (view.committed > view.applied) return violate(concat("slot ", slot, ": committed beyond applied"));
    if (!view.active) continue;
    const std::vector<MemberId>& chain = node->table().range(slot).chain;
    const auto [seen, fresh] = chains_.try_emplace({slot, view.epoch}, chain);
    if (!fresh && seen->second != chain) return violate(concat("slot ", slot, " has two chains in epoch ", view.epoch));
    for (const HostId other : nodes_) {
      const node::Node* later = node_at(other);
      if (later == nullptr || later == node) continue;
      const node::Chains::View behind = later->store().chains().view(slot);
      if (!behind.active || behind.epoch != view.epoch) continue;
      const auto place = std::find(chain.begin(), chain.end(), node->self());
      const auto place_behind = std::find(chain.begin(), chain.end(), later->self());
      if (place_behind < place) continue;
      if (view.applied < behind.applied || behind.applied < view.committed) {
        return violate(concat("slot ", slot, " epoch ", view.epoch, ": ", world_.name(host), " applied ", view.applied,
                              " committed ", view.committed, ", behind it ", world_.name(other), " applied ",
                              behind.applied));
      }
    }
  }
}

void Cluster::judge_histories(RunReport& report) {
  std::map<std::string, std::vector<Operation>> by_key;
  for (const Operation& operation : notebook_.operations) by_key[operation.key].push_back(operation);
  for (auto& [key, operations] : by_key) {
    const Verdict verdict = judge(std::move(operations), kJudgeStatesMax);
    if (verdict.gave_up) ++report.unjudged_keys;
    if (!verdict.linearizable) return violate(verdict.explanation);
  }
}

void Cluster::judge_locks() {
  if (const auto wrong = judge_grants(notebook_.grants)) violate(*wrong);
}

}  // namespace chainring::sim
