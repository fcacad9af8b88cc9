// What a change of the ring would move: for RING PLAN.
//
// Thread-safety: pure functions over the caller's values.
#pragma once

#include <string>

#include "base/result.h"
#include "coordinator/entries.h"
#include "coordinator/state_ring.h"

namespace chainring::coordinator {

// As JSON, see docs/status.md: the copies of slots that have to be made if `wish` came now, and what each member would
// have. Without a wish: what the wishes so far leave to be moved. An error is a wish that cannot be granted.
[[nodiscard]] Result<std::string> plan_json(const RingState& ring, const ReshardEntry* wish);

}  // namespace chainring::coordinator
