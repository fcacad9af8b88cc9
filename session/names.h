// The rule for names that clients give themselves and their libraries.
// Thread-safety: a pure function.
#pragma once

#include <algorithm>
#include <string_view>

namespace chainring::session {

inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

// They are shown in CLIENT LIST, between spaces: printable ASCII without the space. Empty is allowed (no name).
[[nodiscard]] inline bool is_client_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

}  // namespace chainring::session
