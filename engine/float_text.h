// Long doubles as Redis reads and writes them.
// Thread-safety: pure functions (the C locale's decimal point is assumed).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace chainring::engine {

// The whole text, as strtold takes it: also "inf", "0x1p3". Nothing for spaces in front, for NaN, beyond the range, and
// for more than 5 KiB.
[[nodiscard]] std::optional<long double> parse_long_double(std::string_view text);

// 17 digits behind the point without trailing zeros, never an exponent. Nothing for NaN and infinities.
[[nodiscard]] std::optional<std::string> long_double_text(long double value);

}  // namespace chainring::engine
