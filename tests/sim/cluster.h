// A whole cluster in one simulated world: coordinators, nodes, a router and clients, all of them production code but
// for the clients; faults by seed; invariants after every turn; histories at the end.
//
// Thread-safety: none.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/settings.h"
#include "coordinator/coordinator.h"
#include "node/node.h"
#include "tests/sim/client.h"
#include "tests/sim/world.h"
#include "tests/support/sim_disk.h"

namespace chainring::sim {

struct ClusterPlan {
  uint64_t seed = 1;
  size_t nodes = 4;
  size_t founders = 3;  // nodes that the first table waits for
  size_t coordinators = 3;
  size_t clients = 4;
  Micros faults_for = 6 * kMicrosPerSecond;
  bool verbose = false;
};

// What a run found. `violation` is empty when all held.
struct RunReport {
  std::string violation;
  uint64_t operations = 0;
  uint64_t answered = 0;
  uint64_t errors = 0;
  uint64_t grants = 0;
  uint64_t moves = 0;          // slots that were given to somebody new
  uint64_t unjudged_keys = 0;  // the search for a linearization was cut off
  FaultCounts faults;
  Micros served_after = 0;  // from the end of the faults until every slot was served again
};

class Cluster {
 public:
  explicit Cluster(const ClusterPlan& plan);
  ~Cluster();
  [[nodiscard]] RunReport run();

 private:
  struct Disk;
  void add_coordinators();
  void add_nodes();
  void add_router();
  void add_clients();
  void add_operator();
  [[nodiscard]] Settings settings(Role role, const std::string& name, uint16_t port) const;

  // ---- faults
  void schedule_fault();
  void inject_fault();
  void end_faults();
  [[nodiscard]] bool may_lose(HostId node) const;  // whether every chain keeps a healthy member without it
  void restart_later(HostId host);

  // ---- checks
  void check_after(HostId host);
  void check_slot(Slot slot);
  [[nodiscard]] bool all_served() const;
  [[nodiscard]] bool all_in_place() const;  // every slot has the chain of the target
  [[nodiscard]] const coordinator::Coordinator* leader() const;
  [[nodiscard]] node::Node* node_of(MemberId member) const;
  [[nodiscard]] std::string misplaced() const;  // what all_in_place() misses
  [[nodiscard]] std::string difference() const;
  [[nodiscard]] static bool keeps_one(const std::vector<protocol::TableRange>& ranges,
                                      const std::vector<MemberId>& healthy);
  [[nodiscard]] node::Node* node_at(HostId host) const;
  [[nodiscard]] bool serves(HostId host, Slot slot) const;
  void judge_histories(RunReport& report);
  void judge_locks();
  void violate(std::string what);
  bool run_until(Micros limit, const std::function<bool()>& done);

  ClusterPlan plan_;
  World world_;
  Notebook notebook_;
  Micros world_time_ = 0;
  std::string violation_;
  std::vector<HostId> coordinators_, nodes_, clients_;
  HostId router_ = 0;
  HostId operator_ = 0;
  std::set<HostId> asked_to_end_;
  std::vector<std::unique_ptr<Disk>> disks_;
  std::vector<Slot> watched_;
  std::map<std::pair<Slot, Epoch>, std::vector<MemberId>> chains_;  // seen in force
  std::vector<Micros> disturbed_until_;                             // by host: it may be lapsed until then
  uint64_t turns_ = 0;
  bool faults_on_ = false;
};

}  // namespace chainring::sim
