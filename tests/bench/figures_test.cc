#include "bench/load/ledger.h"
#include "bench/load/window.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"

#include <catch2/catch.hpp>

namespace chainring::load {
namespace {

const Group kAll{"all", {{0, kSlotCount - 1}}};

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

TEST_CASE("Ledger.judge: what a given up attempt has written late proves no loss, what others have does") {
  Ledger ledger("k", 2, 32);
  for (int i = 0; i < 3; ++i) ledger.acknowledge(0, ledger.send(0));
  ledger.doubt(0, 2);
  ledger.doubt(1, 1);
  REQUIRE(ledger.judge(0, 3, ledger.value(0, 2)) == Finding::late);
  REQUIRE(ledger.judge(0, 3, ledger.value(0, 1)) == Finding::older);
  REQUIRE(ledger.judge(0, 3, std::nullopt) == Finding::older);
  REQUIRE(ledger.judge(0, 3, ledger.value(0, 3)) == Finding::sound);
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
  window.begin(1000);
  window.note_done(0, Kind::write, 100, 1500);
  window.note_done(9, Kind::write, 100, 1600);
  window.note_done(10, Kind::write, 100, 4000);
  window.note_done(11, Kind::read, 100, 4500);  // reads end no gap
  window.note_done(0, Kind::write, 100, 4600);
  const GroupFigures left = window.figures({"left", {{0, 9}}}, {}, 5000);
  REQUIRE(left.gap == 3000);
  REQUIRE(left.gap_began == 600);
  const GroupFigures right = window.figures({"right", {{10, 19}, {15, 16}}}, {}, 5000);
  REQUIRE(right.gap == 3000);
  REQUIRE(right.gap_began == 0);
  REQUIRE(right.slots == 10);
  REQUIRE(right.reads == 1);
  const GroupFigures all = window.figures(kAll, {}, 5000);
  REQUIRE(all.gap == 2400);
  REQUIRE(all.writes == 4);
}

TEST_CASE("Window.figures: a gap that has not ended counts, and so does who still waits") {
  Window window(0);
  window.note_done(7, Kind::write, 100, 500);
  const std::vector<Waiting> waiting{{7, Kind::write, 70'000}, {8, Kind::write, 80'000}, {7, Kind::read, 50'000}};
  const GroupFigures figures = window.figures({"one", {{7, 7}}}, waiting, 90'000);
  REQUIRE(figures.gap == 89'500);
  REQUIRE(figures.writes == 1);
  REQUIRE(figures.write_times.longest() == 70'000);
  REQUIRE(figures.read_times.longest() == 50'000);
}

TEST_CASE("Window.quiet: since the last write in any of the slots") {
  Window window(100);
  window.note_done(3, Kind::write, 10, 400);
  window.note_done(5, Kind::write, 10, 700);
  const std::vector<protocol::SlotRange> first{{3, 4}}, both{{3, 3}, {5, 6}}, none{{8, 9}};
  REQUIRE(window.quiet(first, 1000) == 600);
  REQUIRE(window.quiet(both, 1000) == 300);
  REQUIRE(window.quiet(none, 1000) == 900);
}

TEST_CASE("Window.note_failure: an operation counts once, its attempts by kind, and kinds are bounded") {
  Window window(0);
  window.note_failure(1, "CLUSTERDOWN", true, 1);
  window.note_failure(1, "CLUSTERDOWN", false, 1);
  REQUIRE(window.figures(kAll, {}, 1).failed == 1);
  REQUIRE(window.failures().at("CLUSTERDOWN") == 2);
  for (size_t i = 0; i < 2 * kFailureKindsMax; ++i) window.note_failure(1, "E" + std::to_string(i), true, 2);
  REQUIRE(window.failures().size() <= kFailureKindsMax);
  REQUIRE(window.failures().at("other") > kFailureKindsMax);
}

}  // namespace chainring::load
