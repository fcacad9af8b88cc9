#include "node/copy_rate.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::node {
namespace {

TEST_CASE("CopyRate: over a second as much as the rate says, in portions of a tenth at most") {
  constexpr uint64_t kRate = 10'000'000;
  CopyRate rate;
  Micros now = 5 * kMicrosPerSecond;
  CHECK(rate.allowed(kRate, now) == kRate / 10);
  rate.spend(kRate / 10);
  uint64_t sent = 0;
  const Micros end = now + kMicrosPerSecond;
  for (Micros next = rate.next(now); next <= end; next = rate.next(now)) {
    REQUIRE(next > now);
    now = next;
    const uint64_t allowed = rate.allowed(kRate, now);
    REQUIRE(allowed > 0);
    sent += 100'000;  // more than is allowed is waited for afterwards
    rate.spend(100'000);
  }
  CHECK(sent >= kRate * 9 / 10);
  CHECK(sent <= kRate * 11 / 10);
}

TEST_CASE("CopyRate: 0 is without limit, and no debt is left from then") {
  CopyRate rate;
  CHECK(rate.allowed(0, kMicrosPerSecond) == UINT64_MAX);
  rate.spend(1'000'000);
  CHECK(rate.next(kMicrosPerSecond) == kMicrosPerSecond);
  CHECK(rate.allowed(1'000, 2 * kMicrosPerSecond) > 0);
}

}  // namespace
}  // namespace chainring::node
