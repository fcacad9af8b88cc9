// How the next generation of a cluster begins after all of its coordinators were lost (R31; docs/conversations.md,
// "After all coordinators were lost"): what nodes say of the newest table that they have obeyed comes in, the table to
// begin with comes out.
//
// Pure. Thread-safety: plain functions over the caller's values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "coordinator/entries.h"
#include "protocol/messages.h"

namespace chainring::coordinator {

inline constexpr uint64_t kGenerationMax = 8191;  // lock tokens stay below 2^53 (R26)

struct Recovery {
  struct Node {
    std::string name;
    TableVersion version = 0;  // of the table that it states; 0: it has none
    uint32_t slots = 0;        // that it holds by the table to begin with
  };
  protocol::TableMessage table;                // to begin with
  std::vector<Node> stated;                    // who was asked
  std::vector<Node> silent;                    // who holds slots by the table and was not asked
  std::vector<protocol::SlotRange> uncovered;  // slots that nobody of those who were asked holds
  Micros lease_us = 0;                         // the longest of the leases that they were granted
};

// `statements` are what nodes have answered to RING TABLE. The error says which of them cannot be used, and why: a
// lease that still runs means that a coordinator lives.
[[nodiscard]] Result<Recovery> weigh_statements(std::span<const std::string_view> statements);

// The first entry of the next generation. `own` is what a founding here would have proposed.
[[nodiscard]] RecoverEntry recover_entry(const Recovery& recovery, FoundEntry own);

// What RING RECOVER PLAN answers (docs/status.md).
[[nodiscard]] std::string recovery_json(const Recovery& recovery);

}  // namespace chainring::coordinator
