#include "base/bytes.h"
#include "ring/table.h"
#include "tests/coordinator/ring_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using protocol::MemberState;

// What receivers check (ring/table.h) holds for every table that is sent.
void check_table(const RingState& ring) {
  const Result<ring::Table> table = ring::Table::from_message(ring.table());
  INFO((table.ok() ? std::string() : std::string(table.status().message())));
  REQUIRE(table.ok());
}

TEST_CASE("RingState.apply: only the first founding counts") {
  RingState ring;
  REQUIRE_FALSE(ring.founded());
  ring.apply(found_entry());
  REQUIRE(ring.founded());
  REQUIRE(ring.version() == 1);
  FoundEntry other = found_entry();
  other.cluster_id = 9;
  ring.apply(other);
  REQUIRE(ring.cluster_id() == 0xc1);
  REQUIRE(ring.version() == 1);
}

TEST_CASE("RingState.apply: each incarnation is a member of its own, once (R1)") {
  RingFixture f(2);
  REQUIRE(f.ring.members().size() == 2);
  const TableVersion before = f.ring.version();
  f.ring.apply(register_entry("n1", 101));
  REQUIRE(f.ring.version() == before);
  f.ring.apply(register_entry("n1", 555));
  REQUIRE(f.ring.members().size() == 3);
  REQUIRE(f.ring.members()[2].listed.id == 3);
  REQUIRE(f.ring.superseded(*f.ring.member(1)));
  REQUIRE_FALSE(f.ring.superseded(*f.ring.member(2)));
  REQUIRE_FALSE(f.ring.superseded(*f.ring.member(3)));
}

TEST_CASE("RingState.apply: an intention stands beside the chain in force until it is activated (R14)") {
  RingFixture f(3);
  const Epoch first = f.intend({{0, kSlotCount - 1, {1, 2, 3}}}, true);
  REQUIRE(f.ring.ranges().size() == 1);
  REQUIRE(f.ring.ranges()[0] == protocol::TableRange{0, kSlotCount - 1, 0, {}, first, {1, 2, 3}, {}});
  REQUIRE(f.ring.member(1)->listed.state == MemberState::joining);
  f.activate(first);
  REQUIRE(f.ring.ranges()[0] == protocol::TableRange{0, kSlotCount - 1, first, {1, 2, 3}, 0, {}, {}});
  REQUIRE(f.ring.member(1)->listed.state == MemberState::up);
  check_table(f.ring);

  const Epoch second = f.intend({{100, 199, {1, 3}}});
  REQUIRE(second > first);
  REQUIRE(f.ring.ranges().size() == 3);
  REQUIRE(f.ring.ranges()[1] == protocol::TableRange{100, 199, first, {1, 2, 3}, second, {1, 3}, {}});
  check_table(f.ring);
  f.activate(second);
  REQUIRE(f.ring.ranges()[1] == protocol::TableRange{100, 199, second, {1, 3}, 0, {}, {}});
}

TEST_CASE("RingState.apply: a higher intention replaces a lower one, for its slots alone") {
  RingFixture f(3);
  f.place({1, 2, 3});
  const Epoch lower = f.intend({{0, 99, {2, 3}}});
  const Epoch higher = f.intend({{50, 149, {3}}});
  REQUIRE(higher > lower);
  f.activate(lower);
  REQUIRE(f.ring.ranges()[0] == protocol::TableRange{0, 49, lower, {2, 3}, 0, {}, {}});
  REQUIRE(f.ring.ranges()[1].next_epoch == higher);
  REQUIRE(f.ring.ranges()[1].chain == Chain{1, 2, 3});
  check_table(f.ring);
  f.activate(higher);
  REQUIRE(f.ring.ranges()[1].chain == Chain{3});
  f.activate(higher);
  check_table(f.ring);
}

TEST_CASE("RingState.apply: an intention that was planned on another table changes nothing") {
  RingFixture f(3);
  f.place({1, 2, 3});
  IntentionEntry stale{{{0, 9, {1, 2}}}, false, f.ring.ranges_version()};
  f.intend({{0, 9, {2, 3}}});
  const RingState before = f.ring;
  f.ring.apply(stale);
  REQUIRE(f.ring.version() == before.version());
  REQUIRE(f.ring.ranges() == before.ranges());
  // A new member alone does not make a plan stale.
  f.add("n4");
  REQUIRE(f.intend({{0, 9, {1, 2}}}) != 0);
}

TEST_CASE("RingState.apply: malformed intentions change nothing") {
  RingFixture f(3);
  REQUIRE(f.intend({{0, 9, {1}}}) == 0);  // there is no table, and it does not say from empty
  f.place({1, 2, 3});
  const std::vector<std::vector<IntendedRun>> malformed = {
      {},
      {{0, 9, {}}},
      {{0, 9, {1, 1}}},
      {{0, 9, {77}}},
      {{9, 0, {1}}},
      {{0, 9, {1}}, {9, 12, {1}}},
      {{20, 29, {1}}, {0, 9, {1}}},
      {{0, kSlotCount, {1}}},
  };
  for (const auto& runs : malformed) REQUIRE(f.intend(runs) == 0);
}

TEST_CASE("RingState.apply: whom an intention names has to obey its table before the next lease (R4)") {
  RingFixture f(4);
  f.place({1, 2});
  const TableVersion placed = f.ring.version();
  REQUIRE(f.ring.member(1)->must_obey < placed);
  f.intend({{7, 7, {2, 3}}});
  for (const MemberId member : {1u, 2u, 3u}) REQUIRE(f.ring.member(member)->must_obey == f.ring.version());
  REQUIRE(f.ring.member(4)->must_obey == 0);
  // Whom the replaced intention named alone owes nothing less.
  f.intend({{7, 7, {2}}});
  REQUIRE(f.ring.member(3)->must_obey == f.ring.version());
}

TEST_CASE("RingState.apply: gone is for ever") {
  RingFixture f(2);
  f.place({1, 2});
  f.set_state(1, MemberState::absent);
  f.set_state(1, MemberState::gone);
  const TableVersion before = f.ring.version();
  f.set_state(1, MemberState::up);
  REQUIRE(f.ring.version() == before);
  REQUIRE(f.ring.member(1)->gone());
  check_table(f.ring);  // still listed, because chains name it
  REQUIRE(f.ring.table().members.size() == 2);
}

TEST_CASE("RingState.apply: gone members that no chain names leave the table, and are forgotten when there are many") {
  RingFixture f(0);
  const int many = static_cast<int>(kGoneMembersMax) + 10;
  for (int i = 0; i < many; ++i) {
    const MemberId member = f.add("same");
    f.set_state(member, MemberState::gone);
  }
  REQUIRE(f.ring.table().members.empty());
  REQUIRE(f.ring.members().size() == kGoneMembersMax);
  REQUIRE(f.ring.members().back().listed.id == static_cast<MemberId>(many));
}

TEST_CASE("RingState.apply: no more members than the limit") {
  RingFixture f(static_cast<int>(kMembersMax) + 1);
  REQUIRE(f.ring.full());
  REQUIRE(f.ring.members().size() == kMembersMax);
  f.set_state(5, MemberState::gone);
  REQUIRE_FALSE(f.ring.full());
}

TEST_CASE("RingState.apply: after an orderly stop the next table begins from empty without the old members (R32)") {
  RingFixture f(2);
  f.ring.apply(ShutdownEntry{});
  REQUIRE_FALSE(f.ring.stopped());  // there is nothing to stop yet
  f.place({1, 2});
  const Epoch before = f.ring.ranges()[0].epoch;
  f.ring.apply(ShutdownEntry{});
  REQUIRE(f.ring.stopped());
  REQUIRE(f.ring.stopped_before() == 2);
  REQUIRE(f.ring.placed_count() == 2);
  const MemberId again1 = f.add("n1"), again2 = f.add("n2");
  const Epoch next = f.intend({{0, kSlotCount - 1, {again1, again2}}}, true);
  REQUIRE(next > before);
  REQUIRE_FALSE(f.ring.stopped());
  REQUIRE(f.ring.member(1)->gone());
  REQUIRE(f.ring.ranges()[0].chain.empty());
  check_table(f.ring);
}

TEST_CASE("RingState.apply: what was to begin empty does so only while the cluster is stopped as it was (R32)") {
  RingFixture f(3);
  f.place({1, 2});
  f.activate(f.intend({{0, 4, {3}}}));
  const auto planned = [&](Slot last, Chain chain) {
    return IntentionEntry{{{0, last, std::move(chain)}}, true, f.ring.ranges_version()};
  };
  f.set_state(3, MemberState::gone);
  const IntentionEntry lost_slots = planned(4, {1});
  f.ring.apply(ShutdownEntry{});
  f.ring.apply(lost_slots);  // the others have not ended
  CHECK(f.ring.stopped());
  CHECK_FALSE(f.ring.member(1)->gone());

  const IntentionEntry all_slots = planned(kSlotCount - 1, {f.add("n1"), f.add("n2")});
  f.ring.apply(StopLapsedEntry{});
  f.ring.apply(all_slots);  // somebody goes on with what it holds
  CHECK(f.ring.range_of(5).chain == Chain{1, 2});
  CHECK(f.ring.range_of(5).next_epoch == 0);
  check_table(f.ring);
}

TEST_CASE("RingState: what it writes is what it reads") {
  RingFixture f(5);
  f.place({1, 2, 3});
  f.intend({{10, 20, {3, 4}}, {30, 40, {5}}});
  f.set_state(2, MemberState::absent);
  const std::string bytes = encode(f.ring);
  const auto read = decode<RingState>(bytes);
  REQUIRE(read.has_value());
  REQUIRE(encode(*read) == bytes);
  REQUIRE(read->ranges() == f.ring.ranges());
}

TEST_CASE("change_runs: cuts where runs begin and end, and folds what is equal") {
  Ranges ranges = {{0, 99, 1, {1}, 0, {}, {}}, {100, kSlotCount - 1, 1, {2}, 0, {}, {}}};
  struct Run {
    Slot first, last;
  };
  const std::vector<Run> runs = {{0, 0}, {90, 110}, {kSlotCount - 1, kSlotCount - 1}};
  change_runs(ranges, runs, [](protocol::TableRange& part, const Run&) { part.epoch = 2; });
  const Ranges expected = {{0, 0, 2, {1}, 0, {}, {}},
                           {1, 89, 1, {1}, 0, {}, {}},
                           {90, 99, 2, {1}, 0, {}, {}},
                           {100, 110, 2, {2}, 0, {}, {}},
                           {111, kSlotCount - 2, 1, {2}, 0, {}, {}},
                           {kSlotCount - 1, kSlotCount - 1, 2, {2}, 0, {}, {}}};
  REQUIRE(ranges == expected);
  change_runs(ranges, std::vector<Run>{{0, kSlotCount - 1}},
              [](protocol::TableRange& part, const Run&) { part.epoch = 3, part.chain = {4}; });
  REQUIRE(ranges == Ranges{{0, kSlotCount - 1, 3, {4}, 0, {}, {}}});
}

}  // namespace
}  // namespace chainring::coordinator
