// Who is in the group: membership tests, validity, and which change of it is one step (4.1, 4.2.1).
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <optional>

#include "base/result.h"
#include "raft/types.h"

namespace chainring::raft {

inline constexpr size_t kMembersMax = 31;

[[nodiscard]] bool is_voter(const Configuration& configuration, ServerId server);
[[nodiscard]] bool is_learner(const Configuration& configuration, ServerId server);
[[nodiscard]] bool is_member(const Configuration& configuration, ServerId server);

// At least one voter, at most kMembersMax members, both lists sorted, nobody twice.
[[nodiscard]] bool is_valid(const Configuration& configuration);

// The configuration that an entry carries; nothing when its bytes are not a valid one.
[[nodiscard]] std::optional<Configuration> configuration_of(const Entry& entry);

// Ok when `to` differs from `from` by one server that comes as a learner, is promoted to a voter, is made a learner
// again, or goes. Nobody comes as a voter at once: a server without the log would have to be counted (4.2.1).
[[nodiscard]] Status check_change(const Configuration& from, const Configuration& to);

}  // namespace chainring::raft
