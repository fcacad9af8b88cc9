// Whether a cluster serves, asked from outside as a client would. Blocks for a bounded time.
#pragma once

#include <string>

#include "cli/cluster_plan.h"
#include "cli/status_report.h"

namespace chainring::cli {

// What the cluster still waits for: nothing when all nodes are up, all slots are served, every router answers, and a
// key could be written, read and removed.
[[nodiscard]] Awaited what_is_awaited(const ClusterPlan& plan, const std::string& password);

// What the first router that answers has from the leader.
[[nodiscard]] Result<StatusReport> ring_status(const ClusterPlan& plan, const std::string& password);

// Tells the cluster that all of it stops now (R32), by a router, or else a coordinator that answers.
[[nodiscard]] Status announce_shutdown(const ClusterPlan& plan, const std::string& password);

}  // namespace chainring::cli
