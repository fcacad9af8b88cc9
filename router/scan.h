// SCAN: a walk over the slots in their order, then over the lock keyspace. The cursor is slot and position
// (engine/cursor.h), which mean the same on every member, so that the walk goes on when a slot has moved (R22).
//
// The head of the first slot walks its run of slots; mostly that is all. When it comes to the end of the run before it
// has done the work that COUNT asks for, the keyspace is sparse there, and all heads walk their slots from there on at
// once: what lies behind the place that the slowest of them has reached is dropped, and will be found by a later call.
// So a small keyspace in hundreds of runs is not one round trip for each.
// Thread-safety: none.
#pragma once

#include <optional>

#include "router/operation.h"

namespace chainring::router {

// The arguments of a SCAN as far as the router must know them.
struct ScanRequest {
  static constexpr uint64_t kCountDefault = 10;
  uint64_t cursor = 0;
  uint64_t count = kCountDefault;
  size_t count_at = 0;      // where COUNT's value is among the arguments; 0 for nowhere
  bool well_formed = true;  // otherwise whoever runs it has the error to say: it is passed on as it is
};
// Nothing for a cursor that is none. REQUIRES: args.size() >= 2.
[[nodiscard]] std::optional<ScanRequest> parse_scan(std::span<const std::string_view> args);

class Scan final : public Operation {
 public:
  Scan(Services& services, const session::ClientRequest& request, Micros deadline);

  void start(Micros now) override;

 private:
  // What one head found.
  struct Found {
    uint64_t cursor = 0;
    uint64_t count = 0;
    std::string_view elements;
  };
  [[nodiscard]] static std::optional<Found> parse_found(std::string_view reply);

  void leg_ended(uint32_t leg, Ending ending, std::string_view reply, Micros now) override;
  void call_answered(SlotsCall& call, const protocol::SlotsReply& reply, std::string_view body, Micros now) override;
  void call_lost(SlotsCall& call, Micros now) override;
  void try_again(Micros now) override;
  void time_passed(Micros now) override;
  [[nodiscard]] Micros next_attempt() const override;

  void go_on(Micros now);
  void ask_heads(Micros now);
  bool take(const SlotsCall& call, const protocol::SlotsReply& reply, std::string_view body);
  void end_call(Micros now);
  void end_round(Micros now);
  bool keep_reached(std::string_view elements);
  [[nodiscard]] bool still_there(const SlotsCall& call) const;
  void unserved(Micros now);
  void answer_with_found();
  [[nodiscard]] std::string command() const;

  std::vector<std::string> args_;
  std::optional<ScanRequest> scan_;
  uint64_t cursor_ = 0;
  uint64_t count_ = 0;  // elements found
  std::string elements_;
  bool moved_ = false;  // beyond the client's cursor
  bool wide_ = false;   // all heads are asked, not only the next

  // Of the round of calls that is under way.
  size_t missing_ = 0;
  uint64_t limit_ = 0;   // as far as all of them have walked
  bool worked_ = false;  // one has done what COUNT asks for
  std::string round_;    // elements
  RetryTimer retry_;
};

}  // namespace chainring::router
