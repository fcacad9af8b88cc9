// Time as numbers that are passed in. Nothing but io reads a clock.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>

namespace chainring {

using Micros = int64_t;  // of the monotonic clock (CLOCK_BOOTTIME): counts while the machine is suspended
using Millis = int64_t;  // of the wall clock, since 1970, or a length of time where the name says so

inline constexpr Micros kNever = INT64_MAX;
inline constexpr Micros kMicrosPerMilli = 1000;
inline constexpr Micros kMicrosPerSecond = 1'000'000;

// One reading of both clocks. A turn of the event loop takes one, after it has read all its sockets (R5).
struct Now {
  Micros mono = 0;
  Millis wall = 0;
};

}  // namespace chainring
