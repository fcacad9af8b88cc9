#include "raft/configuration.h"

#include <algorithm>
#include <functional>

#include "base/bytes.h"

namespace chainring::raft {
namespace {

bool strictly_ascending(const std::vector<ServerId>& servers) {
  return std::adjacent_find(servers.begin(), servers.end(), std::greater_equal<>()) == servers.end();
}

bool contains(const std::vector<ServerId>& sorted, ServerId server) {
  return std::binary_search(sorted.begin(), sorted.end(), server);
}

// How many servers play another part in `to` than in `from`, or are in one of them only.
size_t count_differences(const Configuration& from, const Configuration& to) {
  std::vector<ServerId> all;
  for (const auto* list : {&from.voters, &from.learners, &to.voters, &to.learners}) {
    all.insert(all.end(), list->begin(), list->end());
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return static_cast<size_t>(std::count_if(all.begin(), all.end(), [&](ServerId server) {
    return is_voter(from, server) != is_voter(to, server) || is_learner(from, server) != is_learner(to, server);
  }));
}

}  // namespace

bool is_voter(const Configuration& configuration, ServerId server) { return contains(configuration.voters, server); }

bool is_learner(const Configuration& configuration, ServerId server) {
  return contains(configuration.learners, server);
}

bool is_member(const Configuration& configuration, ServerId server) {
  return is_voter(configuration, server) || is_learner(configuration, server);
}

bool is_valid(const Configuration& configuration) {
  const auto& [voters, learners] = configuration;
  if (voters.empty() || voters.size() + learners.size() > kMembersMax) return false;
  if (!strictly_ascending(voters) || !strictly_ascending(learners)) return false;
  if (is_member(configuration, kNobody)) return false;
  return std::none_of(learners.begin(), learners.end(),
                      [&](ServerId server) { return is_voter(configuration, server); });
}

std::optional<Configuration> configuration_of(const Entry& entry) {
  auto configuration = decode<Configuration>(entry.data);
  if (configuration && !is_valid(*configuration)) configuration.reset();
  return configuration;
}

Status check_change(const Configuration& from, const Configuration& to) {
  if (!is_valid(to)) return {ErrorCode::invalid_argument, "a configuration needs a voter and names nobody twice"};
  const size_t differences = count_differences(from, to);
  if (differences == 0) return {ErrorCode::already_exists, "this is the configuration already"};
  if (differences > 1) return {ErrorCode::invalid_argument, "change one server at a time"};
  for (const ServerId voter : to.voters) {
    if (!is_member(from, voter)) {
      return {ErrorCode::invalid_argument, "add a server as a learner first and promote it when it has caught up"};
    }
  }
  return {};
}

}  // namespace chainring::raft
