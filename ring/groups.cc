#include "ring/groups.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace chainring::ring {
namespace {

// With one copy a member's bounds are 6 % of its share apart, which is one group of sixteen.
constexpr uint32_t kGroupsPerMember = 16;
constexpr uint32_t kGroupsLeast = 64;

uint32_t group_count(size_t members) {
  const auto wanted = static_cast<uint32_t>(std::min<size_t>(members * kGroupsPerMember, kGroupCount));
  return std::max(kGroupsLeast, std::bit_ceil(wanted));
}

}  // namespace

Groups::Groups(std::span<const Candidate> members)
    : lists_(preference_lists(members)),
      slots_(kSlotCount / group_count(members.size())),
      lists_per_group_(slots_ / kSlotsPerGroup) {
  ranks_.resize(count(), std::vector<uint32_t>(members.size()));
  for (uint32_t group = 0; group < count(); ++group) {
    uint32_t rank = 0;
    for (const uint32_t member : preference(first_slot(group))) ranks_[group][member] = rank++;
  }
}

std::vector<uint32_t> Groups::by_rank(uint32_t member) const {
  std::vector<std::pair<uint32_t, uint32_t>> order;
  order.reserve(count());
  for (uint32_t group = 0; group < count(); ++group) order.emplace_back(ranks_[group][member], group);
  std::sort(order.begin(), order.end());
  std::vector<uint32_t> groups;
  groups.reserve(count());
  for (const auto& [rank, group] : order) groups.push_back(group);
  return groups;
}

}  // namespace chainring::ring
