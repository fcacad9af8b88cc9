// raft_sim [--seeds N] [--first S] | [--seed S]: runs simulated Raft groups. A failure prints `seed S`, which is all
// that is needed to see it again. Exit status: 0 nothing was violated, 1 something was, 2 used wrongly.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "tests/raft/simulation.h"
#include "tests/support/abort_line.h"

namespace {

using chainring::raft::testing::Simulation;
using chainring::raft::testing::Statistics;

constexpr uint64_t kProgressEach = 500;

struct Options {
  uint64_t first = 1;
  uint64_t seeds = 100;
};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    const auto value = i + 1 < argc ? chainring::parse_uint(argv[i + 1]) : std::nullopt;
    if (!value) return false;
    if (name == "--seeds") {
      options.seeds = *value;
    } else if (name == "--first") {
      options.first = *value;
    } else if (name == "--seed") {
      options.first = *value;
      options.seeds = 1;
    } else {
      return false;
    }
  }
  return true;
}

void print(const Statistics& s, uint64_t seeds) {
  std::printf(
      "%llu seeds: %llu turns, %llu messages (%llu lost, %llu doubled, %llu late), %llu partitions,\n"
      "  %llu crashes, %llu kills, %llu disk faults, %llu pauses, %llu changes of members, %llu transfers,\n"
      "  %llu leaders cut off at once,\n"
      "  %llu elections, %llu entries committed, %llu snapshots restored, %llu reads answered, %llu failed\n",
      static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(s.turns),
      static_cast<unsigned long long>(s.messages), static_cast<unsigned long long>(s.lost),
      static_cast<unsigned long long>(s.duplicated), static_cast<unsigned long long>(s.late),
      static_cast<unsigned long long>(s.partitions), static_cast<unsigned long long>(s.crashes),
      static_cast<unsigned long long>(s.kills), static_cast<unsigned long long>(s.disk_faults),
      static_cast<unsigned long long>(s.pauses), static_cast<unsigned long long>(s.changes),
      static_cast<unsigned long long>(s.transfers), static_cast<unsigned long long>(s.hunted),
      static_cast<unsigned long long>(s.elections), static_cast<unsigned long long>(s.committed),
      static_cast<unsigned long long>(s.snapshots_installed), static_cast<unsigned long long>(s.reads_answered),
      static_cast<unsigned long long>(s.reads_failed));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fprintf(stderr, "usage: raft_sim [--seeds N] [--first S] | [--seed S]\n");
    return 2;
  }
  Statistics total;
  for (uint64_t i = 0; i < options.seeds; ++i) {
    const uint64_t seed = options.first + i;
    chainring::testing::set_abort_line(chainring::concat("seed ", seed, "\n"));
    Simulation simulation(seed);
    const std::string violation = simulation.run();
    total.add(simulation.statistics());
    if (!violation.empty()) {
      std::printf("%s\n%s%s", violation.c_str(), simulation.describe().c_str(),
                  chainring::testing::abort_line().c_str());
      return 1;
    }
    if ((i + 1) % kProgressEach == 0 && i + 1 < options.seeds) {
      std::printf("%llu of %llu\n", static_cast<unsigned long long>(i + 1),
                  static_cast<unsigned long long>(options.seeds));
      std::fflush(stdout);
    }
  }
  print(total, options.seeds);
  return 0;
}
