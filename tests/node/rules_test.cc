// Placement rules at a node, and their change (R23).

#include "tests/node/scene.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::node::test {
namespace {

const std::vector<std::string> kBull = {"bull:(*):**"};

// What the node has said since the last look of the keys that new rules would move.
std::optional<protocol::RulesChecked> last_statement(Scene& scene) {
  std::optional<protocol::RulesChecked> last;
  for (const Frame& frame : scene.frames(scene.coordinator)) {
    if (frame.type != protocol::FrameType::rules_checked) continue;
    const auto statement = decode<protocol::RulesChecked>(frame.payload);
    REQUIRE(statement.has_value());
    last = *statement;
  }
  return last;
}

// Goes on until the node has looked through everything.
std::optional<protocol::RulesChecked> checked(Scene& scene) {
  for (int i = 0; i < 100; ++i) scene.turn();
  return last_statement(scene);
}

bool covers_all(const protocol::RulesChecked& statement, Epoch epoch) {
  return statement.runs.size() == 1 && statement.runs[0].first == 0 && statement.runs[0].last == kSlotCount - 1 &&
         statement.runs[0].epoch == epoch;
}

void ask_in(Scene& scene, ConnId conn, uint64_t id, Slot slot, std::vector<std::string_view> words) {
  protocol::Request request;
  request.id = id;
  request.slot = slot;
  request.attempt = 1;
  std::string command;
  protocol::append_request(command, words);
  scene.send(conn, protocol::FrameType::request, request, command);
}

TEST_CASE("Node: keys are placed by the rules of the newest table") {
  Scene scene;
  scene.rules = kBull;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  CHECK(scene.say(client, "CLUSTER KEYSLOT bull:q:1") == concat(":", protocol::slot_of("q"), "\r\n"));
  CHECK(scene.say(client, "CLUSTER KEYSLOT bull:{x}:1") == concat(":", protocol::slot_of("x"), "\r\n"));
  CHECK(scene.say(client, "MSETNX bull:q:1 a bull:q:meta b") == ":1\r\n");
  CHECK(scene.say(client, "RENAME bull:q:1 bull:q:2") == "+OK\r\n");
  CHECK(scene.say(client, "GET bull:q:2") == "$1\r\na\r\n");

  const ConnId router = scene.router();
  ask_in(scene, router, 1, protocol::slot_of("q"), {"GET", "bull:q:meta"});
  ask_in(scene, router, 2, protocol::slot_of("bull:q:meta"), {"SET", "bull:q:meta", "by older rules"});
  const Said replies = scene.replies(router);
  REQUIRE(replies.size() == 2);
  CHECK(replies[0] == "1 0 1 $1\r\nb\r\n");
  CHECK(replies[1].starts_with("2 0 1 -TRYAGAIN the keys are placed elsewhere"));
}

TEST_CASE("Node: serves no key that a change of the rules would move, and all others") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client(), other = scene.client(), router = scene.router();
  scene.next_rules = kBull;
  scene.table(1, {kSelf});
  CHECK(scene.say(client, "SET bull:q:1 v").empty());
  CHECK(scene.say(other, "SET bull:{q}:1 v") == "+OK\r\n");
  ask_in(scene, router, 1, protocol::slot_of("bull:q:1"), {"GET", "bull:q:1"});
  CHECK(scene.replies(router) == Said{"1 1 1 "});

  scene.rules = kBull;
  scene.next_rules.reset();
  scene.table(1, {kSelf});
  CHECK(scene.net.take_output(client) == "+OK\r\n");
  CHECK(scene.say(other, "CLUSTER COUNTKEYSINSLOT " + concat(protocol::slot_of("q"))) == ":2\r\n");
}

TEST_CASE("Node: what was watched before the rules changed counts as changed") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  CHECK(scene.say(client, "WATCH {t}a") == "+OK\r\n");
  scene.rules = kBull;
  scene.table(1, {kSelf});
  CHECK(scene.say(client, "MULTI") == "+OK\r\n");
  CHECK(scene.say(client, "SET {t}a 1") == "+QUEUED\r\n");
  CHECK(scene.say(client, "EXEC") == "*-1\r\n");
}

TEST_CASE("Node: a transaction waits while a change of the rules would move one of its keys") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  CHECK(scene.say(client, "MULTI") == "+OK\r\n");
  CHECK(scene.say(client, "SET bull:q:1 v") == "+QUEUED\r\n");
  scene.next_rules = kBull;
  scene.table(1, {kSelf});
  CHECK(scene.say(client, "EXEC").empty());
  scene.next_rules.reset();
  scene.table(1, {kSelf});
  CHECK(scene.net.take_output(client) == "*1\r\n+OK\r\n");
}

TEST_CASE("Node: says that no key would be moved, again for every epoch") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  for (int i = 0; i < 100; ++i) scene.say(client, concat("SET plain:", i, " v"));
  CHECK_FALSE(checked(scene).has_value());
  scene.next_rules = kBull;
  scene.table(1, {kSelf});
  const auto first = checked(scene);
  REQUIRE(first.has_value());
  CHECK_FALSE(first->found);
  CHECK(first->member == kSelf);
  CHECK(first->change != 0);
  CHECK(covers_all(*first, 1));
}

TEST_CASE("Node: names a key that would be moved, in whatever database it is") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  scene.say(client, "SELECT 3");
  scene.say(client, "SET bull:q:1 v");
  scene.next_rules = kBull;
  scene.table(1, {kSelf});
  const auto statement = checked(scene);
  REQUIRE(statement.has_value());
  CHECK(statement->found);
  CHECK(statement->example == "bull:q:1");
}

TEST_CASE("Node: does not speak for a slot before the removal of such a key is committed") {
  Scene scene;
  scene.serve({kSelf, kOther});
  const ConnId successor = scene.successor();
  const ConnId client = scene.client();
  const Slot slot = protocol::slot_of("bull:q:1");
  scene.say(client, "SET bull:q:1 v");
  scene.acknowledge(successor, slot, 1);
  CHECK(scene.net.take_output(client) == "+OK\r\n");
  scene.say(client, "DEL bull:q:1");
  scene.next_rules = kBull;
  scene.table(1, {kSelf, kOther});
  const auto before = checked(scene);
  REQUIRE(before.has_value());
  CHECK_FALSE(before->found);
  CHECK(before->runs.size() == 2);  // what is before it, and behind it
  scene.acknowledge(successor, slot, 2);
  scene.advance(110'000);  // the next heartbeat
  const auto after = last_statement(scene);
  REQUIRE(after.has_value());
  CHECK(covers_all(*after, 1));
}

}  // namespace
}  // namespace chainring::node::test
