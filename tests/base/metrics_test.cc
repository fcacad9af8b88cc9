#include "base/metrics.h"

#include <fstream>
#include <set>
#include <sstream>

#include "base/settings.h"

#include <catch2/catch.hpp>

namespace chainring {
namespace {

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

TEST_CASE("metric_table: names are our own, say their unit, and each has a sentence and a role") {
  std::set<std::string_view> names;
  for (const MetricSpec& spec : metric_table()) {
    INFO(spec.name);
    CHECK(names.insert(spec.name).second);
    CHECK(spec.name.starts_with("chainring_"));
    CHECK(spec.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos);
    CHECK(spec.name.ends_with("_total") == (spec.type == MetricType::counter));
    if (spec.type == MetricType::histogram) CHECK(spec.name.ends_with("_seconds"));
    CHECK(spec.labels.find_first_not_of("abcdefghijklmnopqrstuvwxyz ") == std::string_view::npos);
    CHECK(spec.doc.ends_with('.'));
    CHECK(spec.doc.find_first_of("\n\\") == std::string_view::npos);  // HELP would have to escape them
    CHECK(spec.roles != 0);
  }
  CHECK(names.size() == kMetricCount);
}

TEST_CASE("MetricsWriter: one header for all samples of a metric, labels escaped") {
  MetricsWriter out;
  out.value(Metric::error_replies, 3, {"ERR"});
  out.value(Metric::error_replies, 1, {"a\"b\\c\nd"});
  out.seconds(Metric::uptime, 1'000'001);
  out.seconds(Metric::node_lease_left, -5);
  CHECK(out.text() ==
        "# HELP chainring_error_replies_total Error replies to clients, by their first word.\n"
        "# TYPE chainring_error_replies_total counter\n"
        "chainring_error_replies_total{code=\"ERR\"} 3\n"
        "chainring_error_replies_total{code=\"a\\\"b\\\\c\\nd\"} 1\n"
        "# HELP chainring_uptime_seconds Time since the process started.\n"
        "# TYPE chainring_uptime_seconds gauge\n"
        "chainring_uptime_seconds 1.000001\n"
        "# HELP chainring_node_lease_left_seconds How long the node may serve without another renewal; 0: it may not.\n"
        "# TYPE chainring_node_lease_left_seconds gauge\n"
        "chainring_node_lease_left_seconds 0.000000\n");
}

TEST_CASE("MetricsWriter: several labels stand in the order of their declaration") {
  MetricsWriter out;
  out.value(Metric::build_info, 1, {"0.1.0", "node"});
  CHECK(has(out.text(), "chainring_build_info{version=\"0.1.0\",role=\"node\"} 1\n"));
}

TEST_CASE("MetricsWriter.histogram: buckets are cumulative, and each duration is below its bound") {
  LatencyCounts counts;
  counts.add(0);
  counts.add(-7);  // clocks that went back count as nothing
  counts.add(1000, 3);
  counts.add(1024);
  counts.add(100 * kMicrosPerSecond);
  CHECK(counts.sum_us() == 4024 + 100'000'000);
  MetricsWriter out;
  out.histogram(Metric::command_duration, counts);
  const std::string_view text = out.text();
  const std::string_view name = "chainring_command_duration_seconds";
  const auto line = [&](std::string_view rest) { return std::string("\n") + std::string(name) + std::string(rest); };
  CHECK(has(text, line("_bucket{le=\"0.000001\"} 2\n")));
  CHECK(has(text, line("_bucket{le=\"0.000512\"} 2\n")));
  CHECK(has(text, line("_bucket{le=\"0.001024\"} 5\n")));
  CHECK(has(text, line("_bucket{le=\"0.002048\"} 6\n")));
  CHECK(has(text, line("_bucket{le=\"8.388608\"} 6\n")));
  CHECK(has(text, line("_bucket{le=\"+Inf\"} 7\n")));
  CHECK(has(text, line("_sum 100.004024\n")));
  CHECK(has(text, line("_count 7\n")));
}

TEST_CASE("metrics_markdown: docs/metrics.md is what the table says") {
  std::ifstream file(CHAINRING_SOURCE_DIR "/docs/metrics.md");
  std::stringstream text;
  text << file.rdbuf();
  INFO("regenerate it from metrics_markdown()");
  CHECK(text.str() == metrics_markdown());
}

}  // namespace chainring
