// Prints how good the placement is, beside two others: ./dev bench ring.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "bench/ring/history.h"
#include "bench/ring/measures.h"
#include "bench/ring/rivals.h"
#include "ring/placement.h"

namespace chainring::ring {
namespace {

constexpr uint32_t kNumberMost = 100'000;

struct Options {
  std::vector<uint32_t> members = {3, 10, 100};
  std::vector<uint32_t> copies = {1, 3, 5};
  std::vector<std::string> kinds = {"equal", "weights", "domains"};
  uint32_t changes = 200;
  uint32_t histories = 1;
  uint64_t seed = 1;
  bool rivals = true;
};

// One placement's way through a history.
struct Course {
  Loads worst;
  double made = 0;
  double least = 0;
  double gained = 0;  // by fair shares
  double after_failure = 0;
  uint32_t ranges_at_first = 0;
  uint32_t ranges_at_last = 0;
  double ms_in_all = 0;
  double ms_at_most = 0;
  uint32_t tables = 0;
};

void add_loads(Course& course, const Loads& loads) {
  course.worst.in_all = std::max(course.worst.in_all, loads.in_all);
  course.worst.as_head = std::max(course.worst.as_head, loads.as_head);
  course.worst.out_of_bounds += loads.out_of_bounds;
}

// Plays the same changes to any placement; `place(members, in_force)` gives its next table.
template <class Place>
void play(const Options& options, HistoryShape shape, uint32_t copies, uint64_t seed, Course& course, Place place) {
  SeededRandom random(seed);
  History history(shape, random);
  std::vector<Candidate> before = history.members();
  std::vector<Chain> table = place(history.members(), std::vector<Chain>());
  add_loads(course, measure_loads(history.members(), copies, table));
  course.ranges_at_first = std::max(course.ranges_at_first, range_count(table));
  for (uint32_t change = 0; change < options.changes; ++change) {
    history.change();
    std::vector<Chain> next = place(history.members(), table);
    add_loads(course, measure_loads(history.members(), copies, next));
    course.made += copies_made(table, next);
    course.least += least_copies(history.members(), copies, table);
    course.gained += shares_gained(before, history.members(), copies);
    before = history.members();
    table = std::move(next);
  }
  course.after_failure = std::max(course.after_failure, load_after_failure(history.members(), table));
  course.ranges_at_last = std::max(course.ranges_at_last, range_count(table));
}

Course play_ours(const Options& options, HistoryShape shape, uint32_t copies) {
  Course course;
  const auto place = [&](const std::vector<Candidate>& members, const std::vector<Chain>& in_force) {
    const std::clock_t start = std::clock();
    std::vector<Chain> table = target_table(members, copies, in_force);
    const double ms = 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    course.ms_in_all += ms;
    course.ms_at_most = std::max(course.ms_at_most, ms);
    ++course.tables;
    return table;
  };
  for (uint32_t i = 0; i < options.histories; ++i) play(options, shape, copies, options.seed + i, course, place);
  return course;
}

template <class Rival>
Course play_rival(const Options& options, HistoryShape shape, uint32_t copies) {
  Course course;
  for (uint32_t i = 0; i < options.histories; ++i) {
    Rival rival;
    play(
        options, shape, copies, options.seed + i, course,
        [&](const std::vector<Candidate>& members, const std::vector<Chain>&) { return rival.place(members, copies); });
  }
  return course;
}

void print_legend(const Options& options) {
  std::printf(
      "Placement of %u slots after each of %u random changes (%u %s, from seed %llu): joins, removals, restarts under\n"
      "the same name and, where weights are unequal, new weights.\n"
      "  all, head  greatest number of chains a member is in, and of slots it heads, over its fair share by weight\n"
      "  out        how often a member was further from either share than one slot and 3 %%\n"
      "  /least     copies made, over the least that any way from the table in force into these bounds must make\n"
      "  /shares    copies made, over what fair shares gained: the same measure for all placements\n"
      "  fail       in the last table, slots that a member heads after another failed, at the worst, over its fair "
      "share before\n"
      "  ranges     entries of CLUSTER SLOTS, at first and after all changes\n"
      "  ms         of a processor for one table, mean and greatest\n",
      kSlotCount, options.changes, options.histories, options.histories == 1 ? "history" : "histories",
      static_cast<unsigned long long>(options.seed));
}

void print_head(const std::string& kind, bool rivals) {
  const char* title = kind == "equal"     ? "equal weights"
                      : kind == "weights" ? "weights from 50 to 400"
                                          : "weights from 50 to 400, up to several members a host, four zones";
  std::printf("\n%s\n", title);
  std::printf("              | chainring                                                                ");
  if (rivals) std::printf(" | bounded loads 1.05  | rendezvous");
  std::printf("\nmembers copies|   all  head  out  /least /shares   fail  ranges        ms");
  std::printf("               ");
  if (rivals) std::printf(" |   all  head /shares |   all  head /shares");
  std::printf("\n");
}

void print_row(uint32_t members, uint32_t copies, const Course& ours) {
  std::printf("%7u %6u| %5.3f %5.3f %4u  %6.3f  %6.3f %6.3f  %5u %5u  %7.1f %7.1f    ", members, copies,
              ours.worst.in_all, ours.worst.as_head, ours.worst.out_of_bounds, ours.made / std::max(1.0, ours.least),
              ours.made / std::max(1.0, ours.gained), ours.after_failure, ours.ranges_at_first, ours.ranges_at_last,
              ours.ms_in_all / ours.tables, ours.ms_at_most);
}

void print_rival(const Course& course) {
  std::printf(" | %5.3f %5.3f  %6.3f", course.worst.in_all, course.worst.as_head,
              course.made / std::max(1.0, course.gained));
}

void print_kind(const Options& options, const std::string& kind) {
  const bool rivals = options.rivals && kind != "domains";  // they know nothing of domains
  print_head(kind, rivals);
  for (const uint32_t members : options.members) {
    for (const uint32_t copies : options.copies) {
      const HistoryShape shape = {.members = members, .weighted = kind != "equal", .in_domains = kind == "domains"};
      print_row(members, copies, play_ours(options, shape, copies));
      if (rivals) {
        print_rival(play_rival<BoundedLoads>(options, shape, copies));
        print_rival(play_rival<Rendezvous>(options, shape, copies));
      }
      std::printf("\n");
      std::fflush(stdout);
    }
  }
}

constexpr std::string_view kUsage =
    "usage: ring_quality [--full] [--members 3,10] [--copies 1,3] [--kinds equal,weights,domains]\n"
    "                    [--changes 200] [--histories 1] [--seed 1] [--alone]\n"
    "  --full   3 to 1,000 members and 1 to 5 copies: minutes\n"
    "  --alone  without the other placements\n";

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

// Numbers from 1 to kNumberMost, separated by commas; nothing when there is anything else.
std::vector<uint32_t> numbers(const std::string& list) {
  std::vector<uint32_t> found;
  for (const std::string& part : split(list)) {
    const std::optional<uint64_t> number = parse_uint(part);
    if (!number || *number < 1 || *number > kNumberMost) return {};
    found.push_back(static_cast<uint32_t>(*number));
  }
  return found;
}

bool set_kinds(Options& options, const std::string& list) {
  options.kinds = split(list);
  const auto known = [](const std::string& kind) { return kind == "equal" || kind == "weights" || kind == "domains"; };
  return !options.kinds.empty() && std::all_of(options.kinds.begin(), options.kinds.end(), known);
}

// Returns whether there is such an option and it takes such a value.
bool set_option(Options& options, const std::string& name, const std::string& value) {
  if (name == "--kinds") return set_kinds(options, value);
  const std::vector<uint32_t> found = numbers(value);
  if (found.empty()) return false;
  if (name == "--members") {
    options.members = found;
  } else if (name == "--copies") {
    options.copies = found;
  } else if (name == "--changes") {
    options.changes = found.front();
  } else if (name == "--histories") {
    options.histories = found.front();
  } else if (name == "--seed") {
    options.seed = found.front();
  } else {
    return false;
  }
  return true;
}

std::optional<Options> parse(const std::vector<std::string>& arguments) {
  Options options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--full") {
      options.members = {3, 5, 10, 30, 100, 300, 1000};
      options.copies = {1, 2, 3, 4, 5};
    } else if (arguments[i] == "--alone") {
      options.rivals = false;
    } else if (i + 1 == arguments.size() || !set_option(options, arguments[i], arguments[i + 1])) {
      return std::nullopt;
    } else {
      ++i;
    }
  }
  return options;
}

int run(const std::vector<std::string>& arguments) {
  const std::optional<Options> options = parse(arguments);
  if (!options) {
    std::cerr << kUsage;
    return 2;
  }
  print_legend(*options);
  for (const std::string& kind : options->kinds) print_kind(*options, kind);
  return 0;
}

}  // namespace
}  // namespace chainring::ring

int main(int argc, char** argv) { return chainring::ring::run(std::vector<std::string>(argv + 1, argv + argc)); }
