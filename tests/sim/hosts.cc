#include "tests/sim/hosts.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "raft/configuration.h"
#include "router/router.h"
#include "tests/sim/rescuer.h"

namespace chainring::sim {
namespace {

constexpr uint16_t kRouterPorts = 7379;
constexpr uint16_t kNodePorts = 7401;
constexpr uint16_t kCoordinatorPorts = 7301;
constexpr uint16_t kClientPorts = 9000;
constexpr uint16_t kOperatorPort = 8999;
constexpr uint16_t kRescuerPort = 8998;
constexpr int32_t kUsualDriftPpm = 50;

void must(const Status& status) { CHECK(status.ok(), "the simulator's settings are valid"); }

uint16_t port_from(uint16_t first, size_t i) { return static_cast<uint16_t>(first + i); }

int32_t usual_drift(Random& random) { return static_cast<int32_t>(random.below(2 * kUsualDriftPpm)) - kUsualDriftPpm; }

std::vector<Address> addresses_from(uint16_t first_port, size_t count) {
  std::vector<Address> addresses;
  for (size_t i = 0; i < count; ++i) addresses.push_back({"127.0.0.1", port_from(first_port, i)});
  return addresses;
}

}  // namespace

Hosts::Hosts(World& world, const Shape& shape, Notebook& notebook, const Micros& world_time)
    : world_(world), shape_(shape) {
  for (size_t i = 0; i < shape.coordinators; ++i) {
    append_text(coordinator_list_, i == 0 ? "" : ",", "c", i + 1, "=127.0.0.1:", port_from(kCoordinatorPorts, i));
  }
  add_coordinators(shape);
  nodes_ = add_processes<node::Node>(
      kNodeRole, {.prefix = "n", .first_port = kNodePorts, .count = shape.nodes, .has_own_clock = true});
  routers_ = add_processes<router::Router>(
      kRouterRole, {.prefix = "r", .first_port = kRouterPorts, .count = shape.routers, .has_own_clock = true});
  clients_ = add_clients<Client>({.prefix = "client", .first_port = kClientPorts, .count = shape.clients},
                                 {.routers = addresses_from(kRouterPorts, shape.routers), .eager = shape.eager_clients},
                                 notebook, world_time);
  node_clients_ = add_clients<NodeClient>({.prefix = "client",
                                           .first_number = shape.clients + 1,
                                           .first_port = port_from(kClientPorts, shape.clients),
                                           .count = shape.node_clients},
                                          {.nodes = addresses_from(kNodePorts, shape.nodes)}, notebook, world_time);
  add_operator(shape);
}

Settings Hosts::settings(Role role, const std::string& name, uint16_t port) const {
  Settings settings(role);
  must(settings.set(Setting::name, name));
  must(settings.set(Setting::port, concat(port)));
  must(settings.set(Setting::coordinators, coordinator_list_));
  if (role == kRouterRole && !shape_.reads_keep_to_heads) must(settings.set(Setting::read_locality, "0"));
  return settings;
}

template <class FactoryOf>
std::vector<HostId> Hosts::add(const Row& row, FactoryOf&& factory_of) {
  std::vector<HostId> added;
  for (size_t i = 0; i < row.count; ++i) {
    const std::string name = concat(row.prefix, row.first_number + i);
    const uint16_t port = port_from(row.first_port, i);
    const int32_t drift = row.has_own_clock ? usual_drift(world_.random()) : 0;
    added.push_back(world_.add_host(name, port, factory_of(i, name, port), drift));
  }
  return added;
}

void Hosts::add_coordinators(const Shape& shape) {
  const Row row = {.prefix = "c", .first_port = kCoordinatorPorts, .count = shape.coordinators, .has_own_clock = true};
  coordinators_ = add(row, [&](size_t, const std::string& name, uint16_t port) {
    testing::SimDisk* const disk = disks_.emplace_back(std::make_unique<testing::SimDisk>()).get();
    Settings own = settings(kCoordinatorRole, name, port);
    must(own.set(Setting::initial_nodes, concat(shape.founders)));
    must(own.set(Setting::snapshot_entries, "100"));
    must(own.set(Setting::repair_after_ms, concat(shape.repair_after)));
    return [own, disk, &founding = founding_](Transport& transport, Random& random, Log& log) mutable {
      must(own.set(Setting::founding, founding));
      return std::make_unique<coordinator::Coordinator>(own, transport, *disk, random, log);
    };
  });
}

template <class Runs>
std::vector<HostId> Hosts::add_processes(Role role, const Row& row) {
  return add(row, [&](size_t, const std::string& name, uint16_t port) {
    return [own = settings(role, name, port)](Transport& transport, Random& random, Log& log) {
      return std::make_unique<Runs>(own, transport, random, log);
    };
  });
}

template <class Runs>
std::vector<HostId> Hosts::add_clients(const Row& row, typename Runs::Plan plan, Notebook& notebook,
                                       const Micros& world_time) {
  return add(row, [&](size_t i, const std::string&, uint16_t) {
    plan.id = row.first_number + i;
    return [plan, &notebook, &world_time](Transport& transport, Random& random, Log&) {
      return std::make_unique<Runs>(plan, notebook, world_time, transport, random);
    };
  });
}

void Hosts::add_operator(const Shape& shape) {
  Operator::Plan plan;
  plan.routers = addresses_from(kRouterPorts, shape.routers);
  for (const HostId host : nodes_) plan.nodes.push_back(world_.name(host));
  operator_ = world_.add_host(
      "operator", kOperatorPort,
      [plan](Transport& transport, Random& random, Log&) {
        return std::make_unique<Operator>(plan, transport, random);
      },
      0);
}

HostId Hosts::add_rescuer(std::function<void()> founded) {
  Rescuer::Plan plan;
  plan.nodes = addresses_from(kNodePorts, nodes_.size());
  plan.coordinators = addresses_from(kCoordinatorPorts, coordinators_.size());
  plan.lives = [this](size_t node) { return world_.running(nodes_[node]); };
  plan.founded = std::move(founded);
  return world_.add_host(
      "rescuer", kRescuerPort,
      [plan](Transport& transport, Random&, Log&) { return std::make_unique<Rescuer>(plan, transport); }, 0);
}

// What a host runs is known from when it was added, and this is asked for at every turn.
const node::Node* Hosts::node(HostId host) const { return static_cast<const node::Node*>(world_.process(host)); }

const coordinator::Coordinator* Hosts::coordinator(HostId host) const {
  return static_cast<const coordinator::Coordinator*>(world_.process(host));
}

Client* Hosts::client(HostId host) const { return static_cast<Client*>(world_.process(host)); }

NodeClient* Hosts::node_client(HostId host) const { return static_cast<NodeClient*>(world_.process(host)); }

Operator* Hosts::the_operator() const { return static_cast<Operator*>(world_.process(operator_)); }

const node::Node* Hosts::node_of(MemberId member) const {
  for (const HostId host : nodes_) {
    const node::Node* running = node(host);
    if (running != nullptr && running->self() == member) return running;
  }
  return nullptr;
}

const coordinator::Coordinator* Hosts::leader() const {
  for (const HostId host : coordinators_) {
    const coordinator::Coordinator* running = coordinator(host);
    if (running != nullptr && running->leads()) return running;
  }
  return nullptr;
}

bool Hosts::group_is_whole() const {
  return std::all_of(coordinators_.begin(), coordinators_.end(), [&](HostId host) {
    const coordinator::Coordinator* one = coordinator(host);
    if (one == nullptr || !one->replica()->founded()) return false;
    const raft::Configuration& group = one->replica()->configuration();
    return group.learners.empty() && group.voters.size() == coordinators_.size() &&
           std::all_of(coordinators_.begin(), coordinators_.end(), [&](HostId other) {
             return coordinator(other) != nullptr && raft::is_voter(group, coordinator(other)->disk_id());
           });
  });
}

}  // namespace chainring::sim
