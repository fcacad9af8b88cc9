#include "cli/reshard_text.h"

#include "tests/cli/program.h"

namespace chainring::cli {
namespace {

constexpr Micros kSecond = kMicrosPerSecond;

ReshardReport half_way() {
  ReshardReport report;
  report.state = "moving";
  report.change = "add n4";
  report.slots_total = 12288;
  report.slots_left = 6144;
  report.keys_copied = 5000;
  report.bytes_copied = 41'200'000;
  report.running_ms = 2000;
  return report;
}

ReshardReport left(int64_t slots, int64_t bytes) {
  ReshardReport report = half_way();
  report.slots_left = slots;
  report.bytes_copied = bytes;
  return report;
}

}  // namespace

TEST_CASE("bytes_text: three digits or so, and a unit") {
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(999) == "999 B");
  CHECK(bytes_text(1000) == "1.0 kB");
  CHECK(bytes_text(999'949) == "999.9 kB");
  CHECK(bytes_text(999'950) == "1.0 MB");
  CHECK(bytes_text(41'234'567) == "41.2 MB");
  CHECK(bytes_text(5'000'000'000) == "5.0 GB");
  CHECK(bytes_text(INT64_MAX) == "9223372.0 TB");
}

TEST_CASE("duration_text: as coarse as it is long") {
  CHECK(duration_text(0) == "0.0 s");
  CHECK(duration_text(9'900'000) == "9.9 s");
  CHECK(duration_text(9'960'000) == "10 s");
  CHECK(duration_text(59 * kSecond) == "59 s");
  CHECK(duration_text(200 * kSecond) == "3 min 20 s");
  CHECK(duration_text(7500 * kSecond) == "2 h 5 min");
}

TEST_CASE("RateMeter: the rate of the last ten seconds, and what is left at that rate") {
  RateMeter meter;
  CHECK_FALSE(meter.time_left().has_value());
  meter.add(left(12000, 1000), 0);
  CHECK(meter.rates().slots_per_second == Approx(144));  // 288 in its first 2 seconds
  CHECK(meter.rates().bytes_per_second == Approx(500));
  meter.add(left(11000, 3000), 1 * kSecond);
  CHECK(meter.rates().slots_per_second == Approx(1000));
  CHECK(meter.rates().bytes_per_second == Approx(2000));
  CHECK(meter.time_left() == 11 * kSecond);
  for (int i = 1; i <= 20; ++i) meter.add(left(11000 - 100 * i, 3000), (1 + i) * kSecond);
  CHECK(meter.rates().slots_per_second == Approx(100));
  CHECK(meter.rates().bytes_per_second == Approx(0));
  CHECK(meter.time_left() == 90 * kSecond);
}

TEST_CASE("RateMeter: what stands still has no time left, and another move begins anew") {
  RateMeter meter;
  meter.add(left(500, 10), 0);
  meter.add(left(500, 10), 5 * kSecond);
  CHECK_FALSE(meter.time_left().has_value());
  meter.add(left(600, 0), 6 * kSecond);  // more than before: not the same move
  meter.add(left(300, 900), 7 * kSecond);
  CHECK(meter.rates().slots_per_second == Approx(300));
  CHECK(meter.time_left() == 1 * kSecond);
}

TEST_CASE("progress_line: bar, slots, bytes, rate, time left") {
  RateMeter meter;
  meter.add(half_way(), 0);
  CHECK(progress_line("add n4", half_way(), meter) ==
        "add n4 [##########..........] 50 %  6144 of 12288 slots  41.2 MB  20.6 MB/s  2.0 s left");
  CHECK(progress_line("x", left(12288, 0), RateMeter{}) ==
        "x [....................] 0 %  0 of 12288 slots  0 B  0 B/s");
  CHECK(contains(progress_line("x", left(0, 5), RateMeter{}), "[####################] 100 %  12288 of 12288"));
}

TEST_CASE("progress_line: says why nothing moves") {
  ReshardReport report = half_way();
  report.state = "waiting";
  report.trouble = "n4 has lost its lease";
  CHECK(progress_line("add n4", report, RateMeter{}) ==
        "add n4 [##########..........] 50 %  6144 of 12288 slots  41.2 MB  waiting: n4 has lost its lease");
  report.state = "paused";
  CHECK(contains(progress_line("add n4", report, RateMeter{}), "41.2 MB  paused"));
}

TEST_CASE("progress_line: numbers that make no sense make no picture that makes none") {
  ReshardReport report = half_way();
  for (const auto& [total, remaining] : {std::pair<int64_t, int64_t>{0, 0}, {10, 20}, {-5, 3}, {10, -7}}) {
    report.slots_total = total;
    report.slots_left = remaining;
    RateMeter meter;
    meter.add(report, 0);
    const std::string line = progress_line("x", report, meter);
    INFO(line);
    CHECK(line.find(']') - line.find('[') == 21);
  }
}

TEST_CASE("reshard_text: idle, or what moves") {
  CHECK(reshard_text(ReshardReport{}) == "idle");
  CHECK(reshard_text(half_way()).starts_with("add n4 [##########"));
  ReshardReport repair = half_way();
  repair.change.clear();
  CHECK(reshard_text(repair).starts_with("repair ["));
}

TEST_CASE("parse_reshard: every field arrives") {
  const auto report = parse_reshard(
      R"({"state":"moving","change":"add n4","slots_total":10,"slots_left":4,"copying":2,"keys_copied":7,)"
      R"("bytes_copied":800,"running_ms":90,"trouble":"t"})");
  REQUIRE(report.ok());
  CHECK_FALSE(report->idle());
  CHECK(report->change == "add n4");
  CHECK(report->slots_total == 10);
  CHECK(report->slots_left == 4);
  CHECK(report->copying == 2);
  CHECK(report->keys_copied == 7);
  CHECK(report->bytes_copied == 800);
  CHECK(report->running_ms == 90);
  CHECK(report->trouble == "t");
  CHECK(parse_reshard("[]").status().code() == ErrorCode::corrupt);
}

TEST_CASE("to_text: a plan is a table and a sentence") {
  const auto plan = parse_plan(
      R"({"moves":12288,"slots":16384,"heads":4096,"least":12200,"copies_before":3,"copies_after":2,"members":[)"
      R"({"name":"n1","weight":100,"slots_before":16384,"slots_after":12288,"heads_before":5462,"heads_after":4096,)"
      R"("receives":0,"gives":4096},)"
      R"({"name":"n2","weight":50,"slots_before":7,"slots_after":7,"heads_before":2,"heads_after":3,)"
      R"("receives":12,"gives":12}]})");
  REQUIRE(plan.ok());
  CHECK(to_text(*plan) ==
        "NODE  WEIGHT  SLOTS          HEAD OF       RECEIVES  GIVES\n"
        "n1    100     12288 (-4096)  4096 (-1366)  0         4096\n"
        "n2    50      7              3 (+1)        12        12\n"
        "\n"
        "12288 copies of slots to be made, 12200 at the least; the chains of 16384 slots change, 4096 of them get "
        "another head\n"
        "copies: 3, then 2\n");
  CHECK(contains(to_text(PlanReport{}), "nothing would change"));
  CHECK(parse_plan("7").status().code() == ErrorCode::corrupt);
}

}  // namespace chainring::cli
