// Whether a change of the placement rules that is under way can be made: what the members of all chains have said of
// the keys that it would move (R23; docs/conversations.md, "A change of the placement rules").
//
// Volatile: a new leader hears everything again within a heartbeat.
// Pure: time is an argument. Thread-safety: none; one owner.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/entries.h"
#include "coordinator/lease.h"
#include "coordinator/state_ring.h"

namespace chainring::coordinator {

class RulesCheck {
 public:
  // A change that cannot be judged for so long, because slots are not served, is given up; at once when they are lost.
  static constexpr Micros kPatience = 60 * kMicrosPerSecond;

  // Leadership began.
  void begin();
  // A member's statement. REQUIRES: the member said it itself (R1).
  void stated(const protocol::RulesChecked& statement);
  // How the change is to end; nothing while that is open, or when there is none.
  [[nodiscard]] std::optional<RulesOutcomeEntry> judge(const RingState& ring, const LeaseBook& leases, Micros now);
  // When a judgement may turn out otherwise although nothing else has changed; kNever for never.
  [[nodiscard]] Micros next_check() const { return next_check_; }

 private:
  [[nodiscard]] bool has_looked(const protocol::TableRange& range, TableVersion change) const;

  std::map<MemberId, protocol::RulesChecked> statements_;  // of the change under way
  TableVersion change_ = 0;
  Micros since_ = 0;
  Micros next_check_ = kNever;
};

}  // namespace chainring::coordinator
