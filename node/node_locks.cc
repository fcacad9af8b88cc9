// What this node's clients ask of the lock keyspace and of the ring goes to the coordinators' leader, on the link that
// carries the heartbeats.

#include "base/text.h"
#include "node/node.h"

namespace chainring::node {
namespace {

constexpr std::string_view kTooMuchWaits =
    "-TRYAGAIN too much waits for the coordinators; the command was not executed, try again\r\n";

}  // namespace

void Node::forward(const session::ClientRequest& request) {
  const bool writes = (request.command->flags & protocol::kWrite) != 0;
  submit_to_leader(request.ticket, request.db, protocol::request_flags(request.resp, writes), request.bytes);
}

void Node::submit_to_leader(const session::Ticket& to, uint8_t db, uint8_t flags, std::string_view bytes) {
  const Micros deadline = now_.mono + request_timeout();
  if (!locks_.submit({to, db, flags, bytes, deadline})) return clients_.complete(to, kTooMuchWaits);
  clients_.hold(to.client);  // what it sends behind this one must not overtake it (R10)
}

void Node::lock_answered(const session::Ticket& to, std::string_view reply) {
  clients_.complete(to, reply);
  clients_.release(to.client);
}

void Node::on_forwarded_reply(std::string_view payload) {
  protocol::Reply reply;
  std::string_view body;
  if (!protocol::split_payload(payload, reply, body) || !locks_.on_reply(reply, body, now_.mono)) {
    return log_.warning("a coordinator answered what it was not asked");
  }
  if (reply.status == protocol::ReplyStatus::not_leader) told_leader_ = session::parse_address(body);
}

void Node::tend_locks() {
  locks_.tick(now_.mono);
  if (const std::optional<Address> leader = std::exchange(told_leader_, std::nullopt)) {
    coordinator_.redirect(*leader, now_.mono);
  }
  const ConnId conn = coordinator_.up() ? coordinator_.link().conn() : kNoConn;
  if (conn != std::exchange(locks_conn_, conn)) locks_.link_changed();
  if (conn == kNoConn) return;
  if (std::string* out = transport_.output(conn)) locks_.send(*out, now_.mono);
}

}  // namespace chainring::node
