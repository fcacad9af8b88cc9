// What RING STATUS tells, as lines for people and as JSON for programs (docs/status.md has the schema).
//
// Thread-safety: pure functions over the caller's values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/mover.h"
#include "coordinator/state_ring.h"

namespace chainring::coordinator {

struct CoordinatorStatus {
  std::string name;
  std::string host;
  uint16_t port = 0;
  std::string_view state;     // "leader", "follower", "learner", "catching up", "leaving", "unreachable"
  uint64_t applied = 0;       // of the others: what of the log they are known to hold
  int64_t last_heard_ms = 0;  // ago; -1: never
  bool voter = true;
};

struct RouterStatus {
  std::string name;
  std::string host;
  uint16_t port = 0;
  TableVersion version = 0;
  int64_t last_heard_ms = 0;
};

// Beside what the ring says of itself.
struct StatusFacts {
  std::string_view leader;
  uint64_t term = 0;
  std::vector<CoordinatorStatus> coordinators;
  std::vector<int64_t> lease_ms;  // left, of each of ring.members(); 0 when lapsed
  std::vector<bool> renewed;      // by this leader, of each of them; before that its lease is only assumed
  std::vector<RouterStatus> routers;
  uint64_t lock_count = 0;
  uint64_t lock_token = 0;
  Mover::Progress moves;
  int64_t change_ms = 0;  // since when the change of the ring has been under way, as far as this leader has seen
};

// Slots by what can be said of them.
struct SlotCounts {
  uint32_t assigned = 0;  // have a chain, in force or intended
  uint32_t served = 0;    // nothing is intended, and the whole chain has leases
  uint32_t changing = 0;  // a change is under way
  uint32_t lost = 0;      // every member that held them is gone
  uint32_t standing = 0;  // not lost, but none of the members that hold them has a lease
  uint32_t short_of = 0;  // the chain has fewer members than copies
};
[[nodiscard]] SlotCounts count_slots(const RingState& ring, const std::vector<int64_t>& lease_ms);

[[nodiscard]] std::string status_text(const RingState& ring, const StatusFacts& facts);
// The change of the ring alone: what RING RESHARD answers, and "reshard" in the status.
[[nodiscard]] std::string reshard_json(const RingState& ring, const StatusFacts& facts);
[[nodiscard]] std::string status_json(const RingState& ring, const StatusFacts& facts);

}  // namespace chainring::coordinator
