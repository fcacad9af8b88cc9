// Sizes as Redis' settings have them.
// Thread-safety: a pure function.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace chainring {

// A whole number with b, k, kb, m, mb, g, gb or nothing behind it: k is 1000, kb is 1024. Nothing for what is none, or
// too great.
[[nodiscard]] std::optional<int64_t> parse_size(std::string_view text);

}  // namespace chainring
