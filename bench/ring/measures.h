// What is measured of a placement: loads beside fair shares, copies made beside the least possible, ranges.
//
// Thread-safety: pure functions over the caller's values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ring/placement.h"

namespace chainring::ring {

struct Loads {
  double in_all = 0;           // the greatest number of chains that a member is in, over its fair share
  double as_head = 0;          // the same of the slots that a member heads
  uint32_t out_of_bounds = 0;  // members further from either share than one slot and 3 %
};

// `members` are in the order of their names, and have been the candidates for `table`.
[[nodiscard]] Loads measure_loads(std::span<const Candidate> members, uint32_t copies, std::span<const Chain> table);

// Copies that are made on the way from one table to the other.
[[nodiscard]] uint32_t copies_made(std::span<const Chain> from, std::span<const Chain> to);

// Copies that any way from `in_force` to a table within bounds must make: the greatest of
//   - what members lack to the lower bound of their share,
//   - what chains lack, plus what members have above the upper bound of theirs, which others have to take, and
//   - what chains lack when they keep as many members as may stand together.
[[nodiscard]] uint32_t least_copies(std::span<const Candidate> members, uint32_t copies,
                                    std::span<const Chain> in_force);

// Places that fair shares gain from one membership to the next, a new incarnation all of its own. Members that always
// had exactly their fair shares would have to be copied so much.
[[nodiscard]] double shares_gained(std::span<const Candidate> before, std::span<const Candidate> after,
                                   uint32_t copies);

// When the member whose failure hits the others hardest fails and the next of each chain heads its slots: the greatest
// number of slots that one member then heads, over its fair share of before. Members evenly hit: n / (n - 1).
[[nodiscard]] double load_after_failure(std::span<const Candidate> members, std::span<const Chain> table);

// Runs of slots that have the same chain: the entries of CLUSTER SLOTS.
[[nodiscard]] uint32_t range_count(std::span<const Chain> table);

}  // namespace chainring::ring
