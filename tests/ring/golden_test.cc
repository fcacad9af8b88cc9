// Placement is the same on every machine and in every version: the tables of some memberships, as files.
// CHAINRING_REWRITE=1 in the environment writes them anew; review the difference.
#include <xxhash.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "bench/ring/measures.h"
#include "ring/placement.h"
#include "tests/ring/members.h"

namespace chainring::ring {
namespace {

constexpr uint32_t kRangesShown = 12;

uint64_t digest(const std::vector<Chain>& table) {
  std::string bytes;
  ByteWriter writer(bytes);
  writer(table);
  return XXH3_64bits(bytes.data(), bytes.size());
}

// A digest of the whole table; loads and the first ranges for people.
std::string describe(const std::vector<Candidate>& members, const std::vector<Chain>& table) {
  std::map<MemberId, std::string> names;
  for (const Candidate& candidate : members) names[candidate.id] = candidate.name;
  auto loads = loads_of(table);
  auto heads = heads_of(table);
  std::ostringstream out;
  out << "digest " << std::hex << std::setw(16) << std::setfill('0') << digest(table) << std::dec << ", "
      << range_count(table) << " ranges\n";
  for (const auto& [id, name] : names) {
    out << name << ": " << loads[id] << " slots, head of " << heads[id] << "\n";
  }
  uint32_t shown = 0;
  for (uint32_t first = 0; first < kSlotCount && shown < kRangesShown; ++shown) {
    uint32_t last = first;
    while (last + 1 < kSlotCount && table[last + 1] == table[first]) ++last;
    out << first << "-" << last << ":";
    for (const MemberId id : table[first]) out << " " << names[id];
    out << "\n";
    first = last + 1;
  }
  return out.str();
}

void require_golden(const std::string& name, const std::string& actual) {
  const std::string path = std::string(CHAINRING_RING_TESTDATA) + "/" + name + ".txt";
  if (std::getenv("CHAINRING_REWRITE") != nullptr) {
    std::ofstream(path) << actual;
  }
  std::ifstream file(path);
  std::stringstream expected;
  expected << file.rdbuf();
  INFO("golden file " << path);
  REQUIRE(expected.str() == actual);
}

TEST_CASE("target_table: golden tables of new clusters") {
  std::string text;
  for (const uint32_t count : {1u, 3u, 5u, 10u, 100u}) {
    for (const uint32_t copies : {1u, 3u}) {
      const std::vector<Candidate> members = equal_members(count);
      text += "# " + std::to_string(count) + " members, " + std::to_string(copies) + " copies\n";
      const std::string described = describe(members, target_table(members, copies, {}));
      text += count <= 10 ? described : described.substr(0, described.find('\n') + 1);
      text += "\n";
    }
  }
  require_golden("new_clusters", text);
}

TEST_CASE("target_table: golden tables of weights and domains") {
  const std::vector<Candidate> weights = {member(1, 50), member(2, 100), member(3, 200), member(4, 400)};
  std::string text = "# weights 50 100 200 400, 2 copies\n" + describe(weights, target_table(weights, 2, {}));
  const std::vector<Candidate> hosts = {placed(1, "a", ""), placed(2, "a", ""), placed(3, "b", ""), placed(4, "c", "")};
  text += "\n# two members on one of three hosts, 2 copies\n" + describe(hosts, target_table(hosts, 2, {}));
  const std::vector<Candidate> zones = {placed(1, "a", "east"), placed(2, "b", "east"), placed(3, "c", "west"),
                                        placed(4, "d", "west"), placed(5, "e", "north")};
  text += "\n# five hosts in three zones, 3 copies\n" + describe(zones, target_table(zones, 3, {}));
  require_golden("weights_and_domains", text);
}

TEST_CASE("target_table: golden tables of a history") {
  std::vector<Candidate> members = equal_members(3);
  std::vector<Chain> table;
  std::string text;
  const auto step = [&](const std::string& what, uint32_t copies) {
    const std::vector<Chain> target = target_table(members, copies, table);
    const uint32_t made = table.empty() ? kSlotCount * copies : copies_made(table, target);
    text += "# " + what + ": " + std::to_string(made) + " copies made\n" + describe(members, target) + "\n";
    table = target;
  };
  step("3 members, 2 copies", 2);
  members.push_back(member(4));
  step("node4 joins", 2);
  members.erase(members.begin());
  step("node1 is gone", 2);
  members[0].id = 12;
  step("node2 was started again", 2);
  members[1].weight = 200;
  step("node3 weighs 200", 2);
  step("3 copies", 3);
  step("1 copy", 1);
  require_golden("history", text);
}

}  // namespace
}  // namespace chainring::ring
