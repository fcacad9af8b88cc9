// Faults at random: what befalls a simulated cluster while it is tried. None of them may cost more than a pause, so no
// node is killed or ended that is the last healthy member of a chain; but for two disasters, of which each comes at
// most once in a run: all members of a chain die, all coordinators lose their disks. These need an operator.
//
// Thread-safety: none. World and hosts are not owned and outlive it.
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "base/random.h"
#include "protocol/messages.h"
#include "tests/sim/fault.h"
#include "tests/sim/hosts.h"
#include "tests/sim/world.h"

namespace chainring::sim {

class Sabotage {
 public:
  Sabotage(World& world, const Hosts& hosts);

  void begin();
  // Once, instead of begin(): kills a node, lets it stand still for longer than its lease, or cuts it off. False when
  // none can be spared now.
  [[nodiscard]] bool fail_a_node();
  // Everything is mended and runs again; what stalls or is slow ends by itself within a few seconds.
  void end();

  void note_turn(HostId node);  // after each turn of a node

  // All coordinators have been killed and their disks are empty; they start again within a second.
  std::function<void()> on_coordinators_lost;
  // A process ended by itself; true when it was asked to, and then another life of it follows.
  [[nodiscard]] bool ended_as_asked(HostId host);
  // A node has ended, and another life of it follows.
  void another_life(HostId node);

 private:
  struct Kind {
    Fault fault;
    uint32_t weight;
    bool (Sabotage::*inject)();  // false: it cannot be done now
  };
  static const std::vector<Kind>& kinds();
  // How a node's lease has gone.
  struct Standing {
    Micros disturbed_until = 0;  // it may have lapsed until then, or will
    uint64_t lease = 0;
    Micros lease_since = 0;
  };

  void schedule();
  void inject();
  [[nodiscard]] bool kill_node();
  [[nodiscard]] bool end_node();
  [[nodiscard]] bool pause_node();
  [[nodiscard]] bool stall_node();
  [[nodiscard]] bool slow_node();
  [[nodiscard]] bool kill_coordinator();
  [[nodiscard]] bool pause_coordinator();
  [[nodiscard]] bool lose_disk();
  [[nodiscard]] bool slow_disk();
  [[nodiscard]] bool cut_link();
  [[nodiscard]] bool cut_link_one_way();
  [[nodiscard]] bool cut_neighbours();
  [[nodiscard]] bool cut_router_from_leader();
  [[nodiscard]] bool cut_router_from_node();
  [[nodiscard]] bool isolate_host();
  [[nodiscard]] bool isolate(HostId host, Micros length);
  [[nodiscard]] bool part_network();
  [[nodiscard]] bool cut_off_coordinators();
  [[nodiscard]] bool lose_chain();
  [[nodiscard]] bool lose_coordinators();
  [[nodiscard]] HostId any_with_a_clock();
  [[nodiscard]] bool step_wall_clock();
  [[nodiscard]] bool drift_clock();
  [[nodiscard]] bool cut_replies();
  [[nodiscard]] bool kill_router();
  [[nodiscard]] bool pause_router();
  [[nodiscard]] bool kill_client();
  [[nodiscard]] bool pause_client();

  [[nodiscard]] bool cut(bool both);
  void cut_for(HostId from, HostId to, bool both, Micros length);
  void disturb(HostId host, Micros length);
  [[nodiscard]] Micros up_to(Micros most);
  [[nodiscard]] HostId any(const std::vector<HostId>& hosts);
  void restart_later(HostId host);
  [[nodiscard]] const node::Node* best_informed() const;  // the node that has the newest table
  // Whether every chain keeps a healthy member without it; whether nothing is lost when its lease lapses.
  [[nodiscard]] bool may_lose(HostId node) const;
  [[nodiscard]] bool may_disturb(HostId node) const;
  [[nodiscard]] bool may_disturb_all(const std::vector<HostId>& hosts) const;
  [[nodiscard]] bool holds_in_all_tables(
      const std::function<bool(const std::vector<protocol::TableRange>&)>& holds) const;
  [[nodiscard]] bool healthy(HostId node) const;
  void kill(HostId node);
  void lose_disk_of(HostId coordinator);
  [[nodiscard]] std::vector<MemberId> alive() const;  // members that run
  [[nodiscard]] Micros disk_time(HostId coordinator);

  World& world_;
  const Hosts& hosts_;
  bool on_ = false;
  bool lost_a_chain_ = false;
  bool lost_coordinators_ = false;
  std::set<HostId> asked_to_end_;
  std::vector<Standing> standings_;  // by host
  std::vector<uint64_t> syncs_;      // by coordinator: those that its turns have paid for
  std::vector<Micros> sync_takes_;   // by coordinator
};

}  // namespace chainring::sim
