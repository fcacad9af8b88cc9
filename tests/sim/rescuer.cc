#include "tests/sim/rescuer.h"

namespace chainring::sim {
namespace {

constexpr Micros kAskAgain = 50 * kMicrosPerMilli;

}  // namespace

Status Rescuer::start(Now now) {
  act_at_ = now.mono;
  return {};
}

void Rescuer::dial(Now now) {
  while (asks_a_node() && !plan_.lives(next_node_)) ++next_node_;
  const std::vector<Address>& coordinators = plan_.coordinators;
  conn_ = transport_.connect(asks_a_node() ? plan_.nodes[next_node_]
                                           : coordinators[next_coordinator_++ % coordinators.size()]);
  act_at_ = now.mono + plan_.patience;
}

void Rescuer::hang_up(Now now) {
  if (conn_ != kNoConn) transport_.close(conn_);
  conn_ = kNoConn;
  act_at_ = now.mono + kAskAgain;
}

void Rescuer::turn(Now now, std::span<const NetEvent> events) {
  if (done_) return;
  for (const NetEvent& event : events) {
    if (event.conn != conn_) continue;
    if (event.kind == NetEvent::Kind::connected) ask();
    if (event.kind == NetEvent::Kind::closed) hang_up(now);
  }
  protocol::ReplyValue reply;
  if (conn_ != kNoConn) {
    const protocol::ReplyExtent extent = protocol::parse_reply(transport_.input(conn_), reply);
    if (extent.state == protocol::ReplyExtent::State::ready) return take(now, reply);
  }
  if (now.mono < act_at_) return;
  if (conn_ == kNoConn) return dial(now);
  hang_up(now);
}

void Rescuer::ask() {
  std::vector<std::string_view> words = {"RING", "TABLE"};
  if (!asks_a_node()) {
    words = {"RING", "RECOVER", "FOUND"};
    words.insert(words.end(), statements_.begin(), statements_.end());
  }
  if (std::string* out = transport_.output(conn_)) protocol::append_request(*out, words);
}

void Rescuer::take(Now now, const protocol::ReplyValue& reply) {
  const bool is_error = reply.kind == protocol::ReplyValue::Kind::error;
  hang_up(now);
  if (asks_a_node()) {
    if (is_error) return;
    statements_.push_back(reply.text);
    ++next_node_;
  } else if (!is_error || reply.text.find("have a cluster") != std::string::npos) {
    done_ = true;
    plan_.founded();
  } else {  // it does not lead, or a lease of the last generation still runs
    statements_.clear();
    next_node_ = 0;
  }
}

}  // namespace chainring::sim
