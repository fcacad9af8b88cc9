// Which processes `chainring up` runs: names, ports, directories, configuration files. Pure.
//
// Ports (P is the first router's): routers P, P-1, P-2 ...; node nK P+21+K; coordinators from P-78. Each process
// answers HTTP at its port + 1000. Thread-safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/settings.h"
#include "cli/command_line.h"

namespace chainring::cli {

// What makes a cluster on a directory the same cluster the next time; kept in its cluster.toml.
struct ClusterShape {
  // K for each nK, ascending. They are 1 to N in a new cluster; nodes are added and removed later.
  std::vector<int> nodes = {1, 2, 3};
  int coordinators = 3;
  int routers = 1;
  int copies = 3;
  uint16_t port = 7379;
  friend bool operator==(const ClusterShape&, const ClusterShape&) = default;
};

inline constexpr int kNodesMax = 200;  // of `up`, on one machine

// 1 to `count`.
[[nodiscard]] std::vector<int> node_numbers(int count);

[[nodiscard]] std::string to_toml(const ClusterShape& shape);
[[nodiscard]] Result<ClusterShape> shape_from_toml(std::string_view text, const std::string& file);

// What was asked for, on a directory that remembers `remembered`: what is not asked for is as remembered, and what
// contradicts it is refused.
[[nodiscard]] Result<ClusterShape> settle_shape(const UpCommand& up, const std::optional<ClusterShape>& remembered);

struct PlannedProcess {
  Role role;
  std::string name;
  uint16_t port;
  std::string directory;  // its own
};
[[nodiscard]] std::string_view role_name(Role role);

// nK of a cluster.
[[nodiscard]] PlannedProcess planned_node(int number, const ClusterShape& shape, const std::string& directory);

struct ClusterPlan {
  std::string bind;
  std::string host;  // at which the processes reach each other
  // In the order to start them: coordinators, nodes, routers.
  std::vector<PlannedProcess> processes;
  ClusterShape shape;
};

// "node n1 127.0.0.1:7401", as `up` prints it.
[[nodiscard]] std::string endpoint_line(const ClusterPlan& plan, const PlannedProcess& process);

// `directory` is the cluster's. Fails when the ports do not fit.
[[nodiscard]] Result<ClusterPlan> plan_cluster(const ClusterShape& shape, const Settings& up,
                                               const std::string& directory);

// The configuration file of one process: its place in the plan, and what `up` was given that its role has.
[[nodiscard]] std::string config_text(const ClusterPlan& plan, const PlannedProcess& process, const UpCommand& up);

}  // namespace chainring::cli
