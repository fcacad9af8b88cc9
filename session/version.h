// Which release this is, and which Redis clients are told to expect.
#pragma once

#include <string_view>

namespace chainring::session {

inline constexpr std::string_view kChainringVersion = "0.1.0";
inline constexpr std::string_view kRedisVersion = "7.2.5";

}  // namespace chainring::session
