// How long things took, counted in powers of two of microseconds: an add is an increment, and the counts of a busy
// hour take 200 bytes.
//
// Thread-safety: none.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace chainring {

class LatencyCounts {
 public:
  static constexpr size_t kBuckets = 25;  // the last one takes all from 8.4 s on

  void add(Micros duration, uint64_t times = 1) {
    const auto micros = static_cast<uint64_t>(std::max<Micros>(duration, 0));
    counts_[std::min<size_t>(static_cast<size_t>(std::bit_width(micros)), kBuckets - 1)] += times;
    sum_us_ += micros * times;
  }

  // Durations below 2^index microseconds that are in no bucket before it. REQUIRES: index < kBuckets.
  [[nodiscard]] uint64_t bucket(size_t index) const { return counts_[index]; }
  [[nodiscard]] uint64_t sum_us() const { return sum_us_; }

 private:
  std::array<uint64_t, kBuckets> counts_{};
  uint64_t sum_us_ = 0;
};

}  // namespace chainring
