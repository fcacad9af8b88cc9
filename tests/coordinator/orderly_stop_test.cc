// When an orderly stop that did not happen is taken back (R32).
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
  // Whether the stop lapses while these go on for as long as it takes.
  bool lapses(std::initializer_list<MemberId> there) {
    for (Micros passed = 0; passed <= OrderlyStop::kLapsesAfter; passed += kLease) {
      grant(there);
      if (stop.lapsed(ring, leases, now)) return true;
      now += kLease;
    }
    return stop.lapsed(ring, leases, now);
  }

  OrderlyStop stop;
};

TEST_CASE("OrderlyStop.lapsed: when everybody goes on, and not when somebody has ended") {
  StopFixture f;
  REQUIRE_FALSE(f.lapses({1, 2, 3}));  // nothing was recorded
  f.ring.apply(ShutdownEntry{});
  REQUIRE_FALSE(f.lapses({1, 2}));
  REQUIRE(f.lapses({1, 2, 3}));
}

TEST_CASE("OrderlyStop.lapsed: who was away before the stop was recorded is not waited for") {
  const MemberState away = GENERATE(MemberState::absent, MemberState::gone);
  StopFixture f;
  f.let_leases_end();
  f.set_state(3, away);
  f.ring.apply(ShutdownEntry{});
  REQUIRE(f.lapses({1, 2}));
  f.ring.apply(StopLapsedEntry{});
  REQUIRE_FALSE(f.lapses({1, 2}));
  f.ring.apply(ShutdownEntry{});
  REQUIRE_FALSE(f.lapses({1}));  // the other has ended
}

TEST_CASE("OrderlyStop.lapsed: who came back and was there the next time is waited for") {
  StopFixture f;
  f.set_state(3, MemberState::absent);
  f.ring.apply(ShutdownEntry{});
  f.ring.apply(StopLapsedEntry{});
  f.set_state(3, MemberState::up);
  f.ring.apply(ShutdownEntry{});
  f.let_leases_end();
  REQUIRE_FALSE(f.lapses({1, 2}));
}

TEST_CASE("OrderlyStop.lapsed: not when all were away, for nobody is there who could go on") {
  StopFixture f;
  f.let_leases_end();
  for (const MemberId id : {1u, 2u, 3u}) f.set_state(id, MemberState::absent);
  f.ring.apply(ShutdownEntry{});
  REQUIRE_FALSE(f.lapses({}));
}

}  // namespace
}  // namespace chainring::coordinator
