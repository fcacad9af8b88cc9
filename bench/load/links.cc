#include "bench/load/links.h"

#include <array>
#include <utility>

#include "base/check.h"

namespace chainring::load {

Links::Links(Transport& transport, const Topology& topology, LinkUser& user, std::string password)
    : transport_(transport), topology_(topology), user_(user), password_(std::move(password)) {}

Links::Link& Links::link(Lane lane) {
  if (links_.size() <= lane.server) links_.resize(lane.server + size_t{1});
  auto& lanes = links_[lane.server];
  if (lanes.size() <= lane.number) lanes.resize(lane.number + size_t{1});
  return lanes[lane.number];
}

bool Links::open(Lane lane, Link& link, Micros now) {
  if (now < link.not_before) return false;
  link.conn = transport_.connect(topology_.address(lane.server));
  lanes_[link.conn] = lane;
  if (password_.empty()) return true;
  const std::array<std::string_view, 2> auth{"AUTH", password_};
  protocol::append_request(*transport_.output(link.conn), auth);
  link.sent.push_back(kOwn);
  return true;
}

bool Links::send(Lane lane, Tag tag, std::string_view request, bool asking, Micros now) {
  CHECK(tag != kOwn, "a tag that is kept for the links themselves");
  Link& to = link(lane);
  if (to.conn == kNoConn && !open(lane, to, now)) return false;
  std::string* const output = transport_.output(to.conn);
  if (output == nullptr) return false;  // it broke in this turn; the event is still to come
  if (asking) {
    constexpr std::array<std::string_view, 1> kAsking{"ASKING"};
    protocol::append_request(*output, kAsking);
    to.sent.push_back(kOwn);
  }
  output->append(request);
  to.sent.push_back(tag);
  return true;
}

void Links::abort(Lane lane, Micros now) {
  transport_.close(link(lane).conn);
  fail(lane, now);
}

void Links::fail(Lane lane, Micros now) {
  Link& broken = link(lane);
  lanes_.erase(broken.conn);
  broken.conn = kNoConn;
  broken.not_before = now + kRedialPause;
  const Fifo<Tag> sent = std::exchange(broken.sent, {});
  for (const Tag tag : sent) {
    if (tag != kOwn) user_.lost(tag, lane);
  }
}

bool Links::handle(const NetEvent& event, Micros now) {
  const auto at = lanes_.find(event.conn);
  if (at == lanes_.end()) return false;
  const Lane lane = at->second;
  if (event.kind == NetEvent::Kind::input) read(lane);
  if (event.kind == NetEvent::Kind::closed) fail(lane, now);
  return true;
}

void Links::read(Lane lane) {
  const ConnId conn = link(lane).conn;
  size_t consumed = 0;
  protocol::ReplyValue reply;
  while (true) {
    const protocol::ReplyExtent extent = protocol::parse_reply(transport_.input(conn).substr(consumed), reply);
    // What does not speak RESP will not be answered; its requests time out.
    if (extent.state != protocol::ReplyExtent::State::ready) break;
    consumed += extent.size;
    Link& from = link(lane);
    if (from.sent.empty()) break;
    const Tag tag = from.sent.front();
    from.sent.pop_front();
    if (tag != kOwn) user_.answered(tag, lane, reply);
  }
  transport_.consume(conn, consumed);
}

}  // namespace chainring::load
