// Majorities.
//
// Thread-safety: pure functions.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <span>

#include "base/check.h"
#include "raft/configuration.h"
#include "raft/types.h"

namespace chainring::raft {

// How many of `voters` servers are a majority. Any two majorities share a server; that is all that Raft asks of them.
constexpr size_t majority_of(size_t voters) { return voters / 2 + 1; }

// The greatest value that a majority of the voters has reached, where value(server) is what one of them has reached.
// REQUIRES: between 1 and kMembersMax voters.
template <class Value>
[[nodiscard]] auto quorum_value(std::span<const ServerId> voters, Value&& value) {
  CHECK(!voters.empty(), "nobody has no majority");
  CHECK(voters.size() <= kMembersMax, "is_valid() bounds configurations");
  std::array<decltype(value(kNobody)), kMembersMax> reached{};
  for (size_t i = 0; i < voters.size(); ++i) reached[i] = value(voters[i]);
  const auto end = reached.begin() + static_cast<std::ptrdiff_t>(voters.size());
  const auto rank = reached.begin() + static_cast<std::ptrdiff_t>(majority_of(voters.size()) - 1);
  std::nth_element(reached.begin(), rank, end, std::greater<>());
  return *rank;
}

enum class Ballot { pending, won, lost };

// The state of an election among `voters`; answers by anybody else do not count.
[[nodiscard]] Ballot count_votes(std::span<const ServerId> voters, std::span<const ServerId> granted,
                                 std::span<const ServerId> refused);

}  // namespace chainring::raft
