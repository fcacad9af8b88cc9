// SCAN over nodes that are played by a model: keys in slots, walked as the engine walks them.
#include "router/scan.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "engine/cursor.h"
#include "protocol/reply.h"
#include "protocol/resp.h"
#include "protocol/slot.h"
#include "tests/router/rig.h"

#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

using engine::Cursor;
using protocol::SlotRange;
using test::Arrived;
using test::ArrivedCall;
using test::key_in;
using test::Rig;

struct Found {
  std::string cursor;
  std::vector<std::string> keys;
};

Found parse(const std::string& reply) {
  protocol::ReplyValue value;
  REQUIRE(protocol::parse_reply(reply, value).state == protocol::ReplyExtent::State::ready);
  REQUIRE(value.items.size() == 2);
  Found found{value.items[0].text, {}};
  for (const protocol::ReplyValue& item : value.items[1].items) found.keys.push_back(item.text);
  return found;
}

std::string scan_reply(uint64_t cursor, const std::vector<std::string>& keys) {
  std::string reply;
  protocol::ReplyWriter writer(reply, protocol::RespVersion::resp2);
  writer.array(2);
  writer.bulk(concat(cursor));
  writer.array(keys.size());
  for (const std::string& key : keys) writer.bulk(key);
  return reply;
}

// All keys of the cluster, by slot; position within a slot is the index.
using Keys = std::map<Slot, std::vector<std::string>>;

uint64_t count_of(const std::vector<std::string>& args) {
  for (size_t i = 2; i + 1 < args.size(); ++i) {
    if (equals_ignoring_case(args[i], "count")) return *parse_uint(args[i + 1]);
  }
  return 10;
}

// Walks as engine/database does: over the slots given, until COUNT keys were passed.
std::string walk(const Keys& keys, const std::vector<SlotRange>& slots, const std::vector<std::string>& args) {
  const Cursor from = Cursor::unpack(*parse_uint(args[1]));
  uint64_t left = count_of(args);
  std::vector<std::string> passed;
  for (const SlotRange& range : slots) {
    for (uint32_t slot = std::max(range.first, from.slot); slot <= range.last; ++slot) {
      const auto found = keys.find(static_cast<Slot>(slot));
      if (found == keys.end()) continue;
      for (uint64_t at = slot == from.slot ? from.position : 0; at < found->second.size(); ++at) {
        if (left == 0) return scan_reply(Cursor{static_cast<Slot>(slot), at}.pack(), passed);
        passed.push_back(found->second[at]);
        --left;
      }
    }
  }
  return scan_reply(Cursor{static_cast<Slot>(slots.back().last + 1), 0}.pack(), passed);
}

TEST_CASE("parse_scan: knows the cursor and where COUNT is, and leaves errors to whoever runs it") {
  const auto parsed = [](std::vector<std::string_view> args) { return parse_scan(args); };
  CHECK(parsed({"SCAN", "0"})->count == 10);
  const auto with_count = parsed({"SCAN", "7", "MATCH", "count", "count", "5"});
  CHECK(with_count->cursor == 7);
  CHECK(with_count->count == 5);
  CHECK(with_count->count_at == 5);
  CHECK(with_count->well_formed);
  CHECK_FALSE(parsed({"SCAN", "x"}).has_value());
  CHECK_FALSE(parsed({"SCAN", "-1"}).has_value());
  CHECK_FALSE(parsed({"SCAN", "0", "COUNT", "0"})->well_formed);
  CHECK_FALSE(parsed({"SCAN", "0", "COUNT"})->well_formed);
  CHECK_FALSE(parsed({"SCAN", "0", "FOO", "1"})->well_formed);
}

// Plays nodes and leader for one call of a client.
Found scan_once(Rig& rig, ConnId client, const std::string& cursor, const Keys& keys,
                const std::vector<std::string>& locks, std::vector<std::string_view> options, int& hops) {
  std::vector<std::string_view> args = {"SCAN", cursor};
  args.insert(args.end(), options.begin(), options.end());
  rig.request(client, args);
  for (int i = 0; i < 10'000; ++i) {
    for (const MemberId node : {1u, 2u, 3u}) {
      for (const ArrivedCall& call : rig.calls(node)) {
        ++hops;
        rig.answer(node, call, walk(keys, call.header.slots, call.args));
      }
    }
    for (const Arrived& one : rig.requests(kNoMember)) rig.reply(kNoMember, one.header.id, scan_reply(0, locks), 0);
    const std::string reply = rig.read(client);
    if (!reply.empty()) return parse(reply);
    rig.advance(1);
  }
  FAIL("SCAN is answered");
  return {};
}

TEST_CASE("Router.SCAN: every key once over many ranges, the locks at the end") {
  Rig rig;
  rig.publish(rig.table({1, 2, 3, 1, 2, 3, 2, 1}));
  const ConnId client = rig.connect();
  Keys keys;
  std::multiset<std::string> expected = {"lock:a", "lock:b"};
  for (int i = 0; i < 3000; ++i) {
    std::string key = concat("key", i);
    expected.insert(key);
    keys[protocol::slot_of(key)].push_back(std::move(key));
  }
  std::multiset<std::string> seen;
  std::string cursor = "0";
  int calls = 0;
  int hops = 0;
  do {
    const Found found = scan_once(rig, client, cursor, keys, {"lock:a", "lock:b"}, {"COUNT", "50"}, hops);
    seen.insert(found.keys.begin(), found.keys.end());
    cursor = found.cursor;
    ++calls;
  } while (cursor != "0" && calls < 1000);
  CHECK(cursor == "0");
  CHECK(seen == expected);
  CHECK(calls < 70);
}

TEST_CASE("Router.SCAN: a small keyspace in hundreds of ranges is one call, of two rounds and the leader") {
  Rig rig;
  std::vector<MemberId> heads;
  for (uint32_t i = 0; i < 512; ++i) heads.push_back(1 + i % 3);
  rig.publish(rig.table(heads));
  const ConnId client = rig.connect();
  const Keys keys = {{40, {key_in(40)}}, {9000, {key_in(9000)}}};
  int hops = 0;
  const Found found = scan_once(rig, client, "0", keys, {"lock:a"}, {}, hops);
  CHECK(found.cursor == "0");
  CHECK(found.keys == std::vector<std::string>{key_in(40), key_in(9000), "lock:a"});
  CHECK(hops == 4);
}

TEST_CASE("Router.SCAN: a dense keyspace asks one head a call") {
  Rig rig;
  rig.publish(rig.table({1, 2, 3}));
  const ConnId client = rig.connect();
  Keys keys;
  for (uint32_t i = 0; i < 100; ++i) keys[7].push_back(concat("{", key_in(7), "}", i));
  int hops = 0;
  const Found found = scan_once(rig, client, "0", keys, {}, {}, hops);
  CHECK(found.cursor == concat(Cursor{7, 10}.pack()));
  CHECK(found.keys.size() == 10);
  CHECK(hops == 1);
}

TEST_CASE("Router.SCAN: what lies behind the slowest of the heads is dropped and found by the next call") {
  Rig rig;
  std::vector<MemberId> heads;
  for (uint32_t i = 0; i < 512; ++i) heads.push_back(1 + i % 3);
  rig.publish(rig.table(heads));
  const ConnId client = rig.connect();
  Keys keys;
  for (uint32_t i = 0; i < 30; ++i) keys[100].push_back(concat("{", key_in(100), "}", i));
  keys[50] = {key_in(50)};
  keys[200] = {key_in(200)};
  int hops = 0;
  Found found = scan_once(rig, client, "0", keys, {}, {}, hops);
  CHECK(found.cursor == concat(Cursor{100, 10}.pack()));
  CHECK(found.keys.size() == 11);
  CHECK(std::find(found.keys.begin(), found.keys.end(), key_in(200)) == found.keys.end());
  found = scan_once(rig, client, found.cursor, keys, {}, {"COUNT", "1000"}, hops);
  CHECK(found.cursor == "0");
  CHECK(found.keys.size() == 21);
}

TEST_CASE("Router.SCAN: nothing is missed while slots move during the walk") {
  rc::prop("any tables, any order of changes", [](uint64_t seed) {
    Rig rig({.seed = seed});
    SeededRandom random(seed);
    const auto random_table = [&](Epoch epoch) {
      std::vector<MemberId> heads;
      const uint64_t ranges = 1 + random.below(12);
      for (uint64_t i = 0; i < ranges; ++i) heads.push_back(static_cast<MemberId>(1 + random.below(3)));
      return rig.table(heads, epoch);
    };
    rig.publish(random_table(1));
    const ConnId client = rig.connect();
    Keys keys;
    std::set<std::string> expected;
    for (int i = 0; i < 300; ++i) {
      std::string key = concat("key", i);
      expected.insert(key);
      keys[protocol::slot_of(key)].push_back(std::move(key));
    }
    std::set<std::string> seen;
    std::string cursor = "0";
    Epoch epoch = 1;
    for (int calls = 0; calls < 1000; ++calls) {
      int hops = 0;
      const Found found = scan_once(rig, client, cursor, keys, {}, {}, hops);
      seen.insert(found.keys.begin(), found.keys.end());
      cursor = found.cursor;
      if (cursor == "0") break;
      if (random.percent(50)) rig.publish(random_table(++epoch));
    }
    RC_ASSERT(cursor == "0");
    RC_ASSERT(seen == expected);
  });
}

struct Single {
  Single() {
    rig.publish(rig.table({1}));
    client = rig.connect();
  }
  ArrivedCall call() {
    const auto calls = rig.calls(1);
    REQUIRE(calls.size() == 1);
    return calls[0];
  }
  Rig rig;
  ConnId client;
};

TEST_CASE("Router.SCAN: goes on with the first slot that was not answered for, though the head walked past it") {
  Single single;
  single.rig.request(single.client, {"SCAN", "0"});
  const ArrivedCall call = single.call();
  CHECK(call.header.slots == std::vector<SlotRange>{{0, 16383}});
  CHECK(call.args == std::vector<std::string>{"SCAN", "0", "COUNT", "10"});
  single.rig.answer(1, call, scan_reply(Cursor{200, 5}.pack(), {key_in(50), key_in(120)}), {{{0, 99}, {150, 16383}}});
  const Found found = parse(single.rig.read(single.client));
  CHECK(found.cursor == concat(Cursor{100, 0}.pack()));
  CHECK(found.keys == std::vector<std::string>{key_in(50)});
}

TEST_CASE("Router.SCAN: waits for a slot that nobody serves, or returns what it has found before it") {
  Single single;
  single.rig.request(single.client, {"SCAN", "0"});
  single.rig.answer(1, single.call(), "*0\r\n", {{}});
  CHECK(single.rig.read(single.client).empty());
  single.rig.advance(10);
  single.rig.answer(1, single.call(), scan_reply(Cursor{100, 0}.pack(), {key_in(9)}), {{{0, 99}}});
  const Found found = parse(single.rig.read(single.client));
  CHECK(found.cursor == concat(Cursor{100, 0}.pack()));
  CHECK(found.keys == std::vector<std::string>{key_in(9)});
}

TEST_CASE("Router.SCAN: stops before a half that nobody serves, and the next call says so") {
  Rig rig;
  rig.publish(rig.table({1, 2, kNoMember, 1}));
  const ConnId client = rig.connect();
  const Keys keys = {{40, {key_in(40)}}, {5000, {key_in(5000)}}};
  int hops = 0;
  const Found found = scan_once(rig, client, "0", keys, {}, {}, hops);
  CHECK(found.cursor == concat(Cursor{8192, 0}.pack()));
  CHECK(found.keys == std::vector<std::string>{key_in(40), key_in(5000)});
  rig.request(client, {"SCAN", found.cursor});
  rig.advance(3000);
  CHECK(rig.read(client) == test::kDown);
}

TEST_CASE("Router.SCAN: what one of several heads owes when its link breaks is left for the next call") {
  Rig rig;
  rig.publish(rig.table({1, 2, 3, 1}));
  const ConnId client = rig.connect();
  const Keys keys = {{40, {key_in(40)}}, {5000, {key_in(5000)}}, {9000, {key_in(9000)}}, {13000, {key_in(13000)}}};
  rig.request(client, {"SCAN", "0"});
  const auto narrow = rig.calls(1);
  REQUIRE(narrow.size() == 1);
  rig.answer(1, narrow[0], walk(keys, narrow[0].header.slots, narrow[0].args));
  for (const MemberId node : {1u, 2u}) {
    const auto wide = rig.calls(node);
    REQUIRE(wide.size() == 1);
    rig.answer(node, wide[0], walk(keys, wide[0].header.slots, wide[0].args));
  }
  CHECK(rig.calls(3).size() == 1);
  rig.break_link(3);
  Found found = parse(rig.read(client));
  CHECK(found.cursor == concat(Cursor{8192, 0}.pack()));
  CHECK(found.keys == std::vector<std::string>{key_in(40), key_in(5000)});
  rig.advance(100);
  int hops = 0;
  found = scan_once(rig, client, found.cursor, keys, {}, {}, hops);
  CHECK(found.cursor == "0");
  CHECK(found.keys == std::vector<std::string>{key_in(9000), key_in(13000)});
}

TEST_CASE("Router.SCAN: a link that breaks, a head that is replaced") {
  Single single;
  single.rig.request(single.client, {"SCAN", "0"});
  CHECK(single.rig.calls(1).size() == 1);
  single.rig.break_link(1);
  single.rig.advance(100);
  const ArrivedCall old = single.call();
  single.rig.publish(single.rig.table({2, 1}, 2));
  single.rig.answer(1, old, scan_reply(Cursor{16384, 0}.pack(), {"stale"}));
  const auto calls = single.rig.calls(2);
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].header.slots == std::vector<SlotRange>{{0, 8191}});
}

TEST_CASE("Router.SCAN: errors") {
  Single single;
  single.rig.request(single.client, {"SCAN", "x"});
  CHECK(single.rig.read(single.client) == "-ERR invalid cursor\r\n");
  single.rig.request(single.client, {"SCAN", "0", "COUNT", "0"});
  const ArrivedCall call = single.call();
  CHECK(call.args == std::vector<std::string>{"SCAN", "0", "COUNT", "0"});
  single.rig.answer(1, call, "-ERR syntax error\r\n");
  CHECK(single.rig.read(single.client) == "-ERR syntax error\r\n");
  for (const std::string_view senseless : {"+OK\r\n", "", "*2\r\n$1\r\n0\r\n", "*2\r\n", "*0\r\n"}) {
    single.rig.request(single.client, {"SCAN", "1"});
    single.rig.answer(1, single.call(), senseless);
    CHECK(single.rig.read(single.client).starts_with("-ERR "));
  }
  single.rig.request(single.client, {"SCAN", "5"});
  single.rig.answer(1, single.call(), scan_reply(5, {}));  // stands still
  CHECK(single.rig.read(single.client).starts_with("-ERR "));
  single.rig.request(single.client, {"SCAN", "0"});
  single.rig.advance(3000);
  CHECK(single.rig.read(single.client) == test::kDown);
}

TEST_CASE("Router.SCAN: in the lock keyspace the cursor is the leader's") {
  Single single;
  const std::string begin = concat(Cursor{engine::kCursorSlotBeyond, 0}.pack());
  const std::string later = concat(Cursor{engine::kCursorSlotBeyond, 9}.pack());
  single.rig.request(single.client, {"SCAN", begin, "MATCH", "*"});
  auto asked = single.rig.requests(kNoMember);
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].args == std::vector<std::string>{"SCAN", begin, "MATCH", "*", "COUNT", "10"});
  single.rig.reply(kNoMember, asked[0].header.id, scan_reply(*parse_uint(later), {"lock:a"}), 0);
  CHECK(parse(single.rig.read(single.client)).cursor == later);
  single.rig.request(single.client, {"SCAN", later});
  asked = single.rig.requests(kNoMember);
  single.rig.reply(kNoMember, asked[0].header.id, scan_reply(0, {}), 0);
  CHECK(parse(single.rig.read(single.client)).cursor == "0");
}

}  // namespace
}  // namespace chainring::router
