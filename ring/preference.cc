// Points on the ring and the walk around it (Karger et al. 1997, "Consistent Hashing and Random Trees").
#include <xxhash.h>

#include <algorithm>
#include <string_view>
#include <tuple>

#include "base/bytes.h"
#include "base/check.h"
#include "ring/placement.h"

namespace chainring::ring {
namespace {

uint64_t point_of(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

// The points of one member, ascending.
std::vector<uint64_t> virtual_nodes(const Candidate& candidate) {
  CHECK(candidate.weight > 0, "a member without weight has no place on the ring");
  const uint32_t weight = std::min(candidate.weight, kWeightMax);
  const uint32_t count = std::max(1u, weight * kVirtualNodesPerWeight100 / 100);
  std::vector<uint64_t> points;
  points.reserve(count);
  for (uint32_t number = 0; number < count; ++number) points.push_back(virtual_node_point(candidate.name, number));
  std::sort(points.begin(), points.end());
  return points;
}

struct GroupPoint {
  uint64_t at;
  uint32_t group;
};

// The points of all groups, ascending.
std::vector<GroupPoint> group_points() {
  std::vector<GroupPoint> points;
  points.reserve(kGroupCount);
  for (uint32_t group = 0; group < kGroupCount; ++group) points.push_back({group_point(group), group});
  std::sort(points.begin(), points.end(), [](const GroupPoint& a, const GroupPoint& b) { return a.at < b.at; });
  return points;
}

// A member and how far the walk from a group's point goes, clockwise and around, until it meets the member.
struct Met {
  uint64_t distance;
  uint32_t member;
};

}  // namespace

uint64_t virtual_node_point(std::string_view name, uint32_t number) {
  std::string bytes(name);
  ByteWriter writer(bytes);
  writer(number);
  return point_of(bytes);
}

uint64_t group_point(uint32_t group) {
  std::string bytes = "slots";
  ByteWriter writer(bytes);
  writer(group);
  return point_of(bytes);
}

// Members in the order of their distances are the members in the order of the walk, without walking past the many
// points of heavy members until the last light one has come.
std::vector<std::vector<uint32_t>> preference_lists(std::span<const Candidate> candidates) {
  const std::vector<GroupPoint> starts = group_points();
  std::vector<std::vector<Met>> met(kGroupCount);
  for (std::vector<Met>& list : met) list.reserve(candidates.size());
  for (uint32_t i = 0; i < candidates.size(); ++i) {
    const std::vector<uint64_t> points = virtual_nodes(candidates[i]);
    auto next = points.begin();
    for (const GroupPoint& start : starts) {
      next = std::find_if(next, points.end(), [&](uint64_t point) { return point >= start.at; });
      const uint64_t point = next == points.end() ? points.front() : *next;
      met[start.group].push_back({point - start.at, i});
    }
  }

  std::vector<std::vector<uint32_t>> lists(kGroupCount);
  for (uint32_t group = 0; group < kGroupCount; ++group) {
    std::sort(met[group].begin(), met[group].end(), [&](const Met& a, const Met& b) {
      return std::tie(a.distance, candidates[a.member].name) < std::tie(b.distance, candidates[b.member].name);
    });
    lists[group].reserve(candidates.size());
    for (const Met& each : met[group]) lists[group].push_back(each.member);
  }
  return lists;
}

}  // namespace chainring::ring
