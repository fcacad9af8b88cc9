#include "cli/reshard_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "cli/text_table.h"

namespace chainring::cli {
namespace {

constexpr int64_t kBarWidth = 20;
constexpr double kMicros = kMicrosPerSecond;

std::string one_decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

int64_t done(const ReshardReport& report) {
  return std::clamp<int64_t>(report.slots_total - report.slots_left, 0, std::max<int64_t>(report.slots_total, 0));
}

std::string bar(int64_t part, int64_t whole) {
  const int64_t filled = whole > 0 ? kBarWidth * part / whole : 0;
  return concat('[', std::string(static_cast<size_t>(filled), '#'),
                std::string(static_cast<size_t>(kBarWidth - filled), '.'), ']');
}

std::string signed_text(int64_t number) { return number > 0 ? concat('+', number) : concat(number); }

// "6144 (+6144)"
std::string change_text(int64_t before, int64_t after) {
  return before == after ? concat(after) : concat(after, " (", signed_text(after - before), ')');
}

}  // namespace

std::string bytes_text(int64_t bytes) {
  if (bytes < 1000) return concat(bytes, " B");
  double value = static_cast<double>(bytes);
  for (const char* unit : {"kB", "MB", "GB"}) {
    value /= 1000;
    if (value < 999.95) return concat(one_decimal(value), ' ', unit);
  }
  return concat(one_decimal(value / 1000), " TB");
}

std::string duration_text(Micros duration) {
  const double seconds = static_cast<double>(duration) / kMicros;
  if (seconds < 9.95) return concat(one_decimal(seconds), " s");
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return concat(whole, " s");
  if (whole < 3600) return concat(whole / 60, " min ", whole % 60, " s");
  return concat(whole / 3600, " h ", whole % 3600 / 60, " min");
}

void RateMeter::add(const ReshardReport& report, Micros now) {
  const bool another_move =
      report.slots_total != total_ ||
      (!samples_.empty() && (report.slots_left > samples_.back().left || report.bytes_copied < samples_.back().bytes));
  if (another_move) samples_.clear();
  total_ = report.slots_total;
  samples_.push_back({now, report.slots_left, report.bytes_copied});
  while (samples_.size() > kSamplesMax || samples_.front().at < now - kWindow) samples_.pop_front();
  const double seconds = static_cast<double>(report.running_ms) / 1000;
  average_ = seconds > 0 ? Rates{static_cast<double>(done(report)) / seconds,
                                 static_cast<double>(report.bytes_copied) / seconds}
                         : Rates{};
}

RateMeter::Rates RateMeter::rates() const {
  if (samples_.size() < 2 || samples_.back().at == samples_.front().at) return average_;
  const Sample& first = samples_.front();
  const Sample& last = samples_.back();
  const double seconds = static_cast<double>(last.at - first.at) / kMicros;
  return {static_cast<double>(first.left - last.left) / seconds,
          static_cast<double>(last.bytes - first.bytes) / seconds};
}

std::optional<Micros> RateMeter::time_left() const {
  const double speed = rates().slots_per_second;
  if (samples_.empty() || speed <= 0) return std::nullopt;
  return static_cast<Micros>(static_cast<double>(samples_.back().left) / speed * kMicros);
}

std::string progress_line(std::string_view label, const ReshardReport& report, const RateMeter& meter) {
  const int64_t part = done(report);
  std::string line = concat(label, label.empty() ? "" : " ", bar(part, report.slots_total), ' ',
                            report.slots_total > 0 ? 100 * part / report.slots_total : 0, " %  ", part, " of ",
                            report.slots_total, " slots  ", bytes_text(report.bytes_copied));
  if (report.state == "paused") return concat(line, "  paused");
  if (!report.trouble.empty()) return concat(line, "  waiting: ", report.trouble);
  const RateMeter::Rates rates = meter.rates();
  append_text(line, "  ", bytes_text(static_cast<int64_t>(rates.bytes_per_second)), "/s");
  if (const auto left = meter.time_left()) append_text(line, "  ", duration_text(*left), " left");
  return line;
}

std::string reshard_text(const ReshardReport& report) {
  if (report.idle()) {
    return report.trouble.empty() ? "idle" : concat("idle, but chains are not as they should be: ", report.trouble);
  }
  RateMeter meter;
  meter.add(report, 0);
  return progress_line(report.change.empty() ? "repair" : report.change, report, meter);
}

std::string to_text(const PlanReport& plan) {
  TextTable table({"NODE", "WEIGHT", "SLOTS", "HEAD OF", "RECEIVES", "GIVES"});
  for (const auto& member : plan.members) {
    table.add({member.name, concat(member.weight), change_text(member.slots_before, member.slots_after),
               change_text(member.heads_before, member.heads_after), concat(member.receives), concat(member.gives)});
  }
  std::string out = table.text();
  if (plan.slots == 0 && plan.moves == 0) return concat(out, "\nnothing would change\n");
  append_text(out, "\n", plan.moves, " copies of slots to be made, ", plan.least, " at the least; the chains of ",
              plan.slots, " slots change, ", plan.heads, " of them get another head\n");
  if (plan.copies_before != plan.copies_after) {
    append_text(out, "copies: ", plan.copies_before, ", then ", plan.copies_after, '\n');
  }
  return out;
}

}  // namespace chainring::cli
