#include "tests/sim/node_client.h"

#include <algorithm>

#include "base/text.h"

namespace chainring::sim {
namespace {

constexpr Micros kDialAgain = 30 * kMicrosPerMilli;

}  // namespace

NodeClient::NodeClient(Plan plan, Notebook& notebook, const Micros& world_time, Transport& transport, Random& random)
    : plan_(std::move(plan)),
      notebook_(notebook),
      world_time_(world_time),
      transport_(transport),
      random_(random),
      calls_(plan_.id, notebook, world_time, random),
      links_(plan_.nodes.size()) {}

Status NodeClient::start(Now now) {
  call_at_ = now.mono;
  return {};
}

Micros NodeClient::next_wake() const {
  if (open_) return open_->until;
  return calling_ ? call_at_ : kNever;
}

void NodeClient::turn(Now now, std::span<const NetEvent> events) {
  for (const NetEvent& event : events) on_event(event);
  if (open_) take_reply(now);
  if (open_ && now.mono >= open_->until) hang_up();
  if (!open_ && calling_ && now.mono >= call_at_) call(now);
}

void NodeClient::on_event(const NetEvent& event) {
  const auto link = std::find_if(links_.begin(), links_.end(), [&](const Link& one) { return one.conn == event.conn; });
  if (link == links_.end()) return;
  if (event.kind == NetEvent::Kind::connected) link->up = true;
  if (event.kind != NetEvent::Kind::closed) return;
  *link = Link();
  if (!open_ || open_->node != static_cast<size_t>(link - links_.begin())) return;
  const Operation& operation = notebook_.operations[open_->index];  // it may have happened
  if (operation.called >= notebook_.at_rest_from) complain(operation, "the node hung up");
  open_.reset();
}

size_t NodeClient::choose_node(const Operation& operation) {
  const bool reads = operation.kind == Operation::Kind::get;
  const auto known = heads_.find(operation.key);
  const bool anywhere = known == heads_.end() || (reads && random_.percent(60)) || random_.percent(5);
  return anywhere ? random_.below(links_.size()) : known->second;
}

void NodeClient::call(Now now) {
  Operation operation = try_again_ ? calls_.draw_for(*try_again_) : calls_.draw();
  const size_t node = choose_node(operation);
  Link& link = links_[node];
  call_at_ = now.mono + kDialAgain;
  if (link.conn == kNoConn) link.conn = transport_.connect(plan_.nodes[node]);
  if (!link.up) return;
  try_again_.reset();
  const std::vector<std::string> words = Calls::words(operation);
  const std::vector<std::string_view> views(words.begin(), words.end());
  std::string* out = transport_.output(link.conn);
  if (out == nullptr) return;
  protocol::append_request(*out, views);
  open_ = Open{calls_.note(std::move(operation)), node, now.mono + plan_.patience};
}

void NodeClient::take_reply(Now now) {
  const Link& link = links_[open_->node];
  protocol::ReplyValue reply;
  const protocol::ReplyExtent extent = protocol::parse_reply(transport_.input(link.conn), reply);
  if (extent.state != protocol::ReplyExtent::State::ready) return;
  transport_.consume(link.conn, extent.size);
  Operation& operation = notebook_.operations[open_->index];
  open_.reset();
  ++notebook_.answered;
  call_at_ = now.mono + static_cast<Micros>(random_.below(static_cast<uint64_t>(plan_.think_most)));
  if (!calls_.take(operation, reply)) failed(operation, reply.text);
}

void NodeClient::failed(Operation& operation, std::string_view error) {
  if (!error.starts_with("TIMEOUT")) operation.outcome = Operation::Outcome::refused;
  if (error.starts_with("MOVED")) return follow(operation.key, error);
  const bool again = error.starts_with("TRYAGAIN") || error.starts_with("CLUSTERDOWN");
  const bool is_known = again || error.starts_with("TIMEOUT");
  if (!is_known || operation.called >= notebook_.at_rest_from) return complain(operation, error);
  if (again) try_again_ = operation.key;
}

void NodeClient::complain(const Operation& operation, std::string_view what) {
  notebook_.complaints.push_back(
      concat("client ", plan_.id, " of a node at ", world_time_, ": ", operation.key, ": ", what));
}

// MOVED slot host:port
void NodeClient::follow(const std::string& key, std::string_view moved) {
  const auto port = parse_uint(moved.substr(moved.rfind(':') + 1));
  const auto node = std::find_if(plan_.nodes.begin(), plan_.nodes.end(),
                                 [&](const Address& address) { return port && address.port == *port; });
  if (node == plan_.nodes.end()) {
    notebook_.complaints.push_back(concat("client ", plan_.id, " was sent nowhere: ", moved));
    return;
  }
  heads_[key] = static_cast<size_t>(node - plan_.nodes.begin());
  try_again_ = key;
}

// The request may have been executed, or may still be.
void NodeClient::hang_up() {
  const Operation& operation = notebook_.operations[open_->index];
  if (operation.called >= notebook_.at_rest_from) complain(operation, "no answer");
  Link& link = links_[open_->node];
  transport_.close(link.conn);
  link = Link();
  open_.reset();
}

}  // namespace chainring::sim
