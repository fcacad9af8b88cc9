#include "tests/session/link_rig.h"

#include <algorithm>

#include "protocol/resp.h"

#include <catch2/catch.hpp>

namespace chainring::session {

LinkRig::LinkRig(uint64_t seed) : random(seed), link(transport, random, Address{"10.0.0.2", 7401}) {}

ConnId LinkRig::dialled() {
  while (link.conn() == kNoConn) pass(std::max<Micros>(link.next_tick() - now, 0));
  return link.conn();
}

void LinkRig::welcome(ConnId conn) {
  transport.establish(conn);
  turn();
  transport.take_output(conn);
  transport.receive(conn, peer_welcome(theirs));
  turn();
}

void LinkRig::turn() {
  for (const NetEvent& event : transport.take_events()) {
    if (event.conn != link.conn()) continue;
    const PeerLink::Change change = link.on_event(event, now, ours);
    if (change != PeerLink::Change::none) changes.push_back(change);
    link.frames(now, [&](const protocol::Frame& frame) { frames.push_back(frame.type); });
  }
  link.tick(now, ours);
}

void LinkRig::pass(Micros time) {
  now += time;
  turn();
}

PeerIdentity LinkRig::parse(std::string_view request) {
  protocol::RequestParser parser;
  REQUIRE(parser.parse(request) == protocol::RequestParser::State::ready);
  REQUIRE(parser.size() == request.size());
  const auto who = parse_peer_request(parser.args());
  REQUIRE(who.ok());
  return *who;
}

}  // namespace chainring::session
