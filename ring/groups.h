// Groups of neighbouring slots that share a preference list. Internal to ring.
//
// Groups are the grain of placement: whoever gets a group gets it whole where the bounds allow, so there are about as
// many ranges as groups. A member needs enough groups, so that one of them is not more than its bounds are apart, and
// so that it shares slots with many others, who divide its load when it fails; more would only make ranges.
//
// Thread-safety: immutable after construction.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ring/placement.h"

namespace chainring::ring {

class Groups {
 public:
  // Members are named by their index in `members`. REQUIRES: members is not empty.
  explicit Groups(std::span<const Candidate> members);

  [[nodiscard]] uint32_t count() const { return kSlotCount / slots_; }
  [[nodiscard]] uint32_t of(uint32_t slot) const { return slot / slots_; }
  [[nodiscard]] uint32_t first_slot(uint32_t group) const { return group * slots_; }
  [[nodiscard]] uint32_t end_slot(uint32_t group) const { return (group + 1) * slots_; }
  // All members, the one that the slot prefers most first.
  [[nodiscard]] std::span<const uint32_t> preference(uint32_t slot) const {
    return lists_[of(slot) * lists_per_group_];
  }
  // The member's place in that list.
  [[nodiscard]] uint32_t rank(uint32_t slot, uint32_t member) const { return ranks_[of(slot)][member]; }
  // The groups in the order in which `member` ranks in their lists, best first.
  [[nodiscard]] std::vector<uint32_t> by_rank(uint32_t member) const;

 private:
  std::vector<std::vector<uint32_t>> lists_;
  std::vector<std::vector<uint32_t>> ranks_;  // by group and member
  uint32_t slots_;                            // in each group
  uint32_t lists_per_group_;                  // a large group takes the first list of its parts
};

}  // namespace chainring::ring
