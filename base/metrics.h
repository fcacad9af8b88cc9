// Metrics: one declaration each (base/metrics.cc). What /metrics answers and docs/metrics.md both come from that table.
//
// The text is written here and not by prometheus-cpp: our figures are plain members of single-threaded processes, and
// that library would have each of them copied into a registry of atomics behind mutexes, or into a MetricFamily with a
// string for every label, for the sake of the hundred lines that write it out.
//
// Format: Prometheus' text format, version 0.0.4. Units stand in the names: _seconds, _bytes, _total of counters.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/latency.h"
#include "base/time.h"

namespace chainring {

enum class Metric : uint8_t {
#define CHAINRING_METRIC(id) id,
#include "base/metric_ids.inc"
#undef CHAINRING_METRIC
  count_
};
inline constexpr size_t kMetricCount = static_cast<size_t>(Metric::count_);

enum class MetricType : uint8_t { counter, gauge, histogram };

struct MetricSpec {
  Metric id;
  std::string_view name;  // "chainring_commands_total"
  MetricType type;
  uint8_t roles;            // of Role (base/settings.h): who has it
  std::string_view labels;  // names, separated by spaces
  std::string_view doc;     // one sentence
};

[[nodiscard]] std::span<const MetricSpec> metric_table();
[[nodiscard]] std::string metrics_markdown();  // docs/metrics.md

// The answer to /metrics under construction.
// Thread-safety: none. REQUIRES: all samples of one metric are written together, with a value for each of its labels.
class MetricsWriter {
 public:
  using Labels = std::initializer_list<std::string_view>;

  // Of counters and gauges.
  void value(Metric metric, uint64_t value, Labels labels = {});
  void seconds(Metric metric, Micros duration, Labels labels = {});
  // Of histograms of durations, in seconds.
  void histogram(Metric metric, const LatencyCounts& counts);

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  const MetricSpec& begin(Metric metric);
  void sample(const MetricSpec& spec, std::string_view suffix, Labels labels, std::string_view value);

  std::string text_;
  std::string done_;  // the metrics that were begun, one byte each
};

}  // namespace chainring
