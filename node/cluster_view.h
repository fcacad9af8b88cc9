// What this node tells clients of the cluster: CLUSTER SLOTS, SHARDS, NODES and INFO, made from a table.
//
// Each answer is made once for a table, when it is first asked for, and kept as bytes. Planned changes come in many
// small steps, and clients fetch everything again at each sign of one: they are shown at most every kPlannedInterval.
// What a client would run into, a head that has failed, is shown at once.
//
// Pure. Thread-safety: none; one owner. Ownership: owns a copy of what it shows.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "protocol/messages.h"
#include "protocol/reply.h"
#include "protocol/resp.h"
#include "ring/table.h"

namespace chainring::node {

// 40 hexadecimal digits, as Redis names its nodes: the same on every node, another for every incarnation (R1).
[[nodiscard]] std::string cluster_node_id(std::string_view name, Incarnation incarnation);
// A shard is who is head together; a node's own is the one that it leads.
[[nodiscard]] std::string cluster_shard_id(std::string_view name, Incarnation incarnation);

class ClusterView {
 public:
  static constexpr Micros kPlannedInterval = 100 * kMicrosPerMilli;

  // Shows `table`, now or, when the last change was shown too lately, at a later call. `self` is this node as it knows
  // itself: it is listed also when the table does not know it yet.
  void follow(const ring::Table& table, const protocol::TableMember& self, Micros now);

  // A client was told MOVED by a table that is not shown yet. Some libraries (node-redis) believe nothing but the slots
  // that they fetch next, and give up after a few turns in a circle: the next follow() shows it.
  void outdate() { outdated_ = true; }

  // RESP. Lifetime of these: until the next follow().
  [[nodiscard]] std::string_view slots(protocol::RespVersion version);
  [[nodiscard]] std::string_view shards(protocol::RespVersion version);
  // Text.
  [[nodiscard]] std::string_view nodes();
  // `in_touch`: this node holds a lease, so what it knows is what a majority of the coordinators knows.
  [[nodiscard]] std::string info(bool in_touch) const;

  // Whether the id names a member that is shown.
  [[nodiscard]] bool knows(std::string_view node_id) const;
  [[nodiscard]] TableVersion version() const { return version_; }

 private:
  struct Node {
    protocol::TableMember member;
    std::string id;
    std::vector<protocol::SlotRange> headed;
    Epoch epoch = 0;  // the greatest of the chains that it heads
  };
  // Neighbouring slots with one chain.
  struct Run {
    protocol::SlotRange slots;
    std::vector<size_t> chain;  // indices of nodes_, head first; not empty
  };

  void show(const ring::Table& table, const protocol::TableMember& self);
  void add_node(const protocol::TableMember& member);
  [[nodiscard]] bool urgent(const ring::Table& table) const;
  void write_slots(protocol::ReplyWriter& reply, const protocol::SlotRange& range, std::span<const size_t> chain) const;
  [[nodiscard]] std::string make_slots(protocol::RespVersion version) const;
  [[nodiscard]] std::string make_shards(protocol::RespVersion version) const;
  [[nodiscard]] std::string make_nodes() const;

  TableVersion version_ = 0;
  bool shown_ = false;
  bool outdated_ = false;
  Micros shown_at_ = 0;
  Incarnation self_ = 0;
  Epoch epoch_ = 0;  // the greatest of all
  std::vector<Node> nodes_;
  std::vector<Run> runs_;  // ascending
  // Empty until asked for. By version of RESP: 2, 3.
  std::array<std::string, 2> slots_;
  std::array<std::string, 2> shards_;
  std::string nodes_text_;
};

}  // namespace chainring::node
