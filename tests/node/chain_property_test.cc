// Chains under random loss, link breaks and changes of chain, against one plain list of what was acknowledged.

#include "base/random.h"
#include "tests/node/chain_world.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::node;
using chainring::node::testing::ChainWorld;

namespace {

constexpr Slot kSlots = 3;

// A coordinator as simple as can be: drops one member at a time and plays the barrier as docs/conversations.md has it.
class Barrier {
 public:
  Barrier(ChainWorld& world, std::vector<MemberId> chain) : world_(world), chain_(std::move(chain)) {}

  void intend(std::vector<MemberId> next) {
    next_ = std::move(next);
    ++next_epoch_;
    world_.publish(epoch_, chain_, next_epoch_, next_);
  }
  [[nodiscard]] bool pending() const { return !next_.empty(); }
  [[nodiscard]] const std::vector<MemberId>& chain() const { return chain_; }

  // One step further if the statements allow it.
  void advance() {
    std::map<MemberId, std::vector<Sequence>> stated;
    for (const MemberId id : chain_) {
      if (!world_.member(id).alive) continue;
      const auto numbers = statement(id);
      if (numbers.empty()) return;
      stated[id] = numbers;
    }
    bool level = true;
    for (Slot slot = 0; slot < kSlots; ++slot) {
      MemberId donor = stated.begin()->first;
      for (const auto& [id, numbers] : stated) {
        if (numbers[slot] > stated[donor][slot]) donor = id;
      }
      for (const MemberId id : next_) {
        if (stated[id][slot] == stated[donor][slot]) continue;
        level = false;
        world_.member(donor).chains.on_level({next_epoch_, {{slot, id, stated[id][slot], stated[donor][slot]}}});
        world_.pump(donor);
      }
    }
    if (!level) return;
    epoch_ = next_epoch_;
    chain_ = std::exchange(next_, {});
    world_.publish(epoch_, chain_);
  }

 private:
  std::vector<Sequence> statement(MemberId id) {
    for (const protocol::Stopped& stopped : world_.member(id).chains.stopped()) {
      if (stopped.epoch == next_epoch_) return stopped.runs[0].applied;
    }
    return {};
  }
  ChainWorld& world_;
  std::vector<MemberId> chain_;
  std::vector<MemberId> next_;
  Epoch epoch_ = 1;
  Epoch next_epoch_ = 1;
};

void check_prefix(ChainWorld& world, const std::vector<MemberId>& chain, Slot slot) {
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    auto& before = world.member(chain[i]);
    auto& behind = world.member(chain[i + 1]);
    if (!before.alive || !behind.alive) continue;
    const auto one = before.chains.view(slot), other = behind.chains.view(slot);
    if (!one.active || !other.active || one.epoch != other.epoch) continue;
    REQUIRE(one.applied >= other.applied);
    REQUIRE(other.applied >= one.committed);
    const auto& longer = before.log.applied[slot];
    const auto& shorter = behind.log.applied[slot];
    REQUIRE(std::equal(shorter.begin(), shorter.end(), longer.begin()));
  }
}

void play(uint64_t seed) {
  INFO("seed " << seed);
  SeededRandom random(seed);
  const size_t size = 2 + random.below(3);
  ChainWorld world(size);
  std::vector<MemberId> chain;
  for (MemberId id = 1; id <= size; ++id) chain.push_back(id);
  world.found(chain);
  Barrier barrier(world, chain);
  std::map<Slot, std::vector<std::string>> acknowledged;
  int written = 0;

  for (int step = 0; step < 400; ++step) {
    const uint64_t choice = random.below(100);
    const std::vector<MemberId>& now = barrier.chain();
    if (choice < 30) {
      const MemberId head = now.front();
      const auto slot = static_cast<Slot>(random.below(kSlots));
      if (world.member(head).alive && world.member(head).chains.heads(slot, 0)) {
        world.execute(head, slot, concat("w", ++written), {random.below(4)});
      }
    } else if (choice < 80) {
      const auto busy = world.busy_links();
      if (!busy.empty()) world.deliver_one(busy[random.below(busy.size())]);
    } else if (choice < 85) {
      const auto a = static_cast<MemberId>(1 + random.below(size)), b = static_cast<MemberId>(1 + random.below(size));
      if (a != b) world.break_link(a, b);
    } else if (choice < 88 && !barrier.pending() && now.size() > 1) {
      // A member dies, or is only dropped; or the order changes, or nothing does.
      std::vector<MemberId> next = now;
      const size_t index = random.below(next.size());
      if (random.percent(70)) {
        if (random.percent(70)) world.member(next[index]).alive = false;
        next.erase(next.begin() + static_cast<ptrdiff_t>(index));
      } else {
        std::swap(next[0], next[index]);
      }
      barrier.intend(next);
    } else if (choice < 96) {
      world.show(static_cast<MemberId>(1 + random.below(size)));
    } else if (barrier.pending()) {
      barrier.advance();
    }
    for (Slot slot = 0; slot < kSlots; ++slot) {
      check_prefix(world, barrier.chain(), slot);
      // What the head was told is committed has been acknowledged to somebody: it may never be missing again.
      for (const MemberId id : now) {
        auto& member = world.member(id);
        const Sequence committed = member.chains.committed(slot);
        auto& known = acknowledged[slot];
        for (size_t i = known.size(); i < committed; ++i) known.push_back(member.log.applied[slot][i]);
      }
    }
  }
  // Faults stop: the change goes through, links come up, everything is delivered.
  for (int round = 0; round < 10; ++round) {
    world.show_all();
    for (MemberId a = 1; a <= size; ++a) {
      for (MemberId b = 1; b <= size; ++b) {
        if (a != b) world.break_link(a, b);
        world.deliver_all();
      }
    }
    if (barrier.pending()) barrier.advance();
  }
  REQUIRE_FALSE(barrier.pending());
  for (const MemberId id : barrier.chain()) {
    for (Slot slot = 0; slot < kSlots; ++slot) {
      auto& member = world.member(id);
      REQUIRE(member.alive);
      REQUIRE(member.chains.committed(slot) == member.chains.applied(slot));
      const auto& log = member.log.applied[slot];
      const auto& known = acknowledged[slot];
      REQUIRE(log.size() >= known.size());
      REQUIRE(std::equal(known.begin(), known.end(), log.begin()));
      REQUIRE(log == world.member(barrier.chain().front()).log.applied[slot]);
    }
    REQUIRE(world.member(id).chains.uncommitted_bytes() == 0);
  }
}

}  // namespace

TEST_CASE("Chains: under loss, breaks and changes nothing acknowledged is lost and all members agree") {
  for (uint64_t seed = 1; seed <= 300; ++seed) play(seed);
}
