// Majorities and changes of the group, against twins that only count.
#include <map>

#include "base/bytes.h"
#include "raft/quorum.h"

#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::raft {
namespace {

std::vector<ServerId> some_voters() {
  std::vector<ServerId> servers;
  const auto size = *rc::gen::inRange<size_t>(1, kMembersMax + 1);
  for (size_t i = 0; i < size; ++i) servers.push_back(i + 1);
  return servers;
}

// Tries every value: the greatest one that more than half of the voters have reached.
uint64_t counted_quorum_value(const std::vector<ServerId>& voters, const std::map<ServerId, uint64_t>& reached) {
  uint64_t best = 0;
  for (const auto& [server, candidate] : reached) {
    size_t count = 0;
    for (const ServerId voter : voters) count += reached.at(voter) >= candidate ? 1 : 0;
    if (2 * count > voters.size()) best = std::max(best, candidate);
  }
  return best;
}

}  // namespace

TEST_CASE("quorum_value: equals counting") {
  rc::prop("for any voters and values", [] {
    const auto voters = some_voters();
    std::map<ServerId, uint64_t> reached;
    for (const ServerId voter : voters) reached[voter] = *rc::gen::inRange<uint64_t>(0, 20);
    RC_ASSERT(quorum_value(voters, [&](ServerId voter) { return reached.at(voter); }) ==
              counted_quorum_value(voters, reached));
  });
}

TEST_CASE("quorum_value: small groups by hand") {
  const std::vector<ServerId> one = {7};
  const std::vector<ServerId> two = {7, 8};
  const std::vector<ServerId> three = {7, 8, 9};
  const std::vector<ServerId> four = {6, 7, 8, 9};
  const auto value = [](ServerId server) { return server * 10; };
  CHECK(quorum_value(one, value) == 70);
  CHECK(quorum_value(two, value) == 70);
  CHECK(quorum_value(three, value) == 80);
  CHECK(quorum_value(four, value) == 70);
}

TEST_CASE("count_votes: equals counting") {
  rc::prop("for any answers", [] {
    const auto voters = some_voters();
    std::vector<ServerId> granted;
    std::vector<ServerId> refused;
    size_t yes = 0;
    size_t no = 0;
    for (ServerId server = 1; server <= kMembersMax + 3; ++server) {  // strangers answer too
      const auto answer = *rc::gen::inRange(0, 3);
      if (answer == 1) granted.push_back(server);
      if (answer == 2) refused.push_back(server);
      if (server > voters.size()) continue;
      yes += answer == 1 ? 1 : 0;
      no += answer == 2 ? 1 : 0;
    }
    const Ballot expected = 2 * yes > voters.size()   ? Ballot::won
                            : 2 * no >= voters.size() ? Ballot::lost
                                                      : Ballot::pending;
    RC_ASSERT(count_votes(voters, granted, refused) == expected);
  });
}

TEST_CASE("check_change: majorities before and after one step always meet") {
  // All configurations of 5 servers as voter, learner or absent, and all changes of one server.
  constexpr unsigned kServers = 5;
  constexpr unsigned kConfigurations = 3 * 3 * 3 * 3 * 3;
  const auto configuration_of_number = [](unsigned number) {
    Configuration configuration;
    for (ServerId server = 1; server <= kServers; ++server, number /= 3) {
      if (number % 3 == 1) configuration.voters.push_back(server);
      if (number % 3 == 2) configuration.learners.push_back(server);
    }
    return configuration;
  };
  const auto has_majority = [](const Configuration& configuration, unsigned set) {
    size_t count = 0;
    for (const ServerId voter : configuration.voters) count += (set >> (voter - 1)) & 1;
    return 2 * count > configuration.voters.size();
  };
  size_t allowed = 0;
  size_t disjoint = 0;
  for (unsigned a = 0; a < kConfigurations; ++a) {
    for (unsigned b = 0; b < kConfigurations; ++b) {
      const Configuration from = configuration_of_number(a);
      const Configuration to = configuration_of_number(b);
      if (!is_valid(from) || !check_change(from, to).ok()) continue;
      ++allowed;
      for (unsigned set = 0; set < (1u << kServers); ++set) {
        if (has_majority(from, set) && has_majority(to, ~set)) ++disjoint;
      }
    }
  }
  CHECK(allowed > 1000);
  CHECK(disjoint == 0);
}

TEST_CASE("check_change: what is one step and what is not") {
  const Configuration three{{1, 2, 3}, {}};
  CHECK(check_change(three, {{1, 2, 3}, {4}}).ok());
  CHECK(check_change({{1, 2, 3}, {4}}, {{1, 2, 3, 4}, {}}).ok());
  CHECK(check_change(three, {{1, 2}, {3}}).ok());
  CHECK(check_change(three, {{1, 2}, {}}).ok());
  CHECK(check_change(three, three).code() == ErrorCode::already_exists);
  CHECK(check_change(three, {{1, 2, 3, 4}, {}}).code() == ErrorCode::invalid_argument);  // not by way of a learner
  CHECK(check_change(three, {{1}, {}}).code() == ErrorCode::invalid_argument);
  CHECK(check_change(three, {{1, 2, 3}, {4, 5}}).code() == ErrorCode::invalid_argument);
  CHECK(check_change({{1}, {}}, {{}, {}}).code() == ErrorCode::invalid_argument);
  CHECK(check_change(three, {{3, 2, 1}, {4}}).code() == ErrorCode::invalid_argument);
}

TEST_CASE("is_valid: sorted, disjoint, bounded, nobody is not a server") {
  CHECK(is_valid({{1}, {}}));
  CHECK_FALSE(is_valid({{}, {1}}));
  CHECK_FALSE(is_valid({{1, 1}, {}}));
  CHECK_FALSE(is_valid({{2, 1}, {}}));
  CHECK_FALSE(is_valid({{1, 2}, {2}}));
  CHECK_FALSE(is_valid({{0, 1}, {}}));
  CHECK_FALSE(is_valid({{1}, {0}}));
  Configuration large;
  for (ServerId server = 1; server <= kMembersMax; ++server) large.voters.push_back(server);
  CHECK(is_valid(large));
  large.learners.push_back(kMembersMax + 1);
  CHECK_FALSE(is_valid(large));
}

TEST_CASE("configuration_of: only valid ones come out") {
  const Configuration configuration{{1, 2, 3}, {4}};
  Entry entry{1, 1, EntryKind::configuration, encode(configuration)};
  CHECK(configuration_of(entry) == configuration);
  entry.data.pop_back();
  CHECK_FALSE(configuration_of(entry).has_value());
  entry.data = encode(Configuration{});
  CHECK_FALSE(configuration_of(entry).has_value());
}

}  // namespace chainring::raft
