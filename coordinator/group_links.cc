#include "coordinator/group_links.h"

#include <algorithm>

namespace chainring::coordinator {
namespace {

// What waits for a coordinator that does not read; beyond it messages are dropped.
constexpr size_t kUnsentBytesMax = size_t{64} << 20;

}  // namespace

GroupLinks::GroupLinks(Transport& transport, Random& random, const std::vector<Settings::NamedAddress>& others,
                       Micros probe_us)
    : probe_us_(probe_us) {
  for (const Settings::NamedAddress& address : others) {
    Other& other = others_.emplace_back();
    other.name = address.name;
    other.link = std::make_unique<session::PeerLink>(transport, random, Address{address.host, address.port});
  }
}

GroupLinks::Other* GroupLinks::find(std::string_view name) {
  const auto at = std::find_if(others_.begin(), others_.end(), [&](const Other& other) { return other.name == name; });
  return at == others_.end() ? nullptr : &*at;
}

const GroupLinks::Other* GroupLinks::find(raft::ServerId server) const {
  const auto at =
      std::find_if(others_.begin(), others_.end(), [&](const Other& other) { return other.server == server; });
  return at == others_.end() ? nullptr : &*at;
}

void GroupLinks::know(const Founders& founders) {
  for (const Founder& founder : founders) {
    Other* other = find(founder.name);
    if (other != nullptr && other->server == raft::kNobody) other->server = founder.disk_id;
  }
}

void GroupLinks::heard(const protocol::Probe& probe, Micros now) {
  Other* other = find(probe.name);
  if (other == nullptr || probe.disk_id == 0) return;
  // It began anew, or has not heard of us: it wants to know.
  if (!probe.founded && other->founded) other->probe_at = now;
  other->server = probe.disk_id;
  other->founded = probe.founded;
  other->heard_at = now;
}

void GroupLinks::heard(std::string_view name, const raft::Message& message, Micros now) {
  Other* other = find(name);
  if (other == nullptr) return;
  other->heard_at = now;
  if (message.type == raft::MessageType::append_reply && !message.refused) {
    other->matched = std::max(other->matched, message.index);
  }
}

void GroupLinks::say(Other& other, const protocol::Probe& probe, Micros now) {
  other.link->send(protocol::FrameType::probe, probe);
  other.probe_at = now + probe_us_;
}

void GroupLinks::tick(Micros now, const session::PeerIdentity& ours, const protocol::Probe& probe) {
  for (Other& other : others_) {
    other.link->tick(now, ours);
    const bool both_founded = probe.founded && other.founded;
    if (other.link->up() && !both_founded && now >= other.probe_at) say(other, probe, now);
  }
}

Micros GroupLinks::next_tick(bool founded) const {
  Micros next = kNever;
  for (const Other& other : others_) {
    next = std::min(next, other.link->next_tick());
    if (other.link->up() && !(founded && other.founded)) next = std::min(next, other.probe_at);
  }
  return next;
}

bool GroupLinks::owns(ConnId conn) const {
  return std::any_of(others_.begin(), others_.end(), [&](const Other& other) { return other.link->conn() == conn; });
}

void GroupLinks::on_event(const NetEvent& event, Micros now, const session::PeerIdentity& ours,
                          const protocol::Probe& probe) {
  for (Other& other : others_) {
    if (other.link->conn() != event.conn) continue;
    if (other.link->on_event(event, now, ours) == session::PeerLink::Change::up) say(other, probe, now);
    other.link->frames(now, [](const protocol::Frame&) {});  // nothing is said this way
    return;
  }
}

void GroupLinks::send(const raft::Message& message, Transport& transport) {
  for (Other& other : others_) {
    if (other.server != message.to || !other.link->up()) continue;
    if (transport.unsent(other.link->conn()) <= kUnsentBytesMax) {
      other.link->send(protocol::FrameType::raft, message);
    }
    return;
  }
}

}  // namespace chainring::coordinator
