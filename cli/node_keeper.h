// The nodes of a local cluster while it runs: `chainring up` starts one more when it is asked to, and stops those that
// have left the ring. What is to be there at the next start is remembered in cluster.toml before anything is done.
//
// Thread-safety: none; on the thread of the LocalCluster, which outlives it.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "cli/cluster_plan.h"
#include "cli/local_cluster.h"
#include "cli/status_report.h"

namespace chainring::cli {

// cluster.toml of the cluster in this directory.
[[nodiscard]] std::string memory_path(const std::string& directory);

// What becomes of a node that is to leave, from what the ring says of it.
enum class Fate {
  wait,  // its slots are on their way
  stop,  // it has none any more
  stay,  // the change was taken back
};
[[nodiscard]] Fate fate_of(const StatusReport& report, std::string_view node);

class NodeKeeper {
 public:
  // `up` outlives it. `shape` is what cluster.toml in `directory` has. `announce` is told the endpoint of every node
  // that is started here, as a line `node name host:port`.
  NodeKeeper(LocalCluster& cluster, const UpCommand& up, std::string directory, ClusterShape shape, Say say,
             Say announce);

  // Replies in RESP to what `chainring reshard` asks at the control socket:
  //   CLUSTER           -> the JSON of an UpReport
  //   NODE ADD          -> name of one more node that was started
  //   NODE RETIRE name  -> OK: it will be stopped and forgotten once it has left the ring
  [[nodiscard]] std::string answer(std::span<const std::string_view> words, Micros now);

  // Stops those that have left the ring. Blocks for a bounded time to ask the ring, when some are to leave.
  void tend(Micros now);
  // Before an orderly stop, which empties the ring: how many copies it keeps by now, and no node that is about to
  // leave, is what the next start has. The same.
  void remember_for_next_start();

 private:
  [[nodiscard]] Result<std::string> add_node(Micros now);
  [[nodiscard]] Status retire(std::string_view name);
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] Result<ClusterShape> one_more() const;
  [[nodiscard]] Status remember(ClusterShape shape);
  [[nodiscard]] ClusterShape shape_without(const std::set<std::string>& names) const;

  LocalCluster& cluster_;
  const UpCommand& up_;
  const std::string directory_;
  ClusterShape shape_;
  const Say say_;
  const Say announce_;
  std::set<std::string> leaving_;   // until they have left the ring
  std::set<std::string> stopping_;  // until their processes have ended
  Micros ask_at_ = 0;
};

}  // namespace chainring::cli
