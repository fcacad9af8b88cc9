// The kinds of faults that a simulated cluster meets, and how often each came.
//
// Thread-safety: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace chainring::sim {

enum class Fault : uint8_t {
  stream_broken,       // what was on its way is lost
  stream_late,         // an old connection's bytes come after the sender has gone on to a new one
  node_killed,         // kill -9, and another life later
  node_ended,          // SIGTERM
  node_paused,         // between two turns
  node_stalled,        // within a turn: what it says leaves up to three seconds after its clock was read
  node_slowed,         // each turn takes a hundred times as long
  coordinator_killed,  // unsynced writes are lost or torn
  coordinator_paused,
  coordinator_disk_lost,  // and an empty one in its place
  disk_slowed,            // of a coordinator: each sync takes long
  link_cut,               // both ways
  link_cut_one_way,
  neighbours_cut,  // two members that follow each other in a chain
  router_cut_from_leader,
  router_cut_from_node,
  host_isolated,         // from everybody
  network_parted,        // into two sides, clients on both
  coordinators_cut_off,  // all nodes from all coordinators, for two seconds
  chain_lost,            // all members of a chain are killed
  coordinators_lost,     // all of them, with their disks
  wall_clock_stepped,
  clock_drifted,  // a monotonic clock runs at another rate, as far as is allowed
  replies_cut,    // from a node or coordinator to a router: requests still come
  router_killed,
  router_paused,
  client_killed,
  client_paused,
  count_,
};
inline constexpr size_t kFaultKinds = static_cast<size_t>(Fault::count_);

inline constexpr std::array<std::string_view, kFaultKinds> kFaultNames = {"stream broken",
                                                                          "stream late",
                                                                          "node killed",
                                                                          "node ended",
                                                                          "node paused",
                                                                          "node stalled",
                                                                          "node slowed",
                                                                          "coordinator killed",
                                                                          "coordinator paused",
                                                                          "coordinator disk lost",
                                                                          "disk slowed",
                                                                          "link cut",
                                                                          "link cut one way",
                                                                          "neighbours cut",
                                                                          "router cut from leader",
                                                                          "router cut from node",
                                                                          "host isolated",
                                                                          "network parted",
                                                                          "coordinators cut off",
                                                                          "chain lost",
                                                                          "coordinators lost",
                                                                          "wall clock stepped",
                                                                          "clock drifted",
                                                                          "replies cut",
                                                                          "router killed",
                                                                          "router paused",
                                                                          "client killed",
                                                                          "client paused"};

class FaultCounts {
 public:
  void add(Fault fault) { ++counts_[static_cast<size_t>(fault)]; }
  void add(const FaultCounts& other) {
    for (size_t kind = 0; kind < kFaultKinds; ++kind) counts_[kind] += other.counts_[kind];
  }
  [[nodiscard]] uint64_t of(size_t kind) const { return counts_[kind]; }

 private:
  std::array<uint64_t, kFaultKinds> counts_{};
};

}  // namespace chainring::sim
