#include "session/relay.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/text.h"

namespace chainring::session {

Relays::~Relays() {
  for (const auto& [conn, other] : other_end_) transport_.close(conn);
}

void Relays::answer(Log& log, ToldRefusals& told, ConnId near, std::span<const std::string> args,
                    const PeerIdentity& ours, bool known, Micros now) {
  std::optional<PeerIdentity> who = admit_peer(transport_, log, told, near, args, ours, count(), kCircuitsMax);
  if (!who) return;
  const std::optional<Address> to = peer_target(args);
  CHECK(to.has_value(), "who asks for a way says where to");
  if (known && !to->host.empty()) {
    log.debug(concat("carries the link of ", role_name(who->role), ' ', who->id, " to ", to->host, ':', to->port));
    return open(near, *std::move(who), *to, now);
  }
  transport_.output(near)->append("-ERR peer refused: who is to be reached is not of this cluster\r\n");
  transport_.close_after_flush(near);
}

void Relays::open(ConnId near, PeerIdentity who, const Address& to, Micros now) {
  const ConnId far = transport_.connect(to);
  circuits_.emplace(near, Circuit{far, std::move(who), false, now + kReachWithin});
  other_end_[near] = far;
  other_end_[far] = near;
}

void Relays::on_event(const NetEvent& event, Micros now) {
  const ConnId other = other_end_.at(event.conn);
  const bool is_near = circuits_.contains(event.conn);
  const ConnId near = is_near ? event.conn : other;
  Circuit& circuit = circuits_.at(near);
  switch (event.kind) {
    case NetEvent::Kind::connected:
      if (std::string* out = transport_.output(circuit.far)) out->append(peer_request(circuit.who));
      circuit.reached = true;
      circuit.give_up_at = now + kIdleMax;
      return carry(near, circuit.far);  // what came meanwhile
    case NetEvent::Kind::input:
      if (!circuit.reached) return;
      if (is_near) circuit.give_up_at = now + kIdleMax;
      return carry(event.conn, other);
    case NetEvent::Kind::drained:
      return transport_.set_reading(other, true);
    case NetEvent::Kind::closed:
      // What the far end said before it went, as why it refuses, still reaches the near one. What the near end said may
      // be on another way already.
      if (is_near) transport_.close(other);
      if (!is_near) transport_.close_after_flush(near);
      return forget(near);
    case NetEvent::Kind::accepted:
      return;
  }
}

void Relays::carry(ConnId from, ConnId to) {
  const std::string_view bytes = transport_.input(from);
  std::string* out = transport_.output(to);
  if (out == nullptr || bytes.empty()) return;
  out->append(bytes);
  transport_.consume(from, bytes.size());
  if (transport_.unsent(to) > kBacklogMax) transport_.set_reading(from, false);
}

void Relays::forget(ConnId near) {
  other_end_.erase(circuits_.at(near).far);
  other_end_.erase(near);
  circuits_.erase(near);
}

void Relays::tick(Micros now) {
  std::vector<ConnId> over;
  for (const auto& [near, circuit] : circuits_) {
    if (now >= circuit.give_up_at) over.push_back(near);
  }
  for (const ConnId near : over) {
    transport_.close(circuits_.at(near).far);
    transport_.close(near);
    forget(near);
  }
}

Micros Relays::next_tick() const {
  Micros next = kNever;
  for (const auto& [near, circuit] : circuits_) next = std::min(next, circuit.give_up_at);
  return next;
}

}  // namespace chainring::session
