#include <array>
#include <set>
#include <string>

#include "base/bytes.h"
#include "engine/effects.h"
#include "protocol/slot.h"
#include "tests/engine/session.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::engine {
namespace {

std::string encoded(std::initializer_list<std::string_view> args, uint8_t db = 0) {
  Effects effects;
  effects.add(0, db, args);
  return effects.slots()[0].bytes;
}

TEST_CASE("Effects: one entry for each slot, in order of first touch, for few slots and for all") {
  Effects effects;
  CHECK(effects.empty());
  effects.add(7, 0, {"set", "a", "1"});
  effects.add(3, 2, {"del", "b"});
  effects.add(7, 1, {"persist", "c"});
  REQUIRE(effects.slots().size() == 2);
  CHECK(effects.slots()[0].slot == 7);
  CHECK(effect_lines(effects.slots()[0].bytes) == "0 set a 1\n1 persist c\n");
  CHECK(effect_lines(effects.slots()[1].bytes) == "2 del b\n");
  effects.clear();
  CHECK(effects.empty());

  for (int round = 0; round < 2; ++round) {
    for (uint32_t i = 0; i < kSlotCount; ++i) effects.add(static_cast<Slot>(kSlotCount - 1 - i), 0, {"flushdb"});
  }
  REQUIRE(effects.slots().size() == kSlotCount);
  for (uint32_t i = 0; i < kSlotCount; ++i) {
    REQUIRE(effects.slots()[i].slot == kSlotCount - 1 - i);
    REQUIRE(effect_lines(effects.slots()[i].bytes) == "0 flushdb\n0 flushdb\n");
  }
  effects.clear();
  effects.add(5, 0, {"flushdb"});
  CHECK(effects.slots().size() == 1);
}

TEST_CASE("Effects: the bytes are as the header says") {
  CHECK(encoded({"set", "k", "v"}, 4) == std::string("\4\3\3set\1k\1v"));
}

TEST_CASE("Database.apply: takes an effect on a key whose deadline has passed") {
  Session session;
  const Slot slot = protocol::slot_of("k");
  REQUIRE(session.database.apply(slot, encoded({"set", "k", "5", "pxat", "1000"})));
  REQUIRE(session.database.apply(slot, encoded({"append", "k", "6"})));
  REQUIRE(session.database.apply(slot, encoded({"pexpireat", "k", "2000"})));
  CHECK(session.database.counts(kAllSlots, 0).keys == 1);
  CHECK(session.database.earliest_deadline() == 2000);
  session.now = 1999;
  CHECK(session.Line("get k") == "$2\r\n56\r\n");
  REQUIRE(session.database.apply(slot, encoded({"del", "k"})));
  CHECK(session.database.counts(kAllSlots, 0).keys == 0);
}

TEST_CASE("Database.apply: a key is in the slot that the head says, whatever Redis' rule says (R23)") {
  Session session;
  const auto slot = static_cast<Slot>(protocol::slot_of("k") + 1);
  REQUIRE(session.database.apply(slot, encoded({"set", "k", "5"})));
  CHECK(session.database.keys_in(slot, 0, 10) == std::vector<std::string_view>{"k"});
  ExecContext context;
  context.slot = slot;
  std::string reply;
  protocol::ReplyWriter writer(reply, protocol::RespVersion::resp2);
  Effects effects;
  const std::array<std::string_view, 2> args = {"get", "k"};
  session.database.execute(*protocol::find_command(args), args, context, writer, effects);
  CHECK(reply == "$1\r\n5\r\n");
  CHECK(session.Line("get k") == "$-1\r\n");
}

TEST_CASE("Database.walk: visits each key of a slot once, in all databases") {
  Session session;
  const Slot slot = protocol::slot_of("{w}");
  std::set<std::string> expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string key = "{w}" + std::to_string(i);
    session.Run({"set", key, "v"});
    expected.insert(key);
  }
  session.db = 3;
  session.Run({"set", "{w}in3", "v"});
  expected.insert("{w}in3");
  std::vector<std::string> visited;
  CopyCursor cursor;
  while (!cursor.at_end()) {
    session.database.walk(slot, cursor, 10, [&](std::string_view key) { visited.emplace_back(key); });
  }
  CHECK(visited.size() == expected.size());
  CHECK(std::set<std::string>(visited.begin(), visited.end()) == expected);
}

TEST_CASE("Database.apply: refuses what is malformed or does not fit") {
  Session session;
  session.Line("set k 5");
  session.Line("set {k}2 5");
  const Slot slot = protocol::slot_of("k");
  const auto refused = [&](std::string_view bytes) {
    const Status status = session.database.apply(slot, bytes);
    return !status.ok() && status.code() == ErrorCode::corrupt && !status.message().empty();
  };
  CHECK(session.database.apply(slot, "").ok());
  CHECK_FALSE(session.database.apply(kSlotCount, encoded({"flushdb"})).ok());
  CHECK(refused(encoded({"flushdb"}, kDatabaseCount)));

  const std::string good = encoded({"set", "k", "value"});
  for (size_t size = 1; size < good.size(); ++size) CHECK(refused(good.substr(0, size)));
  CHECK(refused(std::string("\0\0", 2)));
  CHECK(refused(std::string("\0\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10)));
  CHECK(refused(std::string("\0\1\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11)));
  CHECK(refused(good + "x"));  // what comes before the fault is done
  CHECK(session.Line("set k 5") == "+OK\r\n");

  CHECK(refused(encoded({""})));
  CHECK(refused(encoded({"SET", "k", "v"})));
  CHECK(refused(encoded({"incr", "k"})));
  CHECK(refused(encoded({"set", "k"})));
  CHECK(refused(encoded({"set", "k", "v", "pxat"})));
  CHECK(refused(encoded({"set", "k", "v", "px", "5"})));
  CHECK(refused(encoded({"set", "k", "v", "pxat", "-5"})));
  CHECK(refused(encoded({"set", "k", "v", "pxat", "9223372036854775807"})));
  CHECK(refused(encoded({"set", "k", "v", "pxat", "soon"})));
  CHECK(refused(encoded({"del", "{k}none"})));
  CHECK(refused(encoded({"del", "elsewhere"})));
  CHECK(refused(encoded({"del", "k", "k"})));
  CHECK(refused(encoded({"pexpireat", "{k}none", "5"})));
  CHECK(refused(encoded({"pexpireat", "k", "x"})));
  CHECK(refused(encoded({"persist", "{k}none"})));
  CHECK(refused(encoded({"append", "{k}none", "x"})));
  CHECK(refused(encoded({"setrange", "{k}none", "0", "x"})));
  CHECK(refused(encoded({"setrange", "k", "-1", "x"})));
  CHECK(refused(encoded({"setrange", "k", "536870912", "x"})));
  CHECK(refused(encoded({"setrange", "k", "18446744073709551615", "x"})));
  CHECK(refused(encoded({"rename", "{k}none", "k"})));
  CHECK(refused(encoded({"rename", "k", "k"})));
  CHECK(refused(encoded({"copy", "k", "k", "db", "0", "replace"})));
  CHECK(refused(encoded({"copy", "k", "k", "db", "16", "replace"})));
  CHECK(refused(encoded({"copy", "k", "k", "db", "1", "keep"})));
  CHECK(refused(encoded({"flushdb", "async"})));

  CHECK(session.Line("mget k {k}2") == "*2\r\n$1\r\n5\r\n$1\r\n5\r\n");
}

}  // namespace
}  // namespace chainring::engine
