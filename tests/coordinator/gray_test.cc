// Who is set aside when members accuse each other (R19).

#include "coordinator/gray.h"
#include "tests/coordinator/ring_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

struct GrayFixture : RingFixture {
  explicit GrayFixture(int members) : RingFixture(members) {
    Chain all;
    for (int id = 1; id <= members; ++id) {
      all.push_back(static_cast<MemberId>(id));
      leases.grant(static_cast<MemberId>(id), now);
    }
    place(all);
    pass(3 * kLease);
  }
  void accuse(MemberId by, std::vector<MemberId> whom) { gray.accused({false, by}, std::move(whom), now); }
  void accuse_by_router(uint64_t incarnation, std::vector<MemberId> whom) {
    gray.accused({true, incarnation}, std::move(whom), now);
  }
  // Who is set aside now; kNoMember for nobody.
  MemberId judge() {
    const auto verdict = gray.judge(ring, leases, now);
    if (!verdict) return kNoMember;
    leases.set_aside(verdict->member, verdict->until);
    wait = verdict->until - now;
    return verdict->member;
  }
  // Time passes, and all leases are renewed in it.
  void pass(Micros time) {
    for (const Micros end = now + time; now < end;) {
      now = std::min(end, now + kLease / 3);
      for (const Member& member : ring.members()) leases.grant(member.listed.id, now);
    }
  }

  GrayBook gray{kLease};
  Micros wait = 0;
};

TEST_CASE("GrayBook.judge: of a link with one accuser the accused end goes") {
  GrayFixture f(3);
  CHECK(f.judge() == kNoMember);
  f.accuse(1, {2});
  CHECK(f.judge() == 2);
  CHECK(f.wait == GrayBook::kFirstWait);
}

TEST_CASE("GrayBook.judge: the end of more accused links goes, also when it is the one who accuses") {
  GrayFixture f(4);
  f.accuse(1, {2, 3});
  f.accuse(4, {1});
  CHECK(f.judge() == 1);

  GrayFixture g(4);
  g.accuse(1, {2, 3});  // whom nobody else accuses
  CHECK(g.judge() == 1);
}

TEST_CASE("GrayBook.judge: nobody when everybody accuses and no single member explains it") {
  GrayFixture f(3);
  f.accuse(1, {2});
  f.accuse(2, {3});
  f.accuse(3, {1});
  CHECK(f.judge() == kNoMember);
  f.accuse(2, {});
  f.accuse(3, {});
  CHECK(f.judge() == 2);
}

TEST_CASE("GrayBook.judge: one at a time") {
  GrayFixture f(5);
  f.accuse(1, {2});
  f.accuse(3, {4});
  CHECK(f.judge() == 2);
  CHECK(f.judge() == kNoMember);  // it is still in the chains
  f.place({1, 3, 4, 5});
  CHECK(f.judge() == 4);
}

TEST_CASE("GrayBook.judge: what has lapsed, what shares no chain and what is not said again does not count") {
  GrayFixture f(3);
  f.add("n4");
  f.leases.grant(4, f.now);
  f.accuse(4, {2});
  CHECK(f.judge() == kNoMember);
  f.accuse(1, {2});
  f.pass(RingFixture::kLease);
  CHECK(f.judge() == kNoMember);
  f.accuse(1, {2});
  f.let_leases_end();
  f.leases.grant(1, f.now);
  f.accuse(1, {2});
  CHECK(f.judge() == kNoMember);
}

TEST_CASE("GrayBook.judge: those who have just come back are given time to be dialled again") {
  GrayFixture f(3);
  f.let_leases_end();
  f.pass(2 * RingFixture::kLease);
  f.accuse(1, {2});
  CHECK(f.judge() == kNoMember);
  f.pass(2 * RingFixture::kLease);
  f.accuse(1, {2});
  CHECK(f.judge() == 2);
}

TEST_CASE("GrayBook.judge: a router's word counts, unless it is the router that reaches nobody") {
  GrayFixture f(3);
  f.accuse_by_router(77, {1, 2});
  CHECK(f.judge() == kNoMember);
  f.accuse_by_router(77, {2});
  CHECK(f.judge() == 2);
}

TEST_CASE("GrayBook: who is accused again soon waits longer, and is forgiven after a while") {
  GrayFixture f(3);
  Micros expected = GrayBook::kFirstWait;
  for (int time = 0; time < 12; ++time) {
    f.accuse(1, {2});
    REQUIRE(f.judge() == 2);
    CHECK(f.wait == expected);
    expected = std::min(2 * expected, GrayBook::kWaitMax);
    f.pass(f.wait);
  }
  f.pass(10 * f.wait);
  f.accuse(1, {2});
  REQUIRE(f.judge() == 2);
  CHECK(f.wait == GrayBook::kFirstWait);
}

}  // namespace
}  // namespace chainring::coordinator
