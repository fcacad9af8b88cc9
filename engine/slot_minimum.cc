#include "engine/slot_minimum.h"

#include <algorithm>

namespace chainring::engine {

void SlotMinimum::set(Slot slot, Millis deadline) {
  if (tree_.empty()) {
    if (deadline == kNoDeadline) return;
    tree_.assign(2 * kSlotCount, kNoDeadline);
  }
  size_t node = kSlotCount + slot;
  if (tree_[node] == deadline) return;
  tree_[node] = deadline;
  for (node /= 2; node > 0; node /= 2) {
    const Millis least = std::min(tree_[2 * node], tree_[2 * node + 1]);
    if (tree_[node] == least) return;
    tree_[node] = least;
  }
}

std::optional<Slot> SlotMinimum::first_due(Slot first, Slot last, Millis now) const {
  if (tree_.empty() || first > last) return std::nullopt;
  size_t node = kSlotCount + first;
  // Climb to the right until a subtree is due, then descend to its leftmost leaf that is.
  while (tree_[node] > now) {
    while (node % 2 == 1) {
      if ((node & (node + 1)) == 0) return std::nullopt;  // the right edge of the tree
      node /= 2;
    }
    ++node;
  }
  while (node < kSlotCount) node = tree_[2 * node] <= now ? 2 * node : 2 * node + 1;
  const auto slot = static_cast<Slot>(node - kSlotCount);
  if (slot > last) return std::nullopt;
  return slot;
}

}  // namespace chainring::engine
