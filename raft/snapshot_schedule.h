// When a server takes a snapshot of its state, and who may lead meanwhile.
//
// To write a long snapshot holds up its server, and a group goes on while a majority of it does. So the servers take
// theirs in turn, each at indices of its own, and a leader lets another one lead first. What is here follows from the
// configuration and the log alone: nobody has to be asked.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "raft/raft.h"
#include "raft/types.h"

namespace chainring::raft {

// Which of the group's members a server is, by their ids, learners included.
struct Place {
  uint64_t rank = 0;
  uint64_t members = 1;
};

// Of a server that is no member: as if it were alone.
[[nodiscard]] Place place_of(const Configuration& configuration, ServerId server);

// The index at which the snapshot after the one at `last` (0: none) is due: the first one of this place that is at
// least half of `every` away. So they are `every` entries apart once they have fallen into step, and those of two
// places `every / members`, whatever their servers have been through. REQUIRES: every > 0.
[[nodiscard]] Index next_snapshot(Index last, uint64_t every, Place place);

// With so many bytes of applied entries in memory one is due all the same: from half of kLogBytesMax up, another number
// at each place.
[[nodiscard]] uint64_t log_bytes_due(Place place);

// The voter that should lead while `leader` takes its snapshot: one that has all that is committed, is none of those
// that were tried in vain, and has its own turn as late as possible. kNobody when there is none, or when the others are
// no majority that keeps up: then the group waits for this server whoever leads. REQUIRES: `leader` is the one whose
// core this is, and leads.
[[nodiscard]] ServerId stand_in(const Core& core, ServerId leader, std::span<const ServerId> tried);

}  // namespace chainring::raft
