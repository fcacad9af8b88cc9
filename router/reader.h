// Which member of a chain a read goes to.
//
// Thread-safety: pure function over the caller's values.
#pragma once

#include <cstddef>
#include <span>

#include "base/random.h"
#include "router/lane.h"

namespace chainring::router {

// The lesser-loaded of two that are drawn, by the answers that they owe this router (Mitzenmacher, "The power of two
// choices in randomized load balancing", 2001): as good as looking at all of them, and a slow member gets less. But the
// head while it owes less than that one and `locality` answers: as long as heads carry about the same, which is what
// the ring sees to, each node then reads its own slots, and not the memory of every slot that it has a copy of.
//
// Members that cannot be reached, are silent or are `but` are left out. nullptr when nobody is left.
[[nodiscard]] Lane* choose_reader(std::span<Lane* const> chain, size_t locality, const Lane* but, Random& random);

}  // namespace chainring::router
