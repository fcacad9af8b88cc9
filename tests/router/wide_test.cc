// Cluster-wide reads: DBSIZE KEYS RANDOMKEY INFO.
#include "base/text.h"
#include "protocol/reply.h"
#include "tests/router/rig.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

using protocol::SlotRange;
using test::ArrivedCall;
using test::kDown;
using test::key_in;
using test::Rig;

struct Pair {  // two nodes, half of the slots each
  explicit Pair(const test::RigOptions& options = {}) : rig(options) {
    rig.publish(rig.table({1, 2}));
    client = rig.connect();
  }
  // Answers what the leader was asked for the lock keyspace.
  void locks(std::string_view body) {
    const auto asked = rig.requests(kNoMember);
    REQUIRE(asked.size() == 1);
    rig.reply(kNoMember, asked[0].header.id, body, 0);
  }
  ArrivedCall call(MemberId member) {
    const auto calls = rig.calls(member);
    REQUIRE(calls.size() == 1);
    return calls[0];
  }
  Rig rig;
  ConnId client;
};

TEST_CASE("Router.DBSIZE: the sum of all heads and of the lock keyspace") {
  Pair pair;
  pair.rig.request(pair.client, {"SELECT", "2"});
  pair.rig.request(pair.client, {"DBSIZE"});
  const ArrivedCall first = pair.call(1);
  const ArrivedCall second = pair.call(2);
  CHECK(first.header.slots == std::vector<SlotRange>{{0, 8191}});
  CHECK(second.header.slots == std::vector<SlotRange>{{8192, 16383}});
  CHECK(first.header.db == 2);
  CHECK(first.args == std::vector<std::string>{"DBSIZE"});
  pair.rig.answer(1, first, ":10\r\n");
  pair.locks(":1\r\n");
  CHECK(pair.rig.read(pair.client) == "+OK\r\n");
  pair.rig.answer(2, second, ":31\r\n");
  CHECK(pair.rig.read(pair.client) == ":42\r\n");
}

TEST_CASE("Router.KEYS: all names in one array") {
  Pair pair;
  pair.rig.request(pair.client, {"KEYS", "*"});
  pair.rig.answer(1, pair.call(1), "*1\r\n$1\r\na\r\n");
  pair.rig.answer(2, pair.call(2), "*2\r\n$1\r\nb\r\n$1\r\nc\r\n");
  pair.locks("*1\r\n$6\r\nlock:x\r\n");
  CHECK(pair.rig.read(pair.client) == "*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$6\r\nlock:x\r\n");
}

TEST_CASE("Router.RANDOMKEY: a key of somebody who has one, null when nobody has") {
  Pair pair;
  pair.rig.request(pair.client, {"RANDOMKEY"});
  pair.rig.answer(1, pair.call(1), "$-1\r\n");
  pair.locks("$-1\r\n");
  pair.rig.answer(2, pair.call(2), "$1\r\nb\r\n");
  CHECK(pair.rig.read(pair.client) == "$1\r\nb\r\n");
  pair.rig.request(pair.client, {"RANDOMKEY"});
  for (const MemberId node : {1u, 2u}) pair.rig.answer(node, pair.call(node), "$-1\r\n");
  pair.locks("$-1\r\n");
  CHECK(pair.rig.read(pair.client) == "$-1\r\n");
}

TEST_CASE("Router: slots that were not answered for are asked again, and only those") {
  Pair pair;
  pair.rig.request(pair.client, {"DBSIZE"});
  pair.locks(":0\r\n");
  pair.rig.answer(2, pair.call(2), ":100\r\n");
  pair.rig.answer(1, pair.call(1), ":10\r\n", {{{0, 99}, {200, 8191}}});
  CHECK(pair.rig.read(pair.client).empty());
  pair.rig.advance(10);
  ArrivedCall again = pair.call(1);
  CHECK(again.header.slots == std::vector<SlotRange>{{100, 199}});
  pair.rig.answer(1, again, "*0\r\n", {{}});
  pair.rig.advance(20);
  again = pair.call(1);
  CHECK(again.header.slots == std::vector<SlotRange>{{100, 199}});
  pair.rig.answer(1, again, ":1\r\n");
  CHECK(pair.rig.read(pair.client) == ":111\r\n");
}

TEST_CASE("Router: a node that answers for a part of its slots is asked for the next ones at once (R13)") {
  Pair pair;
  pair.rig.request(pair.client, {"KEYS", "*"});
  pair.locks("*0\r\n");
  pair.rig.answer(2, pair.call(2), "*0\r\n");
  pair.rig.answer(1, pair.call(1), "*1\r\n$1\r\na\r\n", {{{0, 99}}});
  pair.rig.advance(0);
  const ArrivedCall next = pair.call(1);
  CHECK(next.header.slots == std::vector<SlotRange>{{100, 8191}});
  pair.rig.answer(1, next, "*1\r\n$1\r\nb\r\n");
  CHECK(pair.rig.read(pair.client) == "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
}

TEST_CASE("Router: slots that move are asked of their new head, and a late answer of the old one counts nothing") {
  Pair pair;
  pair.rig.request(pair.client, {"DBSIZE"});
  pair.locks(":0\r\n");
  pair.rig.answer(2, pair.call(2), ":100\r\n");
  const ArrivedCall old = pair.call(1);
  auto table = pair.rig.table({2, 1, 2, 2}, 2);
  table.ranges[1].epoch = 1;
  pair.rig.publish(table);
  pair.rig.answer(1, old, ":10\r\n");
  CHECK(pair.call(2).header.slots == std::vector<SlotRange>{{0, 4095}});
  CHECK(pair.call(1).header.slots == std::vector<SlotRange>{{4096, 8191}});
}

TEST_CASE("Router: an answer for slots that were not asked for counts nothing") {
  Pair pair;
  pair.rig.request(pair.client, {"DBSIZE"});
  pair.locks(":0\r\n");
  pair.rig.answer(1, pair.call(1), ":10\r\n", {{{0, 16383}}});
  CHECK(pair.rig.read(pair.client).empty());
  pair.rig.answer(2, pair.call(2), ":100\r\n");
  CHECK(pair.rig.read(pair.client) == ":110\r\n");
}

TEST_CASE("Router: a call on a link that breaks is made again") {
  Pair pair;
  pair.rig.request(pair.client, {"DBSIZE"});
  pair.locks(":0\r\n");
  pair.rig.answer(2, pair.call(2), ":100\r\n");
  CHECK(pair.rig.calls(1).size() == 1);
  pair.rig.break_link(1);
  pair.rig.advance(100);
  pair.rig.answer(1, pair.call(1), ":10\r\n");
  CHECK(pair.rig.read(pair.client) == ":110\r\n");
}

TEST_CASE("Router: a node's error is the whole reply") {
  Pair pair;
  pair.rig.request(pair.client, {"KEYS", "*"});
  pair.rig.answer(1, pair.call(1), "-ERR no\r\n");
  CHECK(pair.rig.read(pair.client) == "-ERR no\r\n");
  pair.rig.answer(2, pair.call(2), "*0\r\n");
  pair.locks("*0\r\n");
  CHECK(pair.rig.read(pair.client).empty());
  CHECK(pair.rig.router->outstanding() == 0);
}

TEST_CASE("Router: when nobody answers, cluster-wide reads are CLUSTERDOWN") {
  Pair pair;
  pair.rig.request(pair.client, {"DBSIZE"});
  pair.rig.advance(3000);
  CHECK(pair.rig.read(pair.client) == kDown);
}

TEST_CASE("Router: too many cluster-wide commands of one client wait their turn") {
  Pair pair;
  std::string pipeline;
  for (int i = 0; i < 1000; ++i) pipeline += "DBSIZE\r\n";
  pair.rig.send(pair.client, pipeline);
  size_t answered = 0;
  for (int round = 0; round < 100 && answered < 2000; ++round) {
    for (const auto& asked : pair.rig.requests(kNoMember)) pair.rig.reply(kNoMember, asked.header.id, ":0\r\n", 0);
    for (const MemberId node : {1u, 2u}) {
      const auto calls = pair.rig.calls(node);
      CHECK(calls.size() <= 256);
      for (const ArrivedCall& call : calls) pair.rig.answer(node, call, ":1\r\n");
      answered += calls.size();
    }
    pair.rig.advance(2);
  }
  CHECK(answered == 2000);
  std::string expected;
  for (int i = 0; i < 1000; ++i) expected += ":2\r\n";
  CHECK(pair.rig.read(pair.client) == expected);
}

TEST_CASE("Router.DBSIZE: does not wait for requests that wait") {
  Pair pair;
  const ConnId other = pair.rig.connect();
  pair.rig.request(other, {"SET", key_in(0), "1"});
  pair.rig.bounce(1, pair.rig.requests(1)[0].header.id);
  pair.rig.request(pair.client, {"DBSIZE"});
  CHECK(pair.call(1).header.slots == std::vector<SlotRange>{{0, 8191}});
}

// ---- INFO

std::string bulk(std::string_view text) { return concat('$', text.size(), "\r\n", text, "\r\n"); }

void answer_info(Rig& rig, MemberId node, std::string_view keyspace, std::string_view memory, std::string_view stats) {
  for (const ArrivedCall& call : rig.calls(node)) {
    REQUIRE(call.args.size() == 2);
    const std::string& section = call.args[1];
    rig.answer(node, call, bulk(section == "keyspace" ? keyspace : section == "memory" ? memory : stats));
  }
}

TEST_CASE("Router.INFO: keyspace, memory and stats are sums over the nodes, the rest is its own") {
  Pair pair;
  pair.rig.request(pair.client, {"INFO"});
  CHECK(pair.rig.read(pair.client).empty());
  answer_info(pair.rig, 1, "db0:keys=1,expires=1,avg_ttl=0\r\n", "used_memory:1000\r\nmaxmemory:5\r\n",
              "keyspace_hits:1\r\n");
  answer_info(pair.rig, 2, "db0:keys=2,expires=0,avg_ttl=0\r\ndb1:keys=7,expires=0,avg_ttl=0\r\n",
              "used_memory:24\r\nmaxmemory:5\r\n", "keyspace_hits:2\r\n");
  const std::string info = pair.rig.read(pair.client);
  for (const std::string_view line :
       {"redis_mode:standalone\r\n", "loading:0\r\n", "role:master\r\n", "db0:keys=3,expires=1,avg_ttl=0\r\n",
        "db1:keys=7,expires=0,avg_ttl=0\r\n", "used_memory:1024\r\n", "used_memory_human:1.00K\r\n",
        "keyspace_hits:3\r\n", "maxmemory:0\r\n", "chainring_table_version:1\r\n", "chainring_nodes_linked:2\r\n"}) {
    INFO(line);
    CHECK(info.find(line) != std::string::npos);
  }
}

TEST_CASE("Router.INFO: sections that need no node are answered without one") {
  Pair pair;
  pair.rig.request(pair.client, {"INFO", "server"});
  CHECK(pair.rig.read(pair.client).find("# Server") != std::string::npos);
  CHECK(pair.rig.calls(1).empty());
}

TEST_CASE("Router.INFO: answers with what it has when nodes are silent or gone") {
  Pair pair;
  pair.rig.request(pair.client, {"INFO", "keyspace"});
  answer_info(pair.rig, 1, "db0:keys=1,expires=0,avg_ttl=0\r\n", "", "");
  pair.rig.advance(300);
  CHECK(pair.rig.read(pair.client).find("db0:keys=1,") != std::string::npos);
  pair.rig.request(pair.client, {"INFO"});
  pair.rig.break_link(1);
  pair.rig.break_link(2);
  CHECK(pair.rig.read(pair.client).find("# Keyspace") != std::string::npos);

  Rig alone({.linked = false});
  const ConnId client = alone.connect();
  alone.request(client, {"INFO"});
  CHECK(alone.read(client).find("chainring_table_version:0") != std::string::npos);
}

}  // namespace
}  // namespace chainring::router
