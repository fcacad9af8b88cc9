// When an orderly stop that was not carried out is taken back (R32).
#include "coordinator/orderly_stop.h"

#include "tests/coordinator/ring_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using protocol::MemberState;

// Slots 0 to 4 are held by n3, the others by n1 and n2.
struct StopFixture : RingFixture {
  StopFixture() : RingFixture(3) {
    place({1, 2});
    activate(intend({{0, 4, {3}}}));
    grant({1, 2, 3});
  }
  // After how long the stop lapses while these go on; kNever when it does not within kWatched.
  Micros lapses_after(std::initializer_list<MemberId> there, Micros watched = kWatched) {
    for (const Micros began = now; now - began < watched; now += kStep) {
      grant(there);
      if (stop.lapsed(ring, leases, now)) return now - began;
    }
    return kNever;
  }

  static constexpr Micros kStep = kLease / 2;
  static constexpr Micros kWatched = 2 * OrderlyStop::kLapsesAfter;
  static constexpr Micros kSoonest = OrderlyStop::kLapsesAfter + 2 * kLease + kMargin;
  OrderlyStop stop;
};

TEST_CASE("OrderlyStop.lapsed: when everybody goes on") {
  StopFixture f;
  REQUIRE(f.lapses_after({1, 2, 3}) == kNever);  // nothing was recorded
  f.ring.apply(ShutdownEntry{});
  const Micros passed = f.lapses_after({1, 2, 3});
  REQUIRE(passed >= StopFixture::kSoonest);
  REQUIRE(passed < StopFixture::kSoonest + StopFixture::kStep);
  f.ring.apply(StopLapsedEntry{});
  REQUIRE(f.lapses_after({1, 2, 3}) == kNever);
  f.ring.apply(ShutdownEntry{});
  REQUIRE(f.lapses_after({1, 2, 3}) >= StopFixture::kSoonest);
}

TEST_CASE("OrderlyStop.lapsed: when one goes on long after the last one has ended, however slowly they ended") {
  StopFixture f;
  f.ring.apply(ShutdownEntry{});
  const Micros slowly = OrderlyStop::kLapsesAfter * 9 / 10;
  REQUIRE(f.lapses_after({1, 2, 3}, slowly) == kNever);
  REQUIRE(f.lapses_after({1, 2}, slowly) == kNever);
  const Micros passed = f.lapses_after({2});
  REQUIRE(passed >= StopFixture::kSoonest);
  REQUIRE(passed < StopFixture::kSoonest + RingFixture::kLease + RingFixture::kMargin + 2 * StopFixture::kStep);
}

TEST_CASE("OrderlyStop.lapsed: not when all have ended, nor because one that was frozen meanwhile is there once more") {
  StopFixture f;
  f.ring.apply(ShutdownEntry{});
  REQUIRE(f.lapses_after({1, 2, 3}, kMicrosPerSecond) == kNever);
  REQUIRE(f.lapses_after({}) == kNever);
  REQUIRE(f.stop.next_check() == kNever);
  REQUIRE(f.lapses_after({1}, OrderlyStop::kLapsesAfter) == kNever);
  REQUIRE(f.lapses_after({}) == kNever);
}

TEST_CASE("OrderlyStop.lapsed: one that loses its lease now and then delays it once, not for ever") {
  StopFixture f;
  f.ring.apply(ShutdownEntry{});
  for (Micros passed = 0; passed < kMicrosPerSecond * 60; passed += 10 * kMicrosPerSecond) {
    if (f.lapses_after({1, 2, 3}, 9 * kMicrosPerSecond) != kNever) return;
    if (f.lapses_after({1, 2}, kMicrosPerSecond) != kNever) return;
  }
  FAIL("it is still recorded");
}

TEST_CASE("OrderlyStop.lapsed: a new leader takes no lease of its predecessor's for a node that goes on") {
  const Micros lease = 200 * kMicrosPerSecond;
  StopFixture f;
  f.leases = LeaseBook(lease, RingFixture::kMargin);
  f.ring.apply(ShutdownEntry{});
  f.leases.begin(f.ring.members(), f.now, lease / 2);
  f.stop.begin();
  f.now += kMicrosPerSecond;
  f.grant({1});  // and that was the end of it
  REQUIRE(f.lapses_after({}, 4 * lease) == kNever);
}

TEST_CASE("OrderlyStop.lapsed: who was away before the stop was recorded is not waited for") {
  const MemberState away = GENERATE(MemberState::absent, MemberState::gone);
  StopFixture f;
  f.let_leases_end();
  f.set_state(3, away);
  f.ring.apply(ShutdownEntry{});
  REQUIRE(f.lapses_after({1, 2}) < kNever);
}

TEST_CASE("OrderlyStop.lapsed: not because somebody comes back who was away before the stop was recorded") {
  StopFixture f;
  f.set_state(3, MemberState::absent);
  f.ring.apply(ShutdownEntry{});
  REQUIRE(f.lapses_after({1, 2}, kMicrosPerSecond) == kNever);
  REQUIRE(f.lapses_after({3}) == kNever);
  f.ring.apply(StopLapsedEntry{});
  f.set_state(3, MemberState::up);
  f.ring.apply(ShutdownEntry{});
  REQUIRE(f.lapses_after({3}) < kNever);  // it was there the next time
}

}  // namespace
}  // namespace chainring::coordinator
