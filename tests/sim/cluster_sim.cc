// cluster_sim: runs simulated clusters, one for each seed.
//   cluster_sim --seeds N [--first S]   seeds S .. S + N - 1
//   cluster_sim --seed S [--verbose]    one seed, with what its processes say
// Exit status: 0 all held, 1 a violation (its seed is printed), 2 used wrongly.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"
#include "tests/sim/cluster.h"

namespace {

using chainring::append_text;
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

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::string summary(const sim::RunReport& total, uint64_t seeds) {
  std::string text =
      concat(seeds, " seeds: ", total.operations, " operations, ", total.answered, " answered, ", total.errors,
             " errors, ", total.grants, " locks granted, ", total.ring_changes.of_the_ring, " changes of the ring, ",
             total.ring_changes.of_placement_rules, " of placement rules, ", total.unjudged_keys, " keys unjudged, ",
             std::llround(cpu_seconds() * 1000 / static_cast<double>(seeds)), " ms of CPU each; faults:");
  for (size_t kind = 0; kind < sim::kFaultKinds; ++kind) {
    append_text(text, kind == 0 ? " " : ", ", total.faults.of(kind), " ", sim::kFaultNames[kind]);
  }
  return text;
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
    total.ring_changes.of_the_ring += report.ring_changes.of_the_ring;
    total.ring_changes.of_placement_rules += report.ring_changes.of_placement_rules;
    total.unjudged_keys += report.unjudged_keys;
    total.faults.add(report.faults);
    if ((i + 1) % 20 == 0 || i + 1 == options->seeds) {
      std::printf("%s\n", summary(total, i + 1).c_str());
      std::fflush(stdout);
    }
  }
  return 0;
}
