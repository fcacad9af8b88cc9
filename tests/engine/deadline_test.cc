#include <algorithm>
#include <map>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "engine/deadline_heap.h"
#include "engine/slot_minimum.h"
#include "protocol/slot.h"
#include "tests/engine/session.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::engine {
namespace {

TEST_CASE("DeadlineHeap: always knows the earliest, whatever is added and removed") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    DeadlineHeap heap;
    std::vector<Entry*> entries;
    for (int i = 0; i < 2000; ++i) {
      if (entries.empty() || random.percent(i < 1000 ? 65 : 35)) {
        entries.push_back(Entry::make_string("k", "v", static_cast<Millis>(random.below(500))));
        heap.add(entries.back());
      } else {
        std::swap(entries[random.below(entries.size())], entries.back());
        heap.remove(entries.back());
        Entry::destroy(entries.back());
        entries.pop_back();
      }
      Millis earliest = kNoDeadline;
      for (const Entry* entry : entries) earliest = std::min(earliest, entry->deadline());
      REQUIRE(heap.earliest() == earliest);
      REQUIRE(heap.size() == entries.size());
      if (!entries.empty()) REQUIRE(heap.first()->deadline() == earliest);
    }
    for (Entry* entry : entries) Entry::destroy(entry);
  }
}

TEST_CASE("SlotMinimum: finds the due slots of a range, and the least of all") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    SlotMinimum tree;
    std::map<Slot, Millis> model;
    CHECK(tree.least() == kNoDeadline);
    CHECK_FALSE(tree.first_due(0, kSlotCount - 1, 100));
    for (int i = 0; i < 500; ++i) {
      const auto slot = static_cast<Slot>(random.percent(10) ? kSlotCount - 1 : random.below(kSlotCount));
      const Millis deadline = random.percent(30) ? kNoDeadline : static_cast<Millis>(random.below(1000));
      tree.set(slot, deadline);
      model[slot] = deadline;
      Millis least = kNoDeadline;
      for (const auto& [key, value] : model) least = std::min(least, value);
      REQUIRE(tree.least() == least);

      const auto first = static_cast<Slot>(random.below(kSlotCount));
      const auto last = static_cast<Slot>(random.below(kSlotCount));
      const auto now = static_cast<Millis>(random.below(1000));
      std::optional<Slot> due;
      for (const auto& [key, value] : model) {
        if (key >= first && key <= last && value <= now && !due) due = key;
      }
      REQUIRE(tree.first_due(first, last, now) == due);
    }
  }
}

TEST_CASE("Database.expire: removes what is due, in the slots given, up to the limit, with an effect for each") {
  Session session;
  session.Line("set {a}1 v px 10");
  session.Line("set {a}2 v px 20");
  session.Line("set {b}1 v px 10");
  session.Line("set {b}2 v");
  session.db = 3;
  session.Line("set {a}3 v px 5");
  CHECK(session.database.earliest_deadline() == session.now + 5);

  Effects effects;
  CHECK(session.database.expire(kAllSlots, session.now + 4, 100, effects) == 0);
  CHECK(effects.empty());

  const Slot slot = protocol::slot_of("{a}");
  const protocol::SlotRange of_a[] = {{slot, slot}};
  CHECK(session.database.expire(of_a, session.now + 15, 100, effects) == 2);
  REQUIRE(effects.slots().size() == 1);
  CHECK(effects.slots()[0].slot == slot);
  CHECK(effect_lines(effects.slots()[0].bytes) == "3 del {a}3\n0 del {a}1\n");
  CHECK(session.database.earliest_deadline() == session.now + 10);  // of {b}1, which was not asked for

  effects.clear();
  CHECK(session.database.expire(kAllSlots, session.now + 1000, 1, effects) == 1);
  CHECK(session.database.expire(kAllSlots, session.now + 1000, 1, effects) == 1);
  CHECK(session.database.expire(kAllSlots, session.now + 1000, 1, effects) == 0);
  CHECK(session.database.earliest_deadline() == kNoDeadline);
  CHECK(session.database.statistics().expired == 4);
  session.db = 0;
  CHECK(session.Line("dbsize") == ":1\r\n");
}

TEST_CASE("Database.expire: a slot in which keys expire without end does not keep others waiting") {
  Session session;
  const bool a_is_first = protocol::slot_of("a") < protocol::slot_of("b");
  const std::string_view busy = a_is_first ? "{a}" : "{b}";
  const std::string_view other = a_is_first ? "{b}" : "{a}";
  session.Run({"set", other, "v", "px", "10"});
  const auto removes_other = [&] {
    for (int i = 0; i < 5; ++i) session.Run({"set", std::string(busy) + std::to_string(i), "v", "px", "10"});
    session.now += 10;
    Effects effects;
    REQUIRE(session.database.expire(kAllSlots, session.now, 2, effects) == 2);
    return effects.slots().front().slot == protocol::slot_of(other);
  };
  CHECK((removes_other() || removes_other()));
}

TEST_CASE("Database.expire: of very long keys fewer at once, so that what is recorded of a slot stays short") {
  Session session;
  constexpr size_t kMiB = 1 << 20;
  for (int i = 0; i < 5; ++i) session.Run({"set", concat("{a}", i, std::string(6 * kMiB, 'k')), "v", "px", "10"});
  session.now += 10;
  Effects effects;
  CHECK(session.database.expire(kAllSlots, session.now, 1000, effects) == 3);
  CHECK(effects.slots().front().bytes.size() < 19 * kMiB);
  CHECK(session.database.expire(kAllSlots, session.now, 1000, effects) == 2);
  CHECK(session.database.expire(kAllSlots, session.now, 1000, effects) == 0);
}

TEST_CASE("Database: deadlines follow every change of their key") {
  Session session;
  const Millis base = session.now;
  session.Line("set k v px 100");
  session.Line("pexpire k 50");
  CHECK(session.database.earliest_deadline() == base + 50);
  session.Line("persist k");
  CHECK(session.database.earliest_deadline() == kNoDeadline);
  session.Line("set k 1 px 70");
  session.Line("incr k");
  session.Line("append k a-longer-text-than-what-was-there-before");
  session.Line("rename k {k}2");
  CHECK(session.database.earliest_deadline() == base + 70);
  session.Line("copy {k}2 {k}3 db 4");
  session.Line("del {k}2");
  CHECK(session.database.earliest_deadline() == base + 70);
  session.db = 4;
  session.Line("set {k}3 v");
  CHECK(session.database.earliest_deadline() == kNoDeadline);
  session.Line("set {k}3 v px 5");
  session.Line("flushdb");
  CHECK(session.database.earliest_deadline() == kNoDeadline);
  session.Line("set {k}3 v px 5");
  session.database.clear_slot(protocol::slot_of("k"));
  CHECK(session.database.earliest_deadline() == kNoDeadline);
}

}  // namespace
}  // namespace chainring::engine
