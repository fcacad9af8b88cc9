// The barrier as docs/conversations.md has it (R14, R15), played by hand.

#include <set>

#include "coordinator/barrier.h"
#include "tests/coordinator/ring_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

constexpr Micros kRepeat = 100'000;

// A ring, a barrier over it, and members whose leases the test lets lapse.
struct BarrierFixture : RingFixture {
  explicit BarrierFixture(int members) : RingFixture(members) {}

  Epoch change(std::vector<IntendedRun> runs, bool from_empty = false) {
    const Epoch epoch = intend(std::move(runs), from_empty);
    barrier.follow(ring.ranges());
    return epoch;
  }
  void state(MemberId member, Epoch epoch, Slot first, std::vector<Sequence> applied) {
    barrier.stated({member, epoch, {{first, std::move(applied)}}});
  }
  Barrier::Advice advance() {
    return barrier.advance(now, [&](MemberId member) { return lapsed.contains(member); });
  }
  [[nodiscard]] std::vector<Epoch> activations() { return advance().activate; }

  Barrier barrier{kRepeat};
  std::set<MemberId> lapsed;
};

TEST_CASE("Barrier.advance: the first table is active when all its members have stated that they hold nothing") {
  BarrierFixture f(2);
  const Epoch epoch = f.change({{0, kSlotCount - 1, {1, 2}}}, true);
  REQUIRE(f.activations().empty());
  f.state(1, epoch, 0, std::vector<Sequence>(kSlotCount, 0));
  REQUIRE(f.activations().empty());
  f.state(2, epoch, 0, std::vector<Sequence>(kSlotCount - 1, 0));
  REQUIRE(f.activations().empty());  // one slot is missing
  f.state(2, epoch, kSlotCount - 1, {0});
  REQUIRE(f.activations() == std::vector<Epoch>{epoch});
  f.activate(epoch);
  f.barrier.follow(f.ring.ranges());
  REQUIRE_FALSE(f.barrier.open());
  REQUIRE(f.activations().empty());
}

// Chains {1, 2, 3}; slots 0 and 1 change; what the three have applied is 9, 7, 5 and 4, 4, 4.
struct LossFixture : BarrierFixture {
  LossFixture() : BarrierFixture(3) { place({1, 2, 3}); }
  Epoch lose(MemberId dead, const Chain& rest) {
    lapsed.insert(dead);
    const Epoch epoch = change({{0, 1, rest}});
    for (const MemberId member : rest) state_all(member, epoch);
    return epoch;
  }
  void state_all(MemberId member, Epoch epoch) {
    const std::vector<Sequence> of[] = {{}, {9, 4}, {7, 4}, {5, 4}};
    state(member, epoch, 0, of[member]);
  }
};

TEST_CASE("Barrier.advance: the head dies, the rest is levelled to the highest of the rest") {
  LossFixture f;
  const Epoch epoch = f.lose(1, {2, 3});
  Barrier::Advice advice = f.advance();
  REQUIRE(advice.activate.empty());
  REQUIRE(advice.levels.size() == 1);
  REQUIRE(advice.levels[0].first == 2);
  REQUIRE(advice.levels[0].second.epoch == epoch);
  REQUIRE(advice.levels[0].second.items.size() == 1);
  const protocol::LevelItem& item = advice.levels[0].second.items[0];
  REQUIRE((item.slot == 0 && item.to == 3 && item.after == 5 && item.through == 7));
  f.state(3, epoch, 0, {7, 4});
  REQUIRE(f.activations() == std::vector<Epoch>{epoch});
}

TEST_CASE("Barrier.advance: the middle dies") {
  LossFixture f;
  const Epoch epoch = f.lose(2, {1, 3});
  Barrier::Advice advice = f.advance();
  REQUIRE(advice.levels.size() == 1);
  REQUIRE(advice.levels[0].first == 1);
  REQUIRE(advice.levels[0].second.items[0].through == 9);
  f.state(3, epoch, 0, {9});
  REQUIRE(f.activations() == std::vector<Epoch>{epoch});
}

TEST_CASE("Barrier.advance: the tail dies") {
  LossFixture f;
  const Epoch epoch = f.lose(3, {1, 2});
  REQUIRE(f.advance().levels.size() == 1);
  f.state(2, epoch, 0, {8});
  REQUIRE(f.activations().empty());
  f.state(2, epoch, 0, {9});
  REQUIRE(f.activations() == std::vector<Epoch>{epoch});
}

// Chain {1, 2}; slot 0 goes to {1, 2, 3}, of which 3 is new and lacks the newest record.
struct MoveFixture : BarrierFixture {
  MoveFixture() : BarrierFixture(3) { place({1, 2}); }
  Epoch move(Sequence head, Sequence tail, Sequence learner) {
    const Epoch epoch = change({{0, 0, {1, 2, 3}}});
    state(1, epoch, 0, {head});
    state(2, epoch, 0, {tail});
    state(3, epoch, 0, {learner});
    return epoch;
  }
  void expect(const Barrier::Advice& advice, MemberId donor, const protocol::LevelItem& wanted) {
    for (const auto& [member, level] : advice.levels) {
      if (member != donor) continue;
      REQUIRE(level.items.size() == 1);
      const protocol::LevelItem& item = level.items[0];
      CHECK((item.to == wanted.to && item.after == wanted.after && item.through == wanted.through));
      return;
    }
    FAIL("member " << donor << " is asked for nothing");
  }
};

TEST_CASE("Barrier.advance: a new member gets from the tail what may be committed at the head already") {
  MoveFixture f;
  const Epoch epoch = f.move(5, 5, 4);
  const Barrier::Advice advice = f.advance();
  CHECK(advice.levels.size() == 1);
  f.expect(advice, 2, {0, 3, 4, 5});
  f.state(3, epoch, 0, {5});
  CHECK(f.activations() == std::vector<Epoch>{epoch});
}

TEST_CASE("Barrier.advance: what the tail lacks as well is asked for as soon as the tail has it") {
  MoveFixture f;
  const Epoch epoch = f.move(7, 5, 4);
  const Barrier::Advice advice = f.advance();
  CHECK(advice.levels.size() == 2);
  f.expect(advice, 1, {0, 2, 5, 7});
  f.expect(advice, 2, {0, 3, 4, 5});
  f.state(2, epoch, 0, {7});
  const Barrier::Advice next = f.advance();
  CHECK(next.levels.size() == 1);
  f.expect(next, 2, {0, 3, 5, 7});  // not again what is on its way
  f.state(3, epoch, 0, {7});
  CHECK(f.activations() == std::vector<Epoch>{epoch});
}

TEST_CASE("Barrier.advance: without the tail a new member gets it from whoever has it") {
  MoveFixture f;
  f.move(5, 5, 4);
  f.lapsed = {2};
  f.expect(f.advance(), 1, {0, 3, 4, 5});
}

TEST_CASE("Barrier.advance: an old member that has neither stated nor lapsed holds everything up") {
  LossFixture f;
  f.lapsed.clear();
  const Epoch epoch = f.change({{0, 1, {2, 3}}});
  f.state_all(2, epoch);
  f.state(3, epoch, 0, {7, 4});
  REQUIRE(f.activations().empty());
  SECTION("until it states: what it holds counts, though it leaves") {
    f.state_all(1, epoch);
    Barrier::Advice advice = f.advance();
    REQUIRE(advice.activate.empty());
    REQUIRE(advice.levels.size() == 1);
    REQUIRE(advice.levels[0].first == 1);
    REQUIRE(advice.levels[0].second.items.size() == 2);
    f.state(2, epoch, 0, {9});
    f.state(3, epoch, 0, {9});
    REQUIRE(f.activations() == std::vector<Epoch>{epoch});
  }
  SECTION("until it lapses: what it alone holds was never committed") {
    f.lapsed.insert(1);
    REQUIRE(f.activations() == std::vector<Epoch>{epoch});
  }
}

TEST_CASE("Barrier.advance: what a donor sent before it lapsed is shut out by another epoch") {
  LossFixture f;
  f.lapsed.clear();
  const Epoch epoch = f.change({{0, 1, {2, 3}}});
  for (const MemberId member : {1u, 2u, 3u}) f.state_all(member, epoch);
  REQUIRE(f.advance().levels.at(0).first == 1);
  f.state(2, epoch, 0, {8});  // one of two records came
  f.lapsed.insert(1);
  f.now += kRepeat;
  f.state(3, epoch, 0, {8});  // 2 and 3 are equal now, but the other record may still come to either
  const Barrier::Advice advice = f.advance();
  CHECK(advice.levels.empty());
  CHECK(advice.activate.empty());
  REQUIRE(advice.renew == std::vector<IntendedRun>{{0, 1, {2, 3}}});
  const Epoch again = f.change(advice.renew);
  f.state(2, again, 0, {9, 4});  // it came just before the new promise
  f.state(3, again, 0, {8, 4});
  const Barrier::Advice next = f.advance();
  CHECK(next.renew.empty());
  REQUIRE(next.levels.size() == 1);
  CHECK(next.levels[0].second.items[0].through == 9);
  f.state(3, again, 0, {9});
  REQUIRE(f.activations() == std::vector<Epoch>{again});
}

TEST_CASE("Barrier.begin: what an earlier leader may have asked of somebody who is gone is shut out, too") {
  LossFixture f;
  f.lapsed.clear();
  const Epoch epoch = f.change({{0, 1, {2, 3}}});
  f.barrier.begin(f.ring.ranges());
  f.state(2, epoch, 0, {7, 4});
  f.state(3, epoch, 0, {7, 4});
  SECTION("when it is") {
    f.lapsed.insert(1);
    const Barrier::Advice advice = f.advance();
    CHECK(advice.activate.empty());
    REQUIRE(advice.renew == std::vector<IntendedRun>{{0, 1, {2, 3}}});
    const Epoch again = f.change(advice.renew);
    f.state(2, again, 0, {7, 4});
    f.state(3, again, 0, {7, 4});
    REQUIRE(f.activations() == std::vector<Epoch>{again});
  }
  SECTION("not while it is there: it states what it has") {
    CHECK(f.advance().renew.empty());
    f.state_all(1, epoch);
    CHECK(f.advance().levels.size() == 1);
  }
}

TEST_CASE("Barrier.advance: who comes back while an activation is on its way raises nobody's number") {
  LossFixture f;
  const Epoch epoch = f.lose(1, {2, 3});
  f.state_all(1, epoch);  // and it is counted as lapsed yet
  f.state(3, epoch, 0, {7});
  REQUIRE(f.activations() == std::vector<Epoch>{epoch});
  f.lapsed.clear();
  f.now += kRepeat;
  const Barrier::Advice advice = f.advance();
  CHECK(advice.levels.empty());
  CHECK(advice.activate == std::vector<Epoch>{epoch});
}

TEST_CASE("Barrier.advance: without any statement of an old member nothing is activated (R15)") {
  BarrierFixture f(3);
  f.place({1, 2});
  f.lapsed = {1, 2};
  const Epoch epoch = f.change({{0, 0, {3}}});
  f.state(3, epoch, 0, {0});
  REQUIRE(f.activations().empty());
}

TEST_CASE("Barrier.advance: when no old member is left, less than what one of them stated is not enough") {
  BarrierFixture f(2);
  f.place({1});
  const Epoch epoch = f.change({{0, 0, {2}}});
  f.state(1, epoch, 0, {10});
  f.state(2, epoch, 0, {9});
  f.lapsed = {1};
  REQUIRE(f.activations().empty());
  f.state(2, epoch, 0, {10});  // the record had been on its way
  REQUIRE(f.activations() == std::vector<Epoch>{epoch});
}

TEST_CASE("Barrier.advance: slots of which nobody is left hold up no others of their epoch") {
  BarrierFixture f(3);
  f.place({1, 2});
  const Epoch epoch = f.change({{0, 4, {2}}});
  f.activate(epoch);
  const Epoch both = f.change({{0, 1, {2}}, {5, 9, {1}}});  // 0 and 1 are held by 2 alone
  f.lapsed = {2};
  f.state(1, both, 5, {3, 3, 3, 3, 3});
  const Barrier::Advice advice = f.advance();
  CHECK(advice.activate.empty());
  REQUIRE(advice.renew == std::vector<IntendedRun>{{5, 9, {1}}});
  const Epoch apart = f.change(advice.renew);
  f.state(1, apart, 5, {3, 3, 3, 3, 3});
  const Barrier::Advice next = f.advance();
  CHECK(next.renew.empty());
  CHECK(next.activate == std::vector<Epoch>{apart});
  f.activate(apart);
  f.barrier.follow(f.ring.ranges());
  f.lapsed.clear();  // whoever had stood still comes back
  CHECK(f.activations().empty());
  f.state(2, both, 0, {7, 7});
  CHECK(f.activations() == std::vector<Epoch>{both});
}

TEST_CASE("Barrier.advance: slots that are to begin empty, and whose members are gone, hold up no others") {
  BarrierFixture f(4);
  const Epoch epoch = f.change({{0, 3, {1, 2}}, {4, 7, {3, 4}}}, true);
  f.state(1, epoch, 0, {0, 0, 0, 0});
  f.state(2, epoch, 0, {0, 0, 0, 0});
  f.state(3, epoch, 4, {0, 0, 0, 0});
  f.lapsed = {3, 4};
  const Barrier::Advice advice = f.advance();
  CHECK(advice.activate.empty());
  CHECK(advice.renew == std::vector<IntendedRun>{{0, 3, {1, 2}}});
}

TEST_CASE("Barrier.advance: a blank member of the new chain states its number too") {
  BarrierFixture f(3);
  f.place({1, 2});
  const Epoch epoch = f.change({{0, 0, {1, 2, 3}}});
  f.state(1, epoch, 0, {0});
  f.state(2, epoch, 0, {0});
  REQUIRE(f.activations().empty());
  f.state(3, epoch, 0, {0});
  REQUIRE(f.activations() == std::vector<Epoch>{epoch});
}

TEST_CASE("Barrier.follow: a higher intention has to be promised anew, the rest of the lower one goes on") {
  LossFixture f;
  const Epoch lower = f.lose(1, {2, 3});
  f.state(3, lower, 0, {7, 4});
  // Member 2 dies, too; slot 0 is to go on with 3 alone.
  const Epoch higher = f.change({{0, 0, {3}}});
  REQUIRE(f.activations() == std::vector<Epoch>{lower});  // slot 1
  f.lapsed.insert(2);
  f.state(3, lower, 0, {7});
  REQUIRE(f.activations() == std::vector<Epoch>{lower});
  f.state(3, higher, 0, {7});
  REQUIRE(f.activations() == std::vector<Epoch>{lower, higher});
  f.activate(lower);
  f.barrier.follow(f.ring.ranges());
  REQUIRE(f.activations() == std::vector<Epoch>{higher});
}

TEST_CASE("Barrier.follow: the old chain as it was") {
  LossFixture f;
  const Epoch lower = f.lose(1, {2, 3});
  f.lapsed.clear();
  const Epoch again = f.change({{0, 1, {1, 2, 3}}});
  for (const MemberId member : {2u, 3u}) f.state_all(member, lower);  // late ones
  REQUIRE(f.activations().empty());
  for (const MemberId member : {1u, 2u, 3u}) f.state_all(member, again);
  REQUIRE(f.advance().levels.at(0).first == 1);
  f.state(2, again, 0, {9});
  f.state(3, again, 0, {9});
  REQUIRE(f.activations() == std::vector<Epoch>{again});
}

TEST_CASE("Barrier.clear: a new leader knows nothing and asks again (R14)") {
  LossFixture f;
  const Epoch epoch = f.lose(1, {2, 3});
  f.state(3, epoch, 0, {7, 4});
  f.barrier.clear();
  REQUIRE(f.activations().empty());
  f.barrier.follow(f.ring.ranges());
  REQUIRE(f.activations().empty());
  f.state(2, epoch, 0, {7, 4});
  f.state(3, epoch, 0, {7, 4});
  REQUIRE(f.activations() == std::vector<Epoch>{epoch});
}

TEST_CASE("Barrier.advance: donors are asked again when nothing came of it, and not before") {
  LossFixture f;
  const Epoch epoch = f.lose(1, {2, 3});
  REQUIRE(f.barrier.next_repeat() == kNever);
  REQUIRE(f.advance().levels.size() == 1);
  REQUIRE(f.barrier.next_repeat() == f.now + kRepeat);
  REQUIRE(f.advance().levels.empty());
  f.now += kRepeat;
  REQUIRE(f.advance().levels.size() == 1);
  f.state(3, epoch, 0, {7});
  REQUIRE(f.advance().levels.empty());
  REQUIRE(f.barrier.next_repeat() == kNever);
}

TEST_CASE("Barrier.stated: what cannot be is ignored") {
  LossFixture f;
  const Epoch epoch = f.lose(1, {2, 3});
  const auto nothing = [&] { REQUIRE(f.activations().empty()); };
  f.barrier.stated({3, epoch, {{kSlotCount - 1, {1, 2, 3}}}});
  nothing();
  f.barrier.stated({3, epoch, {{0, {}}}});
  nothing();
  f.barrier.stated({77, epoch, {{0, {7, 4}}}});
  nothing();
  f.barrier.stated({3, epoch + 1, {{0, {7, 4}}}});
  nothing();
  f.barrier.stated({3, epoch, {{0, {7}}, {1, {4, 4, 4, 4}}}});  // more than is asked, in two runs
  REQUIRE(f.activations() == std::vector<Epoch>{epoch});
}

}  // namespace
}  // namespace chainring::coordinator
