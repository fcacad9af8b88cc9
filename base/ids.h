// The numbers that name things, as the field names them. Plain integers with distinct names.
#pragma once

#include <cstdint>

namespace chainring {

using Slot = uint16_t;  // 0..16383, Redis Cluster's
inline constexpr uint32_t kSlotCount = 16384;

// A member is one *incarnation* of a named node (R1): the coordinators give each incarnation that registers a new
// id, which is never used again. 0 is nobody.
using MemberId = uint32_t;
inline constexpr MemberId kNoMember = 0;

using Incarnation = uint64_t;   // drawn at random at every start of a process; never 0
using Epoch = uint64_t;         // of a chain; every intended change takes the next one of the whole cluster
using Sequence = uint64_t;      // of a record within its slot; the first record has 1
using TableVersion = uint64_t;  // grows with every change of the table or the membership

// Bounds of settings that are wishes of an operator, too.
inline constexpr uint32_t kNodeWeightMax = 10'000;
inline constexpr uint32_t kCopiesMax = 16;

}  // namespace chainring
