#include "io/real_clock.h"

#include <ctime>

#include "base/check.h"

namespace chainring::io {
namespace {

timespec read(clockid_t clock) {
  timespec time{};
  CHECK(::clock_gettime(clock, &time) == 0, "Linux has this clock");
  return time;
}

}  // namespace

Micros read_mono() {
  const timespec time = read(CLOCK_BOOTTIME);
  return time.tv_sec * kMicrosPerSecond + time.tv_nsec / 1000;
}

Now read_clocks() {
  const Micros mono = read_mono();
  const timespec wall = read(CLOCK_REALTIME);
  return {mono, wall.tv_sec * 1000 + wall.tv_nsec / 1'000'000};
}

}  // namespace chainring::io
