// When to try again what nobody serves at the moment: waits that grow from 5 ms to 50 ms.
//
// Thread-safety: none.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace chainring::router {

class RetryTimer {
 public:
  static constexpr Micros kFirst = 5 * kMicrosPerMilli;
  static constexpr Micros kMax = 50 * kMicrosPerMilli;

  // kNever when it does not run.
  [[nodiscard]] Micros due() const { return due_; }

  // After an attempt that failed.
  void schedule(Micros now) {
    wait_ = wait_ == 0 ? kFirst : std::min(wait_ * 2, kMax);
    due_ = now + wait_;
  }
  // There is news: due at once, and the waits are short again.
  void hasten(Micros now) {
    wait_ = 0;
    due_ = now;
  }
  void stop() {
    wait_ = 0;
    due_ = kNever;
  }

 private:
  Micros due_ = kNever;
  Micros wait_ = 0;
};

}  // namespace chainring::router
