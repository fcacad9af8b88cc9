// What must hold after every turn of every process, as somebody sees it who can look into all of them at once.
//
// - prefix: for members i before j of a chain under one epoch, applied(i) >= applied(j) >= committed(i);
// - one table for each version, and one chain for each slot and epoch;
// - promise: who has said that it stopped takes no effect and no acknowledgement of the old epoch (R15);
// - service: no two heads of a slot hold a lease, nor do members of two epochs of a slot (R15);
// - lease: nobody holds one whom the coordinators' leader counts as lapsed (R4);
// - requests: members of a chain that have applied as much know the same requests to have run (R20);
// - Raft's own, by the checker of tests/raft, and one state of all coordinators that have applied as much (R28).
//
// After a turn only what that turn can have changed is judged, for the slots that are watched; now and then all slots
// are.
//
// Thread-safety: none. World and hosts are not owned and outlive it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "protocol/messages.h"
#include "tests/raft/simulation_checker.h"
#include "tests/sim/hosts.h"
#include "tests/sim/world.h"

namespace chainring::sim {

class Invariants {
 public:
  Invariants(const World& world, const Hosts& hosts, std::vector<Slot> watched);

  void after_turn(HostId host);
  // Around the life of a coordinator.
  void coordinator_started(HostId host);
  void coordinator_killed(HostId host);
  void check_all_slots();
  // All coordinators and their disks are gone; what comes is another group.
  void group_lost();

  // When the slot was seen last to have lost its chain by an operator's word; -1 for never.
  [[nodiscard]] Micros begun_empty(Slot slot) const { return begun_empty_[slot]; }
  // How many members the coordinators have declared lapsed meanwhile.
  [[nodiscard]] size_t lapsed_between(Micros from, Micros to) const;

  // The first thing that did not hold; empty when all did.
  [[nodiscard]] const std::string& violation() const { return violation_; }

  [[nodiscard]] bool serves(HostId host, Slot slot) const;  // as its head, under a lease

 private:
  // Of one node, as of its last turn.
  struct Seen {
    const node::Node* node = nullptr;
    TableVersion table = 0;
    uint64_t lease = 0;                     // NodeLease::number()
    std::vector<node::Chains::View> views;  // of the watched slots
  };

  void check_node(HostId host);
  void check_promise(HostId host, Slot slot, const node::Chains::View& before, const node::Chains::View& view);
  void check_slot(HostId host, Slot slot, const node::Chains::View& view);
  void check_pair(HostId host, HostId other, Slot slot, const node::Chains::View& view);
  void check_settled(HostId host, HostId other, Slot slot);
  void check_table(const protocol::TableMessage& table);
  void note_losses(const coordinator::RingState& ring);
  void check_lease(HostId host);
  void check_raft(HostId host);
  void check_state(HostId host);
  [[nodiscard]] const raft::Core* core_at(HostId host) const;  // nullptr before its group is founded
  [[nodiscard]] bool has_lease(HostId host, const node::Node& node) const;
  void violate(std::string what);

  const World& world_;
  const Hosts& hosts_;
  std::vector<Slot> watched_;
  std::vector<Seen> seen_;  // by host
  std::map<TableVersion, std::vector<protocol::TableRange>> tables_;
  std::vector<Micros> begun_empty_;  // by slot
  TableVersion version_ = 0;         // the newest that a coordinator has applied
  std::set<MemberId> live_;          // by that one
  std::vector<Micros> lapses_;
  std::map<raft::Index, uint64_t> states_;  // of the coordinators, as digests
  std::vector<raft::Index> compared_;       // by host: what it had applied when its state was compared
  raft::testing::Checker raft_;
  std::set<uint64_t> founded_;  // disks of coordinators that were seen with a group
  raft::Term newest_term_ = 0;  // that anybody was seen to lead
  uint64_t turns_ = 0;
  std::string violation_;
};

}  // namespace chainring::sim
