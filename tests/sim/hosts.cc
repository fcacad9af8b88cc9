#include "tests/sim/hosts.h"

#include "base/check.h"
#include "base/text.h"
#include "router/router.h"

namespace chainring::sim {
namespace {

constexpr uint16_t kRouterPorts = 7379;
constexpr uint16_t kNodePorts = 7401;
constexpr uint16_t kCoordinatorPorts = 7301;
constexpr uint16_t kClientPorts = 9000;
constexpr uint16_t kOperatorPort = 8999;
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

Hosts::Hosts(World& world, const Shape& shape, Notebook& notebook, const Micros& world_time) : world_(world) {
  for (size_t i = 0; i < shape.coordinators; ++i) {
    append_text(coordinator_list_, i == 0 ? "" : ",", "c", i + 1, "=127.0.0.1:", port_from(kCoordinatorPorts, i));
  }
  add_coordinators(shape);
  add_nodes(shape);
  add_routers(shape);
  add_clients(shape, notebook, world_time);
  add_node_clients(shape, notebook, world_time);
  add_operator(shape);
}

Settings Hosts::settings(Role role, const std::string& name, uint16_t port) const {
  Settings settings(role);
  must(settings.set(Setting::name, name));
  must(settings.set(Setting::port, concat(port)));
  must(settings.set(Setting::coordinators, coordinator_list_));
  return settings;
}

void Hosts::add_coordinators(const Shape& shape) {
  for (size_t i = 0; i < shape.coordinators; ++i) {
    disks_.push_back(std::make_unique<testing::SimDisk>());
    Settings own = settings(kCoordinatorRole, concat("c", i + 1), port_from(kCoordinatorPorts, i));
    must(own.set(Setting::initial_nodes, concat(shape.founders)));
    must(own.set(Setting::snapshot_entries, "200"));
    coordinators_.push_back(world_.add_host(
        concat("c", i + 1), port_from(kCoordinatorPorts, i),
        [own, disk = disks_.back().get()](Transport& transport, Random& random, Log& log) {
          return std::make_unique<coordinator::Coordinator>(own, transport, *disk, random, log);
        },
        usual_drift(world_.random())));
  }
}

void Hosts::add_nodes(const Shape& shape) {
  for (size_t i = 0; i < shape.nodes; ++i) {
    const Settings own = settings(kNodeRole, concat("n", i + 1), port_from(kNodePorts, i));
    nodes_.push_back(world_.add_host(
        concat("n", i + 1), port_from(kNodePorts, i),
        [own](Transport& transport, Random& random, Log& log) {
          return std::make_unique<node::Node>(own, transport, random, log);
        },
        usual_drift(world_.random())));
  }
}

void Hosts::add_routers(const Shape& shape) {
  for (size_t i = 0; i < shape.routers; ++i) {
    const Settings own = settings(kRouterRole, concat("r", i + 1), port_from(kRouterPorts, i));
    routers_.push_back(world_.add_host(
        concat("r", i + 1), port_from(kRouterPorts, i),
        [own](Transport& transport, Random& random, Log& log) {
          return std::make_unique<router::Router>(own, transport, random, log);
        },
        usual_drift(world_.random())));
  }
}

void Hosts::add_clients(const Shape& shape, Notebook& notebook, const Micros& world_time) {
  for (size_t i = 0; i < shape.clients; ++i) {
    Client::Plan plan;
    plan.id = i + 1;
    plan.routers = addresses_from(kRouterPorts, shape.routers);
    clients_.push_back(world_.add_host(
        concat("client", i + 1), port_from(kClientPorts, i),
        [plan, &notebook, &world_time](Transport& transport, Random& random, Log&) {
          return std::make_unique<Client>(plan, notebook, world_time, transport, random);
        },
        0));
  }
}

void Hosts::add_node_clients(const Shape& shape, Notebook& notebook, const Micros& world_time) {
  for (size_t i = 0; i < shape.node_clients; ++i) {
    NodeClient::Plan plan;
    plan.id = shape.clients + i + 1;
    plan.nodes = addresses_from(kNodePorts, shape.nodes);
    node_clients_.push_back(world_.add_host(
        concat("client", plan.id), port_from(kClientPorts, shape.clients + i),
        [plan, &notebook, &world_time](Transport& transport, Random& random, Log&) {
          return std::make_unique<NodeClient>(plan, notebook, world_time, transport, random);
        },
        0));
  }
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

}  // namespace chainring::sim
