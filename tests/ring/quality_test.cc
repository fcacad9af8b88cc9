// The promises of placement over random histories, on a scale that a test can afford; ./dev bench ring prints more.
#include <vector>

#include "base/random.h"
#include "bench/ring/history.h"
#include "bench/ring/measures.h"
#include "ring/placement.h"
#include "tests/ring/members.h"

#include <catch2/catch.hpp>

namespace chainring::ring {
namespace {

constexpr uint32_t kChanges = 40;
constexpr double kMostOverLeast = 1.05;
constexpr uint32_t kMostRanges = 2000;

// Loads are right after each change, and what is copied over the whole history is within 5 % of the least.
void require_quality(HistoryShape shape, uint32_t copies, uint64_t seed) {
  CAPTURE(shape.members, shape.weighted, shape.in_domains, copies, seed);
  SeededRandom random(seed);
  History history(shape, random);
  std::vector<Chain> table = target_table(history.members(), copies, {});
  double made = 0;
  double least = 0;
  for (uint32_t change = 0; change < kChanges; ++change) {
    history.change();
    std::vector<Chain> next = target_table(history.members(), copies, table);
    CAPTURE(change);
    REQUIRE(measure_loads(history.members(), copies, next).out_of_bounds == 0);
    const uint32_t made_now = copies_made(table, next);
    const uint32_t least_now = least_copies(history.members(), copies, table);
    REQUIRE(made_now >= least_now);
    made += made_now;
    least += least_now;
    table = std::move(next);
  }
  REQUIRE(made <= kMostOverLeast * least);
  REQUIRE(range_count(table) <= kMostRanges);
}

void require_quality(bool weighted, bool in_domains) {
  uint64_t seed = 1;
  for (const uint32_t members : {3u, 10u, 30u}) {
    for (const uint32_t copies : {1u, 3u, 5u}) {
      require_quality({.members = members, .weighted = weighted, .in_domains = in_domains}, copies, seed++);
    }
  }
}

TEST_CASE("target_table: within bounds and near the least moves, with equal weights") { require_quality(false, false); }

TEST_CASE("target_table: within bounds and near the least moves, with weights that change") {
  require_quality(true, false);
}

TEST_CASE("target_table: within bounds and near the least moves, with hosts and zones") { require_quality(true, true); }

TEST_CASE("target_table: a long history leaves about as many ranges as a new table has") {
  SeededRandom random(1);
  History history({.members = 10, .weighted = false, .in_domains = false}, random);
  std::vector<Chain> table = target_table(history.members(), 3, {});
  const uint32_t at_first = range_count(table);
  for (uint32_t change = 0; change < 200; ++change) {
    history.change();
    table = target_table(history.members(), 3, table);
  }
  REQUIRE(range_count(table) <= at_first * 3 / 2);
}

// What is measured, against numbers worked out by hand.

TEST_CASE("least_copies: what a new member lacks, what chains lack, what others have too much of") {
  const std::vector<Candidate> two = {member(1), member(2)};
  const std::vector<Candidate> three = {member(1), member(2), member(3)};
  std::vector<Chain> halves(kSlotCount, Chain{1});
  for (uint32_t slot = kSlotCount / 2; slot < kSlotCount; ++slot) halves[slot] = {2};
  REQUIRE(least_copies(two, 1, halves) == 0);
  // A third of the slots is 5461.33; 3 % off are 5297.5 and 5625.17.
  REQUIRE(least_copies(three, 1, halves) == 5298);
  REQUIRE(least_copies(two, 2, halves) == kSlotCount);
  REQUIRE(least_copies(std::vector<Candidate>{member(1)}, 1, halves) == kSlotCount / 2);
  // 8192 slots, and 3 % more, may stay.
  REQUIRE(least_copies(two, 1, std::vector<Chain>(kSlotCount, Chain{1})) == kSlotCount - 8437);
}

TEST_CASE("shares_gained: the new member's share, and a new incarnation's") {
  const std::vector<Candidate> before = {member(1)};
  std::vector<Candidate> after = {member(1), member(2)};
  REQUIRE(shares_gained(before, after, 1) == Approx(kSlotCount / 2));
  REQUIRE(shares_gained(after, before, 1) == Approx(kSlotCount / 2));
  const std::vector<Candidate> restarted = {member(1), after[1]};
  after[1].id = 7;
  REQUIRE(shares_gained(restarted, after, 1) == Approx(kSlotCount / 2));
}

TEST_CASE("load_after_failure: the heirs of the one that fails") {
  const std::vector<Candidate> members = {member(1), member(2), member(3)};
  std::vector<Chain> table(kSlotCount);
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const MemberId head = slot % 3 + 1;
    const MemberId next = head % 3 + 1;
    table[slot] = {head, next};
  }
  REQUIRE(load_after_failure(members, table) == Approx(2.0).epsilon(0.001));
}

}  // namespace
}  // namespace chainring::ring
