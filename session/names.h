// The rule for names that clients give themselves and their libraries.
// Thread-safety: a pure function.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/text.h"

namespace chainring::session {

// They are kept for as long as the client is there.
inline constexpr size_t kClientNameBytesMax = 1024;

// The error to answer for a name, or empty. Names stand between spaces in CLIENT LIST, so they are printable ASCII
// without the space. An empty name is none. `what` begins the error: "Client names", "LIB-NAME".
[[nodiscard]] inline std::string client_name_error(std::string_view what, std::string_view name) {
  if (name.size() > kClientNameBytesMax) return concat("ERR ", what, " cannot be longer than 1024 bytes.");
  if (std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; })) return {};
  return concat("ERR ", what, " cannot contain spaces, newlines or special characters.");
}

}  // namespace chainring::session
