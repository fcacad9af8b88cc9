// judge_histories FILE...: judges the histories in these files (tests/sim/history_file.h) together.
// Prints what is wrong, and a last line that counts. It is a violation, too, when more than one key in
// kJudgedOfUnjudged could not be judged. Exit status: 0 all held, 1 a violation, 2 used wrongly, which a line that
// cannot be read is as well.

#include <cstdio>
#include <fstream>
#include <string>

#include "base/text.h"
#include "tests/sim/history_file.h"

namespace {

namespace sim = chainring::sim;

constexpr size_t kStatesMax = 200'000;
constexpr size_t kJudgedOfUnjudged = 20;

bool read(const char* path, sim::Histories& histories) {
  std::ifstream file(path);
  if (!file) std::fprintf(stderr, "judge_histories: cannot open %s\n", path);
  bool whole = static_cast<bool>(file);
  for (std::string line; std::getline(file, line);) {
    if (const auto status = sim::add_line(line, histories); !status.ok()) {
      std::fprintf(stderr, "judge_histories: %s: %s\n", path, std::string(status.message()).c_str());
      whole = false;
    }
  }
  return whole;
}

struct Sum {
  size_t operations = 0;
  size_t violations = 0;
  size_t unjudged = 0;
};

void tell(Sum& sum, const std::string& violation) {
  ++sum.violations;
  std::printf("violation: %s\n", violation.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  sim::Histories histories;
  bool whole = argc > 1;
  for (int i = 1; i < argc; ++i) whole = read(argv[i], histories) && whole;
  if (!whole) {
    std::fprintf(stderr, "usage: judge_histories FILE...\n");
    return 2;
  }
  Sum sum;
  for (const std::string& complaint : histories.complaints) tell(sum, complaint);
  if (const auto wrong = sim::judge_grants(histories.grants)) tell(sum, *wrong);
  for (const auto& [key, reads] : histories.ordered_reads) {
    if (const auto wrong = sim::judge_order(reads, histories.by_key[key]))
      tell(sum, chainring::concat(key, ": ", *wrong));
  }
  const size_t keys = histories.by_key.size();
  for (auto& [key, operations] : histories.by_key) {
    sum.operations += operations.size();
    const sim::Verdict verdict = sim::judge(std::move(operations), kStatesMax);
    if (verdict.gave_up) ++sum.unjudged;
    if (!verdict.linearizable) tell(sum, verdict.explanation);
  }
  if (sum.unjudged * kJudgedOfUnjudged > keys) {
    tell(sum,
         chainring::concat(sum.unjudged, " of ", keys, " keys could not be judged within ", kStatesMax, " states"));
  }
  std::printf("%zu keys, %zu operations, %zu grants, %zu violations, %zu keys unjudged\n", keys, sum.operations,
              histories.grants.size(), sum.violations, sum.unjudged);
  return sum.violations == 0 ? 0 : 1;
}
