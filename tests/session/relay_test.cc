// Links that are carried for others.
#include "session/relay.h"

#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/frame.h"
#include "tests/session/rig.h"
#include "tests/support/fake_transport.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

using State = test::FakeTransport::State;

struct Carrier {
  // A router that asks to be connected with 10.0.0.9:7409.
  ConnId ask(bool known = true, std::string secret = "s", std::string to = "10.0.0.9:7409") {
    const ConnId near = transport.accept();
    const std::vector<std::string> args{
        "PEER", concat(protocol::kWireVersion), "c1", "router", "r1", "22", std::move(secret), std::move(to)};
    relays.answer(log, told, near, args, ours, known, now);
    return near;
  }
  ConnId far() { return transport.dials().back().conn; }
  void turn() {
    for (const NetEvent& event : transport.take_events()) {
      if (relays.owns(event.conn)) relays.on_event(event, now);
    }
    relays.tick(now);
  }

  test::FakeTransport transport;
  ListedLog log;
  ToldRefusals told;
  PeerIdentity ours{0xc1, PeerRole::node, "n1", 0x11, "s"};
  Relays relays{transport};
  Micros now = 1000;
};

}  // namespace

TEST_CASE("Relays: the far end is told who dials, and everything is carried both ways as it is") {
  Carrier carrier;
  const ConnId near = carrier.ask();
  REQUIRE(carrier.transport.dials().size() == 1);
  CHECK(carrier.transport.dials()[0].address == Address{"10.0.0.9", 7409});
  const ConnId far = carrier.far();
  carrier.transport.receive(near, "early");
  carrier.turn();
  CHECK(carrier.transport.take_output(near).empty());  // the welcome is the far end's to say
  carrier.transport.establish(far);
  carrier.turn();
  CHECK(carrier.transport.take_output(far) == peer_request({0xc1, PeerRole::router, "r1", 0x22, "s"}) + "early");
  carrier.transport.receive(far, "+PEER and so on\r\n");
  carrier.transport.receive(near, "frames");
  carrier.turn();
  CHECK(carrier.transport.take_output(near) == "+PEER and so on\r\n");
  CHECK(carrier.transport.take_output(far) == "frames");
}

TEST_CASE("Relays: who does not know the secret, or wants to go elsewhere, is refused and nobody is dialled") {
  Carrier carrier;
  ConnId near = carrier.ask(true, "a-guess");
  CHECK(carrier.transport.take_output(near).starts_with("-ERR peer refused: wrong peer secret"));
  CHECK(carrier.transport.state(near) == State::closed);
  near = carrier.ask(false);
  CHECK(carrier.transport.take_output(near) == "-ERR peer refused: who is to be reached is not of this cluster\r\n");
  CHECK(carrier.transport.state(near) == State::closed);
  near = carrier.ask(true, "s", "no address");
  CHECK(carrier.transport.take_output(near).starts_with("-ERR peer refused: who is to be reached"));
  CHECK(carrier.transport.dials().empty());
  CHECK(carrier.relays.count() == 0);
}

TEST_CASE("Relays: when one end goes the other is closed, and what the far one said last still arrives") {
  Carrier carrier;
  ConnId near = carrier.ask();
  ConnId far = carrier.far();
  carrier.transport.establish(far);
  carrier.turn();
  carrier.transport.receive(far, "-ERR peer refused: it says why\r\n");
  carrier.turn();
  carrier.transport.disconnect(far);
  carrier.turn();
  CHECK(carrier.transport.take_output(near) == "-ERR peer refused: it says why\r\n");
  CHECK(carrier.transport.state(near) == State::closed);

  near = carrier.ask();
  far = carrier.far();
  carrier.transport.establish(far);
  carrier.turn();
  carrier.transport.receive(near, "a request that will be sent again on another way");
  carrier.transport.disconnect(near);
  carrier.turn();
  CHECK(carrier.transport.state(far) == State::closed);

  near = carrier.ask();
  carrier.transport.refuse(carrier.far());
  carrier.turn();
  CHECK(carrier.transport.state(near) == State::closed);
  CHECK(carrier.relays.count() == 0);
  CHECK_FALSE(carrier.relays.owns(near));
}

TEST_CASE("Relays: an end that cannot be reached, and a dialler that says nothing, are given up") {
  Carrier carrier;
  const ConnId first = carrier.ask();
  CHECK(carrier.relays.next_tick() == carrier.now + Relays::kReachWithin);
  carrier.now += Relays::kReachWithin;
  carrier.turn();
  CHECK(carrier.transport.state(first) == State::closed);

  const ConnId second = carrier.ask();
  carrier.transport.establish(carrier.far());
  carrier.turn();
  carrier.now += Relays::kIdleMax - 1;
  carrier.transport.receive(second, "x");
  carrier.turn();
  carrier.now += Relays::kIdleMax - 1;
  carrier.turn();
  CHECK(carrier.relays.count() == 1);
  carrier.now += 1;
  carrier.turn();
  CHECK(carrier.transport.state(second) == State::closed);
  CHECK(carrier.transport.state(carrier.far()) == State::closed);
  CHECK(carrier.relays.next_tick() == kNever);
}

TEST_CASE("Relays: an end that does not read holds up the other, and no more are carried than may be") {
  Carrier carrier;
  const ConnId near = carrier.ask();
  const ConnId far = carrier.far();
  carrier.transport.establish(far);
  carrier.turn();
  carrier.transport.take_output(far);
  carrier.transport.receive(near, std::string(Relays::kBacklogMax + 1, 'x'));
  carrier.turn();
  CHECK_FALSE(carrier.transport.reading(near));
  CHECK(carrier.transport.reading(far));
  CHECK(carrier.transport.take_output(far).size() == Relays::kBacklogMax + 1);
  carrier.turn();
  CHECK(carrier.transport.reading(near));

  while (carrier.relays.count() < Relays::kCircuitsMax) carrier.ask();
  CHECK(carrier.transport.take_output(carrier.ask()).starts_with("-ERR peer refused: too many peers"));
}

}  // namespace chainring::session
