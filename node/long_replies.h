// Which long replies slots remember for retries (R20), oldest first. A sender's last answer of a slot stays until it
// writes there again, so with long ones that may be as much as all that is stored: of all slots together no more than
// so many bytes are remembered (R11). Whoever sends again what was answered by one that is forgotten is told that the
// outcome is unknown.
//
// Thread-safety: none; one owner.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/fifo.h"
#include "base/ids.h"

namespace chainring::node {

class LongReplies {
 public:
  static constexpr size_t kLongFrom = 1024;               // bytes; of shorter ones SenderLog's limits are enough
  static constexpr size_t kBytesMax = size_t{128} << 20;  // the newest one stays, however long it is

  struct Reply {
    Slot slot = 0;
    Incarnation sender = 0;
    uint64_t number = 0;
    size_t bytes = 0;
  };

  // A slot remembers one more reply. `is_known(reply)` says whether it still does; `forget(reply)` makes it forget.
  // What a slot has forgotten by itself counts for as long as older ones are known.
  template <class IsKnown, class Forget>
  void add(const Reply& reply, IsKnown&& is_known, Forget&& forget) {
    if (reply.bytes < kLongFrom) return;
    replies_.push_back(reply);
    bytes_ += reply.bytes;
    while (replies_.size() > 1) {
      const Reply oldest = replies_.front();
      if (is_known(oldest)) {
        if (bytes_ <= kBytesMax) return;
        forget(oldest);
      }
      bytes_ -= oldest.bytes;
      replies_.pop_front();
    }
  }

 private:
  Fifo<Reply> replies_;
  size_t bytes_ = 0;
};

}  // namespace chainring::node
