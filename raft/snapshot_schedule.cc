#include "raft/snapshot_schedule.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "raft/configuration.h"
#include "raft/limits.h"
#include "raft/quorum.h"

namespace chainring::raft {

Place place_of(const Configuration& configuration, ServerId server) {
  if (!is_member(configuration, server)) return {};
  Place place{0, configuration.voters.size() + configuration.learners.size()};
  for (const auto* list : {&configuration.voters, &configuration.learners}) {
    place.rank += static_cast<uint64_t>(std::lower_bound(list->begin(), list->end(), server) - list->begin());
  }
  return place;
}

Index next_snapshot(Index last, uint64_t every, Place place) {
  CHECK(every > 0, "snapshots by number of entries");
  const uint64_t offset = every * place.rank / place.members;
  const Index earliest = last + (every + 1) / 2;
  return earliest + (offset + every - earliest % every) % every;
}

uint64_t log_bytes_due(Place place) {
  constexpr uint64_t kHalf = kLogBytesMax / 2;
  return kHalf + kHalf * (place.members - 1 - place.rank) / place.members;
}

ServerId stand_in(const Core& core, ServerId leader, std::span<const ServerId> tried) {
  // Downwards from the leader, and round: the one before it has taken its own snapshot last.
  std::vector<ServerId> others(core.configuration().voters.rbegin(), core.configuration().voters.rend());
  const auto below = std::find_if(others.begin(), others.end(), [&](ServerId voter) { return voter <= leader; });
  std::rotate(others.begin(), below, others.end());
  std::erase(others, leader);
  const auto keeps_up = [&](ServerId voter) { return core.has_caught_up(voter); };
  const auto ready = static_cast<size_t>(std::count_if(others.begin(), others.end(), keeps_up));
  if (ready < majority_of(core.configuration().voters.size())) return kNobody;
  const auto found = std::find_if(others.begin(), others.end(), [&](ServerId voter) {
    const bool in_vain = std::find(tried.begin(), tried.end(), voter) != tried.end();
    return !in_vain && keeps_up(voter) && core.progress(voter)->match >= core.committed();
  });
  return found == others.end() ? kNobody : *found;
}

}  // namespace chainring::raft
