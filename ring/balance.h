// Gives slots to members and brings loads within their bounds, by whole runs of slots where it can. Internal to ring.
//
// The same is done twice: for places in chains, and then for heads.
//
// Thread-safety: functions over the caller's values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ring/domains.h"
#include "ring/groups.h"

namespace chainring::ring {

inline constexpr uint32_t kNobody = UINT32_MAX;  // gives a place that is open

// Which members bear each slot: those of its chain, or its head. All members are indices.
class Assignment {
 public:
  virtual ~Assignment() = default;

  [[nodiscard]] virtual const Groups& groups() const = 0;
  [[nodiscard]] virtual const std::vector<Share>& shares() const = 0;
  [[nodiscard]] virtual const std::vector<uint32_t>& loads() const = 0;

  [[nodiscard]] virtual std::span<const uint32_t> bearers(uint32_t slot) const = 0;
  [[nodiscard]] virtual bool is_open(uint32_t slot) const = 0;  // somebody is missing
  // Who may be asked to bear the slot, in the order of preference; can_replace has the last word.
  [[nodiscard]] virtual std::span<const uint32_t> takers(uint32_t slot) const = 0;
  // False also when `giver` does not bear the slot any more. A giver may be kNobody.
  [[nodiscard]] virtual bool can_replace(uint32_t slot, uint32_t giver, uint32_t taker) const = 0;
  virtual void replace(uint32_t slot, uint32_t giver, uint32_t taker) = 0;  // also counts the loads anew

  // Whether two slots are the same to the functions above, and have been so in the table in force.
  [[nodiscard]] virtual bool alike(uint32_t slot, uint32_t other) const = 0;
  // Whether the slot would have the chain that its neighbour has.
  [[nodiscard]] virtual bool would_join(uint32_t slot, uint32_t giver, uint32_t taker, uint32_t neighbour) const = 0;
  // Whether the slot does not have `giver` in force, so that nothing is lost when another takes its place.
  [[nodiscard]] virtual bool is_new(uint32_t slot, uint32_t giver) const = 0;
};

// Fills what is open, each run by the first of its preference list that has room, but first of all by members that are
// below their bounds.
void fill(Assignment& assignment);

// Moves as few slots as it can until all loads are within their bounds: first from members above theirs, then to
// members below. What joins neighbours goes first, then whole runs, then parts of runs.
void balance(Assignment& assignment);

}  // namespace chainring::ring
