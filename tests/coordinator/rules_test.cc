// Placement rules in the replicated state, and when the leader ends a change of them (R23).

#include "coordinator/rules_check.h"
#include "coordinator/state.h"
#include "tests/coordinator/ring_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

const RulesEntry kAdd{RulesVerb::add, "bull:(*):**"};
const RulesEntry kRemove{RulesVerb::remove, "bull:(*):**"};

bool contains_text(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// A ring of three whose members all hold leases.
struct Fixture : RingFixture {
  explicit Fixture(bool placed = true) : RingFixture(3) {
    if (placed) place({1, 2, 3});
    grant({1, 2, 3});
  }
  // The member says that these slots, which it heads, are free of unsettled keys.
  void clean(MemberId member, std::vector<protocol::LearnedRun> runs) {
    check.stated({member, ring.rules_change().since, false, "", std::move(runs)});
  }
  void all_clean() {
    clean(1, {{0, kSlotCount - 1, ring.ranges()[0].epoch}});
    clean(2, {});
    clean(3, {});
  }
  std::optional<RulesOutcomeEntry> judge() { return check.judge(ring, leases, now); }

  RulesCheck check;
};

TEST_CASE("RingState: rules are taken at once while there are no chains") {
  Fixture f(false);
  f.ring.apply(kAdd);
  CHECK(f.ring.rules() == std::vector<std::string>{"bull:(*):**"});
  CHECK(f.ring.rules_change().since == 0);
  f.ring.apply(kRemove);
  CHECK(f.ring.rules().empty());
}

TEST_CASE("RingState: a change of the rules waits for its outcome, and members owe it their obedience (R4)") {
  Fixture f;
  f.ring.apply(kAdd);
  const TableVersion change = f.ring.rules_change().since;
  CHECK(change == f.ring.version());
  CHECK(f.ring.rules().empty());
  CHECK(f.ring.table().rules_change == change);
  CHECK(f.ring.table().next_rules == std::vector<std::string>{"bull:(*):**"});
  for (const MemberId member : {1, 2, 3}) CHECK(f.ring.member(member)->must_obey == change);

  CHECK(f.ring.check(kAdd).ok());  // sent again
  CHECK(contains_text(f.ring.check({RulesVerb::add, "(*)"}).message(), "another change of the rules is under way"));
  f.ring.apply(RulesOutcomeEntry{change + 1, f.ring.ranges_version(), ""});
  f.ring.apply(RulesOutcomeEntry{change, f.ring.ranges_version() - 1, ""});
  CHECK(f.ring.rules_change().since == change);
  f.ring.apply(RulesOutcomeEntry{change, f.ring.ranges_version(), ""});
  CHECK(f.ring.rules_change().since == 0);
  CHECK(f.ring.rules() == std::vector<std::string>{"bull:(*):**"});
  CHECK(f.ring.table().rules == f.ring.rules());

  f.ring.apply(kRemove);
  f.ring.apply(RulesOutcomeEntry{f.ring.rules_change().since, 0, "there are keys"});
  CHECK(f.ring.rules_change().since == 0);
  CHECK(f.ring.rules().size() == 1);
}

TEST_CASE("RingState.check: what is wrong with a rule is said") {
  Fixture f;
  CHECK(contains_text(f.ring.check({RulesVerb::add, "bull:*"}).message(), "needs one part in parentheses"));
  CHECK(f.ring.check({RulesVerb::remove, "never added"}).ok());
}

TEST_CASE("RulesCheck.judge: new rules come into force when every head has looked and every member knows") {
  Fixture f;
  CHECK_FALSE(f.judge().has_value());
  f.ring.apply(kAdd);
  CHECK_FALSE(f.judge().has_value());
  const Epoch epoch = f.ring.ranges()[0].epoch;

  SECTION("all have") {
    f.all_clean();
    const auto outcome = f.judge();
    REQUIRE(outcome.has_value());
    CHECK(outcome->refusal.empty());
    f.ring.apply(*outcome);
    CHECK(f.ring.rules().size() == 1);
    CHECK_FALSE(f.judge().has_value());
  }
  SECTION("a slot is missing") {
    f.all_clean();
    f.clean(1, {{0, 99, epoch}, {101, kSlotCount - 1, epoch}});
    CHECK_FALSE(f.judge().has_value());
  }
  SECTION("a head speaks of an epoch that is not in force") {
    f.all_clean();
    f.clean(1, {{0, kSlotCount - 1, epoch + 1}});
    CHECK_FALSE(f.judge().has_value());
  }
  SECTION("somebody who reads for clients has not heard of it") {
    f.clean(1, {{0, kSlotCount - 1, epoch}});
    f.clean(2, {});
    CHECK_FALSE(f.judge().has_value());
    f.let_leases_end();
    f.grant({1, 2});
    CHECK(f.judge().has_value());  // it cannot read for anybody any more
  }
  SECTION("what was said of another change does not count") {
    f.all_clean();
    f.ring.apply(RulesOutcomeEntry{f.ring.rules_change().since, 0, "in vain"});
    f.ring.apply(kAdd);
    CHECK_FALSE(f.judge().has_value());
  }
  SECTION("a slot is between two epochs") {
    f.all_clean();
    f.intend({{0, 9, {1, 2}}});
    CHECK_FALSE(f.judge().has_value());
  }
}

TEST_CASE("RulesCheck.judge: a key that would be moved ends the change, and is named") {
  Fixture f;
  f.ring.apply(kAdd);
  f.all_clean();
  f.check.stated({2, f.ring.rules_change().since, true, "bull:q\n:1", {}});
  const auto outcome = f.judge();
  REQUIRE(outcome.has_value());
  CHECK(contains_text(outcome->refusal, "elsewhere, as 'bull:q?:1'"));
  f.ring.apply(*outcome);
  CHECK(f.ring.rules_change().since == 0);
  CHECK(f.ring.rules().empty());
}

TEST_CASE("RulesCheck.judge: a change that cannot be judged is given up") {
  Fixture f;
  f.ring.apply(kAdd);
  CHECK_FALSE(f.judge().has_value());
  CHECK(f.check.next_check() == f.now + RulesCheck::kPatience);
  f.now += RulesCheck::kPatience;
  const auto outcome = f.judge();
  REQUIRE(outcome.has_value());
  CHECK(contains_text(outcome->refusal, "not served"));
}

TEST_CASE("RulesCheck.judge: a change is given up at once when the copies of some slots are all lost") {
  Fixture f;
  f.activate(f.intend({{0, 9, {2}}}));
  f.ring.apply(kAdd);
  f.let_leases_end();
  f.grant({1, 3});
  CHECK_FALSE(f.judge().has_value());  // it may come back with what it holds
  f.add("n2");
  f.set_state(2, protocol::MemberState::gone);
  const auto outcome = f.judge();
  REQUIRE(outcome.has_value());
  CHECK(contains_text(outcome->refusal, "serve-empty"));
}

TEST_CASE("State.apply: a wish for a rule is answered at once when there is nothing to change, or when it cannot be") {
  State state;
  uint64_t index = 0;
  const auto apply = [&](const auto& entry) {
    Result<Applied> applied = state.apply(++index, encode_entry(entry));
    REQUIRE(applied.ok());
    return *std::move(applied);
  };
  apply(found_entry());
  CHECK(apply(kAdd).wish->reply.resp == ":1\r\n");
  CHECK(apply(kAdd).wish->reply.resp == ":0\r\n");
  CHECK(apply(RulesEntry{RulesVerb::add, "x"}).wish->reply.resp.starts_with("-ERR the rule 'x' needs"));
  apply(register_entry("n1", 101));
  apply(IntentionEntry{{{0, kSlotCount - 1, {1}}}, true, 0});
  CHECK(apply(kRemove).wish->reply.resp.empty());  // the answer comes with the outcome
  State restored;
  REQUIRE(restored.restore(state.snapshot()).ok());
  CHECK(restored.ring().rules() == state.ring().rules());
  CHECK(restored.ring().rules_change().since == state.ring().rules_change().since);
  CHECK(apply(RulesOutcomeEntry{state.ring().rules_change().since, 0, "in vain"}).rules_outcome.has_value());
  CHECK(state.ring().rules().size() == 1);
}

}  // namespace
}  // namespace chainring::coordinator
