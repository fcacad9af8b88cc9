// Candidates and measures that the tests of placement share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ring/domains.h"
#include "ring/placement.h"

namespace chainring::ring {

// Member `number` on a host of its own, in the one zone.
inline Candidate member(uint32_t number, uint32_t weight = 100) {
  Candidate candidate;
  candidate.id = number;
  candidate.name = "node" + std::to_string(number);
  candidate.host = "host" + std::to_string(number);
  candidate.weight = weight;
  return candidate;
}

inline Candidate placed(uint32_t number, std::string host, std::string zone, uint32_t weight = 100) {
  Candidate candidate = member(number, weight);
  candidate.host = std::move(host);
  candidate.zone = std::move(zone);
  return candidate;
}

inline std::vector<Candidate> equal_members(uint32_t count) {
  std::vector<Candidate> members;
  for (uint32_t number = 1; number <= count; ++number) members.push_back(member(number));
  return members;
}

inline std::vector<Candidate> by_name(std::vector<Candidate> members) {
  std::sort(members.begin(), members.end(), [](const Candidate& a, const Candidate& b) { return a.name < b.name; });
  return members;
}

inline std::map<MemberId, uint32_t> loads_of(const std::vector<Chain>& table) {
  std::map<MemberId, uint32_t> loads;
  for (const Chain& chain : table) {
    for (const MemberId id : chain) ++loads[id];
  }
  return loads;
}

inline std::map<MemberId, uint32_t> heads_of(const std::vector<Chain>& table) {
  std::map<MemberId, uint32_t> heads;
  for (const Chain& chain : table) ++heads[chain.front()];
  return heads;
}

inline bool holds(const Chain& chain, MemberId id) { return std::find(chain.begin(), chain.end(), id) != chain.end(); }

}  // namespace chainring::ring
