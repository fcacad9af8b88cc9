// Failure domains and fair shares: what a chain may look like (R3), and how many slots each member should have.
// Internal to ring.
//
// Members form a tree: root, zones, hosts, members. Chains have as many distinct hosts and as many distinct zones as
// there are, up to `copies`. That bounds what a domain can take: with three zones and three copies each zone is in
// every chain, whatever its members weigh. So the fair share of a member is in proportion to its weight as far as the
// domains above it allow: the max-min fair point, found level by level by filling up ("water-filling").
//
// Thread-safety: immutable after construction.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ring/placement.h"

namespace chainring::ring {

// Shares are fixed-point numbers, so that they are the same on every machine.
inline constexpr uint32_t kShareFractionBits = 32;
inline constexpr uint64_t kOneSlot = uint64_t{1} << kShareFractionBits;

// How many slots a member should have and may have.
struct Share {
  uint64_t fair = 0;  // in units of kOneSlot
  uint32_t fair_floor = 0;
  uint32_t fair_ceil = 0;
  uint32_t least = 0;     // one slot or 3 % below the fair share, whichever is further
  uint32_t greatest = 0;  // the same above
};

class Domains {
 public:
  // Members are named by their index in `members`. REQUIRES: 1 <= copies <= members.size(); weights > 0.
  Domains(std::span<const Candidate> members, uint32_t copies);

  // Places in chains that each member should have; and slots that it should head, which is by weight alone.
  [[nodiscard]] const std::vector<Share>& shares() const { return shares_; }
  [[nodiscard]] const std::vector<Share>& head_shares() const { return head_shares_; }

  // Whether a chain may have these members, in any order, when what is missing to `copies` is added.
  // REQUIRES: distinct members, not more than copies.
  [[nodiscard]] bool allows(std::span<const uint32_t> chain) const;

 private:
  enum Level { kRoot, kZone, kHost, kMember, kLevelCount };

  struct Node {
    std::vector<uint32_t> children;
    uint64_t weight = 0;      // of members
    uint32_t slot_least = 0;  // members of this domain in each chain, at least and at most
    uint32_t slot_most = 0;
    uint64_t share = 0;          // places in chains, in units of kOneSlot
    uint32_t needs = 0;          // places that every chain has to give to members of this domain ...
    uint32_t children_need = 0;  // ... and to its parts
  };

  void build_tree(std::span<const Candidate> members);
  void bound_domains(uint32_t zone_count, uint32_t host_count);
  [[nodiscard]] uint64_t wanted(uint32_t node, uint64_t per_weight) const;
  void share_out(uint32_t node, uint64_t share);
  void require_saturated(uint32_t node);
  [[nodiscard]] uint32_t missing_in(uint32_t node, int level, std::span<const uint32_t> chain) const;

  uint32_t copies_;
  std::vector<Node> nodes_;
  std::vector<std::array<uint32_t, kLevelCount>> ancestors_;  // by member: the nodes from the root down to itself
  bool distinct_zones_ = false;
  bool distinct_hosts_ = false;
  std::vector<Share> shares_;
  std::vector<Share> head_shares_;
};

}  // namespace chainring::ring
