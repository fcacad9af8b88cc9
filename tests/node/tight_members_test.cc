// Who is near its memory limit says so with its acknowledgements, and all before it in its chains hear of it (R11).
#include "node/tight_members.h"
#include "tests/node/chain_world.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::node::testing {
namespace {

constexpr Slot kSlot = 5;

// Three members in one chain, of which some are near their limit.
struct MemoryWorld : ChainWorld {
  MemoryWorld() : ChainWorld(3) { found({1, 2, 3}); }
  void set_near_limit(MemberId id, bool near_limit) {
    member(id).chains.set_near_limit(near_limit);
    pump(id);
  }
  void say_near_limit(MemberId id, bool near_limit) {
    set_near_limit(id, near_limit);
    deliver_all();
  }
  bool tight_behind(MemberId id, Slot slot = kSlot) { return member(id).chains.tight_behind(slot); }
  // Everybody promises the next chain, then takes it up, `late` last of all.
  void change_chain(std::vector<MemberId> next, MemberId late) {
    const protocol::TableRange before = range();
    publish(before.epoch, before.chain, before.epoch + 1, next);
    show_all();
    deliver_all();
    publish(before.epoch + 1, std::move(next));
    for (MemberId id = 1; id <= size(); ++id) {
      if (id != late) show(id);
    }
    deliver_all();
    show(late);
    deliver_all();
  }
};

}  // namespace

TEST_CASE("TightMembers: the newest word of each member counts, in the epoch of which it was said (R11)") {
  TightMembers members;
  members.heard(kSlot, 2, 7, true);
  CHECK(members.any(kSlot, 7));
  CHECK_FALSE(members.any(kSlot, 6));
  CHECK_FALSE(members.any(kSlot, 8));
  CHECK_FALSE(members.any(kSlot + 1, 7));
  members.heard(kSlot, 2, 6, false);  // comes late
  CHECK(members.any(kSlot, 7));
  members.heard(kSlot, 3, 7, true);
  members.heard(kSlot, 2, 7, false);
  CHECK(members.any(kSlot, 7));
  members.heard(kSlot, 3, 8, false);
  CHECK_FALSE(members.any(kSlot, 7));
  CHECK(members.empty());
}

TEST_CASE("TightMembers: forgets a member, or what is not wanted of a slot") {
  TightMembers members;
  for (const MemberId member : {2u, 3u}) {
    for (const Slot slot : {Slot{4}, kSlot, Slot{6}}) members.heard(slot, member, 1, true);
  }
  members.retain(kSlot, [](MemberId member, Epoch) { return member == 3; });
  std::vector<Slot> lost;
  members.forget(3, [&](Slot slot) { lost.push_back(slot); });
  CHECK(lost == std::vector<Slot>{4, kSlot, 6});
  CHECK_FALSE(members.any(kSlot, 1));
  CHECK(members.any(4, 1));
  CHECK(members.any(6, 1));
}

TEST_CASE("Chains: of a tail near its memory limit all before it hear at once, and when it is not any more (R11)") {
  MemoryWorld world;
  world.say_near_limit(3, true);  // nothing is written
  for (const Slot slot : {Slot{0}, kSlot, Slot{kSlotCount - 1}}) {
    CHECK(world.tight_behind(1, slot));
    CHECK(world.tight_behind(2, slot));
    CHECK_FALSE(world.tight_behind(3, slot));
  }
  world.execute(1, kSlot, "del");
  world.deliver_all();
  CHECK(world.member(1).chains.committed(kSlot) == 1);
  CHECK(world.tight_behind(1));
  world.say_near_limit(2, true);
  world.say_near_limit(3, false);
  CHECK(world.tight_behind(1));  // for the middle
  CHECK_FALSE(world.tight_behind(2));
  world.say_near_limit(2, false);
  CHECK_FALSE(world.tight_behind(1));
}

TEST_CASE("Chains: what was said of memory is of its epoch, also before its hearer has taken that up (R11)") {
  MemoryWorld world;
  world.say_near_limit(3, true);
  world.change_chain({1, 2}, 1);
  CHECK_FALSE(world.tight_behind(1));
  CHECK_FALSE(world.tight_behind(2));
  world.say_near_limit(1, true);  // to nobody: it heads the chain
  CHECK_FALSE(world.tight_behind(2));
  world.change_chain({2, 1}, 2);
  CHECK(world.tight_behind(2));
  CHECK_FALSE(world.tight_behind(1));
  world.say_near_limit(1, false);
  CHECK_FALSE(world.tight_behind(2));
}

TEST_CASE("Chains: what was said of memory goes with the link, and is said again on the next (R11)") {
  MemoryWorld world;
  world.say_near_limit(3, true);
  world.set_near_limit(3, false);
  world.break_link(2, 3);  // with the word on it
  world.deliver_all();
  CHECK_FALSE(world.tight_behind(2));
  CHECK_FALSE(world.tight_behind(1));
  world.set_near_limit(3, true);
  world.break_link(2, 3);
  world.deliver_all();
  CHECK(world.tight_behind(2));
  CHECK(world.tight_behind(1));
  world.break_link(1, 2);
  CHECK_FALSE(world.tight_behind(1));
  world.deliver_all();
  CHECK(world.tight_behind(1));
}

TEST_CASE("Chains: a learner near its memory limit counts like a member behind the tail while it learns (R11)") {
  ChainWorld world(3);
  world.found({1, 2});
  world.member(3).chains.set_near_limit(true);
  const auto learn = [&] {
    world.publish(1, {1, 2}, 0, {}, {1, 2, 3});
    world.show_all();
    const auto learns = [&] { return world.member(3).chains.view(kSlot).learning; };
    for (int round = 0; round < 200 && (world.pending() || !world.member(1).chains.tight_behind(kSlot)); ++round) {
      REQUIRE(learns());
      world.member(3).chains.ask_for_copies();
      for (MemberId id = 1; id <= 3; ++id) world.pump(id);
      world.deliver_all();
    }
  };
  learn();
  CHECK(world.member(1).chains.tight_behind(kSlot));
  world.member(3).chains.set_near_limit(false);
  world.pump(3);
  world.deliver_all();
  CHECK_FALSE(world.member(1).chains.tight_behind(kSlot));
  world.member(3).chains.set_near_limit(true);
  world.pump(3);
  world.deliver_all();
  CHECK(world.member(1).chains.tight_behind(kSlot));
  world.publish(1, {1, 2});  // it is not to learn any more
  world.show(1);
  world.show(2);
  world.deliver_all();
  CHECK_FALSE(world.member(1).chains.tight_behind(kSlot));
  world.member(3).chains.set_near_limit(false);
  world.member(3).chains.set_near_limit(true);
  world.pump(3);  // by the table that it has it is a learner
  world.deliver_all();
  CHECK_FALSE(world.member(1).chains.tight_behind(kSlot));
}

}  // namespace chainring::node::testing
