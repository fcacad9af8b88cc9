// What an operator sees of a change of the ring: a plan as a table, progress as a bar. Pure.
// Thread-safety: pure functions; a RateMeter is for one owner.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "cli/status_report.h"

namespace chainring::cli {

// "512 B", "41.2 MB": powers of 1000, as disks and networks count.
[[nodiscard]] std::string bytes_text(int64_t bytes);
// "0.8 s", "12 s", "3 min 20 s", "2 h 5 min".
[[nodiscard]] std::string duration_text(Micros duration);

// How fast a move is of late, from reports at their times.
class RateMeter {
 public:
  struct Rates {
    double slots_per_second = 0;
    double bytes_per_second = 0;
  };
  void add(const ReshardReport& report, Micros now);
  // Over the last ten seconds; over the whole move as long as there is only one report of it.
  [[nodiscard]] Rates rates() const;
  // For what was left in the last report; nothing when it does not move.
  [[nodiscard]] std::optional<Micros> time_left() const;

 private:
  struct Sample {
    Micros at;
    int64_t left;
    int64_t bytes;
  };
  static constexpr Micros kWindow = 10 * kMicrosPerSecond;
  static constexpr size_t kSamplesMax = 128;

  std::deque<Sample> samples_;
  Rates average_;  // since the move began
  int64_t total_ = 0;
};

// One line without its end: label, bar, slots, bytes, rate, time left, and why it does not move.
[[nodiscard]] std::string progress_line(std::string_view label, const ReshardReport& report, const RateMeter& meter);

// The state in one line, for tables: "idle", or the line above with what moves as its label.
[[nodiscard]] std::string reshard_text(const ReshardReport& report);

[[nodiscard]] std::string to_text(const PlanReport& plan);

}  // namespace chainring::cli
