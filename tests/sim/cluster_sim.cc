// cluster_sim: runs simulated clusters, one for each seed.
//   cluster_sim --seeds N [--first S]   seeds S .. S + N - 1
//   cluster_sim --seed S [--verbose]    one seed, with what its processes say
// With --calm nothing fails, with --failure one node does, once: then it is judged, too, how long clients wait.
// Exit status: 0 all held, 1 a violation (its seed is printed), 2 used wrongly.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "tests/sim/cluster.h"
#include "tests/support/abort_line.h"

namespace {

using chainring::append_text;
using chainring::concat;
using chainring::parse_uint;
namespace sim = chainring::sim;

struct Options {
  uint64_t first = 1;
  uint64_t seeds = 1;
  bool verbose = false;
  sim::Course course = sim::Course::torment;
  std::string_view course_name = "";  // as it is asked for
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--verbose") {
      options.verbose = true;
      continue;
    }
    if (name == "--calm" || name == "--failure") {
      options.course = name == "--calm" ? sim::Course::calm : sim::Course::failure;
      options.course_name = name;
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

double cpu_millis() { return static_cast<double>(std::clock()) * 1000 / CLOCKS_PER_SEC; }

// What all seeds so far came to.
struct Total {
  sim::RunReport runs;
  std::vector<double> cpu;                      // milliseconds of each seed
  std::vector<chainring::Micros> served_after;  // of each seed
  std::vector<chainring::Micros> longest_waits;

  void add(const sim::RunReport& run, double millis) {
    runs.operations += run.operations;
    runs.answered += run.answered;
    runs.errors += run.errors;
    runs.grants += run.grants;
    runs.ring_changes.of_the_ring += run.ring_changes.of_the_ring;
    runs.ring_changes.of_placement_rules += run.ring_changes.of_placement_rules;
    runs.ring_changes.of_duty += run.ring_changes.of_duty;
    runs.unjudged_keys += run.unjudged_keys;
    runs.faults.add(run.faults);
    cpu.push_back(millis);
    served_after.push_back(run.served_after);
    longest_waits.push_back(run.longest_wait);
    std::sort(cpu.begin(), cpu.end());
    std::sort(served_after.begin(), served_after.end());
    std::sort(longest_waits.begin(), longest_waits.end());
  }
};

// Of all runs: histories are hardly ever too wide to be judged, and one of which that is so says nothing.
bool too_much_unjudged(const Total& total) { return total.runs.unjudged_keys > 3 + total.cpu.size() / 100; }

std::string summary(const Total& total) {
  const sim::RunReport& runs = total.runs;
  const size_t middle = total.cpu.size() / 2;
  std::string text =
      concat(total.cpu.size(), " seeds: ", runs.operations, " operations, ", runs.answered, " answers, ", runs.errors,
             " errors, ", runs.grants, " locks granted, ", runs.ring_changes.of_the_ring, " changes of the ring, ",
             runs.ring_changes.of_placement_rules, " of placement rules, ", runs.ring_changes.of_duty,
             " after losses, ", runs.unjudged_keys, " keys unjudged; milliseconds of CPU: median ",
             std::llround(total.cpu[middle]), ", most ", std::llround(total.cpu.back()),
             "; served again after: median ", total.served_after[middle] / chainring::kMicrosPerMilli, " ms, most ",
             total.served_after.back() / chainring::kMicrosPerMilli, " ms; longest wait of a client: median ",
             total.longest_waits[middle] / chainring::kMicrosPerMilli, " ms, most ",
             total.longest_waits.back() / chainring::kMicrosPerMilli, " ms; faults:");
  for (size_t kind = 0; kind < sim::kFaultKinds; ++kind) {
    append_text(text, kind == 0 ? " " : ", ", runs.faults.of(kind), " ", sim::kFaultNames[kind]);
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  if (!options) {
    std::fprintf(stderr, "usage: cluster_sim --seeds N [--first S] | --seed S [--verbose] [--calm | --failure]\n");
    return 2;
  }
  Total total;
  for (uint64_t i = 0; i < options->seeds; ++i) {
    sim::ClusterPlan plan;
    plan.seed = options->first + i;
    plan.verbose = options->verbose;
    plan.course = options->course;
    chainring::testing::set_abort_line(concat("SEED=", plan.seed, "  run again: ./dev sim cluster --seed ", plan.seed,
                                              " --verbose ", options->course_name, "\n"));
    const double begun = cpu_millis();
    const sim::RunReport report = sim::Cluster(plan).run();
    if (!report.violation.empty()) {
      std::printf("%s\n%s", report.violation.c_str(), chainring::testing::abort_line().c_str());
      return 1;
    }
    total.add(report, cpu_millis() - begun);
    if ((i + 1) % 100 == 0 || i + 1 == options->seeds) {
      std::printf("%s\n", summary(total).c_str());
      std::fflush(stdout);
    }
  }
  if (too_much_unjudged(total)) {
    std::printf("%s keys could not be judged\n", concat(total.runs.unjudged_keys).c_str());
    return 1;
  }
  return 0;
}
