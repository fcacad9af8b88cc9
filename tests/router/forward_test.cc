// Requests to one place each, while all is well.
#include <algorithm>
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

const std::string kLow = key_in(0);       // of the first half of the slots
const std::string kHigh = key_in(16000);  // of the second

TEST_CASE("Router: a request goes to the head of its slot with its own bytes, the reply comes back with its own") {
  Rig rig;
  rig.publish(rig.table({1, 2}, 5));
  const ConnId client = rig.connect();
  rig.request(client, {"SET", kHigh, "v", "EX", "10"});
  CHECK(rig.requests(1).empty());
  const auto arrived = rig.requests(2);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].args == std::vector<std::string>{"SET", kHigh, "v", "EX", "10"});
  CHECK(arrived[0].header.slot == 16000);
  CHECK(arrived[0].header.epoch == 5);
  CHECK(arrived[0].header.number == 1);
  CHECK(arrived[0].header.answered_below == 1);
  CHECK(arrived[0].header.flags == protocol::kRequestWrite);
  CHECK(rig.read(client).empty());
  rig.reply(2, arrived[0].header.id, "$3\r\n\r\n\0\r\n", 5);
  CHECK(rig.read(client) == "$3\r\n\r\n\0\r\n");
}

TEST_CASE("Router: an inline command is forwarded as RESP") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.send(client, concat("get ", kLow, "\r\n"));
  const auto arrived = rig.requests(1);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].args == std::vector<std::string>{"get", kLow});
  CHECK(arrived[0].header.number == 0);
  CHECK(arrived[0].header.flags == 0);
}

TEST_CASE("Router: database and protocol of the client go with its requests") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"HELLO", "3"});
  rig.request(client, {"SELECT", "7"});
  rig.request(client, {"GET", kLow});
  const auto arrived = rig.requests(1);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].header.db == 7);
  CHECK(arrived[0].header.flags == protocol::kRequestResp3);
}

TEST_CASE("Router: a client's replies keep its order when nodes answer out of order") {
  Rig rig;
  rig.publish(rig.table({1, 2}));
  const ConnId client = rig.connect();
  rig.request(client, {"GET", kLow});
  rig.request(client, {"GET", kHigh});
  rig.request(client, {"PING"});
  rig.request(client, {"GET", kLow});
  const auto low = rig.requests(1);
  const auto high = rig.requests(2);
  REQUIRE(low.size() == 2);
  REQUIRE(high.size() == 1);
  rig.reply(1, low[1].header.id, "$1\r\n4\r\n");
  rig.reply(2, high[0].header.id, "$1\r\n2\r\n");
  CHECK(rig.read(client).empty());
  rig.reply(1, low[0].header.id, "$1\r\n1\r\n");
  CHECK(rig.read(client) == "$1\r\n1\r\n$1\r\n2\r\n+PONG\r\n$1\r\n4\r\n");
}

TEST_CASE("Router: answered_below follows the answers") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"INCR", kLow});
  rig.request(client, {"INCR", kLow});
  auto arrived = rig.requests(1);
  rig.reply(1, arrived[0].header.id, ":1\r\n");
  rig.request(client, {"INCR", kLow});
  arrived = rig.requests(1);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].header.number == 3);
  CHECK(arrived[0].header.answered_below == 2);
  rig.request(client, {"INCR", key_in(1)});
  arrived = rig.requests(1);
  CHECK(arrived[0].header.number == 1);  // each slot counts for itself
}

TEST_CASE("Router: lock keys, LOCK and RING go to the leader, numbered as one place") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"SET", "lock:a", "t", "NX", "PX", "1000"});
  rig.request(client, {"GET", "lock:a"});
  rig.request(client, {"LOCK", "ACQUIRE", "lock:b", "me", "TTL", "1000"});
  rig.request(client, {"RING", "STATUS"});
  rig.request(client, {"DEL", "{lock:c}x"});
  CHECK(rig.requests(1).empty());
  std::vector<uint64_t> numbers;
  for (auto arrived = rig.requests(kNoMember); !arrived.empty(); arrived = rig.requests(kNoMember)) {
    for (const Arrived& one : arrived) {
      CHECK(one.header.slot == protocol::kNoSlot);
      numbers.push_back(one.header.number);
      rig.reply(kNoMember, one.header.id, concat('+', one.args[0], "\r\n"), 0);
    }
  }
  CHECK(numbers == std::vector<uint64_t>{1, 0, 2, 0, 3});
  CHECK(rig.read(client) == "+SET\r\n+GET\r\n+LOCK\r\n+RING\r\n+DEL\r\n");
}

TEST_CASE("Router: the lock prefixes are the table's, once there is one") {
  Rig rig;
  const ConnId client = rig.connect();
  auto table = rig.table({1});
  table.lock_prefixes = {"mutex:"};
  rig.publish(table);
  rig.request(client, {"GET", "mutex:a"});
  rig.request(client, {"GET", "lock:a"});
  CHECK(rig.requests(kNoMember).size() == 1);
  CHECK(rig.requests(1).size() == 1);
}

TEST_CASE("Router: keys in several slots are CROSSSLOT for what does not split") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"RENAME", kLow, kHigh});
  rig.request(client, {"MSETNX", kLow, "1", "lock:a", "2"});
  const std::string expected = concat('-', protocol::errors::kCrossSlot, "\r\n");
  CHECK(rig.read(client) == expected + expected);
  CHECK(rig.requests(1).empty());
}

TEST_CASE("Router: is a standalone Redis to its clients") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"CLUSTER", "SLOTS"});
  CHECK(rig.read(client) == "-ERR This instance has cluster support disabled\r\n");
  rig.request(client, {"INFO", "server"});
  CHECK(rig.read(client).find("redis_mode:standalone") != std::string::npos);
}

TEST_CASE("Router: WAIT tells the members beyond the head, of the shortest chain") {
  Rig rig;
  auto table = rig.table({1, 2});
  table.ranges[0].chain = {1, 2};
  rig.publish(table);
  const ConnId client = rig.connect();
  rig.request(client, {"WAIT", "0", "0"});
  CHECK(rig.read(client) == ":0\r\n");
  table.ranges[1].chain = {2, 1};
  rig.publish(table);
  rig.request(client, {"WAIT", "1", "0"});
  CHECK(rig.read(client) == ":1\r\n");
}

TEST_CASE("Router: a peer that dials it is told that it takes clients only") {
  Rig rig;
  const ConnId conn = rig.connect();
  rig.request(conn, {"PEER", "1", "0", "node", "n1", "5", ""});
  CHECK(rig.read(conn) == "-ERR peer refused: this is a router, which takes clients only\r\n");
  CHECK(rig.transport.state(conn) == test::FakeTransport::State::closed);
}

TEST_CASE("Router: a pipeline of 10,000 over many slots and two nodes comes back whole and in order") {
  Rig rig;
  rig.publish(rig.table({1, 2, 1, 2}));
  const ConnId client = rig.connect();
  constexpr int kRequests = 10'000;
  std::string pipeline;
  for (int i = 0; i < kRequests; ++i) {
    const std::string key = concat("key", i);
    const std::string value = concat(i);
    protocol::append_request(pipeline, std::vector<std::string_view>{"SET", key, value});
  }
  rig.send(client, pipeline);
  std::string replies;
  size_t arrived = 0;
  for (int round = 0; round < kRequests && arrived < kRequests; ++round) {  // it is read on as it is answered
    for (const MemberId node : {1u, 2u}) {
      std::vector<Arrived> requests = rig.requests(node);
      arrived += requests.size();
      std::reverse(requests.begin(), requests.end());  // the latest first: slots are independent
      for (const Arrived& one : requests) rig.reply(node, one.header.id, concat('+', one.args[2], "\r\n"));
    }
    replies += rig.read(client);
  }
  std::string expected;
  for (int i = 0; i < kRequests; ++i) append_text(expected, '+', i, "\r\n");
  CHECK(replies == expected);
  CHECK(rig.router->outstanding() == 0);
}

TEST_CASE("Router: an unknown id, a broken frame or a reply of the wrong kind harms nobody") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"GET", kLow});
  const auto arrived = rig.requests(1);
  rig.reply(1, arrived[0].header.id + 100, "+no\r\n");
  rig.reply(1, 0, "+no\r\n");
  CHECK(rig.read(client).empty());
  rig.reply(1, arrived[0].header.id, "+yes\r\n");
  CHECK(rig.read(client) == "+yes\r\n");
  rig.reply(1, arrived[0].header.id, "+twice\r\n");
  CHECK(rig.read(client).empty());

  rig.request(client, {"GET", kLow});
  const auto again = rig.requests(1);
  rig.answer(1, {{again[0].header.id, 0, 0, {}}, {}}, "+no\r\n");  // a slots_reply for a request: asked again
  const auto retried = rig.requests(1);
  REQUIRE(retried.size() == 1);
  rig.transport.receive(rig.link(1), std::string(16, '\xff'));
  rig.turn();
  rig.advance(1000);
  const auto on_new_link = rig.requests(1);
  REQUIRE(on_new_link.size() == 1);
  rig.reply(1, on_new_link[0].header.id, "+yes\r\n");
  CHECK(rig.read(client) == "+yes\r\n");
}

TEST_CASE("Router.request_stop: closes its clients and is finished") {
  Rig rig;
  const ConnId client = rig.connect();
  CHECK_FALSE(rig.router->finished());
  rig.router->request_stop({rig.now(), 0});
  rig.turn();
  CHECK(rig.router->finished());
  static_cast<void>(rig.transport.take_output(client));
  CHECK(rig.transport.state(client) == test::FakeTransport::State::closed);
  const ConnId late = rig.connect();
  CHECK(rig.transport.state(late) == test::FakeTransport::State::closed);
}

}  // namespace
}  // namespace chainring::router
