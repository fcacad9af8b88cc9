#include "bench/ring/rivals.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "ring/domains.h"

namespace chainring::ring {
namespace {

constexpr uint64_t kBoundPercent = 105;

uint64_t slot_point(uint32_t slot, uint64_t seed) { return XXH3_64bits_withSeed(&slot, sizeof(slot), seed); }

}  // namespace

void BoundedLoads::build_circle(std::span<const Candidate> members) {
  circle_.clear();
  for (uint32_t i = 0; i < members.size(); ++i) {
    std::vector<uint64_t>& points = points_[members[i].name];
    const uint32_t count = std::max(1u, members[i].weight * kVirtualNodesPerWeight100 / 100);
    while (points.size() < count) {
      points.push_back(virtual_node_point(members[i].name, static_cast<uint32_t>(points.size())));
    }
    for (uint32_t number = 0; number < count; ++number) circle_.push_back({points[number], i});
  }
  std::sort(circle_.begin(), circle_.end(), [](const Point& a, const Point& b) { return a.at < b.at; });
}

std::vector<Chain> BoundedLoads::place(std::span<const Candidate> members, uint32_t copies) {
  build_circle(members);
  const auto length = std::min(copies, static_cast<uint32_t>(members.size()));
  const Domains domains(members, length);
  std::vector<uint64_t> room;
  for (const Share& share : domains.shares()) {
    room.push_back((share.fair * kBoundPercent / 100 + kOneSlot - 1) / kOneSlot);
  }

  std::vector<Chain> table(kSlotCount);
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    std::vector<uint32_t> chosen;
    const auto start =
        static_cast<size_t>(std::lower_bound(circle_.begin(), circle_.end(), slot_point(slot, 0),
                                             [](const Point& point, uint64_t at) { return point.at < at; }) -
                            circle_.begin());
    // The second time round takes members without room, where the last slots leave no other.
    for (size_t step = 0; step < 2 * circle_.size() && chosen.size() < length; ++step) {
      const uint32_t member = circle_[(start + step) % circle_.size()].member;
      if (std::find(chosen.begin(), chosen.end(), member) != chosen.end()) continue;
      if (room[member] == 0 && step < circle_.size()) continue;
      if (room[member] > 0) --room[member];
      chosen.push_back(member);
    }
    for (const uint32_t member : chosen) table[slot].push_back(members[member].id);
  }
  return table;
}

const std::vector<float>& Rendezvous::scores(const Candidate& member) {
  std::vector<float>& scores = scores_[{member.name, member.weight}];
  if (!scores.empty()) return scores;
  const uint64_t seed = virtual_node_point(member.name, 0);
  scores.reserve(kSlotCount);
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const double uniform = (static_cast<double>(slot_point(slot, seed) >> 11) + 0.5) * 0x1p-53;
    scores.push_back(static_cast<float>(-static_cast<double>(member.weight) / std::log(uniform)));
  }
  return scores;
}

std::vector<Chain> Rendezvous::place(std::span<const Candidate> members, uint32_t copies) {
  const auto length = std::min(copies, static_cast<uint32_t>(members.size()));
  std::vector<Chain> table(kSlotCount, Chain(length, kNoMember));
  std::vector<std::vector<float>> best(kSlotCount, std::vector<float>(length, 0.0F));  // descending
  for (const Candidate& member : members) {
    const std::vector<float>& scores = this->scores(member);
    for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
      if (scores[slot] <= best[slot].back()) continue;
      uint32_t place = length - 1;
      for (; place > 0 && best[slot][place - 1] < scores[slot]; --place) {
        best[slot][place] = best[slot][place - 1];
        table[slot][place] = table[slot][place - 1];
      }
      best[slot][place] = scores[slot];
      table[slot][place] = member.id;
    }
  }
  return table;
}

}  // namespace chainring::ring
