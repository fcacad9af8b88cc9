#include "bench/load/ledger.h"
#include "bench/load/window.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "protocol/slot.h"

#include <catch2/catch.hpp>

namespace chainring::load {
namespace {

const GroupFigures& group(const std::vector<GroupFigures>& figures, std::string_view name) {
  const auto at =
      std::find_if(figures.begin(), figures.end(), [&](const GroupFigures& one) { return one.name == name; });
  REQUIRE(at != figures.end());
  return *at;
}

}  // namespace

TEST_CASE("Ledger.judge: a value below the acknowledged one is older, and so is no value") {
  Ledger ledger("k", 2, 32);
  REQUIRE(ledger.send(0) == 1);
  REQUIRE(ledger.send(0) == 2);
  ledger.acknowledge(0, 2);
  REQUIRE(ledger.judge(0, 2, ledger.value(0, 1)) == Finding::older);
  REQUIRE(ledger.judge(0, 2, std::nullopt) == Finding::older);
  REQUIRE(ledger.judge(0, 2, ledger.value(0, 2)) == Finding::sound);
}

TEST_CASE("Ledger.judge: what was sent and not acknowledged may be there, or not") {
  Ledger ledger("k", 2, 32);
  (void)ledger.send(0);
  REQUIRE(ledger.judge(0, 0, std::nullopt) == Finding::sound);
  REQUIRE(ledger.judge(0, 0, ledger.value(0, 1)) == Finding::sound);
}

TEST_CASE("Ledger.judge: what was never sent to this key is strange") {
  Ledger ledger("k", 2, 32);
  (void)ledger.send(0);
  (void)ledger.send(1);
  REQUIRE(ledger.judge(0, 0, ledger.value(0, 2)) == Finding::strange);
  REQUIRE(ledger.judge(0, 0, ledger.value(1, 1)) == Finding::strange);
  REQUIRE(ledger.judge(0, 0, "1 k:0") == Finding::strange);
  REQUIRE(ledger.judge(0, 0, "") == Finding::strange);
}

TEST_CASE("Ledger.settle: what is lost is told once") {
  Ledger ledger("k", 1, 0);
  ledger.acknowledge(0, ledger.send(0));
  REQUIRE(ledger.settle(0, std::nullopt) == Finding::older);
  REQUIRE(ledger.settle(0, std::nullopt) == Finding::sound);
}

TEST_CASE("Ledger.acknowledge: an answer that comes late takes nothing back") {
  Ledger ledger("k", 1, 0);
  const Version first = ledger.send(0), second = ledger.send(0);
  ledger.acknowledge(0, second);
  ledger.acknowledge(0, first);
  REQUIRE(ledger.acknowledged(0) == second);
}

TEST_CASE("Durations.quantile: within 1.6 percent above, of any spread") {
  SeededRandom random(11);
  Durations durations;
  std::vector<Micros> all;
  for (int i = 0; i < 20'000; ++i) {
    const auto duration = static_cast<Micros>(random.below(uint64_t{1} << (1 + random.below(34))));
    durations.add(duration);
    all.push_back(duration);
  }
  std::sort(all.begin(), all.end());
  for (const double share : {0.001, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const Micros exact = all[static_cast<size_t>(share * static_cast<double>(all.size()) + 0.5) - 1];
    CAPTURE(share, exact);
    REQUIRE(durations.quantile(share) >= exact);
    REQUIRE(static_cast<double>(durations.quantile(share)) <= static_cast<double>(exact) * 1.016 + 1);
  }
  REQUIRE(durations.longest() == all.back());
  REQUIRE(Durations().quantile(0.99) == 0);
}

TEST_CASE("Window.figures: a gap is the longest time without a write in any slot of the group") {
  Window window(0);
  window.begin(1000, {{"left", {{0, 9}}}, {"right", {{10, 19}, {15, 16}}}});
  window.note_done(0, Kind::write, 100, 1500);
  window.note_done(9, Kind::write, 100, 1600);
  window.note_done(10, Kind::write, 100, 4000);
  window.note_done(11, Kind::read, 100, 4500);
  window.note_done(0, Kind::write, 100, 4600);
  const auto figures = window.figures(5000);
  REQUIRE(group(figures, "left").gap == 3000);
  REQUIRE(group(figures, "left").began == 1600);
  REQUIRE(group(figures, "right").gap == 3000);  // reads end no gap
  REQUIRE(group(figures, "right").began == 1000);
  REQUIRE(group(figures, "right").slots == 10);
  REQUIRE(group(figures, "all").gap == 2400);
  REQUIRE(group(figures, "all").writes == 4);
}

TEST_CASE("Window.figures: a gap that has not ended counts") {
  Window window(0);
  window.note_done(7, Kind::write, 100, 500);
  REQUIRE(group(window.figures(90'000), "all").gap == 89'500);
}

TEST_CASE("Window.note_failure: an operation counts once, its attempts by kind, and kinds are bounded") {
  Window window(0);
  window.note_failure(1, "CLUSTERDOWN", true);
  window.note_failure(1, "CLUSTERDOWN", false);
  REQUIRE(group(window.figures(1), "all").failed == 1);
  REQUIRE(window.failures().at("CLUSTERDOWN") == 2);
  for (size_t i = 0; i < 2 * kFailureKindsMax; ++i) window.note_failure(1, "E" + std::to_string(i), true);
  REQUIRE(window.failures().size() <= kFailureKindsMax);
  REQUIRE(window.failures().at("other") > kFailureKindsMax);
}

}  // namespace chainring::load
