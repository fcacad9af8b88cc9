// When the link of a node or router is sent the table: each version once, and again while the peer does not say that it
// has it.
//
// A table may be long and its link slow, and a link that is sent copies faster than it carries them never catches up.
// So no table, not even a newer one, is sent while an earlier one still waits to leave, and the same one again only
// after a patience that doubles each time, up to kPatienceMost, until the peer has what it was sent. A link that has
// broken takes its copies with it: the next one has a feed of its own, which begins anew.
//
// Pure: time and what the transport says are arguments. Thread-safety: none; one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "base/time.h"

namespace chainring::coordinator {

class TableFeed {
 public:
  static constexpr Micros kPatienceMost = 2 * kMicrosPerSecond;

  // The peer says which version it has, and wants the newer ones from then on. `patience`: the first one.
  void heard(TableVersion has, Micros now, Micros patience);
  // For each turn that begins while is_leaving(), before anything is written to the link in it: what
  // Transport::unsent() and sent_late() say.
  void turn_begins(size_t unsent, uint64_t sent_late, Micros now);

  [[nodiscard]] bool is_due(TableVersion version) const {
    return wanted_ && !leaving_ && sent_ < version && has_ < version;
  }
  // This version was written to the link. REQUIRES: is_due(version).
  void sent(TableVersion version, Micros now);
  // Who was sent it here is to find another leader: what was sent does not count any more.
  void leadership_ended() { sent_ = 0; }

  // Whether what was sent last may still wait to leave.
  [[nodiscard]] bool is_leaving() const { return leaving_; }
  [[nodiscard]] bool wanted() const { return wanted_; }
  [[nodiscard]] TableVersion has() const { return has_; }

 private:
  bool wanted_ = false;
  bool leaving_ = false;
  TableVersion has_ = 0;                    // as the peer says
  TableVersion sent_ = 0;                   // on this link; 0 when it is to be sent again
  Micros sent_at_ = 0;                      // when it was written, or had left
  Micros patience_ = 0;                     // 0: the first one
  std::optional<uint64_t> left_when_late_;  // what sent_late() is at the most when it has left
};

}  // namespace chainring::coordinator
