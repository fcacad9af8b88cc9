// "did you mean ...?" for names that were mistyped. Thread-safety: a pure function.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace chainring::cli {

// "; did you mean 'lease-ms'?" when one of `known` is near enough to `given`, else empty.
[[nodiscard]] std::string did_you_mean(std::string_view given, std::span<const std::string_view> known);

}  // namespace chainring::cli
