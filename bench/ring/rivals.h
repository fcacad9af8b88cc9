// The placements that others use, to stand beside ours in the same table. Both depend on the membership alone, and know
// nothing of hosts and zones.
//
// Thread-safety: none; one owner each.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ring/placement.h"

namespace chainring::ring {

// Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2017): 256 virtual nodes per 100 of weight; a
// slot goes to the first members clockwise from its point that have less than 1.05 times their fair share.
class BoundedLoads {
 public:
  // REQUIRES: as target_table.
  std::vector<Chain> place(std::span<const Candidate> members, uint32_t copies);

 private:
  struct Point {
    uint64_t at;
    uint32_t member;
  };
  void build_circle(std::span<const Candidate> members);

  std::map<std::string, std::vector<uint64_t>> points_;  // by name, as many as were ever needed
  std::vector<Point> circle_;                            // ascending
};

// Rendezvous hashing (Thaler, Ravishankar 1996) with weights (Schindelhauer, Schomaker 2005): a slot goes to the
// members with the highest scores -weight / ln(hash of member and slot).
class Rendezvous {
 public:
  // REQUIRES: as target_table.
  std::vector<Chain> place(std::span<const Candidate> members, uint32_t copies);

 private:
  const std::vector<float>& scores(const Candidate& member);

  std::map<std::pair<std::string, uint32_t>, std::vector<float>> scores_;  // by name and weight, then slot
};

}  // namespace chainring::ring
