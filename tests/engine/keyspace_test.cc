// What concerns the database as a whole: slots, databases, counts, memory, statistics, dispatch.
#include <set>
#include <string>

#include "base/text.h"
#include "engine/entry.h"
#include "engine/lcs.h"
#include "protocol/slot.h"
#include "tests/engine/session.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::engine {
namespace {

using protocol::CommandSpec;
using protocol::Routing;

TEST_CASE("Database.runs: exactly what is routed to data") {
  for (const CommandSpec& command : protocol::command_table()) {
    INFO(command.name);
    const bool of_data = command.group == "string" || command.routing == Routing::all_slots ||
                         command.routing == Routing::scan || command.routing == Routing::split_sum ||
                         command.routing == Routing::slot;
    const bool container = (command.flags & protocol::kContainer) != 0;
    // WATCH goes to the slot of its keys, and is answered by who keeps its records.
    if (command.id != protocol::CommandId::object_help && command.id != protocol::CommandId::watch)
      CHECK(Database::runs(command.id) == (of_data && !container));
  }
}

TEST_CASE("Database.deadline_of: of a key in its database, never for others") {
  Session session;
  session.Run({"set", "a", "1", "PXAT", "1000000005000"});
  session.Line("set b 1");
  const auto deadline_of = [&](std::string_view key, uint8_t db) {
    return session.database.deadline_of(protocol::slot_of(key), key, db);
  };
  CHECK(deadline_of("a", 0) == 1'000'000'005'000);
  CHECK(deadline_of("a", 1) == kNoDeadline);
  CHECK(deadline_of("b", 0) == kNoDeadline);
  CHECK(deadline_of("absent", 0) == kNoDeadline);
}

TEST_CASE("Database.first_slots: as many as hold so many keys, one at least") {
  Session session;
  for (const std::string_view key : {"{a}1", "{a}2", "{b}1", "{b}2", "{b}3"}) session.Run({"set", key, "1"});
  const Slot b = protocol::slot_of("b"), a = protocol::slot_of("a");
  REQUIRE(b < a);
  using Ranges = std::vector<protocol::SlotRange>;
  const Ranges all = {{0, kSlotCount - 1}};
  const auto first = [&](size_t keys_max, uint8_t db = 0) { return session.database.first_slots(all, db, keys_max); };
  CHECK(first(5) == all);
  CHECK(first(4) == Ranges{{0, static_cast<Slot>(a - 1)}});
  CHECK(first(2) == Ranges{{0, static_cast<Slot>(b - 1)}});
  CHECK(first(0, 1) == all);
  const Ranges both = {{b, b}, {a, a}};
  CHECK(session.database.first_slots(both, 0, 2) == Ranges{{b, b}});
  CHECK(session.database.first_slots(both, 0, 5) == both);
}

TEST_CASE("Database.keys_in: the keys of one slot and database, as many as were asked for") {
  Session session;
  const Slot slot = protocol::slot_of("t");
  std::set<std::string> expected;
  for (int i = 0; i < 100; ++i) {
    const std::string key = concat("{t}", i);
    session.Run({"set", key, "1"});
    expected.insert(key);
  }
  session.Line("set other 1");
  const auto all = session.database.keys_in(slot, 0, 1000);
  CHECK(std::set<std::string>(all.begin(), all.end()) == expected);
  CHECK(all.size() == 100);
  CHECK(session.database.keys_in(slot, 0, 7).size() == 7);
  CHECK(session.database.keys_in(slot, 0, 0).empty());
  CHECK(session.database.keys_in(slot, 1, 1000).empty());
}

TEST_CASE("KEYS, DBSIZE, RANDOMKEY, FLUSHDB and FLUSHALL: concern the slots given only") {
  Session session;
  const Slot slot = protocol::slot_of("a");
  session.Line("mset a 1 {a}b 2 c 3");
  session.slots = {{slot, slot}};
  CHECK(session.Line("dbsize") == ":2\r\n");
  CHECK(session.Line("keys c") == "*0\r\n");
  CHECK(session.Line("keys a") == "*1\r\n$1\r\na\r\n");
  for (int i = 0; i < 50; ++i) CHECK(session.Line("randomkey") != "$1\r\nc\r\n");
  session.db = 2;
  session.Line("set a 1");
  CHECK(session.Line("flushdb") == "+OK\r\n");
  CHECK(session.effect_lines() == "2 flushdb\n");
  session.Line("set a 1");
  session.db = 0;
  CHECK(session.Line("flushall") == "+OK\r\n");
  CHECK(session.effect_lines() == "0 flushall\n");
  CHECK(session.Line("flushall") == "+OK\r\n");
  CHECK(session.effects.empty());
  session.slots = {{0, kSlotCount - 1}};
  CHECK(session.Line("dbsize") == ":1\r\n");
  session.db = 2;
  CHECK(session.Line("dbsize") == ":0\r\n");
  CHECK(session.Line("randomkey") == "$-1\r\n");
}

TEST_CASE("KEYS and SCAN: refuse to answer with more than a reply may have") {
  constexpr std::string_view kRefused = "-ERR the reply would be too long; ask for less at once\r\n";
  Session session;
  for (int i = 0; i < 10; ++i) session.Run({"set", concat("{a}", std::string(100, 'k'), i), "v"});
  session.reply_bytes_max = 1000;
  CHECK(session.Line("keys *") == kRefused);
  CHECK(session.Line("keys *5").starts_with("*1\r\n"));
  CHECK(session.Line("scan 0 count 100") == kRefused);
  CHECK(session.Line("scan 0 count 100 match *5").starts_with("*2\r\n"));
  session.reply_bytes_max = 2000;
  CHECK(session.Line("keys *").starts_with("*10\r\n"));
  CHECK(session.Line("scan 0 count 100").starts_with("*2\r\n"));
}

TEST_CASE("FLUSHALL: one effect for each slot that holds something") {
  Session session;
  std::set<Slot> used;
  for (int i = 0; i < 100; ++i) {
    session.db = static_cast<uint8_t>(i % 3);
    session.Run({"set", std::to_string(i), "v"});
    used.insert(protocol::slot_of(std::to_string(i)));
  }
  session.Line("flushall");
  std::set<Slot> flushed;
  for (const auto& of_slot : session.effects.slots()) flushed.insert(of_slot.slot);
  CHECK(session.effects.slots().size() == used.size());
  CHECK(flushed == used);
}

TEST_CASE("keys of several slots in one command each get their effects") {
  Session session;
  session.Line("mset a 1 b 2 c 3");
  CHECK(session.effects.slots().size() == 3);
  CHECK(session.effect_lines() == "0 set a 1\n0 set b 2\n0 set c 3\n");
  CHECK(session.Line("mget c b a") == "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n");
  CHECK(session.Line("del a none c") == ":2\r\n");
  CHECK(session.effect_lines() == "0 del a\n0 del c\n");
  CHECK(session.Line("rename b a") == "-CROSSSLOT Keys in request don't hash to the same slot\r\n");
  CHECK(session.effects.empty());
}

TEST_CASE("RANDOMKEY: passes over keys that have expired") {
  Session session;
  for (int i = 0; i < 300; ++i) session.Run({"set", "{s}" + std::to_string(i), "v", "px", "1"});
  session.Line("set live v");
  session.now += 1;
  CHECK(session.Line("randomkey") == "$4\r\nlive\r\n");
  session.Line("del live");
  CHECK(session.Line("randomkey") == "$-1\r\n");
  CHECK(session.Line("keys *") == "*0\r\n");
  CHECK(session.Line("dbsize") == ":300\r\n");  // not yet removed, as in Redis
}

TEST_CASE("Database.counts: keys and those with a deadline") {
  Session session;
  session.Line("mset a 1 b 2 c 3");
  session.Line("expire a 10");
  session.db = 1;
  session.Line("set a 1 ex 10");
  const KeyCounts zero = session.database.counts(kAllSlots, 0);
  CHECK(zero.keys == 3);
  CHECK(zero.expires == 1);
  CHECK(session.database.counts(kAllSlots, 1).expires == 1);
  CHECK(session.database.counts(kAllSlots, 2).keys == 0);
  session.database.clear_slot(protocol::slot_of("a"));
  CHECK(session.database.counts(kAllSlots, 0).keys == 2);
  CHECK(session.database.counts(kAllSlots, 1).keys == 0);
}

TEST_CASE("Database.memory_bytes: grows with what is kept and goes back to nothing") {
  Session session;
  CHECK(session.database.memory_bytes() == 0);
  session.Run({"set", "a", std::string(1000, 'x')});
  const uint64_t one = session.database.memory_bytes();
  CHECK(one > 1000);
  CHECK(one < 2500);
  session.Run({"append", "a", std::string(100'000, 'x')});
  CHECK(session.database.memory_bytes() > 100'000);
  session.Run({"set", "a", "1", "px", "10"});
  CHECK(session.database.memory_bytes() < 1000);
  for (int i = 0; i < 1000; ++i) session.Run({"set", std::to_string(i), std::to_string(i), "px", "10"});
  session.db = 5;
  for (int i = 0; i < 1000; ++i) session.Run({"set", std::to_string(i), std::to_string(i)});
  session.Line("flushall");
  CHECK(session.database.memory_bytes() == 0);
  session.Line("set a 1 ex 1");
  session.database.clear_slot(protocol::slot_of("a"));
  CHECK(session.database.memory_bytes() == 0);
}

TEST_CASE("Database.free_some: many keys are gone at once, and their memory comes back bit by bit") {
  Session session;
  for (int i = 0; i < 1000; ++i) session.Run({"set", "{s}" + std::to_string(i), "a value that is kept beside its key"});
  const uint64_t full = session.database.memory_bytes();
  session.database.clear_slot(protocol::slot_of("s"));
  CHECK(session.Line("dbsize") == ":0\r\n");
  CHECK(session.database.memory_bytes() > full / 2);
  session.Run({"set", "{s}new", "value"});
  int steps = 1;
  while (session.database.free_some(100)) ++steps;
  CHECK(steps >= 5);
  CHECK(steps <= 11);
  CHECK(session.Line("get {s}new") == "$5\r\nvalue\r\n");
  session.Line("flushall");
  CHECK(session.database.memory_bytes() == 0);
}

TEST_CASE("Database.memory_bytes: what comes and goes leaves the sum as it was") {
  Session session;
  session.Line("set {s}stays v");
  const uint64_t before = session.database.memory_bytes();
  for (const std::string_view line :
       {"set {s} 1", "incr {s}", "append {s} a-text-that-is-kept-next-to-its-key-no-more", "setrange {s} 500 x",
        "pexpire {s} 100", "rename {s} {s}2", "copy {s}2 {s}3", "persist {s}2", "set {s}2 short", "set {s}2 7 px 50",
        "getset {s}2 long-enough-not-to-fit-next-to-the-key-in-its-entry", "del {s}2", "getdel {s}3"}) {
    session.Line(line);
    CHECK(session.database.memory_bytes() >= before);
  }
  CHECK(session.Line("dbsize") == ":1\r\n");
  // The heap of deadlines keeps its room.
  const uint64_t heap_bytes_max = 4 * 16;
  CHECK(session.database.memory_bytes() <= before + heap_bytes_max);
  session.Line("flushall");
  session.Line("set {s}stays v");
  CHECK(session.database.memory_bytes() == before);
}

TEST_CASE("MEMORY USAGE: counts key, value and deadline") {
  Session session;
  session.Line("set k 1");
  const std::string number = session.Line("memory usage k");
  session.Run({"set", "k", std::string(10'000, 'x')});
  CHECK(session.Line("memory usage k samples 0") != number);
  CHECK(parse_int(session.Line("memory usage k").substr(1, 5)).value() > 10'000);
}

TEST_CASE("Database.statistics: hits and misses of reads") {
  Session session;
  session.Line("set k v");
  session.Line("get k");
  session.Line("get none");
  session.Line("exists k none");
  session.Line("set k w get");
  session.Line("incr n");
  CHECK(session.database.statistics().hits == 3);
  CHECK(session.database.statistics().misses == 2);
}

TEST_CASE("OBJECT IDLETIME: seconds since the last use") {
  Session session;
  session.Line("set k v");
  session.now += 10'000;
  CHECK(session.Line("object idletime k") == ":10\r\n");
  CHECK(session.Line("ttl k") == ":-1\r\n");
  CHECK(session.Line("object idletime k") == ":10\r\n");
  session.Line("get k");
  CHECK(session.Line("object idletime k") == ":0\r\n");
  session.now += 5000;
  session.Line("touch k");
  CHECK(session.Line("object idletime k") == ":0\r\n");
}

// Length by definition, for short strings.
uint32_t naive_lcs(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return 0;
  if (a.back() == b.back()) return 1 + naive_lcs(a.substr(0, a.size() - 1), b.substr(0, b.size() - 1));
  return std::max(naive_lcs(a.substr(0, a.size() - 1), b), naive_lcs(a, b.substr(0, b.size() - 1)));
}

TEST_CASE("longest_common_subsequence: is common, longest, and made of its matches") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    std::string text[2];
    for (std::string& one : text) {
      for (uint64_t i = random.below(9); i > 0; --i) one += static_cast<char>('a' + random.below(3));
    }
    const Lcs lcs = longest_common_subsequence(text[0], text[1]);
    REQUIRE(lcs.length == naive_lcs(text[0], text[1]));
    REQUIRE(lcs.length == lcs_length(text[0], text[1]));
    REQUIRE(lcs.text.size() == lcs.length);
    std::string of_matches;
    for (auto match = lcs.matches.rbegin(); match != lcs.matches.rend(); ++match) {
      REQUIRE(text[0].substr(match->in_first, match->size) == text[1].substr(match->in_second, match->size));
      of_matches += text[0].substr(match->in_first, match->size);
    }
    REQUIRE(of_matches == lcs.text);
  }
}

TEST_CASE("lcs_fits: bounds the table by bytes") {
  CHECK(lcs_fits(0, 0));
  CHECK(lcs_fits(11'000, 11'000));
  CHECK_FALSE(lcs_fits(12'000, 12'000));
  CHECK_FALSE(lcs_fits(kStringBytesMax, kStringBytesMax));
  CHECK_FALSE(lcs_fits(0, kStringBytesMax));
}

}  // namespace
}  // namespace chainring::engine
