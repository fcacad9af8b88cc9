// How fast a node copies to learners (`copy-rate`): a bucket of bytes that fills with time and holds a tenth of a
// second's worth at most.
//
// Pure. Thread-safety: none; one owner.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace chainring::node {

class CopyRate {
 public:
  // How many bytes may be copied now, at `rate` bytes a second; 0 is without limit.
  [[nodiscard]] uint64_t allowed(uint64_t rate, Micros now) {
    rate_ = rate;
    if (rate == 0) return UINT64_MAX;
    const double filled = static_cast<double>(rate) * static_cast<double>(now - filled_at_) / kMicrosPerSecond;
    const double most = std::max(static_cast<double>(rate) / 10, kLeastBytes);
    filled_at_ = now;
    bytes_ = std::min(most, bytes_ + filled);
    return bytes_ > 0 ? static_cast<uint64_t>(bytes_) : 0;
  }
  // What was copied, which may have been more than was allowed: the next has to wait for it then.
  void spend(uint64_t bytes) {
    if (rate_ != 0) bytes_ -= static_cast<double>(bytes);
  }
  // When some may be copied again; now, when some may be now.
  [[nodiscard]] Micros next(Micros now) const {
    if (rate_ == 0 || bytes_ > 0) return now;
    return now + kMicrosPerMilli + static_cast<Micros>(-bytes_ / static_cast<double>(rate_) * kMicrosPerSecond);
  }

 private:
  static constexpr double kLeastBytes = 64 * 1024;
  uint64_t rate_ = 0;
  double bytes_ = 0;  // below 0: a debt
  Micros filled_at_ = 0;
};

}  // namespace chainring::node
