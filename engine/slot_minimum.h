// The earliest deadline of every slot as a tournament tree: the least of all in O(1), a change in O(log slots), and the
// slots of a range that are due without looking at the others.
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "engine/entry.h"

namespace chainring::engine {

class SlotMinimum {
 public:
  void set(Slot slot, Millis deadline);  // kNoDeadline for none
  [[nodiscard]] Millis least() const { return tree_.empty() ? kNoDeadline : tree_[1]; }
  // The first slot of first..last whose deadline has come.
  [[nodiscard]] std::optional<Slot> first_due(Slot first, Slot last, Millis now) const;

 private:
  // Node i has the children 2i and 2i+1; the leaves are the slots. Empty until there is a deadline at all.
  std::vector<Millis> tree_;
};

}  // namespace chainring::engine
