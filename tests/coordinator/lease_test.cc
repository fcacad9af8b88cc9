// The clauses of R4 and R1 about leases, one by one.

#include "tests/coordinator/ring_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

constexpr Micros kPatience = 1234;

TEST_CASE("LeaseBook.lapsed: not before the lease and the margin for drift have passed since the grant") {
  RingFixture f(1);
  f.grant({1});
  f.now += RingFixture::kLease + RingFixture::kMargin - 1;
  REQUIRE_FALSE(f.leases.lapsed(1, f.now));
  REQUIRE(f.leases.next_end(f.now) == f.now + 1);
  f.now += 1;
  REQUIRE(f.leases.lapsed(1, f.now));
  REQUIRE(f.leases.next_end(f.now) == kNever);
}

TEST_CASE("LeaseBook.grant: prolongs, and an earlier grant does not shorten") {
  RingFixture f(1);
  f.grant({1});
  const Micros end = f.leases.ends(1);
  f.leases.grant(1, f.now + 100);
  REQUIRE(f.leases.ends(1) == end + 100);
  f.leases.grant(1, f.now);
  REQUIRE(f.leases.ends(1) == end + 100);
}

TEST_CASE("LeaseBook.lapsed: a member that was never granted a lease has none") {
  RingFixture f(1);
  REQUIRE(f.leases.lapsed(1, f.now));
  REQUIRE(f.leases.ends(1) == 0);
}

TEST_CASE(
    "LeaseBook.begin: a new leader counts everybody's lease as granted when it began to lead, and then is patient") {
  RingFixture f(3);
  f.set_state(3, protocol::MemberState::gone);
  f.leases.begin(f.ring.members(), f.now, kPatience);
  REQUIRE_FALSE(f.leases.lapsed(1, f.now + RingFixture::kLease));
  const Micros end = f.now + RingFixture::kLease + kPatience + RingFixture::kMargin;
  REQUIRE(f.leases.ends(1) == end);
  REQUIRE_FALSE(f.leases.lapsed(2, end - 1));
  REQUIRE(f.leases.lapsed(2, end));
  REQUIRE(f.leases.lapsed(3, f.now));
}

TEST_CASE("LeaseBook.begin: what an earlier leadership knew is forgotten") {
  RingFixture f(2);
  f.leases.grant(2, f.now + 10 * RingFixture::kLease);
  f.leases.begin(f.ring.members(), f.now, kPatience);
  REQUIRE(f.leases.ends(2) == f.now + RingFixture::kLease + kPatience + RingFixture::kMargin);
}

TEST_CASE("may_be_granted: not while a stopped is owed for a change that names the member") {
  RingFixture f(3);
  f.place({1, 2});
  const TableVersion placed = f.ring.version();
  const auto may = [&](MemberId member, TableVersion obeyed) {
    return may_be_granted(f.ring, *f.ring.member(member), obeyed);
  };
  REQUIRE(may(1, placed));
  f.intend({{5, 5, {2}}});
  REQUIRE_FALSE(may(1, placed));
  REQUIRE_FALSE(may(2, placed));
  REQUIRE(may(1, f.ring.version()));
  REQUIRE(may(3, 0));  // named by nothing
}

TEST_CASE("is_being_left: from the intention to do without a member until that is in force (R19)") {
  RingFixture f(3);
  f.place({1, 2, 3});
  CHECK_FALSE(is_being_left(f.ring, 1));
  const Epoch epoch = f.intend({{0, 1, {2, 3}}});
  CHECK(is_being_left(f.ring, 1));
  CHECK_FALSE(is_being_left(f.ring, 2));
  f.activate(epoch);
  CHECK_FALSE(is_being_left(f.ring, 1));
}

TEST_CASE("may_be_granted: one that missed a change owes its promise also after the change is active") {
  RingFixture f(2);
  f.place({1, 2});
  const TableVersion before = f.ring.version();
  const Epoch epoch = f.intend({{0, kSlotCount - 1, {2}}});
  const TableVersion intended = f.ring.version();
  f.activate(epoch);
  REQUIRE_FALSE(may_be_granted(f.ring, *f.ring.member(1), before));
  REQUIRE(may_be_granted(f.ring, *f.ring.member(1), intended));
}

TEST_CASE("may_be_granted: never to an incarnation that a later one has replaced, or that is gone (R1)") {
  RingFixture f(2);
  f.place({1, 2});
  f.add("n1");
  REQUIRE_FALSE(may_be_granted(f.ring, *f.ring.member(1), f.ring.version()));
  REQUIRE(may_be_granted(f.ring, *f.ring.member(3), 0));
  f.set_state(2, protocol::MemberState::gone);
  REQUIRE_FALSE(may_be_granted(f.ring, *f.ring.member(2), f.ring.version()));
}

}  // namespace
}  // namespace chainring::coordinator
