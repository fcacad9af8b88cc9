// Comparing secrets (passwords, the peers' secret) without telling by the time it takes how much of a guess was right.
// Thread-safety: a pure function.
#pragma once

#include <cstddef>
#include <string_view>

namespace chainring::session {

// Takes time in proportion to `given`, whatever `expected` is. An empty `expected` equals only an empty `given`.
[[nodiscard]] inline bool secrets_equal(std::string_view expected, std::string_view given) {
  volatile unsigned char difference = expected.size() == given.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    const char wanted = expected.empty() ? '\0' : expected[i % expected.size()];
    difference = static_cast<unsigned char>(difference | static_cast<unsigned char>(wanted ^ given[i]));
  }
  return difference == 0;
}

}  // namespace chainring::session
