#include "engine/lcs.h"

#include <algorithm>

#include "base/check.h"
#include "engine/entry.h"

namespace chainring::engine {
namespace {

// lengths(i, j): of the longest common subsequence of the first i and the first j bytes.
class PrefixLengths {
 public:
  PrefixLengths(std::string_view first, std::string_view second)
      : width_(second.size() + 1), lengths_((first.size() + 1) * width_) {
    for (size_t i = 1; i <= first.size(); ++i) {
      const uint32_t* above = &lengths_[(i - 1) * width_];
      uint32_t* row = &lengths_[i * width_];
      for (size_t j = 1; j <= second.size(); ++j) {
        row[j] = first[i - 1] == second[j - 1] ? above[j - 1] + 1 : std::max(above[j], row[j - 1]);
      }
    }
  }
  [[nodiscard]] uint32_t operator()(size_t i, size_t j) const { return lengths_[i * width_ + j]; }

 private:
  size_t width_;
  std::vector<uint32_t> lengths_;
};

}  // namespace

bool lcs_fits(size_t first_size, size_t second_size) {
  const uint64_t cells_max = kStringBytesMax / sizeof(uint32_t);
  return first_size < cells_max && second_size + 1 <= cells_max / (first_size + 1);
}

uint32_t lcs_length(std::string_view first, std::string_view second) {
  CHECK(lcs_fits(first.size(), second.size()), "the caller judges the sizes");
  if (first.size() < second.size()) std::swap(first, second);
  std::vector<uint32_t> above(second.size() + 1);
  std::vector<uint32_t> row(second.size() + 1);
  for (const char byte : first) {
    for (size_t j = 1; j <= second.size(); ++j) {
      row[j] = byte == second[j - 1] ? above[j - 1] + 1 : std::max(above[j], row[j - 1]);
    }
    std::swap(above, row);
  }
  return above.back();
}

Lcs longest_common_subsequence(std::string_view first, std::string_view second) {
  CHECK(lcs_fits(first.size(), second.size()), "the caller judges the sizes");
  const PrefixLengths lengths(first, second);
  Lcs lcs;
  lcs.length = lengths(first.size(), second.size());

  // Backwards from the end. A run of matching bytes is one match.
  Lcs::Match run{0, 0, 0};
  const auto end_run = [&] {
    if (run.size > 0) lcs.matches.push_back(run);
    run.size = 0;
  };
  size_t i = first.size();
  size_t j = second.size();
  while (i > 0 && j > 0) {
    if (first[i - 1] == second[j - 1]) {
      --i;
      --j;
      lcs.text.push_back(first[i]);
      run = {static_cast<uint32_t>(i), static_cast<uint32_t>(j), run.size + 1};
    } else {
      end_run();
      if (lengths(i - 1, j) > lengths(i, j - 1)) {
        --i;
      } else {
        --j;
      }
    }
  }
  end_run();
  std::reverse(lcs.text.begin(), lcs.text.end());
  return lcs;
}

}  // namespace chainring::engine
