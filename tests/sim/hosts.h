// The processes of a simulated cluster: coordinators with their disks, nodes, routers, clients and an operator. Makes
// their hosts in a world, and finds them there.
//
// Thread-safety: none. The world and the notebook are not owned and outlive it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/settings.h"
#include "coordinator/coordinator.h"
#include "node/node.h"
#include "tests/sim/client.h"
#include "tests/sim/node_client.h"
#include "tests/sim/operator.h"
#include "tests/sim/world.h"
#include "tests/support/sim_disk.h"

namespace chainring::sim {

struct Shape {
  size_t nodes = 4;
  size_t founders = 3;  // nodes that the first table waits for
  size_t coordinators = 3;
  size_t routers = 2;
  size_t clients = 4;
  size_t node_clients = 2;  // that are connected to nodes
  bool eager_clients = false;
  bool reads_keep_to_heads = false;  // as by default; with so few requests at once hardly any then goes elsewhere
  Millis repair_after = 60'000;      // as by default
};

class Hosts {
 public:
  Hosts(World& world, const Shape& shape, Notebook& notebook, const Micros& world_time);

  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] const std::vector<HostId>& coordinators() const { return coordinators_; }
  [[nodiscard]] const std::vector<HostId>& nodes() const { return nodes_; }
  [[nodiscard]] const std::vector<HostId>& routers() const { return routers_; }
  [[nodiscard]] const std::vector<HostId>& clients() const { return clients_; }
  [[nodiscard]] const std::vector<HostId>& node_clients() const { return node_clients_; }
  [[nodiscard]] HostId operator_host() const { return operator_; }
  [[nodiscard]] HostId end() const { return operator_ + 1; }  // hosts are numbered from 0
  // Behind the others: it runs only when a cluster has lost its coordinators. `founded` is called when it has again.
  [[nodiscard]] HostId add_rescuer(std::function<void()> founded);
  [[nodiscard]] bool is_node(HostId host) const {
    return !nodes_.empty() && nodes_[0] <= host && host <= nodes_.back();
  }
  [[nodiscard]] bool is_coordinator(HostId host) const { return host <= coordinators_.back(); }

  [[nodiscard]] const std::string& name(HostId host) const { return world_.name(host); }

  // What runs there, nullptr while nothing does. REQUIRES: the host is one of that kind.
  [[nodiscard]] const node::Node* node(HostId host) const;
  [[nodiscard]] const coordinator::Coordinator* coordinator(HostId host) const;
  [[nodiscard]] Client* client(HostId host) const;
  [[nodiscard]] NodeClient* node_client(HostId host) const;
  [[nodiscard]] Operator* the_operator() const;

  [[nodiscard]] const node::Node* node_of(MemberId member) const;  // nullptr when it is down
  [[nodiscard]] const coordinator::Coordinator* leader() const;    // nullptr while nobody leads
  // Whether all coordinators run and vote, as far as each of them knows.
  [[nodiscard]] bool group_is_whole() const;
  // Coordinators that start from now on with an empty disk wait until they are told what to found.
  void let_coordinators_recover() { founding_ = "recover"; }
  [[nodiscard]] testing::SimDisk& disk_of(HostId coordinator) const { return *disks_[coordinator]; }

 private:
  // Hosts of one kind: "n1", "n2", ... on ports that follow each other.
  struct Row {
    std::string_view prefix;
    size_t first_number = 1;
    uint16_t first_port = 0;
    size_t count = 0;
    bool has_own_clock = false;  // which drifts; clients have the world's
  };
  // `factory_of(i, name, port)` makes the World::Factory of one.
  template <class FactoryOf>
  std::vector<HostId> add(const Row& row, FactoryOf&& factory_of);
  void add_coordinators(const Shape& shape);
  template <class Runs>
  std::vector<HostId> add_processes(Role role, const Row& row);
  template <class Runs>
  std::vector<HostId> add_clients(const Row& row, typename Runs::Plan plan, Notebook& notebook,
                                  const Micros& world_time);
  void add_operator(const Shape& shape);
  [[nodiscard]] Settings settings(Role role, const std::string& name, uint16_t port) const;

  World& world_;
  const Shape shape_;
  std::vector<HostId> coordinators_, nodes_, routers_, clients_,
      node_clients_;  // the coordinators come first of all hosts
  HostId operator_ = 0;
  std::string founding_ = "new";
  std::vector<std::unique_ptr<testing::SimDisk>> disks_;  // by coordinator
  std::string coordinator_list_;
};

}  // namespace chainring::sim
