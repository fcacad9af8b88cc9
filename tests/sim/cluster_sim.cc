// cluster_sim: runs simulated clusters, one for each seed.
//   cluster_sim --seeds N [--first S]   seeds S .. S + N - 1
//   cluster_sim --seed S [--verbose]    one seed, with what its processes say
// Exit status: 0 all held, 1 a violation (its seed is printed), 2 used wrongly.

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"
#include "tests/sim/cluster.h"

namespace {

using chainring::concat;
using chainring::parse_uint;
namespace sim = chainring::sim;

struct Options {
  uint64_t first = 1;
  uint64_t seeds = 1;
  bool verbose = false;
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--verbose") {
      options.verbose = true;
      continue;
    }
    const auto value = i + 1 < argc ? parse_uint(argv[++i]) : std::nullopt;
    if (!value) return std::nullopt;
    if (name == "--seeds") {
      options.seeds = *value;
    } else if (name == "--first" || name == "--seed") {
      options.first = *value;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) {
    std::fprintf(stderr, "usage: cluster_sim --seeds N [--first S] | --seed S [--verbose]\n");
    return 2;
  }
  sim::RunReport total;
  for (uint64_t i = 0; i < options->seeds; ++i) {
    sim::ClusterPlan plan;
    plan.seed = options->first + i;
    plan.verbose = options->verbose;
    const sim::RunReport report = sim::Cluster(plan).run();
    if (!report.violation.empty()) {
      std::printf("%s\nSEED=%llu  run again: cluster_sim --seed %llu --verbose\n", report.violation.c_str(),
                  static_cast<unsigned long long>(plan.seed), static_cast<unsigned long long>(plan.seed));
      return 1;
    }
    total.operations += report.operations;
    total.answered += report.answered;
    total.errors += report.errors;
    total.grants += report.grants;
    total.unjudged_keys += report.unjudged_keys;
    total.faults.broken_streams += report.faults.broken_streams;
    total.faults.kills += report.faults.kills;
    total.faults.pauses += report.faults.pauses;
    total.faults.partitions += report.faults.partitions;
    if ((i + 1) % 20 == 0 || i + 1 == options->seeds) {
      std::printf("%s\n",
                  concat(i + 1, " seeds: ", total.operations, " operations, ", total.answered, " answered, ",
                         total.errors, " errors, ", total.grants, " locks granted; ", total.faults.kills, " kills, ",
                         total.faults.pauses, " pauses, ", total.faults.partitions, " cuts, ",
                         total.faults.broken_streams, " broken streams; ", total.unjudged_keys, " keys unjudged")
                      .c_str());
      std::fflush(stdout);
    }
  }
  return 0;
}
