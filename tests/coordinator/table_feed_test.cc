#include "coordinator/table_feed.h"

#include <vector>

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

constexpr Micros kPatience = 100 * kMicrosPerMilli;
constexpr Micros kSecond = kMicrosPerSecond;

// A feed and the link that it writes to, which takes everything at once unless the test says otherwise.
struct Link {
  void says(TableVersion has) { feed.heard(has, now, kPatience); }
  // A turn at this time: whether the table was written in it.
  bool turn(Micros at, TableVersion has, TableVersion version) {
    now = at;
    if (feed.is_leaving()) feed.turn_begins(unsent, late, now);
    says(has);
    if (!feed.is_due(version)) return false;
    feed.sent(version, now);
    return true;
  }
  TableFeed feed;
  Micros now = 0;
  size_t unsent = 0;  // of earlier turns
  uint64_t late = 0;
};

TEST_CASE("TableFeed: who has said which table it has gets newer ones, each once") {
  TableFeed unheard;
  REQUIRE_FALSE(unheard.is_due(1));
  REQUIRE_FALSE(unheard.wanted());
  Link link;
  REQUIRE(link.turn(1, 0, 3));
  REQUIRE_FALSE(link.turn(2, 0, 3));
  REQUIRE(link.turn(3, 0, 4));
  REQUIRE_FALSE(link.turn(kSecond, 4, 4));
  REQUIRE(link.feed.has() == 4);
  REQUIRE(link.turn(kSecond + 1, 4, 5));
}

TEST_CASE("TableFeed.heard: what does not arrive is sent again after a patience that doubles up to its bound") {
  Link link;
  std::vector<Micros> sent;
  for (Micros at = 0; at <= 10 * kSecond; at += 50 * kMicrosPerMilli) {
    if (link.turn(at, 6, 7)) sent.push_back(at / kMicrosPerMilli);
  }
  // The first turn after the one that wrote it sees that it has left.
  REQUIRE(sent == std::vector<Micros>{0, 150, 400, 850, 1700, 3350, 5400, 7450, 9500});
}

TEST_CASE("TableFeed.heard: the patience is the first one again when the peer has what it was sent") {
  Link link;
  for (Micros at = 0; at <= 5 * kSecond; at += 50 * kMicrosPerMilli) link.turn(at, 6, 7);
  REQUIRE_FALSE(link.turn(6 * kSecond, 7, 7));
  REQUIRE(link.turn(7 * kSecond, 7, 8));
  REQUIRE_FALSE(link.turn(7 * kSecond + 1, 7, 8));
  REQUIRE_FALSE(link.turn(7 * kSecond + kPatience, 7, 8));
  REQUIRE(link.turn(7 * kSecond + kPatience + 1, 7, 8));
}

TEST_CASE("TableFeed.turn_begins: while a table waits to leave nothing is sent behind it, newer ones included") {
  Link link;
  REQUIRE(link.turn(0, 0, 1));
  link.unsent = 1'000'000;
  REQUIRE_FALSE(link.turn(1 * kSecond, 0, 2));
  link.unsent = 500;
  link.late = 999'500;
  REQUIRE_FALSE(link.turn(20 * kSecond, 0, 2));
  SECTION("all has left") {
    link.unsent = 0;
    link.late = 1'000'000;
    REQUIRE(link.turn(21 * kSecond, 0, 2));
  }
  SECTION("it has, though something else waits now: a link that is never empty gets its tables, too") {
    link.unsent = 700;
    link.late = 1'000'000;
    REQUIRE(link.turn(21 * kSecond, 0, 2));
  }
  SECTION("the patience with the same one begins when it has left") {
    link.unsent = 0;
    REQUIRE_FALSE(link.turn(21 * kSecond, 0, 1));
    REQUIRE_FALSE(link.turn(21 * kSecond + kPatience - 1, 0, 1));
    REQUIRE(link.turn(21 * kSecond + kPatience, 0, 1));
  }
}

TEST_CASE("TableFeed.leadership_ended: what was sent is sent again by who leads again") {
  Link link;
  REQUIRE(link.turn(0, 0, 1));
  REQUIRE_FALSE(link.turn(1, 0, 1));
  link.feed.leadership_ended();
  REQUIRE(link.turn(2, 0, 1));
}

}  // namespace
}  // namespace chainring::coordinator
