// Commands that are split by place.
#include "base/text.h"
#include "protocol/reply.h"
#include "protocol/resp.h"
#include "tests/router/rig.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

using test::Arrived;
using test::kDown;
using test::key_in;
using test::kUnknown;
using test::Rig;

TEST_CASE("Router.MGET: one request for each slot, the values in the keys' order, lock keys among them") {
  Rig rig;
  rig.publish(rig.table({1, 2}));
  const ConnId client = rig.connect();
  const std::string low = key_in(5);
  const std::string high = key_in(16000);
  rig.request(client, {"MGET", high, low, "lock:a", low, key_in(6)});
  const auto at_low = rig.requests(1);
  const auto at_high = rig.requests(2);
  const auto at_leader = rig.requests(kNoMember);
  REQUIRE(at_low.size() == 2);
  REQUIRE(at_high.size() == 1);
  REQUIRE(at_leader.size() == 1);
  CHECK(at_low[0].args == std::vector<std::string>{"MGET", low, low});
  rig.reply(kNoMember, at_leader[0].header.id, "*1\r\n$1\r\nc\r\n", 0);
  rig.reply(1, at_low[1].header.id, "*1\r\n$1\r\ne\r\n");
  rig.reply(2, at_high[0].header.id, "*1\r\n$-1\r\n");
  CHECK(rig.read(client).empty());
  rig.reply(1, at_low[0].header.id, "*2\r\n$1\r\nb\r\n$1\r\nd\r\n");
  CHECK(rig.read(client) == "*5\r\n$-1\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n");
}

TEST_CASE("Router.MSET: pairs stay together, numbered writes, OK when all are") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"MSET", key_in(1), "a", key_in(2), "b", key_in(1), "c"});
  const auto arrived = rig.requests(1);
  REQUIRE(arrived.size() == 2);
  CHECK(arrived[0].args == std::vector<std::string>{"MSET", key_in(1), "a", key_in(1), "c"});
  CHECK(arrived[1].args == std::vector<std::string>{"MSET", key_in(2), "b"});
  CHECK(arrived[0].header.number == 1);
  CHECK(arrived[0].header.flags == protocol::kRequestWrite);
  for (const Arrived& one : arrived) rig.reply(1, one.header.id, "+OK\r\n");
  CHECK(rig.read(client) == "+OK\r\n");
}

TEST_CASE("Router.DEL: adds up, and keeps its place among the client's replies") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"DEL", key_in(1), key_in(2), "lock:a"});
  rig.request(client, {"PING"});
  rig.reply(kNoMember, rig.requests(kNoMember)[0].header.id, ":1\r\n", 0);
  for (const Arrived& one : rig.requests(1)) rig.reply(1, one.header.id, ":1\r\n");
  CHECK(rig.read(client) == ":3\r\n+PONG\r\n");
}

TEST_CASE("Router: a split command whose keys share a slot is forwarded unchanged") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"MGET", "{t}a", "{t}b"});
  const auto arrived = rig.requests(1);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].args == std::vector<std::string>{"MGET", "{t}a", "{t}b"});
}

TEST_CASE("Router: a leg's error is the reply, when all legs have ended") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"MSET", key_in(1), "a", key_in(2), "b"});
  const auto arrived = rig.requests(1);
  rig.reply(1, arrived[1].header.id, "-OOM no\r\n");
  CHECK(rig.read(client).empty());
  rig.reply(1, arrived[0].header.id, "+OK\r\n");
  CHECK(rig.read(client) == "-OOM no\r\n");
}

TEST_CASE("Router: a lost leg of a write is outcome unknown, one of a read CLUSTERDOWN") {
  Rig rig;
  rig.publish(rig.table({1, 2}));
  const ConnId client = rig.connect();
  rig.request(client, {"DEL", key_in(1), key_in(16000)});
  rig.request(client, {"EXISTS", key_in(1), key_in(16000)});
  for (const Arrived& one : rig.requests(1)) rig.reply(1, one.header.id, ":1\r\n");
  rig.advance(3000);
  CHECK(rig.read(client) == kUnknown + kDown);
  CHECK(rig.router->outstanding() == 0);
}

TEST_CASE("Router: a write of which one leg ran and another was never sent is outcome unknown") {
  Rig rig;
  rig.publish(rig.table({1, kNoMember}));
  const ConnId client = rig.connect();
  rig.request(client, {"MSET", key_in(1), "a", key_in(16000), "b"});
  rig.reply(1, rig.requests(1)[0].header.id, "+OK\r\n");
  rig.advance(3000);
  CHECK(rig.read(client) == kUnknown);
}

TEST_CASE("Router: legs keep the order of their slot with the client's other requests") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"SET", key_in(1), "1"});
  rig.request(client, {"MSET", key_in(1), "2", key_in(2), "2"});
  rig.request(client, {"SET", key_in(1), "3"});
  std::vector<std::string> of_slot;
  for (const Arrived& one : rig.requests(1)) {
    if (one.header.slot == 1) of_slot.push_back(one.args.back());
  }
  CHECK(of_slot == std::vector<std::string>{"1", "2", "3"});
}

TEST_CASE("Router: a client that goes while its legs are out leaves nothing behind") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"MGET", key_in(1), key_in(2)});
  rig.transport.disconnect(client);
  rig.turn();
  for (const Arrived& one : rig.requests(1)) rig.reply(1, one.header.id, "*1\r\n$-1\r\n");
  CHECK(rig.router->outstanding() == 0);
}

TEST_CASE("Router.MGET: 20,000 keys over all slots") {
  Rig rig;
  rig.publish(rig.table({1, 2}));
  const ConnId client = rig.connect();
  constexpr int kKeys = 20'000;
  std::vector<std::string> words = {"MGET"};
  for (int i = 0; i < kKeys; ++i) words.push_back(concat(i));
  rig.request(client, {words.begin(), words.end()});
  for (const MemberId node : {1u, 2u}) {
    for (const Arrived& one : rig.requests(node)) {
      std::string body = concat('*', one.args.size() - 1, "\r\n");
      for (size_t i = 1; i < one.args.size(); ++i) append_text(body, '+', one.args[i], "\r\n");
      rig.reply(node, one.header.id, body);
    }
  }
  std::string expected = concat('*', kKeys, "\r\n");
  for (int i = 0; i < kKeys; ++i) append_text(expected, '+', i, "\r\n");
  CHECK(rig.read(client) == expected);
}

}  // namespace
}  // namespace chainring::router
