#include "cli/suggest.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace chainring::cli {
namespace {

constexpr size_t kNameBytesMax = 64;  // longer than any name: not a typing mistake

// How many characters must be added, removed, changed or swapped with their neighbour (optimal string alignment).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, changed});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string did_you_mean(std::string_view given, std::span<const std::string_view> known) {
  if (given.size() > kNameBytesMax) return "";
  std::string_view nearest;
  size_t least = std::max<size_t>(given.size() / 3, 1) + 1;  // a third may be wrong
  for (const std::string_view name : known) {
    const size_t found = distance(given, name);
    if (found >= least) continue;
    least = found;
    nearest = name;
  }
  return nearest.empty() ? "" : concat("; did you mean '", nearest, "'?");
}

}  // namespace chainring::cli
