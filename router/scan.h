// SCAN: a walk over the slots in their order, then over the lock keyspace. The cursor is slot and position
// (engine/cursor.h), which mean the same on every member, so that the walk goes on when a slot has moved (R22).
//
// One call of a client goes on from head to head until one of them has done the work that COUNT asks for, or as many
// elements were found, or kScanHopsMax heads were asked: so a small keyspace in many ranges does not cost its client a
// round trip for each.
// Thread-safety: none.
#pragma once

#include <optional>

#include "router/operation.h"

namespace chainring::router {

inline constexpr uint32_t kScanHopsMax = 64;

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
  void unserved(Micros now);
  bool take(const Found& found, uint64_t next);
  void answer_with_found();
  [[nodiscard]] std::string command() const;

  std::vector<std::string> args_;
  std::optional<ScanRequest> scan_;
  uint64_t cursor_ = 0;
  uint64_t count_ = 0;  // elements found
  std::string elements_;
  uint32_t hops_ = 0;
  RetryTimer retry_;
};

}  // namespace chainring::router
