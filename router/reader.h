// Which member of a chain a read goes to.
//
// Thread-safety: pure function over the caller's values.
#pragma once

#include <span>

#include "base/random.h"
#include "router/lane.h"

namespace chainring::router {

// The one that owes fewer answers of two that are drawn (Mitzenmacher, "The power of two choices in randomized load
// balancing", 2001): as good as looking at all of them, and a slow member gets less. Members that cannot be reached,
// are silent or are `but` are not drawn from. nullptr when nobody is left.
[[nodiscard]] Lane* choose_reader(std::span<Lane* const> chain, const Lane* but, Random& random);

}  // namespace chainring::router
