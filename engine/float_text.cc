#include "engine/float_text.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace chainring::engine {
namespace {
// Redis' buffer: the largest long double has 4933 digits.
constexpr size_t kLongDoubleBytesMax = 5 * 1024;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
}  // namespace

std::optional<long double> parse_long_double(std::string_view text) {
  if (text.empty() || text.size() >= kLongDoubleBytesMax || is_space(text.front())) return std::nullopt;
  char buffer[kLongDoubleBytesMax];  // strtold wants an end
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  errno = 0;
  char* end = nullptr;
  const long double value = std::strtold(buffer, &end);
  if (end != buffer + text.size() || std::isnan(value)) return std::nullopt;
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  return value;
}

std::optional<std::string> long_double_text(long double value) {
  if (!std::isfinite(value)) return std::nullopt;
  char buffer[kLongDoubleBytesMax];
  const int size = std::snprintf(buffer, sizeof buffer, "%.17Lf", value);
  CHECK(size > 0 && static_cast<size_t>(size) < sizeof buffer, "the largest long double fits");
  std::string text(buffer, static_cast<size_t>(size));
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  if (text == "-0") text.erase(0, 1);
  return text;
}

}  // namespace chainring::engine
