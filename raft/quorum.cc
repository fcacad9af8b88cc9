#include "raft/quorum.h"

namespace chainring::raft {

Ballot count_votes(std::span<const ServerId> voters, std::span<const ServerId> granted,
                   std::span<const ServerId> refused) {
  const auto count = [&](std::span<const ServerId> answers) {
    return static_cast<size_t>(std::count_if(voters.begin(), voters.end(), [&](ServerId voter) {
      return std::find(answers.begin(), answers.end(), voter) != answers.end();
    }));
  };
  const size_t majority = majority_of(voters.size());
  if (count(granted) >= majority) return Ballot::won;
  if (voters.size() - count(refused) < majority) return Ballot::lost;
  return Ballot::pending;
}

}  // namespace chainring::raft
