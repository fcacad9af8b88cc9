// Small text helpers: joining, strict number parsing, case-insensitive compare.
// Thread-safety: pure functions.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace chainring {

namespace text_detail {
inline void append_one(std::string& out, std::string_view part) { out.append(part); }
inline void append_one(std::string& out, char part) { out.push_back(part); }
template <class Int>
  requires(std::is_integral_v<Int> && !std::is_same_v<Int, char> && !std::is_same_v<Int, bool>)
void append_one(std::string& out, Int part) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, part).ptr;
  out.append(digits, static_cast<size_t>(end - digits));
}
}  // namespace text_detail

// Appends strings, characters and integers to `out`.
template <class... Parts>
void append_text(std::string& out, const Parts&... parts) {
  (text_detail::append_one(out, parts), ...);
}

template <class... Parts>
[[nodiscard]] std::string concat(const Parts&... parts) {
  std::string out;
  append_text(out, parts...);
  return out;
}

// Lower-case hexadecimal without leading zeros.
[[nodiscard]] std::string hex(uint64_t value);

// Redis' strict rule for integers: no spaces, no '+', no leading zeros, the whole text. "-0" is refused.
[[nodiscard]] std::optional<int64_t> parse_int(std::string_view text);
[[nodiscard]] std::optional<uint64_t> parse_uint(std::string_view text);

// ASCII only, as command and option names are.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);
[[nodiscard]] std::string to_lower(std::string_view text);
[[nodiscard]] std::string to_upper(std::string_view text);

}  // namespace chainring
