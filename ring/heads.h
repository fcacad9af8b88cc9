// Who heads each slot: the order within chains, which moves no data. Internal to ring.
//
// Thread-safety: a pure function over the caller's values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ring/domains.h"

namespace chainring::ring {

using Places = std::vector<uint32_t>;  // a chain as indices of members, head first

// Reorders chains until each member heads as many slots as its share says, as far as the chains allow. A slot whose
// `settled` is true changes its head only where the bounds demand it; others are given to the first member of their
// chain that still has room. REQUIRES: chains.size() == settled.size(); indices below shares.size().
void balance_heads(std::span<const Share> shares, const std::vector<bool>& settled, std::vector<Places>& chains);

}  // namespace chainring::ring
