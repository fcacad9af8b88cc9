// What `chainring up` tells of itself at its control socket. Thread-safety: value types and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace chainring::cli {

struct UpReport {
  std::string host;
  std::vector<int64_t> routers, coordinators;  // their ports
  std::vector<std::string> nodes;              // by name
  friend bool operator==(const UpReport&, const UpReport&) = default;
};

[[nodiscard]] std::string to_json(const UpReport& report);
[[nodiscard]] Result<UpReport> parse_up(std::string_view json);

}  // namespace chainring::cli
