#include "base/random.h"

#include <array>

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring {

TEST_CASE("SeededRandom: is splitmix64, the same on every machine") {
  SeededRandom random(1234567);
  CHECK(random.next() == 6457827717110365317ULL);
  CHECK(random.next() == 3203168211198807973ULL);
  CHECK(random.next() == 9817491932198370423ULL);
}

TEST_CASE("Random.below: stays below and reaches every number about equally often") {
  SeededRandom random(1);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70'000; ++i) ++counts.at(random.below(counts.size()));
  for (const int count : counts) {
    CHECK(count > 9'600);  // 10,000 expected, standard deviation 93
    CHECK(count < 10'400);
  }
  for (int i = 0; i < 100; ++i) CHECK(random.below(1) == 0);
}

TEST_CASE("Random.percent: never at 0, always at 100") {
  SeededRandom random(2);
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) {
    CHECK_FALSE(random.percent(0));
    CHECK(random.percent(100));
    hits += random.percent(30) ? 1 : 0;
  }
  CHECK(hits > 2'800);
  CHECK(hits < 3'200);
}

}  // namespace chainring
