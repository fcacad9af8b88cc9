// Where slots belong: virtual nodes, preference lists and the target table (docs/architecture.md, "Placement").
//
// All functions are pure: the same input gives the same output on every machine and in every version; golden files in
// tests/ring hold them to it.
// Thread-safety: pure functions over the caller's values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace chainring::ring {

using Chain = std::vector<MemberId>;  // head first

struct Candidate {
  MemberId id = kNoMember;
  std::string name;  // what its virtual nodes hang on: a new incarnation keeps its places on the ring
  std::string host;  // failure domains (R3)
  std::string zone;
  uint32_t weight = 100;
};

inline constexpr uint32_t kVirtualNodesPerWeight100 = 256;
inline constexpr uint32_t kWeightMax = kNodeWeightMax;  // a greater weight has no more virtual nodes than this one
inline constexpr uint32_t kSlotsPerGroup = 16;  // neighbouring slots share a point; ring/groups.h may join groups
inline constexpr uint32_t kGroupCount = kSlotCount / kSlotsPerGroup;

// XXH3 of the name (or of "slots") followed by the number as four bytes, little-endian.
[[nodiscard]] uint64_t virtual_node_point(std::string_view name, uint32_t number);
[[nodiscard]] uint64_t group_point(uint32_t group);

// The preference list of each group of slots: all candidates (as their indices in `candidates`), in the order of a
// clockwise walk from the group's point. Where two points are equal the name decides.
[[nodiscard]] std::vector<std::vector<uint32_t>> preference_lists(std::span<const Candidate> candidates);

// The target table: one chain for each slot, computed from the members and the table in force. Slots keep their members
// while these are candidates, within their bounds and in distinct failure domains; what must move goes, by whole runs
// of slots where it can, to members below their bounds and then to the first of the preference list that has room;
// heads are balanced by the order within chains. Loads stay within one slot or 3 % of their fair share by weight.
// Chains have min(copies, candidates) members; fewer rather than two copies in one process. It takes a few milliseconds
// with ten members, and half a second with a thousand. `in_force` may be empty (nothing placed yet) or has kSlotCount
// chains; ids in it that are no candidates are gone. REQUIRES: copies >= 1; candidate ids and names distinct; weights >
// 0.
[[nodiscard]] std::vector<Chain> target_table(std::span<const Candidate> candidates, uint32_t copies,
                                              std::span<const Chain> in_force);

// One slot's way from the table in force to the target.
struct Move {
  Slot slot;
  Chain from;
  Chain to;
};
// What differs, in slot order: the plan from one table to another. REQUIRES: both have kSlotCount chains.
[[nodiscard]] std::vector<Move> plan(std::span<const Chain> in_force, std::span<const Chain> target);

}  // namespace chainring::ring
