// The node's lease, and the wall time that its grants carry (R4, R12).
#include "node/lease.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::node;

namespace {

constexpr Micros kLease = 450 * kMicrosPerMilli;

Now at(Millis mono) { return {mono * kMicrosPerMilli, 0}; }

protocol::Grant granted(Millis sent_at, Millis wall) { return {1, sent_at * kMicrosPerMilli, kLease, wall}; }

}  // namespace

TEST_CASE("NodeLease.valid: counts from when the heartbeat was sent, not from when the grant came") {
  NodeLease lease;
  lease.grant(granted(100, 5000), at(300));
  CHECK(lease.valid(at(549).mono));
  CHECK_FALSE(lease.valid(at(550).mono));
}

TEST_CASE("NodeLease.number: counts the leases that did not join the one before") {
  NodeLease lease;
  CHECK(lease.number(at(0).mono) == 0);
  lease.grant(granted(100, 5000), at(110));
  lease.grant(granted(500, 5400), at(510));
  CHECK(lease.number(at(900).mono) == 1);
  CHECK(lease.number(at(960).mono) == 0);
  lease.grant(granted(1000, 5900), at(1010));
  CHECK(lease.number(at(1010).mono) == 2);
}

TEST_CASE("NodeLease.wall: is the leader's, advanced by the monotonic clock") {
  NodeLease lease;
  CHECK(lease.wall(at(90).mono) == 0);
  lease.grant(granted(100, 5000), at(100));
  CHECK(lease.wall(at(100).mono) == 5000);
  CHECK(lease.wall(at(250).mono) == 5150);
}

TEST_CASE("NodeLease.wall: follows the leader's when that goes on faster") {
  NodeLease lease;
  lease.grant(granted(100, 5000), at(100));
  lease.grant(granted(200, 6000), at(200));
  CHECK(lease.wall(at(200).mono) == 6000);
}

TEST_CASE("NodeLease.wall: does not run ahead of the leader's for ever when the node's clock is fast") {
  NodeLease lease;
  lease.grant(granted(0, 5000), at(0));
  // Each second of the leader's is ten milliseconds more here.
  for (Millis second = 1; second <= 100; ++second) {
    const Millis ours = second * 1010;
    lease.grant(granted(ours, 5000 + second * 1000), at(ours));
    CHECK(lease.wall(at(ours).mono) <= 5000 + second * 1000 + 10);
  }
}

TEST_CASE("NodeLease.wall: never goes back, and stands still until the leader's has caught up") {
  NodeLease lease;
  lease.grant(granted(100, 5000), at(100));
  lease.grant(granted(200, 4950), at(200));  // it was 5100 here
  CHECK(lease.wall(at(200).mono) == 5100);
  CHECK(lease.wall(at(300).mono) == 5100);
  CHECK(lease.wall(at(400).mono) == 5150);
}

TEST_CASE("NodeLease.wall: a grant that was long on its way says nothing of the time since") {
  NodeLease lease;
  lease.grant(granted(100, 5000), at(100));
  lease.grant(granted(200, 5100), at(350));
  CHECK(lease.wall(at(350).mono) == 5250);
}
