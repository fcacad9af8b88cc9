// How a member learns a slot while the chain serves, and comes into it (R16, R17).
#include "tests/node/chain_world.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::node::testing {
namespace {

using Lines = std::vector<std::string>;

// Members 1 and 2 serve; 3 is to come in behind them.
struct LearnWorld : ChainWorld {
  LearnWorld() : ChainWorld(3) { found({1, 2}); }
  void set_goal() {
    publish(1, {1, 2}, 0, {}, {1, 2, 3});
    show_all();
  }
  bool learned(Epoch epoch) {
    const protocol::Learned statement = member(3).chains.learned();
    return std::any_of(statement.runs.begin(), statement.runs.end(), [&](const protocol::LearnedRun& run) {
      return run.epoch == epoch && run.first == 0 && run.last == kSlotCount - 1;
    });
  }
  // The links carry what they have, and learners ask again, as they do every heartbeat.
  void settle() {
    for (int round = 0; round < 200 && (pending() || !learned(range().epoch)); ++round) {
      member(3).chains.ask_for_copies();
      for (MemberId id = 1; id <= 3; ++id) pump(id);
      deliver_all();
    }
  }
  void take_in(Epoch next) {
    publish(range().epoch, {1, 2}, next, {1, 2, 3}, {1, 2, 3});
    show_all();
    deliver_all();
    publish(next, {1, 2, 3});
    show_all();
    deliver_all();
  }
};

}  // namespace

TEST_CASE("Chains.learned: a learner gets what was there, follows, and goes on as the tail") {
  LearnWorld world;
  world.execute(1, 5, "a");
  world.execute(1, 5, "b", {7}, 77, 1);
  world.deliver_all();
  world.set_goal();
  world.settle();
  REQUIRE(world.learned(1));
  CHECK(world.member(3).log.applied[5] == Lines{"a", "b"});
  CHECK(world.member(3).chains.find_answer(5, 77, 1, SenderLog::Sent::again).verdict == SenderLog::Verdict::known);

  world.execute(1, 5, "c");
  world.deliver_all();
  CHECK(world.member(3).chains.applied(5) == 3);
  CHECK(world.member(1).chains.committed(5) == 3);  // a learner keeps nobody waiting

  world.take_in(2);
  world.execute(1, 5, "d");
  CHECK(world.member(1).chains.committed(5) == 3);
  world.deliver_all();
  CHECK(world.member(1).chains.committed(5) == 4);
  CHECK(world.member(3).log.applied[5] == Lines{"a", "b", "c", "d"});
  CHECK(world.member(3).chains.view(5).active);
}

TEST_CASE("Chains.learned: nothing is sent to who has not asked, and nothing is said before the end") {
  LearnWorld world;
  world.execute(1, 5, "a");
  world.deliver_all();
  world.publish(1, {1, 2}, 0, {}, {1, 2, 3});
  world.show(1);
  world.show(2);  // the source knows; the learner does not
  world.deliver_all();
  CHECK(world.member(3).log.applied.empty());
  CHECK_FALSE(world.learned(1));
  world.show(3);
  world.settle();
  CHECK(world.learned(1));
  CHECK(world.member(3).log.applied[5] == Lines{"a"});
}

TEST_CASE("Chains.learned: a link that broke on the way begins the slots again") {
  LearnWorld world;
  for (int i = 0; i < 50; ++i) world.execute(1, 5, concat("r", i));
  world.deliver_all();
  world.set_goal();
  world.settle();
  world.execute(1, 5, "late");
  world.deliver_one({1, 2});
  world.break_link(2, 3);  // with the record on it
  world.settle();
  CHECK(world.member(3).chains.applied(5) == 51);
  CHECK(world.member(3).log.applied[5].back() == "late");
  CHECK(world.member(3).log.applied[5].size() == 51);
}

TEST_CASE("Chains.learned: a member that forgot what it learned is sent all anew, by whatever tables it missed") {
  LearnWorld world;
  world.execute(1, 5, "a");
  world.deliver_all();
  world.set_goal();
  world.settle();
  world.publish(1, {1, 2});
  world.show(3);  // the source misses this one
  CHECK(world.member(3).log.applied.empty());
  world.set_goal();
  world.settle();
  CHECK(world.learned(1));
  CHECK(world.member(3).log.applied[5] == Lines{"a"});
}

TEST_CASE("Chains.stopped: who has not learned a slot states no number of it") {
  LearnWorld world;
  world.execute(1, 5, "a");
  world.deliver_all();
  world.publish(1, {1, 2}, 0, {}, {1, 2, 3});
  world.show_all();
  world.clear_links();
  world.publish(1, {1, 2}, 2, {1, 2, 3}, {1, 2, 3});
  world.show_all();
  CHECK(world.member(3).chains.stopped().empty());
  CHECK_FALSE(world.member(1).chains.stopped().empty());
}

TEST_CASE("Chains.note_answer: what changed nothing is told with the sender's next record (R20)") {
  ChainWorld world(2);
  world.found({1, 2});
  world.member(1).chains.note_answer(5, 77, 1, 1, 0, "$-1\r\n");
  world.execute(1, 5, "a", {7}, 78, 1);  // somebody else's
  world.deliver_all();
  CHECK(world.member(2).chains.find_answer(5, 77, 1, SenderLog::Sent::again).verdict == SenderLog::Verdict::fresh);
  world.execute(1, 5, "b", {7}, 77, 2, 1);
  world.deliver_all();
  for (const MemberId id : {1u, 2u}) {
    const SenderLog::Found found = world.member(id).chains.find_answer(5, 77, 1, SenderLog::Sent::again);
    REQUIRE(found.verdict == SenderLog::Verdict::known);
    CHECK(found.answer->reply == "$-1\r\n");
  }
}

TEST_CASE("Chains.learned: a learner knows that the slot has forgotten senders (R20)") {
  LearnWorld world;
  for (uint64_t i = 0; i <= SenderLog::kSendersMax; ++i) world.execute(1, 5, "x", {7}, 77 + i, 1);
  world.deliver_all();
  world.set_goal();
  world.settle();
  REQUIRE(world.learned(1));
  const Chains& learner = world.member(3).chains;
  CHECK(learner.find_answer(5, 77, 1, SenderLog::Sent::again).verdict == SenderLog::Verdict::expired);
  CHECK(learner.find_answer(5, 78, 1, SenderLog::Sent::again).verdict == SenderLog::Verdict::known);
  CHECK(learner.find_answer(6, 77, 1, SenderLog::Sent::again).verdict == SenderLog::Verdict::fresh);
  CHECK(learner.remembered_bytes() == world.member(1).chains.remembered_bytes());
}

TEST_CASE("Chains.learned: a learner drops senders when they have been silent for long, before the copy too (R20)") {
  LearnWorld world;
  for (uint64_t i = 0; i <= SenderLog::kSendersMax; ++i) {
    world.execute(1, 5, "x", {7}, 77 + i, 1);
    world.pass(1);
  }
  world.deliver_all();
  world.pass(SenderLog::kSenderSilence / 2);
  world.execute(1, 5, "x", {7}, 80, 2, 2);
  world.deliver_all();
  world.set_goal();
  world.settle();
  REQUIRE(world.learned(1));
  const auto verdict = [&](MemberId member, Incarnation sender, uint64_t number) {
    return world.member(member).chains.find_answer(5, sender, number, SenderLog::Sent::again).verdict;
  };
  world.pass(SenderLog::kSenderSilence / 2 - SenderLog::kSendersMax - 1);
  CHECK(verdict(3, 77, 1) == SenderLog::Verdict::expired);
  CHECK(verdict(3, 78, 1) == SenderLog::Verdict::known);
  world.pass(SenderLog::kSendersMax + 1);
  CHECK(verdict(3, 77, 1) == SenderLog::Verdict::fresh);
  CHECK(verdict(3, 78, 1) == SenderLog::Verdict::fresh);
  CHECK(verdict(3, 80, 2) == SenderLog::Verdict::known);
  world.pass(SenderLog::kSenderSilence / 2);
  CHECK(verdict(3, 80, 2) == SenderLog::Verdict::fresh);
}

TEST_CASE("Chains.on_level: the source gives a learner what it had not acknowledged when all stopped") {
  LearnWorld world;
  world.execute(1, 5, "a");
  world.deliver_all();
  world.set_goal();
  world.settle();
  world.execute(1, 5, "b");
  world.deliver_one({1, 2});
  world.publish(1, {1, 2}, 2, {1, 2, 3}, {1, 2, 3});
  world.show(3);  // stops before the record comes
  world.show(1);
  world.show(2);
  world.deliver_all();
  REQUIRE(world.member(3).chains.applied(5) == 1);
  world.member(2).chains.on_level({2, {{5, 3, 1, 2}}});
  world.pump(2);
  world.deliver_all();
  CHECK(world.member(3).chains.applied(5) == 2);
  CHECK(world.member(3).log.applied[5] == Lines{"a", "b"});
}

}  // namespace chainring::node::testing
