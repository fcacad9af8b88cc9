#include "coordinator/lock_order.h"

#include <algorithm>
#include <vector>

#include "base/random.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using Claim = LockOrder::Claim;

Claim read(uint64_t key) { return {1, 0, {key}, false, false}; }
Claim write(uint64_t key) { return {1, 0, {key}, false, true}; }
const Claim kReadAll = {1, 0, {}, true, false};

TEST_CASE("LockOrder.is_free: on one key of one origin, unless both only read") {
  LockOrder order;
  order.add(1, read(10));
  REQUIRE(order.is_free(read(10)));
  REQUIRE(order.is_free(kReadAll));
  REQUIRE(order.is_free(write(11)));
  REQUIRE_FALSE(order.is_free(write(10)));
  Claim elsewhere = write(10);
  elsewhere.link = 2;
  REQUIRE(order.is_free(elsewhere));
  elsewhere = write(10);
  elsewhere.client = 1;
  REQUIRE(order.is_free(elsewhere));
  order.add(2, write(10));
  REQUIRE_FALSE(order.is_free(read(10)));
  REQUIRE_FALSE(order.is_free(kReadAll));
  order.add(3, kReadAll);
  REQUIRE_FALSE(order.is_free(write(11)));
  REQUIRE(order.is_free(read(11)));
}

TEST_CASE("LockOrder.remove: who waited is freed when the last one that it waited for is gone") {
  LockOrder order;
  std::set<uint64_t> freed;
  order.add(1, write(10));
  order.add(2, read(11));
  order.add(3, {1, 0, {10, 11}, false, true});
  order.add(4, read(10));
  order.remove(1, freed);
  REQUIRE(freed.empty());
  order.remove(2, freed);
  REQUIRE(freed == std::set<uint64_t>{3});
  order.remove(3, freed);
  REQUIRE(freed == std::set<uint64_t>{3, 4});
  order.remove(4, freed);
  REQUIRE(order.empty());
}

// The rule itself: two of one origin wait for each other when they meet, and one of them writes.
bool meet(const Claim& a, const Claim& b) {
  if (a.link != b.link || a.client != b.client || !(a.writes || b.writes)) return false;
  return a.all_keys || b.all_keys ||
         std::find_first_of(a.keys.begin(), a.keys.end(), b.keys.begin(), b.keys.end()) != a.keys.end();
}

TEST_CASE("LockOrder: each is freed once, at the moment at which nothing before it is left to wait for") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 40));
  CAPTURE(seed);
  SeededRandom random(seed);
  LockOrder order;
  std::map<uint64_t, Claim> present;
  std::set<uint64_t> in_turn;
  const auto has_to_wait = [&](uint64_t id, const Claim& claim) {
    return std::any_of(present.begin(), present.end(),
                       [&](const auto& other) { return other.first < id && meet(other.second, claim); });
  };
  for (uint64_t id = 1; id <= 500; ++id) {
    Claim claim{random.below(2), random.below(2), {}, random.percent(10), false};
    if (!claim.all_keys) {
      claim.writes = random.percent(50);
      for (uint64_t keys = 1 + random.below(3); keys > 0; --keys) claim.keys.push_back(1 + random.below(4));
    }
    REQUIRE(order.is_free(claim) == !has_to_wait(id, claim));
    if (order.is_free(claim)) in_turn.insert(id);
    order.add(id, claim);
    present.emplace(id, claim);
    while (random.percent(48) && !present.empty()) {
      // Mostly one whose turn it is; now and then one that is given up.
      const std::map<uint64_t, Claim>::iterator at =
          random.percent(80)
              ? present.find(*std::next(in_turn.begin(), static_cast<ptrdiff_t>(random.below(in_turn.size()))))
              : std::next(present.begin(), static_cast<ptrdiff_t>(random.below(present.size())));
      const uint64_t gone = at->first;
      present.erase(at);
      in_turn.erase(gone);
      std::set<uint64_t> freed;
      order.remove(gone, freed);
      std::set<uint64_t> expected;
      for (const auto& [other, its_claim] : present) {
        if (!in_turn.contains(other) && !has_to_wait(other, its_claim)) expected.insert(other);
      }
      REQUIRE(freed == expected);
      in_turn.insert(freed.begin(), freed.end());
    }
  }
}

}  // namespace
}  // namespace chainring::coordinator
