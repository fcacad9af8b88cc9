// Brings loads within their bounds along paths of replacements, where no single one does. Internal to ring.
//
// Thread-safety: a pure function over the caller's values.
#pragma once

#include "ring/balance.h"

namespace chainring::ring {

// While a load is out of its bounds, moves slots along the shortest path that leads from it, or to it: each member on
// the path gives a slot to the next. Ends when all loads are within bounds or no such path is left.
void shift_into_bounds(Assignment& assignment);

}  // namespace chainring::ring
