// What the router does when there is too much of something.
#include "base/text.h"
#include "protocol/reply.h"
#include "protocol/resp.h"
#include "tests/router/rig.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

using test::Arrived;
using test::key_in;
using test::Rig;

const std::string kParked = key_in(16000);  // nobody serves it
const std::string kServed = key_in(0);

std::string sets_of(const std::string& key, size_t count, size_t value_bytes) {
  const std::string value(value_bytes, 'v');
  std::string pipeline;
  for (size_t i = 0; i < count; ++i) {
    protocol::append_request(pipeline, std::vector<std::string_view>{"SET", key, value});
  }
  return pipeline;
}

TEST_CASE("Router: beyond parked-bytes-max a client whose requests park is not read, others are") {
  Rig rig({.settings = {{Setting::parked_bytes_max, "1048576"}}});
  rig.publish(rig.table({1, kNoMember}));
  const ConnId parked = rig.connect();
  rig.send(parked, sets_of(kParked, 40, 100'000));
  CHECK(rig.router->outstanding() == 11);  // the one that passed the limit was taken
  CHECK_FALSE(rig.transport.reading(parked));

  const ConnId other = rig.connect();
  rig.request(other, {"GET", kServed});
  rig.reply(1, rig.requests(1)[0].header.id, "$-1\r\n");
  CHECK(rig.read(other) == "$-1\r\n");
  CHECK(rig.transport.reading(other));
}

TEST_CASE("Router: held clients go on when their slot is served, in order and without loss") {
  Rig rig({.settings = {{Setting::parked_bytes_max, "1048576"}}});
  rig.publish(rig.table({1, kNoMember}));
  const ConnId client = rig.connect();
  rig.send(client, sets_of(kParked, 40, 100'000));
  rig.publish(rig.table({1, 1}, 2));
  size_t arrived = 0;
  for (int i = 0; i < 1000 && arrived < 40; ++i) {
    for (const Arrived& one : rig.requests(1)) {
      CHECK(one.header.number == ++arrived);
      rig.reply(1, one.header.id, "+OK\r\n", 2);
    }
    rig.advance(1);
  }
  CHECK(arrived == 40);
  CHECK(rig.transport.reading(client));
}

TEST_CASE("Router: held clients go on when what was parked is given up") {
  Rig rig({.settings = {{Setting::parked_bytes_max, "1048576"}}});
  rig.publish(rig.table({1, kNoMember}));
  const ConnId client = rig.connect();
  rig.send(client, sets_of(kParked, 20, 100'000));
  rig.advance(3000);
  CHECK(rig.router->outstanding() == 9);
  rig.advance(3010);
  CHECK(rig.router->outstanding() == 0);
  std::string expected;
  for (int i = 0; i < 20; ++i) append_text(expected, '-', protocol::errors::kClusterDown, "\r\n");
  CHECK(rig.read(client) == expected);
  CHECK(rig.transport.reading(client));
}

TEST_CASE("Router: a node that does not read holds back those who send to it, and nobody else") {
  Rig rig;
  rig.publish(rig.table({1, 2}));
  rig.stop_reading(1);
  const ConnId sender = rig.connect();
  rig.send(sender, sets_of(kServed, 200, 100'000));  // 20 MB
  CHECK_FALSE(rig.transport.reading(sender));
  CHECK(rig.router->outstanding() < 50);

  const ConnId other = rig.connect();
  rig.request(other, {"GET", kParked});
  rig.reply(2, rig.requests(2)[0].header.id, "$-1\r\n");
  CHECK(rig.read(other) == "$-1\r\n");

  rig.go_on_reading(1);
  size_t arrived = 0;
  for (int i = 0; i < 1000 && arrived < 200; ++i) {
    for (const Arrived& one : rig.requests(1)) {
      ++arrived;
      rig.reply(1, one.header.id, "+OK\r\n");
    }
    rig.advance(1);
  }
  CHECK(arrived == 200);
  CHECK(rig.transport.reading(sender));
}

TEST_CASE("Router: a FLUSHALL that comes to a node that does not read holds back no other client") {
  Rig rig;
  rig.publish(rig.table({2, 1}));
  rig.stop_reading(1);
  const ConnId sender = rig.connect();
  rig.send(sender, sets_of(kParked, 200, 100'000));
  REQUIRE_FALSE(rig.transport.reading(sender));
  rig.request(rig.connect(), {"FLUSHALL"});
  size_t flushed = 0;
  for (std::vector<Arrived> legs = rig.requests(2); !legs.empty(); legs = rig.requests(2)) {
    for (const Arrived& leg : legs) rig.reply(2, leg.header.id, "+OK\r\n");
    flushed += legs.size();
  }
  REQUIRE(flushed == kSlotCount / 2);  // the last of them sent others to the node that does not read

  const ConnId other = rig.connect();
  rig.request(other, {"GET", kServed});
  CHECK(rig.transport.reading(other));
  rig.reply(2, rig.requests(2)[0].header.id, "$-1\r\n");
  CHECK(rig.read(other) == "$-1\r\n");
}

TEST_CASE("Router: a held client that goes away is forgotten") {
  Rig rig({.settings = {{Setting::parked_bytes_max, "1048576"}}});
  rig.publish(rig.table({1, kNoMember}));
  const ConnId client = rig.connect();
  rig.send(client, sets_of(kParked, 40, 100'000));
  rig.transport.disconnect(client);
  rig.turn();
  rig.advance(3000);
  CHECK(rig.router->outstanding() == 0);
  const ConnId next = rig.connect();
  rig.request(next, {"PING"});
  CHECK(rig.read(next) == "+PONG\r\n");
}

}  // namespace
}  // namespace chainring::router
