// Where the commands of a transaction go, and EXEC: of clients that are connected to this node itself.

#include "base/text.h"
#include "node/node.h"

namespace chainring::node {

session::Placement Node::placement(const protocol::CommandSpec& command, std::span<const std::string_view> args) const {
  const bool of_keys = command.first_key != 0 && command.routing != protocol::Routing::coordinator;
  if (!of_keys || !Store::runs(command.id)) return {{}, session::not_in_transaction(command)};
  session::Placement found = place_of(command, args);
  if (!found.place || *found.place == kLocks) return found;
  const auto slot = static_cast<Slot>(*found.place);
  const Door at = door(slot, false);
  if (at == Door::elsewhere) return {{}, moved(slot)};
  if (at == Door::lost) return {{}, std::string(protocol::errors::kClusterDown)};
  return found;
}

void Node::transaction(const session::ClientTransaction& transaction) {
  mind_the_door();
  if (transaction.place == kLocks) return forward(transaction);
  const auto refuse = [&](std::string_view why) { clients_.complete(transaction.ticket, protocol::error_reply(why)); };
  const auto slot = static_cast<Slot>(transaction.place);
  switch (door(slot, false)) {
    case Door::head:
      break;
    case Door::elsewhere:
      return refuse(moved(slot));
    case Door::lost:
      return refuse(protocol::errors::kClusterDown);
    case Door::waits:
    case Door::member:
      return park(transaction);
  }
  const Result<protocol::Transaction> parsed = protocol::parse_transaction(transaction.payload, transaction.db);
  CHECK(parsed.ok(), "the session queues whole commands");
  Requested requested;
  requested.slot = slot;
  requested.db = transaction.db;
  requested.resp = transaction.resp;
  requested.now = lease_.wall(now_.mono);
  requested.memory_max = memory_max();
  requested.to.ticket = transaction.ticket;
  requested.to.came_at = transaction.came_at;
  requested.to.reads = !transaction.writes;
  if (!store_.execute(*parsed, requested)) park(transaction);
}

void Node::park(const session::ClientTransaction& transaction) {
  ParkedRequest parked;
  parked.ticket = transaction.ticket;
  parked.slot = static_cast<Slot>(transaction.place);
  parked.db = transaction.db;
  parked.resp = transaction.resp;
  parked.came_at = transaction.came_at;
  parked.deadline = transaction.came_at + request_timeout();
  parked.transaction = true;
  parked.writes = transaction.writes;
  parked.bytes = transaction.payload;
  park(std::move(parked));
}

void Node::forward(const session::ClientTransaction& transaction) {
  const uint8_t flags = protocol::request_flags(transaction.resp, transaction.writes) | protocol::kRequestTransaction;
  submit_to_leader(transaction.ticket, transaction.db, flags, transaction.payload);
}

}  // namespace chainring::node
