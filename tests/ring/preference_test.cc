// The walk around the ring, held against a linear scan of all points.
#include <rapidcheck.h>
#include <rapidcheck/catch.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ring/placement.h"
#include "tests/ring/members.h"

namespace chainring::ring {
namespace {

// The definition, word for word: all points in a circle, visited one by one from the group's point.
std::vector<uint32_t> walk(const std::vector<Candidate>& candidates, uint32_t group) {
  std::vector<std::tuple<uint64_t, std::string, uint32_t>> circle;
  for (uint32_t i = 0; i < candidates.size(); ++i) {
    const uint32_t count = std::max(1u, candidates[i].weight * kVirtualNodesPerWeight100 / 100);
    for (uint32_t number = 0; number < count; ++number) {
      circle.emplace_back(virtual_node_point(candidates[i].name, number), candidates[i].name, i);
    }
  }
  std::sort(circle.begin(), circle.end());
  size_t start = 0;
  while (start < circle.size() && std::get<0>(circle[start]) < group_point(group)) ++start;
  std::vector<uint32_t> order;
  for (size_t step = 0; step < circle.size(); ++step) {
    const uint32_t met = std::get<2>(circle[(start + step) % circle.size()]);
    if (std::find(order.begin(), order.end(), met) == order.end()) order.push_back(met);
  }
  return order;
}

TEST_CASE("preference_lists: the clockwise walk, as a linear scan finds it") {
  rc::prop("any members, weights and group", [] {
    std::vector<Candidate> candidates;
    const auto weights = *rc::gen::container<std::vector<uint32_t>>(rc::gen::inRange<uint32_t>(1, 500));
    for (const uint32_t weight : weights) {
      candidates.push_back(member(static_cast<uint32_t>(candidates.size()) + 1, weight));
    }
    if (candidates.size() > 12) candidates.resize(12);
    const auto group = *rc::gen::inRange<uint32_t>(0, kGroupCount);
    RC_ASSERT(preference_lists(candidates).at(group) == walk(candidates, group));
  });
}

TEST_CASE("preference_lists: one list for each group, with everybody once") {
  const auto lists = preference_lists(equal_members(7));
  REQUIRE(lists.size() == kGroupCount);
  for (const auto& list : lists) {
    REQUIRE(list.size() == 7);
    REQUIRE(std::set<uint32_t>(list.begin(), list.end()).size() == 7);
  }
}

TEST_CASE("preference_lists: who joins pushes the others back and changes nothing between them") {
  std::vector<Candidate> candidates = equal_members(5);
  const auto before = preference_lists(candidates);
  candidates.push_back(member(6));
  auto after = preference_lists(candidates);
  for (uint32_t group = 0; group < kGroupCount; ++group) {
    std::erase(after[group], 5u);
    REQUIRE(after[group] == before[group]);
  }
}

TEST_CASE("preference_lists: a new incarnation keeps the places of its name") {
  std::vector<Candidate> candidates = equal_members(4);
  const auto before = preference_lists(candidates);
  candidates[2].id = 77;
  REQUIRE(preference_lists(candidates) == before);
}

TEST_CASE("preference_lists: first places go by weight") {
  const auto lists = preference_lists(std::vector<Candidate>{member(1, 100), member(2, 300)});
  uint32_t heavy = 0;
  for (const auto& list : lists) heavy += list.front() == 1 ? 1 : 0;
  REQUIRE(heavy > kGroupCount * 65 / 100);
  REQUIRE(heavy < kGroupCount * 85 / 100);
}

TEST_CASE("preference_lists: a weight beyond the greatest counts as the greatest") {
  const std::vector<Candidate> at_most = {member(1), member(2, kWeightMax)};
  const std::vector<Candidate> beyond = {member(1), member(2, 4'000'000'000u)};
  REQUIRE(preference_lists(beyond) == preference_lists(at_most));
}

TEST_CASE("preference_lists: nobody gives empty lists") {
  for (const auto& list : preference_lists({})) REQUIRE(list.empty());
}

}  // namespace
}  // namespace chainring::ring
