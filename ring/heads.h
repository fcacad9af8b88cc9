// Who heads each slot: the order within chains, which moves no data. Internal to ring.
//
// Thread-safety: a pure function over the caller's values.
#pragma once

#include <cstdint>
#include <vector>

#include "ring/domains.h"
#include "ring/groups.h"

namespace chainring::ring {

using Places = std::vector<uint32_t>;  // a chain as indices of members, head first

// Reorders chains until each member heads as many slots as its share says, as far as the chains allow. A slot whose
// `settled` is true keeps its order, and its head unless the bounds demand another; all others have the order of
// preference behind their head. REQUIRES: chains.size() == settled.size() == kSlotCount; indices below shares.size().
void balance_heads(const Groups& groups, const std::vector<Share>& shares, const std::vector<bool>& settled,
                   std::vector<Places>& chains);

}  // namespace chainring::ring
