// How much moves when members come, go and change.
#include <catch2/catch.hpp>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "bench/ring/measures.h"
#include "ring/placement.h"
#include "tests/ring/members.h"

namespace chainring::ring {
namespace {

const std::vector<uint32_t> kSizes = {3, 4, 5, 7, 10, 20, 35, 50};

TEST_CASE("target_table: who leaves takes only its own places along") {
  for (const uint32_t count : kSizes) {
    for (uint32_t copies = 1; copies <= 3; ++copies) {
      std::vector<Candidate> members = equal_members(count);
      const std::vector<Chain> before = target_table(members, copies, {});
      members.erase(members.begin() + 1);
      const std::vector<Chain> after = target_table(members, copies, before);
      const MemberId gone = 2;
      for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
        for (const MemberId id : before[slot]) {
          if (id != gone) REQUIRE(holds(after[slot], id));
        }
      }
    }
  }
}

TEST_CASE("target_table: a member started again gets its places back and nobody else moves") {
  std::vector<Candidate> members = equal_members(6);
  const std::vector<Chain> before = target_table(members, 3, {});
  members[3].id = 99;
  const std::vector<Chain> after = target_table(members, 3, before);
  uint32_t had = 0;
  uint32_t has_again = 0;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    for (const MemberId id : before[slot]) {
      if (id != 4) REQUIRE(holds(after[slot], id));
    }
    had += holds(before[slot], 4) ? 1 : 0;
    has_again += holds(before[slot], 4) && holds(after[slot], 99) ? 1 : 0;
  }
  REQUIRE(has_again >= had * 97 / 100);  // the rest may fill others up to their fair share
}

TEST_CASE("target_table: who joins is given about its fair share and hardly more moves") {
  std::cout << "copies made when one joins, over its fair share:\n";
  for (const uint32_t count : kSizes) {
    std::cout << std::setw(4) << count << " members:";
    for (uint32_t copies = 1; copies <= 3; ++copies) {
      std::vector<Candidate> members = equal_members(count);
      const std::vector<Chain> before = target_table(members, copies, {});
      members.push_back(member(count + 1));
      const std::vector<Chain> after = target_table(members, copies, before);
      const double fair = static_cast<double>(kSlotCount) * copies / (count + 1);
      const double ratio = copies_made(before, after) / fair;
      std::cout << "  " << copies << " copies " << std::fixed << std::setprecision(3) << ratio;
      REQUIRE(ratio <= 1.10);
    }
    std::cout << "\n";
  }
}

TEST_CASE("target_table: a long history moves little more than the shares that come and go") {
  for (uint32_t copies = 1; copies <= 3; ++copies) {
    std::vector<Candidate> members = equal_members(10);
    std::vector<Chain> table = target_table(members, copies, {});
    double moved = 0;
    double least = 0;
    for (uint32_t step = 0; step < 40; ++step) {
      if (step % 2 == 0) {
        members.push_back(member(100 + step));
        least += static_cast<double>(kSlotCount) * copies / static_cast<double>(members.size());
      } else {
        const size_t victim = (step * 7) % members.size();
        least += loads_of(table)[members[victim].id];
        members.erase(members.begin() + static_cast<ptrdiff_t>(victim));
      }
      const std::vector<Chain> next = target_table(members, copies, table);
      moved += copies_made(table, next);
      table = next;
    }
    std::cout << "40 changes of 10 members at " << copies << " copies: " << moved / least << " times the least\n";
    REQUIRE(moved / least <= 1.10);
  }
}

TEST_CASE("target_table: one copy more adds a copy of each slot and moves nothing") {
  const std::vector<Candidate> members = equal_members(5);
  const std::vector<Chain> two = target_table(members, 2, {});
  const std::vector<Chain> three = target_table(members, 3, two);
  REQUIRE(copies_made(two, three) == kSlotCount);
  const std::vector<Chain> back = target_table(members, 2, three);
  REQUIRE(copies_made(three, back) <= kSlotCount / 50);
}

TEST_CASE("target_table: with as many members as copies a weight changes heads and moves no data") {
  std::vector<Candidate> members = equal_members(3);
  const std::vector<Chain> before = target_table(members, 3, {});
  members[0].weight = 300;
  const std::vector<Chain> after = target_table(members, 3, before);
  REQUIRE(copies_made(before, after) == 0);
  REQUIRE(heads_of(after)[1] > kSlotCount * 58 / 100);
}

TEST_CASE("target_table: copies on one host are spread as soon as there are hosts") {
  std::vector<Candidate> members = {placed(1, "a", ""), placed(2, "a", "")};
  const std::vector<Chain> crowded = target_table(members, 2, {});
  members.push_back(placed(3, "b", ""));
  const std::vector<Chain> spread = target_table(members, 2, crowded);
  for (const Chain& chain : spread) REQUIRE(holds(chain, 3));
  REQUIRE(copies_made(crowded, spread) == kSlotCount);
}

}  // namespace
}  // namespace chainring::ring
