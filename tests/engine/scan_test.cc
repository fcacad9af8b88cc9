#include <map>
#include <set>
#include <string>

#include "base/text.h"
#include "engine/cursor.h"
#include "protocol/resp.h"
#include "protocol/slot.h"
#include "tests/engine/session.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::engine {
namespace {

struct Page {
  uint64_t cursor;
  std::vector<std::string> keys;
};

Page scan(Session& session, uint64_t cursor, std::string_view options = {}) {
  const std::string reply = session.Line(concat("scan ", cursor, " ", options));
  protocol::ReplyValue value;
  REQUIRE(protocol::parse_reply(reply, value).state == protocol::ReplyExtent::State::ready);
  INFO(reply);
  REQUIRE(value.items.size() == 2);
  Page page{parse_uint(value.items[0].text).value(), {}};
  for (const auto& item : value.items[1].items) page.keys.push_back(item.text);
  return page;
}

constexpr uint64_t kEnd = uint64_t{kCursorSlotBeyond} << Table::kPositionBits;

std::multiset<std::string> scan_all(Session& session, std::string_view options = {}) {
  std::multiset<std::string> met;
  for (uint64_t cursor = 0; cursor != kEnd;) {
    const Page page = scan(session, cursor, options);
    REQUIRE(page.cursor > cursor);
    met.insert(page.keys.begin(), page.keys.end());
    cursor = page.cursor;
  }
  return met;
}

TEST_CASE("Cursor: packs slot and position, and takes whatever a client sends") {
  CHECK(Cursor{0, 0}.pack() == 0);
  CHECK(Cursor{1, 5}.pack() == (uint64_t{1} << 48) + 5);
  CHECK(Cursor{kCursorSlotBeyond, 0}.pack() == kEnd);
  for (const uint64_t packed : {uint64_t{0}, uint64_t{7}, (uint64_t{16383} << 48) + 77, kEnd}) {
    CHECK(Cursor::unpack(packed).pack() == packed);
  }
  CHECK(Cursor::unpack(kEnd + 5).pack() == kEnd);
  CHECK(Cursor::unpack(UINT64_MAX).pack() == kEnd);
}

TEST_CASE("SCAN: meets every key once while nothing changes, whatever COUNT is") {
  Session session;
  for (int i = 0; i < 3000; ++i) session.Run({"set", "key:" + std::to_string(i), "v"});
  for (int i = 0; i < 3000; ++i) session.Run({"set", "{one slot}" + std::to_string(i), "v"});
  for (const std::string_view options : {"", "count 1", "count 100", "count 1000000"}) {
    const auto met = scan_all(session, options);
    CHECK(met.size() == 6000);
    CHECK(std::set<std::string>(met.begin(), met.end()).size() == 6000);
  }
  CHECK(scan(session, 0, "count 1000000").keys.size() == 6000);
  CHECK(scan(session, 0, "count 50").keys.size() >= 50);
  CHECK(scan(session, 0, "count 50").keys.size() < 100);
}

TEST_CASE("SCAN: MATCH, TYPE, databases and deadlines choose among the keys looked at") {
  Session session;
  for (int i = 0; i < 100; ++i) session.Run({"set", "key:" + std::to_string(i), "v"});
  session.Line("set gone v px 1");
  session.now += 1;
  session.db = 1;
  session.Line("set other v");
  session.db = 0;
  CHECK(scan_all(session).size() == 100);
  CHECK(scan_all(session, "match key:1?").size() == 10);
  CHECK(scan_all(session, "MATCH key:1? COUNT 3").size() == 10);
  CHECK(scan_all(session, "type string").size() == 100);
  CHECK(scan_all(session, "type STRING match *7").size() == 10);
  CHECK(scan_all(session, "type list").empty());
  CHECK(scan_all(session, "type nonsense").empty());
  session.db = 1;
  CHECK(scan_all(session) == std::multiset<std::string>{"other"});
}

TEST_CASE("SCAN: walks the slots given, and ends at the one behind them") {
  Session session;
  std::map<Slot, std::set<std::string>> of_slot;
  for (int i = 0; i < 2000; ++i) {
    const std::string key = std::to_string(i);
    session.Run({"set", key, "v"});
    of_slot[protocol::slot_of(key)].insert(key);
  }
  session.slots = {{100, 200}, {300, 300}, {5000, 9000}};
  std::set<std::string> expected;
  for (const auto& [slot, keys] : of_slot) {
    for (const auto& [first, last] : session.slots) {
      if (slot >= first && slot <= last) expected.insert(keys.begin(), keys.end());
    }
  }
  std::set<std::string> met;
  uint64_t cursor = 0;
  const uint64_t end = Cursor{9001, 0}.pack();
  while (cursor != end) {
    const Page page = scan(session, cursor, "count 7");
    REQUIRE(page.cursor > cursor);
    met.insert(page.keys.begin(), page.keys.end());
    cursor = page.cursor;
  }
  CHECK(met == expected);
  // A cursor behind the slots given stays where it is, one before them begins with them.
  CHECK(scan(session, Cursor{12'000, 5}.pack()).cursor == Cursor{12'000, 5}.pack());
  CHECK(scan(session, Cursor{250, 5}.pack(), "count 1").cursor > Cursor{300, 0}.pack() - 1);
  session.slots = {};
  CHECK(scan(session, 77).cursor == 77);
  session.slots = {{0, kSlotCount - 1}};
  CHECK(scan(session, UINT64_MAX).cursor == kEnd);
}

TEST_CASE("SCAN: positions mean the same in another member's tables") {
  Session head;
  Session other;
  for (int i = 0; i < 2000; ++i) head.Run({"set", "{s}" + std::to_string(i), "v"});
  for (int i = 0; i < 2000; ++i) {
    other.Run({"set", "{s}" + std::to_string(i), "v"});
    other.Run({"set", "{s}extra" + std::to_string(i), "v"});
    if (i % 2 == 0) other.Run({"set", "{s}more" + std::to_string(i), "v"});
  }
  std::set<std::string> met;
  int calls = 0;
  for (uint64_t cursor = 0; cursor != kEnd; ++calls) {
    const Page page = scan(calls % 2 == 0 ? head : other, cursor, "count 20");
    met.insert(page.keys.begin(), page.keys.end());
    cursor = page.cursor;
  }
  for (int i = 0; i < 2000; ++i) REQUIRE(met.contains("{s}" + std::to_string(i)));
  CHECK(calls > 20);
}

TEST_CASE("SCAN: keys that stay are met while others come and go") {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Session session;
    for (int i = 0; i < 300; ++i) session.Run({"set", "{s}stays" + std::to_string(i), "v"});
    std::set<std::string> met;
    int volatile_keys = 0;
    bool growing = true;
    for (uint64_t cursor = 0; cursor != kEnd;) {
      const Page page = scan(session, cursor, "count 5");
      met.insert(page.keys.begin(), page.keys.end());
      cursor = page.cursor;
      const auto changes = static_cast<int>(random.below(200));
      for (int i = 0; i < changes; ++i) {
        if (growing) {
          session.Run({"set", "{s}volatile" + std::to_string(volatile_keys++), "v"});
        } else if (volatile_keys > 0) {
          session.Run({"del", "{s}volatile" + std::to_string(--volatile_keys)});
        }
      }
      if (random.percent(10)) growing = !growing;
    }
    for (int i = 0; i < 300; ++i) REQUIRE(met.contains("{s}stays" + std::to_string(i)));
  }
}

}  // namespace
}  // namespace chainring::engine
