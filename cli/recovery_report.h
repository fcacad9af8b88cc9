// What `RING RECOVER PLAN` tells (docs/status.md). Thread-safety: value types and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace chainring::cli {

struct RecoveryReport {
  struct Node {
    std::string name;
    int64_t version = 0;  // of its table; 0: none
    int64_t slots = 0;
  };
  struct Range {
    int64_t first = 0, last = 0;
  };
  std::string cluster_id;
  int64_t generation = 0;  // that would be founded
  int64_t version = 0;     // of the table that it begins with
  int64_t lease_ms = 0;
  std::vector<Node> stated, silent;
  std::vector<Range> uncovered;
  int64_t uncovered_slots = 0;
};

// As parse_status().
[[nodiscard]] Result<RecoveryReport> parse_recovery(std::string_view json);

// For people.
[[nodiscard]] std::string to_text(const RecoveryReport& report);

}  // namespace chainring::cli
