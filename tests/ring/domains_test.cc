// Fair shares against numbers worked out by hand, and allowed chains against trying everything.
#include "ring/domains.h"

#include <rapidcheck.h>
#include <rapidcheck/catch.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/ring/members.h"

namespace chainring::ring {
namespace {

std::vector<uint32_t> fair_floors(const std::vector<Candidate>& members, uint32_t copies) {
  std::vector<uint32_t> floors;
  const Domains domains(members, copies);
  for (const Share& share : domains.shares()) floors.push_back(share.fair_floor);
  return floors;
}

TEST_CASE("Domains.shares: in proportion to weight") {
  REQUIRE(fair_floors({member(1), member(2), member(3)}, 1) == std::vector<uint32_t>{5461, 5461, 5461});
  REQUIRE(fair_floors({member(1, 100), member(2, 300)}, 1) == std::vector<uint32_t>{4096, 12288});
}

TEST_CASE("Domains.shares: nobody more than every slot, the rest goes to the others by weight") {
  REQUIRE(fair_floors(equal_members(3), 3) == std::vector<uint32_t>(3, kSlotCount));
  REQUIRE(fair_floors({member(1), member(2), member(3, 1000)}, 2) == std::vector<uint32_t>{8192, 8192, 16384});
}

TEST_CASE("Domains.shares: a host has at most one copy where there are hosts enough") {
  const std::vector<Candidate> members = {placed(1, "a", ""), placed(2, "b", ""), placed(3, "c", ""),
                                          placed(4, "c", ""), placed(5, "c", ""), placed(6, "c", "")};
  REQUIRE(fair_floors(members, 2) == std::vector<uint32_t>{8192, 8192, 4096, 4096, 4096, 4096});
}

TEST_CASE("Domains.shares: each host has a copy where there are too few") {
  const std::vector<Candidate> members = {placed(1, "a", ""), placed(2, "b", ""), placed(3, "b", ""),
                                          placed(4, "b", "")};
  REQUIRE(fair_floors(members, 3) == std::vector<uint32_t>{16384, 10922, 10922, 10922});
}

TEST_CASE("Domains.shares: zones bound what their hosts can have") {
  const std::vector<Candidate> members = {placed(1, "a", "east"), placed(2, "b", "west"), placed(3, "c", "west"),
                                          placed(4, "d", "west"), placed(5, "e", "west")};
  REQUIRE(fair_floors(members, 2) == std::vector<uint32_t>{16384, 4096, 4096, 4096, 4096});
}

TEST_CASE("Domains.shares: bounds are one slot or 3 % off, whichever is more") {
  const Domains large(equal_members(2), 1);
  REQUIRE(large.shares()[0].least == 7947);  // 8192 - 245.76, up
  REQUIRE(large.shares()[0].greatest == 8437);
  const Domains small(equal_members(1000), 1);  // 16.384 slots each
  REQUIRE(small.shares()[0].least == 16);
  REQUIRE(small.shares()[0].greatest == 17);
}

TEST_CASE("Domains.head_shares: by weight alone") {
  const Domains domains(std::vector<Candidate>{member(1, 100), member(2, 300), member(3, 600)}, 3);
  REQUIRE(domains.head_shares()[0].fair_floor == 1638);
  REQUIRE(domains.head_shares()[1].fair_floor == 4915);
  REQUIRE(domains.head_shares()[2].fair_ceil == 9831);
}

TEST_CASE("Domains: a host is one machine, even when its members name different zones") {
  const std::vector<Candidate> members = {placed(1, "a", "east"), placed(2, "a", "west"), placed(3, "b", "west")};
  const Domains domains(members, 2);
  REQUIRE_FALSE(domains.allows(std::vector<uint32_t>{0, 1}));
  REQUIRE(domains.allows(std::vector<uint32_t>{0, 2}));
  REQUIRE(domains.allows(std::vector<uint32_t>{1, 2}));
}

size_t count_distinct(const std::vector<Candidate>& members, const std::vector<uint32_t>& chain,
                      std::string Candidate::* domain) {
  std::set<std::string> names;
  for (const uint32_t i : chain) names.insert(members[i].*domain);
  return names.size();
}

// Whether some completion of `chain` has as many distinct hosts and zones as there are, by trying all.
bool can_be_completed(const std::vector<Candidate>& members, uint32_t copies, std::vector<uint32_t> chain) {
  if (chain.size() < copies) {
    for (uint32_t next = 0; next < members.size(); ++next) {
      if (std::find(chain.begin(), chain.end(), next) != chain.end()) continue;
      chain.push_back(next);
      if (can_be_completed(members, copies, chain)) return true;
      chain.pop_back();
    }
    return false;
  }
  std::vector<uint32_t> everybody;
  for (uint32_t i = 0; i < members.size(); ++i) everybody.push_back(i);
  const auto is_spread = [&](std::string Candidate::* domain) {
    const size_t most = std::min<size_t>(copies, count_distinct(members, everybody, domain));
    return count_distinct(members, chain, domain) == most;
  };
  return is_spread(&Candidate::host) && is_spread(&Candidate::zone);
}

// Whether a member, host or zone has a share of every slot although there are more of its kind than copies.
bool forces_a_domain(const std::vector<Candidate>& members, uint32_t copies, const std::vector<Share>& shares) {
  std::map<std::string, uint32_t> member_load, host_load, zone_load;
  for (size_t i = 0; i < members.size(); ++i) {
    member_load[members[i].name] += shares[i].fair_ceil;
    host_load[members[i].host] += shares[i].fair_ceil;
    zone_load[members[i].zone] += shares[i].fair_ceil;
  }
  const auto forced = [&](const std::map<std::string, uint32_t>& loads) {
    if (loads.size() <= copies) return false;
    return std::any_of(loads.begin(), loads.end(), [](const auto& load) { return load.second >= kSlotCount; });
  };
  return forced(member_load) || forced(host_load) || forced(zone_load);
}

TEST_CASE("Domains.allows: what can be completed to a chain in distinct domains, and nothing else") {
  rc::prop("any hosts, zones, copies and part of a chain", [] {
    const auto hosts = *rc::gen::container<std::vector<uint32_t>>(6, rc::gen::inRange<uint32_t>(0, 6));
    const auto zones = *rc::gen::inRange<uint32_t>(1, 5);
    std::vector<Candidate> members;
    for (uint32_t i = 0; i < hosts.size(); ++i) {
      members.push_back(placed(i + 1, std::to_string(hosts[i]), std::to_string(hosts[i] % zones)));
    }
    const auto copies = *rc::gen::inRange<uint32_t>(1, 6);
    const Domains domains(members, copies);
    const auto order = *rc::gen::container<std::vector<uint32_t>>(copies, rc::gen::inRange<uint32_t>(0, 6));
    std::vector<uint32_t> chain;
    for (const uint32_t i : order) {
      if (std::find(chain.begin(), chain.end(), i) == chain.end()) chain.push_back(i);
    }
    const bool expected = can_be_completed(members, copies, chain);
    RC_CLASSIFY(expected, "allowed");
    // Where a domain has to be in every chain because of its share alone, less is allowed than the definition asks.
    const bool exact = !forces_a_domain(members, copies, domains.shares());
    RC_CLASSIFY(exact, "exactly what can be completed");
    if (exact) {
      RC_ASSERT(domains.allows(chain) == expected);
    } else if (domains.allows(chain)) {
      RC_ASSERT(expected);
    }
  });
}

}  // namespace
}  // namespace chainring::ring
