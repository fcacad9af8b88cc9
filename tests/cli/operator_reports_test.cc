// What only an operator can decide, as it is shown before it is asked for.
#include "cli/lost_report.h"
#include "cli/recovery_report.h"
#include "tests/cli/program.h"

namespace chainring::cli {
namespace {

LostReport lost_example() {
  const Result<LostReport> report = parse_lost(
      R"({"chains":[{"first":0,"last":9,"epoch":3,"lost":true,"members":[1]},)"
      R"({"first":10,"last":10,"epoch":4,"lost":false,"members":[1,2]},)"
      R"({"first":20,"last":20,"epoch":4,"lost":false,"members":[2,3]},)"
      R"({"first":30,"last":39,"epoch":4,"lost":false,"members":[2]}],"slots":22,"lost":10,)"
      R"("members":[{"id":1,"name":"n1","host":"h","port":7401,"state":"gone","slots":11,"lapsed_ms":90000},)"
      R"({"id":2,"name":"n2","host":"h","port":7402,"state":"absent","slots":12,"lapsed_ms":94000},)"
      R"({"id":3,"name":"n3","host":"h","port":7403,"state":"absent","slots":1,"lapsed_ms":1000}]})");
  REQUIRE(report.ok());
  return *report;
}

}  // namespace

TEST_CASE("given_up: slots of which everybody is gone, or absent and named, as runs") {
  const LostReport report = lost_example();
  CHECK(given_up(report, {}).slots == std::vector<std::string>{"0-9"});
  CHECK(given_up(report, {}).count == 10);
  CHECK(given_up(report, {"n2"}).slots == std::vector<std::string>{"0-10", "30-39"});
  CHECK(given_up(report, {"n3"}).count == 10);
  CHECK(given_up(report, {"n2", "n3"}).slots == std::vector<std::string>{"0-10", "20", "30-39"});
  CHECK(given_up(report, {"n2", "n3"}).count == 22);
  CHECK(given_up(LostReport(), {"n2"}).slots.empty());
}

TEST_CASE("to_text: who held what nobody serves, and who of them may come back") {
  const std::string text = to_text(lost_example());
  CHECK(contains(text, "22 slots are not served"));
  CHECK(contains(text, "n1    h:7401   11     gone for good"));
  CHECK(contains(text, "absent for 94 s; if its process lives"));
}

TEST_CASE(
    "to_text: a recovery says what it begins with, who was not asked, what is not covered, and that locks are lost") {
  const Result<RecoveryReport> report =
      parse_recovery(R"({"cluster_id":"c1","generation":2,"version":14,"lease_ms":450,)"
                     R"("stated":[{"name":"n1","version":14,"slots":100},{"name":"n4","version":0,"slots":0}],)"
                     R"("silent":[{"name":"n2","version":0,"slots":16384}],)"
                     R"("uncovered":[{"first":100,"last":16383}],"uncovered_slots":16284})");
  REQUIRE(report.ok());
  CHECK(report->lease_ms == 450);
  const std::string text = to_text(*report);
  CHECK(contains(text, "cluster c1: generation 2 begins with table 14"));
  CHECK(contains(text, "n4    none   0"));
  CHECK(contains(text, "NOT ASKED: n2, which holds 16384 slots"));
  CHECK(contains(text, "NOT COVERED: 16284 slots, which none of these nodes holds: 100-16383\n"));
  CHECK(contains(text, "LOST: all locks"));
  CHECK_FALSE(parse_recovery("[]").ok());
}

}  // namespace chainring::cli
