// CLUSTER, and RING TABLE: what clients that know a cluster ask to find the heads of their slots.

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "node/node.h"

namespace chainring::node {
namespace {

using protocol::CommandId;

// What one CLUSTER GETKEYSINSLOT lists at most.
constexpr size_t kListedKeysMax = 100'000;

bool is_slot(int64_t number) { return number >= 0 && number < int64_t{kSlotCount}; }

}  // namespace

void Node::follow_table() {
  protocol::TableMember self;
  self.id = self_;
  self.name = identity_.id;
  self.incarnation = identity_.incarnation;
  self.host = settings_.announced_host();
  self.port = port_;
  view_.follow(table_, self, now_.mono);
}

// What it knows of the table when there is no coordinator left that knows one (R31).
void Node::state_table(const session::ClientRequest& request) {
  const protocol::TableStatement statement{protocol::kWireVersion, identity_.id,           identity_.incarnation,
                                           lease_.length(),        lease_.left(now_.mono), table_.message()};
  std::string reply;
  protocol::ReplyWriter(reply, request.resp).bulk(encode(statement));
  clients_.complete(request.ticket, reply);
}

void Node::answer_cluster(const session::ClientRequest& request) {
  std::string out;
  protocol::ReplyWriter reply(out, request.resp);
  follow_table();
  switch (request.command->id) {
    case CommandId::cluster_slots:
      return clients_.complete(request.ticket, view_.slots(request.resp));
    case CommandId::cluster_shards:
      return clients_.complete(request.ticket, view_.shards(request.resp));
    case CommandId::cluster_nodes:
      reply.verbatim(view_.nodes());
      break;
    case CommandId::cluster_info:
      reply.verbatim(view_.info(serving()));
      break;
    case CommandId::cluster_myid:
      reply.bulk(cluster_node_id(identity_.id, identity_.incarnation));
      break;
    case CommandId::cluster_myshardid:
      reply.bulk(cluster_shard_id(identity_.id, identity_.incarnation));
      break;
    case CommandId::cluster_keyslot:
      reply.integer(table_.placement().slot_of(request.args[2]));
      break;
    case CommandId::cluster_countkeysinslot:
      count_keys_in_slot(request, reply);
      break;
    case CommandId::cluster_getkeysinslot:
      list_keys_in_slot(request, reply);
      break;
    case CommandId::cluster_links:
      reply.array(0);
      break;
    case CommandId::cluster_replicas:
    case CommandId::cluster_slaves:
    case CommandId::cluster_count_failure_reports:
      if (!view_.knows(request.args[2])) {
        reply.error(concat("ERR Unknown node ", request.args[2]));
      } else if (request.command->id == CommandId::cluster_count_failure_reports) {
        reply.integer(0);
      } else {
        reply.array(0);
      }
      break;
    default:
      reply.error(protocol::errors::unknown_command(request.args[0], request.args.data() + 1, request.args.size() - 1));
  }
  clients_.complete(request.ticket, out);
}

void Node::count_keys_in_slot(const session::ClientRequest& request, protocol::ReplyWriter& reply) const {
  const std::optional<int64_t> slot = parse_int(request.args[2]);
  if (!slot) return reply.error(protocol::errors::kNotInteger);
  if (!is_slot(*slot)) return reply.error("ERR Invalid slot");
  const engine::Database* database = store_.database();
  const std::array range = {protocol::SlotRange{static_cast<Slot>(*slot), static_cast<Slot>(*slot)}};
  reply.integer(database == nullptr ? 0 : static_cast<int64_t>(database->counts(range, request.db).keys));
}

void Node::list_keys_in_slot(const session::ClientRequest& request, protocol::ReplyWriter& reply) const {
  const std::optional<int64_t> slot = parse_int(request.args[2]);
  const std::optional<int64_t> count = parse_int(request.args[3]);
  if (!slot || !count) return reply.error(protocol::errors::kNotInteger);
  if (!is_slot(*slot) || *count < 0) return reply.error("ERR Invalid slot or number of keys");
  const engine::Database* database = store_.database();
  std::vector<std::string_view> keys;
  if (database != nullptr) {
    const size_t keys_max = std::min(static_cast<size_t>(*count), kListedKeysMax);
    keys = database->keys_in(static_cast<Slot>(*slot), request.db, keys_max);
  }
  reply.array(keys.size());
  for (const std::string_view key : keys) reply.bulk(key);
}

}  // namespace chainring::node
