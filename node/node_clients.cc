// Clients that are connected to this node itself, and INFO.

#include <array>

#include "base/text.h"
#include "node/node.h"
#include "protocol/slot.h"

namespace chainring::node {
namespace {

constexpr std::array kAllSlots = {protocol::SlotRange{0, kSlotCount - 1}};

}  // namespace

int64_t Node::replicas() const { return table_.version() == 0 ? 0 : int64_t{table_.message().copies} - 1; }

bool Node::is_lock_key(std::string_view key) const {
  const std::string_view tag = protocol::hash_tag(key);
  for (const std::string& prefix : table_.message().lock_prefixes) {
    if (key.starts_with(prefix) || (tag.size() != key.size() && tag.starts_with(prefix))) return true;
  }
  return false;
}

std::string Node::where_is(Slot slot) const {
  const MemberId head = table_.has_ranges() ? table_.head(slot) : kNoMember;
  if (head == kNoMember || head == self_) return std::string(protocol::errors::kClusterDown);
  const protocol::TableMember* member = table_.member(head);
  return concat("MOVED ", slot, " ", member->host, ":", member->port);
}

void Node::request(const session::ClientRequest& request) {
  const auto refuse = [&](std::string_view why) {
    std::string reply;
    protocol::ReplyWriter(reply, request.resp).error(why);
    clients_.complete(request.ticket, reply);
  };
  switch (request.command->routing) {
    case protocol::Routing::slot:
    case protocol::Routing::split_sum:
    case protocol::Routing::split_values:
    case protocol::Routing::split_ok:
    case protocol::Routing::all_slots:
    case protocol::Routing::scan:
      if (engine::Database::runs(request.command->id)) return run_for_client(request);
      break;
    case protocol::Routing::coordinator:
      return refuse("ERR a node does not answer this; ask a router");
    case protocol::Routing::session:
      break;
  }
  refuse(protocol::errors::unknown_command(request.args[0], request.args.data() + 1, request.args.size() - 1));
}

void Node::run_for_client(const session::ClientRequest& request) {
  const auto refuse = [&](std::string_view why) {
    std::string reply;
    protocol::ReplyWriter(reply, request.resp).error(why);
    clients_.complete(request.ticket, reply);
  };
  if (door_closed_) return refuse("TRYAGAIN this node waits for its successors; try again");
  if (!serving()) return refuse(protocol::errors::kClusterDown);
  Execution execution;
  execution.command = request.command;
  execution.args = request.args;
  execution.db = request.db;
  execution.resp = request.resp;
  execution.now = lease_.wall(now_.mono);
  execution.memory_max = static_cast<uint64_t>(settings_.number(Setting::maxmemory));
  execution.to.ticket = request.ticket;
  const protocol::Routing routing = request.command->routing;
  if (routing == protocol::Routing::all_slots || routing == protocol::Routing::scan) {
    return store_.execute_over(store_.chains().headed(kAllSlots), execution);
  }
  std::vector<size_t> positions;
  protocol::key_positions(*request.command, request.args, positions);
  if (positions.empty()) return refuse(protocol::errors::kSyntax);
  for (const size_t position : positions) {
    if (is_lock_key(request.args[position])) return refuse("ERR lock keys are served by routers and coordinators");
  }
  execution.slot = protocol::slot_of(request.args[positions[0]]);
  if (!store_.chains().heads(execution.slot, 0)) return refuse(where_is(execution.slot));
  store_.execute(execution);
}

std::string Node::info_lines(std::string_view section) {
  session::InfoWriter lines;
  info(section, lines);
  return lines.out();
}

void Node::info(std::string_view section, session::InfoWriter& out) {
  const engine::Database* database = store_.database();
  const Chains& chains = store_.chains();
  if (equals_ignoring_case(section, "memory")) {
    out.bytes("used_memory", static_cast<int64_t>(database == nullptr ? 0 : database->memory_bytes()));
  } else if (equals_ignoring_case(section, "stats") && database != nullptr) {
    out.field("expired_keys", static_cast<int64_t>(database->statistics().expired));
    out.field("evicted_keys", 0);
    out.field("keyspace_hits", static_cast<int64_t>(database->statistics().hits));
    out.field("keyspace_misses", static_cast<int64_t>(database->statistics().misses));
  } else if (equals_ignoring_case(section, "keyspace") && database != nullptr) {
    const std::vector<protocol::SlotRange> headed = chains.headed(kAllSlots);
    for (uint8_t db = 0; db < engine::kDatabaseCount; ++db) {
      const engine::KeyCounts counts = database->counts(headed, db);
      if (counts.keys == 0) continue;
      out.field(concat("db", int{db}), concat("keys=", counts.keys, ",expires=", counts.expires, ",avg_ttl=0"));
    }
  } else if (equals_ignoring_case(section, "chainring")) {
    out.field("chainring_member", self_);
    out.field("chainring_table_version", static_cast<int64_t>(chains.obeyed()));
    out.field("chainring_lease_left_ms", lease_.left(now_.mono) / kMicrosPerMilli);
    out.field("chainring_uncommitted_bytes", static_cast<int64_t>(chains.uncommitted_bytes()));
    out.field("chainring_held_replies", static_cast<int64_t>(store_.held()));
  }
}

}  // namespace chainring::node
