// How the table in force is brought to the target.
#include "coordinator/mover.h"

#include "coordinator/planner.h"
#include "ring/table.h"
#include "tests/coordinator/ring_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

struct MoverFixture : RingFixture {
  explicit MoverFixture(int members = 3, uint32_t copies = 3) : RingFixture(members, copies) {
    Chain all;
    for (int i = 1; i <= members; ++i) all.push_back(static_cast<MemberId>(i));
    place(all);
    grant_all();
    run();
  }
  void grant_all() {
    for (const Member& member : ring.members()) leases.grant(member.listed.id, now);
  }
  bool wish(ReshardVerb verb, std::string name = {}, uint32_t value = 0) {
    const ReshardEntry entry{verb, std::move(name), value, 0, 0, 0};
    if (!ring.check(entry).ok()) return false;
    ring.apply(entry);
    return true;
  }
  // Plans, and applies what was planned; what it was.
  Mover::Plan step() {
    Mover::Plan plan = mover.plan(ring, leases, now);
    if (plan.target) ring.apply(*plan.target);
    if (plan.goals) ring.apply(*plan.goals);
    if (plan.intention) ring.apply(*plan.intention);
    return plan;
  }
  // n4 is to be added, and its goals are set.
  void set_goals() {
    REQUIRE(wish(ReshardVerb::add, "n4"));
    REQUIRE(step().target);
    REQUIRE(step().goals);
  }
  void cancel() {
    REQUIRE(wish(ReshardVerb::cancel));
    while (!idle(step())) continue;
  }
  static bool idle(const Mover::Plan& plan) { return !plan.target && !plan.goals && !plan.intention; }
  // Everybody learns what it is to learn, or says so by an earlier table.
  void learn(TableVersion obeyed = 0) {
    std::map<MemberId, protocol::Learned> learned;
    for (const protocol::TableRange& range : ring.ranges()) {
      for (const MemberId id : range.goal) {
        if (ring::contains(range.chain, id)) continue;
        learned[id].member = id;
        learned[id].runs.push_back({range.first, range.last, range.epoch});
      }
    }
    for (auto& [id, statement] : learned) {
      statement.obeyed = obeyed == 0 ? ring.version() : obeyed;
      mover.learned(statement);
    }
  }
  void pass_barriers() {
    Epoch open = 0;
    for (const protocol::TableRange& range : ring.ranges()) open = std::max(open, range.next_epoch);
    if (open != 0) activate(open);
  }
  // Goes on until nothing is left to do; how many barriers it took.
  int run() {
    int barriers = 0;
    for (int round = 0; round < 1000; ++round) {
      const Mover::Plan plan = step();
      if (idle(plan) && ring.slots_left() == 0) return barriers;
      barriers += plan.intention ? 1 : 0;
      learn();
      pass_barriers();
      now += Mover::kReadyWait;
      grant_all();
    }
    FAIL("it does not come to an end");
    return barriers;
  }
  uint32_t slots_of(MemberId id) const {
    uint32_t slots = 0;
    for (const protocol::TableRange& range : ring.ranges())
      slots += ring::contains(range.chain, id) ? slot_count(range) : 0;
    return slots;
  }

  Mover mover;
};

// Beside the mover, chains do without those who are away.
struct RepairFixture : MoverFixture {
  static constexpr Micros kRepair = 5 * kMicrosPerSecond;

  using MoverFixture::MoverFixture;
  // Time passes while these have their leases.
  void pass(Micros length, std::initializer_list<MemberId> there) {
    for (const Micros until = now + length; now < until; now += Mover::kReadyWait) {
      grant(there);
      const Plan plan = planner.plan(ring, leases, now, lock_time());
      if (plan.states) ring.apply(*plan.states);
      if (plan.intention) ring.apply(*plan.intention);
      if (!plan.states && !plan.intention) step();
      learn();
      pass_barriers();
    }
  }
  // How many slots each number of copies has.
  std::map<size_t, uint32_t> copies(std::initializer_list<MemberId> among) const {
    std::map<size_t, uint32_t> slots;
    for (const protocol::TableRange& range : ring.ranges()) {
      const auto held =
          std::count_if(among.begin(), among.end(), [&](MemberId id) { return ring::contains(range.chain, id); });
      slots[static_cast<size_t>(held)] += slot_count(range);
    }
    return slots;
  }

  Planner planner{{0, false, kLease, kRepair}};
};

}  // namespace

TEST_CASE("Mover.plan: who is set aside is not taught before its time is over (R19)") {
  MoverFixture f(2);
  const MemberId third = f.add("n3");
  f.grant_all();
  REQUIRE(f.wish(ReshardVerb::add, "n3"));
  f.leases.set_aside(third, f.now + 1000);
  REQUIRE(f.step().target);
  REQUIRE(MoverFixture::idle(f.step()));
  f.now += 1000;
  REQUIRE(f.step().goals);
}

TEST_CASE("Mover.plan: a node that is added learns its slots before it is in their chains, a batch at a time") {
  MoverFixture f;
  const MemberId added = f.add("n4");
  f.grant_all();
  REQUIRE(MoverFixture::idle(f.step()));  // it has registered, and idles
  REQUIRE(f.wish(ReshardVerb::add, "n4"));
  REQUIRE(f.ring.change().text == "add n4");
  REQUIRE(f.step().target.has_value());
  const uint32_t to_move = f.ring.slots_left();
  REQUIRE(to_move > 0);
  const Mover::Plan begun = f.step();
  REQUIRE(begun.goals.has_value());
  for (int i = 0; i < 5; ++i) REQUIRE_FALSE(f.step().intention.has_value());  // nobody has learned anything
  REQUIRE(f.slots_of(added) == 0);

  f.learn();
  const Mover::Plan taken = f.step();
  REQUIRE(taken.intention.has_value());
  REQUIRE(taken.intention->planned);
  uint32_t slots = 0;
  for (const IntendedRun& run : taken.intention->runs) slots += run.last - run.first + 1u;
  REQUIRE(slots <= Mover::kSlotsPerBarrier);
  f.pass_barriers();
  REQUIRE(f.ring.slots_left() == to_move - slots);

  f.run();
  REQUIRE(f.slots_of(added) >= 3 * kSlotCount / 4 * 97 / 100);
  REQUIRE(f.ring.change().text.empty());
  REQUIRE(f.ring.member(added)->listed.state == protocol::MemberState::up);
}

TEST_CASE("Mover.plan: what was learned for goals that were taken back counts no more when they are set again (R17)") {
  MoverFixture f;
  f.add("n4");
  f.grant_all();
  f.set_goals();
  f.learn();
  const TableVersion before = f.ring.version();
  f.cancel();
  f.set_goals();
  CHECK_FALSE(f.step().intention);
  f.learn(before);  // it was on its way
  CHECK_FALSE(f.step().intention);
  f.learn();
  CHECK(f.step().intention);
}

TEST_CASE("Mover.plan: a new leader believes nothing that was learned for goals that were taken back before (R17)") {
  MoverFixture f;
  f.add("n4");
  f.grant_all();
  f.set_goals();
  const TableVersion before = f.ring.version();
  f.cancel();
  f.set_goals();
  f.mover.begin();
  f.learn(before);  // it was on its way
  CHECK_FALSE(f.step().intention);
  f.learn(before);
  CHECK_FALSE(f.step().intention);
  f.learn();
  CHECK(f.step().intention);
}

TEST_CASE("Mover.plan: when goals were to be taken back and it came to nothing, what is learned for them counts on") {
  MoverFixture f;
  const MemberId added = f.add("n4");
  f.grant_all();
  f.set_goals();
  f.leases.set_aside(added, f.now + 1);
  REQUIRE(f.mover.plan(f.ring, f.leases, f.now).goals);  // is lost
  f.now += 1;
  CHECK_FALSE(f.step().intention);
  f.learn();
  CHECK(f.step().intention);
}

TEST_CASE("Mover.plan: a removed node gives all its slots away and is idle then") {
  MoverFixture f(4);
  REQUIRE(f.wish(ReshardVerb::remove, "n2"));
  REQUIRE(f.ring.newest("n2")->listed.state == protocol::MemberState::leaving);
  f.run();
  REQUIRE(f.slots_of(2) == 0);
  REQUIRE(f.ring.newest("n2")->listed.state == protocol::MemberState::joining);
  REQUIRE_FALSE(f.wish(ReshardVerb::remove, "n2"));
  REQUIRE(f.wish(ReshardVerb::add, "n2"));
}

TEST_CASE("Mover.plan: a planned change that stays open is taken back, and tried again with more time (R14)") {
  MoverFixture f;
  f.add("n4");
  f.grant_all();
  f.wish(ReshardVerb::add, "n4");
  f.step();
  f.step();
  f.learn();
  REQUIRE(f.step().intention.has_value());
  f.step();
  f.now += Mover::kPatience;
  f.grant_all();
  const Mover::Plan back = f.step();
  REQUIRE(back.withdraws);
  for (const IntendedRun& run : back.intention->runs) REQUIRE(run.chain == f.ring.range_of(run.first).chain);
  f.pass_barriers();
  f.run();
  REQUIRE(f.ring.slots_left() == 0);
}

TEST_CASE("Mover.plan: slots that stand still in the midst of a change hold up the moves of no others") {
  MoverFixture f(4, 2);
  f.activate(f.intend({{0, 99, {1, 2}}, {100, kSlotCount - 1, {3}}}));
  f.intend({{0, 99, {1}}});
  f.let_leases_end();
  REQUIRE(f.wish(ReshardVerb::remove, "n1"));
  REQUIRE(f.wish(ReshardVerb::remove, "n2"));
  std::optional<IntentionEntry> move;
  for (int round = 0; round < 10 && !move; ++round) {
    f.grant({3, 4});
    move = f.step().intention;
    f.learn();
    f.now += Mover::kReadyWait;
  }
  REQUIRE(move);
  CHECK(move->runs.front().first == 100);
  CHECK(move->runs.front().chain.size() == 2);
}

TEST_CASE("Mover.plan: slots that stand still for good leave no others short of copies (R18)") {
  RepairFixture f(5, 2);
  const uint32_t only_theirs = f.copies({1, 2})[2];
  REQUIRE(only_theirs > 0);
  f.let_leases_end();
  f.pass(RepairFixture::kRepair / 2, {3, 4, 5});
  REQUIRE(f.copies({3, 4, 5})[1] > 0);
  f.pass(RepairFixture::kRepair + 20 * kMicrosPerSecond, {3, 4, 5});
  CHECK(f.copies({3, 4, 5}) == std::map<size_t, uint32_t>{{0, only_theirs}, {2, kSlotCount - only_theirs}});
  CHECK(f.copies({1, 2})[2] == only_theirs);
  CHECK(f.ring.slots_left() == only_theirs);
  CHECK(f.mover.progress().trouble == "waiting for node n1, node n2");

  // One of the two was only cut off: it serves what it alone has, others get copies of that, and it has its place.
  f.pass(30 * kMicrosPerSecond, {1, 3, 4, 5});
  CHECK(f.copies({1, 3, 4, 5}) == std::map<size_t, uint32_t>{{2, kSlotCount}});
  CHECK(f.ring.slots_left() == 0);
  CHECK(f.slots_of(1) > 0);
  CHECK(f.ring.member(2)->gone());  // nobody needs it any more
}

TEST_CASE("RingState.check: who is struck from the target can be removed, and needs not be added") {
  MoverFixture f(2);
  f.set_state(1, protocol::MemberState::absent);
  f.ring.apply(MemberStatesEntry{{}, {1}});
  REQUIRE(f.ring.member(1)->struck);
  REQUIRE_FALSE(f.wish(ReshardVerb::add, "n1"));
  REQUIRE_FALSE(f.wish(ReshardVerb::remove, "n2"));  // it is the last
  REQUIRE(f.wish(ReshardVerb::remove, "n1"));
  f.set_state(1, protocol::MemberState::up);
  for (const ring::Candidate& candidate : placed_candidates(f.ring)) REQUIRE(candidate.id == 2);
  REQUIRE(f.wish(ReshardVerb::add, "n1"));
  f.ring.apply(MemberStatesEntry{{}, {1}});
  REQUIRE_FALSE(f.ring.member(1)->struck);  // it is there
}

TEST_CASE("Mover.plan: CANCEL takes back the adding of a node that came when the change had begun") {
  MoverFixture f;
  REQUIRE(f.wish(ReshardVerb::weight, "n1", 200));
  f.step();
  f.add("n4");
  f.grant_all();
  REQUIRE(f.wish(ReshardVerb::add, "n4"));
  REQUIRE(f.ring.change().text == "weight n1 200, add n4");
  REQUIRE(f.wish(ReshardVerb::cancel));
  REQUIRE_FALSE(f.ring.newest("n4")->placed);
  REQUIRE(f.ring.newest("n1")->listed.weight == 100);
  f.run();
  REQUIRE(f.slots_of(4) == 0);
}

TEST_CASE("RingState.apply: a change that does not end keeps the latest of its wishes in words") {
  MoverFixture f;
  REQUIRE(f.wish(ReshardVerb::pause));
  for (uint32_t i = 0; i < 1000; ++i) REQUIRE(f.wish(ReshardVerb::weight, "n1", 101 + i % 100));
  const std::string& text = f.ring.change().text;
  REQUIRE(text.size() <= kChangeTextBytesMax);
  REQUIRE(text.size() > kChangeTextBytesMax - 100);
  REQUIRE(text.starts_with("..., weight n1 "));
  REQUIRE(text.ends_with(", weight n1 199, weight n1 200"));
  REQUIRE(f.wish(ReshardVerb::cancel));
  REQUIRE(f.ring.newest("n1")->listed.weight == 100);
}

TEST_CASE("Mover.plan: nothing begins while moves are paused, and CANCEL takes everything back") {
  MoverFixture f;
  f.add("n4");
  f.grant_all();
  f.wish(ReshardVerb::add, "n4");
  f.step();
  REQUIRE(f.wish(ReshardVerb::pause));
  REQUIRE(MoverFixture::idle(f.step()));
  REQUIRE(f.wish(ReshardVerb::resume));
  REQUIRE(f.step().goals.has_value());
  f.learn();
  f.step();
  f.pass_barriers();
  REQUIRE(f.slots_of(4) > 0);
  REQUIRE(f.wish(ReshardVerb::cancel));
  REQUIRE_FALSE(f.wish(ReshardVerb::cancel));
  f.run();
  REQUIRE(f.slots_of(4) == 0);
  REQUIRE_FALSE(f.ring.newest("n4")->placed);
  REQUIRE(f.ring.change().text.empty());
}

TEST_CASE("Mover.plan: a goal that names somebody who lapsed is given up, and says for whom it waits") {
  MoverFixture f;
  f.add("n4");
  f.grant_all();
  f.wish(ReshardVerb::add, "n4");
  f.step();
  f.step();
  f.now += RingFixture::kLease + RingFixture::kMargin;
  f.grant({1, 2, 3});
  const Mover::Plan plan = f.step();
  REQUIRE(plan.goals.has_value());
  for (const IntendedRun& run : plan.goals->runs) REQUIRE(run.chain.empty());
  f.step();
  REQUIRE(f.mover.progress().trouble == "waiting for node n4");
}

TEST_CASE("Mover.plan: says for whom slots wait that stand still in the midst of a change") {
  MoverFixture f(2, 2);
  f.activate(f.intend({{0, 9, {2}}}));
  f.intend({{0, 9, {2, 1}}});
  f.let_leases_end();
  f.grant({1});
  f.step();
  REQUIRE(f.ring.slots_left() == 10);
  REQUIRE(f.mover.progress().trouble == "waiting for node n2");
}

TEST_CASE("RingState: a node that comes back has its place and its weight again, one that was removed has not") {
  MoverFixture f(4);
  REQUIRE(f.wish(ReshardVerb::weight, "n2", 300));
  f.run();
  f.set_state(2, protocol::MemberState::gone);
  const MemberId again = f.add("n2");
  REQUIRE(f.ring.member(again)->placed);
  REQUIRE(f.ring.member(again)->listed.weight == 300);
  f.wish(ReshardVerb::remove, "n3");
  f.set_state(3, protocol::MemberState::gone);
  REQUIRE_FALSE(f.ring.member(f.add("n3"))->placed);
}

TEST_CASE("RingState: who ends alone with a slot is moved away from, elsewhere its place is kept") {
  MoverFixture f(3, 2);
  const uint64_t wishes = f.ring.wishes();
  f.set_state(1, protocol::MemberState::leaving);
  REQUIRE(f.ring.wishes() == wishes);
  f.set_state(2, protocol::MemberState::leaving);  // now some chains have nobody else
  REQUIRE(f.ring.wishes() > wishes);
  for (const ring::Candidate& candidate : placed_candidates(f.ring)) REQUIRE(candidate.id == 3);
}

}  // namespace chainring::coordinator
