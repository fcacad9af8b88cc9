#include "tests/sim/operator.h"

#include "base/text.h"
#include "tests/sim/calls.h"

namespace chainring::sim {
namespace {

constexpr Micros kDialAgain = 50 * kMicrosPerMilli;
constexpr Micros kDutyAgain = 200 * kMicrosPerMilli;

}  // namespace

Operator::Operator(Plan plan, Transport& transport, Random& random)
    : plan_(std::move(plan)), transport_(transport), random_(random) {}

Status Operator::start(Now now) {
  dial(now);
  return {};
}

void Operator::dial(Now now) {
  conn_ = transport_.connect(plan_.routers[random_.below(plan_.routers.size())]);
  up_ = waits_ = false;
  ask_at_ = now.mono;
  dial_at_ = kNever;
}

Micros Operator::next_wake() const {
  if (conn_ == kNoConn) return dial_at_;
  return up_ && !waits_ ? ask_at_ : kNever;
}

void Operator::turn(Now now, std::span<const NetEvent> events) {
  for (const NetEvent& event : events) {
    if (event.conn != conn_) continue;
    if (event.kind == NetEvent::Kind::connected) up_ = true;
    if (event.kind == NetEvent::Kind::closed) {
      conn_ = kNoConn;
      dial_at_ = now.mono + kDialAgain;
    }
  }
  if (conn_ == kNoConn) {
    if (now.mono >= dial_at_) dial(now);
    return;
  }
  protocol::ReplyValue reply;
  for (;;) {
    const protocol::ReplyExtent extent = protocol::parse_reply(transport_.input(conn_), reply);
    if (extent.state != protocol::ReplyExtent::State::ready) break;
    transport_.consume(conn_, extent.size);
    take(reply);
    waits_ = false;
    const Micros think_most = on_duty_ ? kDutyAgain : plan_.think_most;
    ask_at_ = now.mono + static_cast<Micros>(random_.below(static_cast<uint64_t>(think_most)));
  }
  if (up_ && !waits_ && now.mono >= ask_at_) ask();
}

void Operator::take(const protocol::ReplyValue& reply) {
  if (reply.kind != protocol::ReplyValue::Kind::error && (on_duty_ || !retired_)) ++(granted_.*asked_);
}

// Refusals are part of the game: "in the ring already", "no change is under way".
std::vector<std::string> Operator::draw_wish() {
  if (retired_) return {"RING", "RESUME"};
  const std::string& node = plan_.nodes[random_.below(plan_.nodes.size())];
  const uint64_t choice = random_.below(leaves_the_rules_ ? 100 : 120);
  if (choice >= 100) return {"RING", "RULES", random_.percent(50) ? "ADD" : "REMOVE", std::string(kPlacementRule)};
  if (choice < 35) return {"RING", "ADD", node};
  if (choice < 55) return {"RING", "REMOVE", node};
  if (choice < 70) return {"RING", "WEIGHT", node, concat(50 + 50 * random_.below(5))};
  if (choice < 80) return {"RING", "COPIES", concat(2 + random_.below(2))};
  if (choice < 85) return {"RING", "PAUSE"};
  if (choice < 95) return {"RING", "RESUME"};
  return {"RING", "CANCEL"};
}

void Operator::ask() {
  std::vector<std::string> words = duties_ == nullptr ? std::vector<std::string>() : duties_->next();
  on_duty_ = !words.empty();
  if (!on_duty_) words = draw_wish();
  asked_ = on_duty_ ? &Granted::of_duty : words[1] == "RULES" ? &Granted::of_placement_rules : &Granted::of_the_ring;
  const std::vector<std::string_view> views(words.begin(), words.end());
  if (std::string* out = transport_.output(conn_)) protocol::append_request(*out, views);
  waits_ = true;
}

}  // namespace chainring::sim
