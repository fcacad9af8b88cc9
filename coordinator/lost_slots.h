// Slots that nobody can serve: who held them, and what an operator's word to begin them again, empty, rests on (R18).
//
// A chain whose members have all lapsed stands still. A member that is *gone* never comes back: a later process has
// registered under its name. One that is only *absent* may be frozen or cut off, and then it goes on with all that it
// holds; nobody but an operator can know that it will not.
//
// Pure: time is an argument. Thread-safety: plain functions over the caller's values.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "coordinator/entries.h"
#include "coordinator/lease.h"
#include "coordinator/state_ring.h"

namespace chainring::coordinator {

// Whether none of those who hold the range has a lease, or is about to begin it with one.
[[nodiscard]] bool stands_still(const RingState& ring, const LeaseBook& leases, const protocol::TableRange& range,
                                Micros now);

// What RING LOST answers: the chains that stand still and who held them, as JSON (docs/status.md).
[[nodiscard]] std::string lost_json(const RingState& ring, const LeaseBook& leases, Micros now);

// The entry for `RING SERVE-EMPTY first-last ... [GONE node ...]`, from the arguments behind SERVE-EMPTY. The error
// says why these slots are not lost, or who has to be declared gone, or that nobody is there to serve them. Until the
// entry is applied, none of entry.gone may be granted a lease.
[[nodiscard]] Result<ServeEmptyEntry> plan_serve_empty(const RingState& ring, const LeaseBook& leases, Micros now,
                                                       std::span<const std::string_view> args);

}  // namespace chainring::coordinator
