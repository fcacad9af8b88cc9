#include "base/size.h"

#include <string>

#include "base/text.h"

namespace chainring {
namespace {

constexpr int64_t kKiB = 1024;
constexpr int64_t kMiB = 1024 * kKiB;
constexpr int64_t kGiB = 1024 * kMiB;

}  // namespace

std::optional<int64_t> parse_size(std::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  const std::string unit = to_lower(text.substr(digits));
  int64_t factor = 0;
  if (unit.empty() || unit == "b") factor = 1;
  if (unit == "k") factor = 1000;
  if (unit == "kb") factor = kKiB;
  if (unit == "m") factor = 1000 * 1000;
  if (unit == "mb") factor = kMiB;
  if (unit == "g") factor = 1000 * 1000 * 1000;
  if (unit == "gb") factor = kGiB;
  const std::optional<int64_t> count = parse_int(text.substr(0, digits));
  int64_t size = 0;
  if (factor == 0 || !count || __builtin_mul_overflow(*count, factor, &size)) return std::nullopt;
  return size;
}

}  // namespace chainring
