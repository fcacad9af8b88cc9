// What `RING LOST` tells (docs/status.md), and what of it an operator can give up.
// Thread-safety: value types and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace chainring::cli {

struct LostReport {
  struct Chain {
    int64_t first = 0, last = 0, epoch = 0;
    bool lost = false;             // all its members are gone
    std::vector<int64_t> members;  // ids
  };
  struct Member {
    int64_t id = 0;
    std::string name, host;
    int64_t port = 0;
    std::string state;  // gone, absent
    int64_t slots = 0, lapsed_ms = 0;
  };
  int64_t slots = 0, lost = 0;
  std::vector<Chain> chains;
  std::vector<Member> members;
};

// As parse_status().
[[nodiscard]] Result<LostReport> parse_lost(std::string_view json);

// Who held the slots that nobody serves, for people.
[[nodiscard]] std::string to_text(const LostReport& report);

// What can be served empty: the slots of which everybody is gone, or absent and among `gone`.
struct GivenUp {
  std::vector<std::string> slots;  // "0-5460", "7"
  int64_t count = 0;
};
[[nodiscard]] GivenUp given_up(const LostReport& report, const std::vector<std::string>& gone);

}  // namespace chainring::cli
