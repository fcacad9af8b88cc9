// What `RING STATUS JSON` and its parts tell (docs/status.md). Thread-safety: value types and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace chainring::cli {

// Also what `RING RESHARD` tells.
struct ReshardReport {
  std::string state;   // idle, moving, paused, waiting
  std::string change;  // "add n4"; empty when idle, or when chains are only filled up again
  int64_t slots_total = 0, slots_left = 0, copying = 0;
  int64_t keys_copied = 0, bytes_copied = 0, running_ms = 0;
  std::string trouble;  // why nothing moves

  [[nodiscard]] bool idle() const { return state.empty() || state == "idle"; }
};

// What `RING PLAN` tells: what a change would move.
struct PlanReport {
  struct Member {
    std::string name;
    int64_t weight = 0, slots_before = 0, slots_after = 0, heads_before = 0, heads_after = 0, receives = 0, gives = 0;
  };
  int64_t moves = 0;  // copies of slots to be made
  int64_t slots = 0, heads = 0, least = 0;
  int64_t copies_before = 0, copies_after = 0;
  std::vector<Member> members;
};

struct StatusReport {
  struct Coordinator {
    std::string name, host;
    int64_t port = 0;
    std::string state;  // leader, follower, unreachable
    int64_t applied = 0;
    int64_t last_heard_ms = 0;  // -1: never
  };
  struct Member {
    int64_t id = 0;
    std::string name, incarnation, host;
    int64_t port = 0;
    std::string state;  // joining, up, absent, leaving, gone
    int64_t lease_ms = 0;
    int64_t head_slots = 0, slots = 0, weight = 0;
    bool placed = true;  // it is to have slots
    std::string failure_host, zone;
  };
  struct Router {
    std::string name, host;
    int64_t port = 0, version = 0, last_heard_ms = 0;
  };
  struct Range {
    int64_t first = 0, last = 0, epoch = 0;
    std::vector<std::string> chain;
    int64_t next_epoch = 0;  // 0: no change under way
    std::vector<std::string> next_chain;
  };

  std::string cluster_id;
  int64_t generation = 0, version = 0;
  std::string leader;  // empty: none
  int64_t term = 0, copies = 0;
  std::vector<Coordinator> coordinators;
  std::vector<Member> members;
  std::vector<Router> routers;
  std::vector<Range> ranges;
  int64_t slots_assigned = 0, slots_served = 0, slots_changing = 0, slots_lost = 0, slots_standing = 0, slots_short = 0;
  int64_t locks = 0, lock_token = 0;
  ReshardReport reshard;
};

// Fields that are missing are zero or empty, unknown ones are ignored, so that versions understand each other.
[[nodiscard]] Result<StatusReport> parse_status(std::string_view json);
[[nodiscard]] Result<ReshardReport> parse_reshard(std::string_view json);
[[nodiscard]] Result<PlanReport> parse_plan(std::string_view json);

// As tables, for people.
[[nodiscard]] std::string to_text(const StatusReport& report);

// What a cluster that starts still waits for.
struct Awaited {
  std::string what;                 // in one line; empty: every node is up and every slot is served
  bool needs_the_operator = false;  // waiting longer does not help
};
[[nodiscard]] Awaited what_is_missing(const StatusReport& report, int nodes);

}  // namespace chainring::cli
