// The router and the coordinators: tables, and requests to the leader.
#include "base/text.h"
#include "protocol/reply.h"
#include "tests/router/rig.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

using protocol::ReplyStatus;
using test::key_in;
using test::Rig;

TEST_CASE("Router: subscribes when the leader is linked and every heartbeat, naming the table that it has") {
  Rig rig;
  auto subscriptions = rig.subscriptions();
  REQUIRE(subscriptions.size() == 1);
  CHECK(subscriptions[0].name == "r1");
  CHECK(subscriptions[0].incarnation == rig.router->incarnation());
  CHECK(subscriptions[0].port == rig.router->port());
  CHECK(subscriptions[0].version == 0);
  rig.publish(rig.table({1}));
  rig.advance(1000);
  subscriptions = rig.subscriptions();
  CHECK(subscriptions.size() >= 9);
  CHECK(subscriptions.size() <= 11);
  CHECK(subscriptions.back().version == 1);
}

TEST_CASE("Router: a table of a lower version, or of another cluster, or that is wrong, is not used") {
  Rig rig;
  rig.publish(rig.table({1}));
  rig.publish(rig.table({2}, 2));
  REQUIRE(rig.router->table().version() == 2);

  auto foreign = rig.table({1}, 3);
  foreign.cluster_id = 1;
  rig.publish(foreign);
  CHECK(rig.router->table().version() == 2);

  auto wrong = rig.table({1}, 3);
  wrong.ranges[0].chain = {17};
  rig.publish(wrong);
  CHECK(rig.router->table().version() == 2);
  CHECK(rig.router->table().head(0) == 2);

  rig.publish(rig.table({1}, 3));
  CHECK(rig.router->table().version() == 5);
}

TEST_CASE("Router: dials the members of intended chains before they serve, and hangs up on who is in none") {
  Rig rig;
  auto table = rig.table({1});
  table.members.push_back(rig.table({2}).members[0]);
  rig.publish(table);
  CHECK(rig.link(1) != kNoConn);
  CHECK(rig.link(2) == kNoConn);
  table.ranges[0].next_epoch = 2;
  table.ranges[0].next_chain = {2};
  rig.publish(table);
  CHECK(rig.link(2) != kNoConn);
  const ConnId old = rig.link(1);
  rig.publish(rig.table({2}, 2));
  CHECK(rig.transport.state(old) == test::FakeTransport::State::closed);
}

TEST_CASE("Router: requests for the leader wait for one and go on with their numbers at the next") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"SET", "lock:a", "t", "NX"});
  rig.request(client, {"SET", "lock:b", "t", "NX"});
  auto arrived = rig.requests(kNoMember);
  REQUIRE(arrived.size() == 2);
  const uint16_t old_leader = rig.leader_port();
  const uint16_t new_leader = old_leader == 7301 ? 7302 : 7301;
  rig.reply(kNoMember, arrived[0].header.id, concat("127.0.0.1:", new_leader), 0, ReplyStatus::not_leader);
  rig.advance(100);
  CHECK(rig.leader_port() == new_leader);
  std::vector<uint64_t> numbers;
  for (arrived = rig.requests(kNoMember); !arrived.empty(); arrived = rig.requests(kNoMember)) {
    for (const auto& one : arrived) {
      numbers.push_back(one.header.number);
      rig.reply(kNoMember, one.header.id, "+OK\r\n", 0);
    }
  }
  CHECK(numbers == std::vector<uint64_t>{1, 2});
  CHECK(rig.read(client) == "+OK\r\n+OK\r\n");
}

TEST_CASE("Router: a coordinator that does not know the leader is asked again after a short wait") {
  Rig rig;
  const ConnId client = rig.connect();
  rig.request(client, {"GET", "lock:a"});
  auto arrived = rig.requests(kNoMember);
  REQUIRE(arrived.size() == 1);
  rig.reply(kNoMember, arrived[0].header.id, {}, 0, ReplyStatus::not_leader);
  rig.advance(10);
  arrived = rig.requests(kNoMember);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].header.attempt == 1);
  rig.reply(kNoMember, arrived[0].header.id, "$-1\r\n", 0);
  CHECK(rig.read(client) == "$-1\r\n");
}

TEST_CASE("Router: at its deadline a lock write is unknown when a leader had proposed it, else it was not executed") {
  Rig rig;
  const ConnId client = rig.connect();
  rig.request(client, {"SET", "lock:a", "t", "NX"});
  rig.request(client, {"SET", "lock:b", "t", "NX"});
  const auto arrived = rig.requests(kNoMember);
  REQUIRE(arrived.size() == 2);
  rig.reply(kNoMember, arrived[0].header.id, {}, 0, ReplyStatus::unsettled);
  rig.reply(kNoMember, arrived[1].header.id, {}, 0, ReplyStatus::not_leader);
  const Micros deadline = rig.now() + 3'000 * kMicrosPerMilli;
  for (auto probes = rig.requests(kNoMember); rig.now() < deadline; probes = rig.requests(kNoMember)) {
    for (const auto& probe : probes) rig.reply(kNoMember, probe.header.id, {}, 0, ReplyStatus::not_leader);
    rig.advance(1);
  }
  const std::string said = rig.read(client);
  CAPTURE(said);
  CHECK(said.starts_with(concat("-", protocol::errors::kOutcomeUnknown, "\r\n-CLUSTERDOWN ")));
}

TEST_CASE("Router: a leader's link that breaks costs a pause, and lock writes keep their numbers") {
  Rig rig;
  const ConnId client = rig.connect();
  rig.request(client, {"DEL", "lock:a"});
  CHECK(rig.requests(kNoMember).size() == 1);
  rig.break_link(kNoMember);
  rig.advance(100);
  const auto arrived = rig.requests(kNoMember);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].header.number == 1);
  rig.reply(kNoMember, arrived[0].header.id, ":1\r\n", 0);
  CHECK(rig.read(client) == ":1\r\n");
}

TEST_CASE("Router: a leader that owes an answer and is silent is left for another coordinator") {
  Rig rig;
  rig.leader_answers = false;
  const uint16_t first = rig.leader_port();
  const ConnId client = rig.connect();
  rig.request(client, {"DEL", "lock:a"});
  rig.advance(700);
  CHECK(rig.leader_port() != first);
  CHECK(rig.requests(kNoMember).size() == 1);
}

TEST_CASE("Router: a leader that answers each heartbeat is kept, one that freezes is left although it owes nothing") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId link = rig.leader();
  const uint16_t first = rig.leader_port();
  rig.advance(5000);
  CHECK(rig.leader() == link);
  rig.leader_answers = false;
  rig.advance(600);
  CHECK(rig.leader_port() != first);
}

TEST_CASE("Router: lock requests time out like all others") {
  Rig rig({.linked = false});
  const ConnId client = rig.connect();
  rig.request(client, {"SET", "lock:a", "t", "NX"});
  rig.advance(3000);
  CHECK(rig.read(client) == test::kDown);
}

TEST_CASE("Router: follows NotLeader to the leader that it names") {
  Rig rig;
  const uint16_t other = rig.leader_port() == 7303 ? 7302 : 7303;
  rig.say_not_leader(other);
  rig.advance(10);
  CHECK(rig.leader_port() == other);
  CHECK(rig.subscriptions().size() == 1);
}

}  // namespace
}  // namespace chainring::router
