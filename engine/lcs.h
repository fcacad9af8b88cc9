// The longest common subsequence of two strings, by dynamic programming over a table of their prefixes, as Redis' LCS
// finds it: among equally long ones the same one, in the same ranges.
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace chainring::engine {

struct Lcs {
  struct Match {  // the same `size` bytes in both
    uint32_t in_first;
    uint32_t in_second;
    uint32_t size;
  };
  std::string text;
  uint32_t length = 0;
  std::vector<Match> matches;  // from the strings' ends to their beginnings
};

// Whether the table for strings of these sizes keeps Redis' limit, kStringBytesMax.
[[nodiscard]] bool lcs_fits(size_t first_size, size_t second_size);

// REQUIRES of both: lcs_fits().
[[nodiscard]] Lcs longest_common_subsequence(std::string_view first, std::string_view second);
[[nodiscard]] uint32_t lcs_length(std::string_view first, std::string_view second);  // in two rows of memory

}  // namespace chainring::engine
