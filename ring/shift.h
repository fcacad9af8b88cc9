// Brings loads within their bounds along paths of replacements, where no single one does. Internal to ring.
//
// Thread-safety: a pure function over the caller's values.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ring/domains.h"

namespace chainring::ring {

using SlotsByMember = std::vector<std::vector<uint32_t>>;

struct ShiftRules {
  std::function<SlotsByMember()> slots_by_member;                  // those that count as its load
  std::function<std::span<const uint32_t>(uint32_t slot)> takers;  // who may be asked; can_replace has the last word
  // False also when the slot does not count for `member` any more.
  std::function<bool(uint32_t slot, uint32_t member, uint32_t with)> can_replace;
  std::function<void(uint32_t slot, uint32_t member, uint32_t with)> replace;  // also counts `loads` anew
};

// While a load is out of its bounds, moves slots along the shortest path that leads from it, or to it: each member on
// the path gives a slot to the next. Ends when all loads are within bounds or no such path is left.
void shift_into_bounds(std::span<const Share> shares, const std::vector<uint32_t>& loads, const ShiftRules& rules);

}  // namespace chainring::ring
