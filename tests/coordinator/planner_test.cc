#include <algorithm>

#include "ring/table.h"
#include "tests/coordinator/ring_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using protocol::MemberState;

constexpr Micros kSettle = 450'000, kRepair = 60'000'000;

struct PlannerFixture : RingFixture {
  explicit PlannerFixture(int members, size_t initial = 0, bool empty_on_loss = false)
      : RingFixture(members), planner({initial, empty_on_loss, kSettle, kRepair}) {}

  Plan plan() { return planner.plan(ring, leases, now, lock_time()); }
  // Plans, and applies what was planned; whether anything was.
  bool step() {
    const Plan planned = plan();
    if (planned.states) ring.apply(*planned.states);
    if (planned.intention) ring.apply(*planned.intention);
    return planned.states || planned.intention;
  }
  void settle() {
    while (step()) continue;
  }
  [[nodiscard]] MemberState state(MemberId member) const { return ring.member(member)->listed.state; }
  [[nodiscard]] Chain intended(Slot slot) const {
    for (const protocol::TableRange& range : ring.ranges()) {
      if (range.first <= slot && slot <= range.last) return range.next_chain;
    }
    return {};
  }
  void activate_all() {
    std::vector<Epoch> epochs;
    for (const protocol::TableRange& range : ring.ranges()) epochs.push_back(range.next_epoch);
    for (const Epoch epoch : epochs) activate(epoch);
  }

  Planner planner;
};

TEST_CASE("Planner.plan: the first table waits for as many nodes with leases as were named") {
  PlannerFixture f(2, 3);
  f.grant({1, 2});
  REQUIRE_FALSE(f.step());
  f.add("n3");
  REQUIRE_FALSE(f.step());  // it has no lease yet
  f.grant({3});
  REQUIRE(f.step());
  REQUIRE_FALSE(f.ring.ranges().empty());
  uint32_t heads[4] = {};
  for (const protocol::TableRange& range : f.ring.ranges()) {
    REQUIRE(range.next_chain.size() == 3);
    REQUIRE(range.chain.empty());
    heads[range.next_chain.front()] += slot_count(range);
  }
  for (const MemberId member : {1u, 2u, 3u}) REQUIRE(heads[member] > 5000);
  REQUIRE_FALSE(f.step());
}

TEST_CASE("Planner.plan: without a number of nodes the first table waits for the operator") {
  PlannerFixture f(5, 0);
  f.grant({1, 2, 3, 4, 5});
  REQUIRE_FALSE(f.step());
}

TEST_CASE("Planner.plan: chains go on without a member whose lease ran out") {
  PlannerFixture f(3);
  f.place({1, 2, 3});
  f.grant({1, 2, 3});
  REQUIRE_FALSE(f.step());
  REQUIRE(f.planner.next_check() == f.leases.ends(1));
  f.let_leases_end();
  f.grant({1, 3});
  REQUIRE(f.step());
  REQUIRE(f.state(2) == MemberState::absent);
  REQUIRE(f.intended(0) == Chain{1, 3});
  REQUIRE_FALSE(f.step());
}

TEST_CASE("Planner.plan: chains do without a member that is set aside, unless nobody else is left (R18, R19)") {
  PlannerFixture f(3);
  f.place({1, 2, 3});
  f.grant({1, 2, 3});
  f.leases.set_aside(2, f.now + 1000);
  REQUIRE(f.step());
  REQUIRE(f.intended(0) == Chain{1, 3});
  REQUIRE(f.state(2) == MemberState::up);
  f.activate_all();

  f.let_leases_end();
  f.grant({2, 3});
  f.leases.set_aside(3, f.now + 1000);
  f.settle();
  REQUIRE(f.intended(0) == Chain{3});
}

TEST_CASE("Planner.plan: two in a row, the second loss replaces what it makes impossible") {
  PlannerFixture f(3);
  f.place({1, 2, 3});
  f.let_leases_end();
  f.grant({2, 3});
  f.settle();
  REQUIRE(f.intended(0) == Chain{2, 3});
  f.let_leases_end();
  f.grant({3});
  f.settle();
  REQUIRE(f.intended(0) == Chain{3});
}

TEST_CASE("Planner.plan: a change that can finish is not disturbed by whoever comes back") {
  PlannerFixture f(3);
  f.place({1, 2, 3});
  f.let_leases_end();
  f.grant({2, 3});
  f.settle();
  f.grant({1, 2, 3});
  f.settle();
  REQUIRE(f.state(1) == MemberState::up);
  REQUIRE(f.intended(0) == Chain{2, 3});
  f.activate_all();
  f.settle();
  REQUIRE(f.intended(0).empty());
  REQUIRE(f.ring.ranges()[0].chain == Chain{2, 3});
}

TEST_CASE("Planner.plan: the last copy is never removed (R18)") {
  PlannerFixture f(1);
  f.place({1});
  f.grant({1});
  f.let_leases_end();
  f.settle();
  REQUIRE(f.state(1) == MemberState::absent);
  REQUIRE(f.ring.ranges()[0].chain == Chain{1});
  REQUIRE(f.intended(0).empty());
  f.grant({1});
  f.settle();
  REQUIRE(f.state(1) == MemberState::up);
  REQUIRE(f.intended(0).empty());  // it goes on as it was
}

TEST_CASE("Planner.plan: a chain that lapsed as a whole goes on as it was when all come back") {
  PlannerFixture f(3);
  f.place({1, 2, 3});
  f.let_leases_end();
  f.grant({3});
  f.settle();  // 1 and 2 are to be dropped
  REQUIRE(f.intended(0) == Chain{3});
  f.let_leases_end();
  f.settle();
  REQUIRE(f.intended(0) == Chain{1, 2, 3});  // the way back is open for all
  f.grant({2});
  f.settle();
  REQUIRE(f.planner.next_check() <= f.now + kSettle);
  REQUIRE(f.intended(0) == Chain{1, 2, 3});
  f.grant({1, 3});
  f.settle();
  REQUIRE(f.intended(0) == Chain{1, 2, 3});
}

TEST_CASE("Planner.plan: a chain that stands still shares no epoch with one that goes on") {
  PlannerFixture f(3);
  f.place({1, 2});
  f.activate(f.intend({{0, 4, {2, 3}}}));
  f.grant({1, 2, 3});
  f.settle();
  f.let_leases_end();
  f.grant({1, 2});
  f.settle();  // 3 is to be dropped
  REQUIRE(f.intended(0) == Chain{2});
  f.let_leases_end();
  f.grant({1});
  const Plan plan = f.plan();
  REQUIRE(plan.intention);
  CHECK(plan.intention->runs == std::vector<IntendedRun>{{5, kSlotCount - 1, {1}}});
  f.settle();
  CHECK(f.intended(0) == Chain{2, 3});  // the way back
  CHECK(f.intended(5) == Chain{1});
  CHECK(f.ring.range_of(0).next_epoch != f.ring.range_of(5).next_epoch);
}

TEST_CASE("Planner.plan: a chain that stood still goes on without those that stay away") {
  PlannerFixture f(3);
  f.place({1, 2, 3});
  f.let_leases_end();
  f.settle();
  REQUIRE(f.intended(0).empty());
  f.grant({2});
  f.settle();
  REQUIRE(f.intended(0).empty());
  f.now += kSettle;
  f.grant({2});
  f.settle();
  REQUIRE(f.intended(0) == Chain{2});
}

TEST_CASE("Planner.plan: who comes back after a cut is waited for, also while other slots stand still for good (R18)") {
  const bool others_are_lost = GENERATE(false, true);
  CAPTURE(others_are_lost);
  PlannerFixture f(4);
  f.place({1, 2, 3});
  f.activate(f.intend({{0, 4, {4}}}));
  f.let_leases_end();
  f.settle();
  if (others_are_lost) f.add("n4");
  f.grant({1, 2, 3});
  f.settle();
  f.now += kSettle;
  f.grant({1, 2, 3});
  f.settle();
  REQUIRE(f.ring.lost(f.ring.range_of(0)) == others_are_lost);
  REQUIRE(f.intended(5).empty());

  f.let_leases_end();
  f.settle();
  f.grant({2});
  f.settle();
  CHECK(f.intended(5).empty());
  f.grant({1, 3});
  f.settle();
  CHECK(f.intended(5).empty());
}

TEST_CASE("Planner.plan: each chain that stood still waits for its own members from when one of them is back") {
  PlannerFixture f(4);
  f.place({1, 2});
  f.activate(f.intend({{0, 4, {3, 4}}}));
  f.let_leases_end();
  f.settle();
  f.grant({1});
  f.settle();
  f.now += kSettle - 1;
  f.grant({3});
  f.settle();
  f.now += 1;
  f.settle();
  CHECK(f.intended(5) == Chain{1});
  CHECK(f.intended(0).empty());
  f.grant({4});
  f.now += kSettle;
  f.settle();
  CHECK(f.intended(0).empty());
}

TEST_CASE("Planner.plan: a later incarnation makes an earlier one gone, when its lease is over (R1)") {
  PlannerFixture f(3);
  f.place({1, 2, 3});
  f.grant({1, 2, 3});
  const MemberId again = f.add("n1");
  f.grant({again});
  REQUIRE_FALSE(f.step());
  f.let_leases_end();
  f.grant({2, 3, again});
  f.settle();
  REQUIRE(f.state(1) == MemberState::gone);
  REQUIRE(f.state(again) == MemberState::joining);  // empty, and listed
  REQUIRE(f.intended(0) == Chain{2, 3});
}

TEST_CASE("Planner.plan: a chain whose every incarnation is gone stands, or begins empty when that is wanted (R18)") {
  const bool empty_on_loss = GENERATE(false, true);
  PlannerFixture f(2, 0, empty_on_loss);
  f.place({1, 2});
  const MemberId again1 = f.add("n1"), again2 = f.add("n2");
  f.let_leases_end();
  f.grant({again1, again2});
  f.settle();
  REQUIRE(f.state(1) == MemberState::gone);
  if (!empty_on_loss) {
    REQUIRE(f.ring.lost(f.ring.ranges()[0]));
    REQUIRE(f.intended(0).empty());
  } else {
    REQUIRE(f.ring.ranges()[0].chain.empty());
    Chain chain = f.intended(0);
    std::sort(chain.begin(), chain.end());
    REQUIRE(chain == Chain{again1, again2});
  }
}

TEST_CASE("Planner.plan: after an orderly stop no lapse is acted on until the nodes are back as new ones (R32)") {
  PlannerFixture f(3, 3);
  f.place({1, 2, 3});
  f.grant({1, 2, 3});
  f.ring.apply(ShutdownEntry{});
  f.let_leases_end();
  f.settle();
  REQUIRE(f.ring.ranges()[0].chain == Chain{1, 2, 3});
  REQUIRE(f.intended(0).empty());
  const MemberId first = f.add("n1"), second = f.add("n2");
  f.grant({first, second});
  f.settle();
  REQUIRE(f.intended(0).empty());
  const MemberId third = f.add("n3");
  f.grant({third});
  f.settle();
  Chain chain = f.intended(0);
  std::sort(chain.begin(), chain.end());
  REQUIRE(chain == Chain{first, second, third});
  REQUIRE(f.ring.ranges()[0].chain.empty());
  REQUIRE(f.state(1) == MemberState::gone);
}

TEST_CASE("Planner.plan: after an orderly stop nothing begins while somebody from before has a lease") {
  PlannerFixture f(1, 1);
  f.place({1});
  f.grant({1});
  f.ring.apply(ShutdownEntry{});
  const MemberId again = f.add("n1");
  f.grant({again});
  f.settle();
  REQUIRE(f.intended(0).empty());
  f.let_leases_end();
  f.grant({again});
  f.settle();
  REQUIRE(f.intended(0) == Chain{again});
}

TEST_CASE("Planner.plan: after an orderly stop it is said who is gone when slots begin again (R32)") {
  PlannerFixture f(3, 3);
  f.place({1, 2});
  f.grant({1, 2, 3});
  f.let_leases_end();
  f.ring.apply(ShutdownEntry{});
  f.grant({f.add("n1"), f.add("n2")});
  Plan plan = f.plan();
  while (!plan.intention) {
    REQUIRE(f.step());
    plan = f.plan();
  }
  CHECK(plan.gone == std::vector<MemberId>{1, 2, 3});
  f.ring.apply(*plan.intention);
  CHECK(f.ring.member(3)->gone());
}

TEST_CASE("Planner.plan: who is absent for too long is struck from the target, and stays where nobody else has been") {
  PlannerFixture f(3);
  f.place({1, 2});
  f.activate(f.intend({{0, 4, {3}}}, true));
  f.grant({1, 2, 3});
  f.let_leases_end();
  f.grant({1, 2});
  f.settle();
  REQUIRE(f.state(3) == MemberState::absent);
  f.now = f.leases.ends(3) + kRepair - 1;
  f.grant({1, 2});
  f.settle();
  REQUIRE_FALSE(f.ring.member(3)->struck);
  REQUIRE(f.planner.next_check() == f.now + 1);
  REQUIRE(f.ring.placed_count() == 3);

  const uint64_t wishes = f.ring.wishes();
  f.now += kSettle;
  f.settle();
  REQUIRE(f.ring.member(3)->struck);
  REQUIRE(f.ring.member(3)->placed);
  REQUIRE(f.ring.placed_count() == 2);
  REQUIRE(f.ring.wishes() > wishes);
  REQUIRE(f.state(3) == MemberState::absent);
  REQUIRE(f.ring.range_of(0).chain == Chain{3});
  REQUIRE(f.intended(0).empty());

  const uint64_t without = f.ring.wishes();
  f.grant({3});
  f.settle();
  REQUIRE_FALSE(f.ring.member(3)->struck);
  REQUIRE(f.ring.placed_count() == 3);
  REQUIRE(f.ring.wishes() > without);
  REQUIRE(f.state(3) == MemberState::up);
}

TEST_CASE("Planner.plan: a new leader takes nobody for back who has not come to it") {
  PlannerFixture f(3);
  f.place({1, 2});
  f.activate(f.intend({{0, 4, {3}}}, true));
  f.grant({1, 2, 3});
  f.let_leases_end();
  f.now += kRepair;
  f.grant({1, 2});
  f.settle();
  f.now += kSettle;
  f.settle();
  REQUIRE(f.ring.member(3)->struck);

  const uint64_t wishes = f.ring.wishes();
  f.leases.begin(f.ring.members(), f.now, RingFixture::kLease / 2);
  f.planner.begin();
  f.settle();
  REQUIRE_FALSE(f.leases.lapsed(3, f.now));
  REQUIRE(f.state(3) == MemberState::absent);
  REQUIRE(f.ring.member(3)->struck);
  REQUIRE(f.ring.wishes() == wishes);
  f.grant({3});
  f.settle();
  REQUIRE(f.state(3) == MemberState::up);
  REQUIRE_FALSE(f.ring.member(3)->struck);
}

TEST_CASE("Planner.plan: nobody is struck from the target while all are away, or have just come back") {
  PlannerFixture f(3);
  f.place({1, 2, 3});
  f.grant({1, 2, 3});
  f.let_leases_end();
  f.settle();
  f.now += 2 * kRepair;
  f.settle();
  REQUIRE(f.ring.placed_count() == 3);
  f.grant({1});
  f.settle();
  f.now += kSettle / 2;
  f.settle();
  REQUIRE(f.ring.placed_count() == 3);
  REQUIRE(f.planner.next_check() <= f.now + kSettle / 2);
  f.grant({2});
  f.now += kSettle / 2;
  f.grant({1});
  REQUIRE(f.step());
  REQUIRE(f.ring.member(3)->struck);
  REQUIRE(f.ring.placed_count() == 2);
}

TEST_CASE("Planner.plan: after an orderly stop everybody who has a place is waited for, however long (R32)") {
  PlannerFixture f(3);
  f.place({1, 2, 3});
  f.grant({1, 2, 3});
  f.ring.apply(ShutdownEntry{});
  const MemberId first = f.add("n1"), second = f.add("n2");
  f.let_leases_end();
  f.grant({first, second});
  f.settle();
  for (Micros passed = 0; passed < 2 * kRepair; passed += RingFixture::kLease) {
    f.now += RingFixture::kLease;
    f.grant({first, second});
    f.settle();
  }
  REQUIRE(f.ring.stopped());
  REQUIRE(f.ring.placed_count() == 3);
}

// Of two members the first has all slots, and the second is absent.
struct AbsentSecond : PlannerFixture {
  AbsentSecond() : PlannerFixture(2) {
    place({1});
    grant({1, 2});
    let_leases_end();
    grant({1});
    settle();
    REQUIRE(state(2) == MemberState::absent);
  }
};

TEST_CASE("Planner.plan: an absent member that no chain needs is forgotten after the time for repair") {
  AbsentSecond f;
  f.now += kRepair;
  f.grant({1});
  f.settle();
  REQUIRE(f.state(2) == MemberState::gone);
  REQUIRE(f.state(1) == MemberState::up);
}

TEST_CASE("Planner.plan: leaders that follow each other go on with the time for which somebody is absent") {
  AbsentSecond f;
  const Micros absent_from = f.now;
  const bool comes_back = GENERATE(false, true);
  while (f.state(2) == MemberState::absent && f.now < absent_from + 2 * kRepair) {
    f.leases.begin(f.ring.members(), f.now, RingFixture::kLease / 2);
    f.planner.begin();
    if (comes_back && f.now - absent_from > kRepair / 2) f.grant({2});
    f.settle();
    if (f.state(2) != MemberState::absent) break;
    f.now += kRepair / 10;
    f.grant({1});
    f.settle();
  }
  if (comes_back) {
    REQUIRE(f.state(2) == MemberState::joining);
    f.now = std::max(f.now, absent_from + kRepair);
    f.let_leases_end();
    f.settle();
    REQUIRE(f.state(2) == MemberState::absent);  // for another while
  } else {
    REQUIRE(f.state(2) == MemberState::gone);
    REQUIRE(f.now >= absent_from + kRepair);
    REQUIRE(f.now <= absent_from + kRepair + kRepair / 10);
  }
}

TEST_CASE("Planner.plan: no time for which somebody is absent makes a new leader wait less than a lease for it") {
  PlannerFixture f(2);
  f.place({1});
  f.grant({1, 2});
  f.let_leases_end();
  f.settle();
  f.now += 2 * kRepair;
  f.leases.begin(f.ring.members(), f.now, 0);
  f.planner.begin();
  f.settle();
  REQUIRE(f.state(2) == MemberState::absent);
  REQUIRE(f.planner.next_check() == f.leases.ends(2));
}

TEST_CASE("Planner.plan: members of the first table that lapse before it is active are left out") {
  PlannerFixture f(3, 3);
  f.grant({1, 2, 3});
  f.settle();
  f.let_leases_end();
  f.grant({1, 2});
  f.settle();
  for (const protocol::TableRange& range : f.ring.ranges()) REQUIRE_FALSE(ring::contains(range.next_chain, 3));
}

}  // namespace
}  // namespace chainring::coordinator
