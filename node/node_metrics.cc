// What a node tells at /metrics and /healthz.

#include <algorithm>
#include <array>

#include "node/node.h"

namespace chainring::node {
namespace {

constexpr std::array kAllSlots = {protocol::SlotRange{0, kSlotCount - 1}};

void slots_and_keys(const Store& store, MetricsWriter& out) {
  const Chains& chains = store.chains();
  uint64_t headed = 0;
  uint64_t followed = 0;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const Chains::View view = chains.view(static_cast<Slot>(slot));
    if (view.active) ++(view.head ? headed : followed);
  }
  out.value(Metric::node_slots, headed, {"head"});
  out.value(Metric::node_slots, followed, {"follower"});
  const engine::Database* database = store.database();
  if (database == nullptr) return;
  const std::vector<protocol::SlotRange> ranges = chains.headed(kAllSlots);
  uint64_t keys = 0;
  for (uint8_t db = 0; db < engine::kDatabaseCount; ++db) keys += database->counts(ranges, db).keys;
  out.value(Metric::node_keys, keys);
  out.value(Metric::node_data, store.memory_bytes());
  out.value(Metric::node_hits, database->statistics().hits);
  out.value(Metric::node_misses, database->statistics().misses);
  out.value(Metric::node_expired, database->statistics().expired);
}

}  // namespace

void Node::metrics(Now now, MetricsWriter& out) const {
  clients_.metrics(now, out);
  out.value(Metric::table_version, table_.version());
  for (const protocol::CommandSpec& command : protocol::command_table()) {
    const uint64_t count = routed_.requests[static_cast<size_t>(command.id)];
    if (count > 0) out.value(Metric::node_requests, count, {command.name});
  }
  out.histogram(Metric::node_request_duration, routed_.durations);
  out.value(Metric::node_requests_bounced, routed_.bounced);
  out.value(Metric::node_member_reads, store_.member_reads());
  out.value(Metric::node_reads_referred, routed_.referred);
  out.seconds(Metric::node_lease_left, lease_.left(now.mono));
  slots_and_keys(store_, out);
  out.value(Metric::node_data_max, memory_max());
  const Chains& chains = store_.chains();
  out.value(Metric::node_records_sent, chains.counts().records_sent);
  out.value(Metric::node_records_applied, chains.counts().records_applied);
  out.value(Metric::node_uncommitted, chains.uncommitted_bytes());
  out.value(Metric::node_held_replies, store_.held());
  out.value(Metric::node_held_bytes, store_.held_bytes());
  out.value(Metric::node_remembered, chains.remembered_bytes());
  out.value(Metric::node_door_closed, door_closed_ ? 1 : 0);
  const auto routers = std::count_if(
      peers_.begin(), peers_.end(), [](const auto& peer) { return peer.second.who.role == session::PeerRole::router; });
  const auto successors =
      std::count_if(links_.begin(), links_.end(), [](const auto& link) { return link.second->up(); });
  out.value(Metric::node_links, peers_.size() - static_cast<size_t>(routers), {"predecessor"});
  out.value(Metric::node_links, static_cast<size_t>(successors), {"successor"});
  out.value(Metric::node_links, static_cast<size_t>(routers), {"router"});
}

Status Node::health(Now now) const {
  if (stopping_) return Status(ErrorCode::unavailable, "this node is stopping");
  if (table_.version() == 0)
    return Status(ErrorCode::unavailable, "this node knows no table yet: no coordinator leads");
  if (!lease_.valid(now.mono)) return Status(ErrorCode::unavailable, "this node has no lease");
  return {};
}

}  // namespace chainring::node
