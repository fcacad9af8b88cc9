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

// How far the walk from `start` goes, clockwise and around, until it meets one of `points`.
uint64_t distance(uint64_t start, const std::vector<uint64_t>& points) {
  const auto next = std::lower_bound(points.begin(), points.end(), start);
  return (next == points.end() ? points.front() : *next) - start;
}

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
  std::vector<std::vector<uint64_t>> distances(kGroupCount, std::vector<uint64_t>(candidates.size()));
  for (uint32_t i = 0; i < candidates.size(); ++i) {
    const std::vector<uint64_t> points = virtual_nodes(candidates[i]);
    for (uint32_t group = 0; group < kGroupCount; ++group) distances[group][i] = distance(group_point(group), points);
  }

  std::vector<std::vector<uint32_t>> lists(kGroupCount);
  for (uint32_t group = 0; group < kGroupCount; ++group) {
    std::vector<uint32_t>& list = lists[group];
    for (uint32_t i = 0; i < candidates.size(); ++i) list.push_back(i);
    std::sort(list.begin(), list.end(), [&](uint32_t a, uint32_t b) {
      return std::tie(distances[group][a], candidates[a].name) < std::tie(distances[group][b], candidates[b].name);
    });
  }
  return lists;
}

}  // namespace chainring::ring
