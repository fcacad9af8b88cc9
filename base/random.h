// Randomness as an argument. The real source only seeds one of these (io/entropy.h); the simulator seeds all
// of them from one number.
#pragma once

#include <cstdint>

#include "base/check.h"

namespace chainring {

// Thread-safety: none; one owner each.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next() = 0;  // uniform over all 64-bit values

  // Uniform in [0, bound). REQUIRES: bound > 0.
  uint64_t below(uint64_t bound) {
    CHECK(bound > 0, "an empty range has no number");
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
  // True with probability percent / 100. REQUIRES: percent <= 100.
  bool percent(uint32_t percent) { return below(100) < percent; }
};

// splitmix64 (Steele, Lea, Flood 2014): every seed gives a full-period sequence, the same on every machine.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t next() override {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

}  // namespace chainring
