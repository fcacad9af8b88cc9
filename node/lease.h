// The node's side of its lease, and the wall time that comes with it (R4, R5, R12).
//
// Pure. Thread-safety: none; one owner.
#pragma once

#include <algorithm>

#include "base/time.h"
#include "protocol/messages.h"

namespace chainring::node {

class NodeLease {
 public:
  // The lease runs from the moment that the heartbeat was sent, by this node's own clock; grants may come in any order.
  void grant(const protocol::Grant& grant, Now now) {
    if (!valid(now.mono)) ++number_;
    until_ = std::max(until_, grant.sent_at + grant.lease_us);
    // The leader read its clock at some moment since the heartbeat left.
    const Millis ours = wall_base_ == 0 ? 0 : advanced(now.mono);
    const Millis latest = grant.wall_ms + std::max<Micros>(0, now.mono - grant.sent_at) / kMicrosPerMilli;
    wall_least_ = wall(now.mono);
    wall_base_ = std::clamp(ours, grant.wall_ms, latest);
    length_ = grant.lease_us;
    wall_base_at_ = now.mono;
  }
  // REQUIRES: `now` is the turn's reading, taken after its sockets were read (R5).
  [[nodiscard]] bool valid(Micros now) const { return now < until_; }
  // Counts the leases that did not join the one before; 0 while there is none.
  [[nodiscard]] uint64_t number(Micros now) const { return valid(now) ? number_ : 0; }
  [[nodiscard]] Micros left(Micros now) const { return std::max<Micros>(0, until_ - now); }
  [[nodiscard]] Micros length() const { return length_; }  // of the newest one; 0 before the first
  // The leader's wall clock, advanced by the monotonic one; where this one is too fast it stands still until the
  // leader's has caught up, and never goes back. 0 before the first grant.
  [[nodiscard]] Millis wall(Micros now) const { return wall_base_ == 0 ? 0 : std::max(wall_least_, advanced(now)); }

 private:
  [[nodiscard]] Millis advanced(Micros now) const {
    return wall_base_ + std::max<Micros>(0, now - wall_base_at_) / kMicrosPerMilli;
  }

  Micros until_ = 0;
  Micros length_ = 0;
  uint64_t number_ = 0;
  Millis wall_base_ = 0;
  Micros wall_base_at_ = 0;
  Millis wall_least_ = 0;  // it has been told
};

}  // namespace chainring::node
