#include <fstream>
#include <sstream>

#include "cli/status_report.h"
#include "tests/cli/program.h"

namespace chainring::cli {
namespace {

std::string testdata(const std::string& name) {
  std::ifstream file(CHAINRING_TESTDATA "/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

StatusReport example() {
  const Result<StatusReport> report = parse_status(testdata("status.json"));
  REQUIRE(report.ok());
  return *report;
}

}  // namespace

TEST_CASE("parse_status: every field of docs/status.md arrives") {
  const StatusReport report = example();
  CHECK(report.cluster_id == "5f3c9a1b00e4d2aa");
  CHECK(report.generation == 1);
  CHECK(report.version == 12);
  CHECK(report.leader == "c1");
  CHECK(report.term == 3);
  CHECK(report.copies == 3);
  REQUIRE(report.coordinators.size() == 3);
  CHECK(report.coordinators[1].port == 7302);
  CHECK(report.coordinators[1].applied == 344);
  CHECK(report.coordinators[2].state == "unreachable");
  CHECK(report.coordinators[2].last_heard_ms == 98000);
  REQUIRE(report.members.size() == 3);
  CHECK(report.members[2].id == 3);
  CHECK(report.members[2].incarnation == "0123456789abcdef");
  CHECK(report.members[2].lease_ms == 448);
  CHECK(report.members[2].head_slots == 8191);
  CHECK(report.members[2].weight == 200);
  CHECK(report.members[2].zone == "west");
  REQUIRE(report.routers.size() == 1);
  CHECK(report.routers[0].version == 12);
  REQUIRE(report.ranges.size() == 4);
  CHECK(report.ranges[1].next_epoch == 9);
  CHECK(report.ranges[1].next_chain == std::vector<std::string>{"n3", "n1", "n2"});
  CHECK(report.slots_assigned == 16384);
  CHECK(report.slots_served == 16368);
  CHECK(report.slots_changing == 16);
  CHECK(report.slots_lost == 1);
  CHECK(report.slots_standing == 3);
  CHECK(report.slots_short == 16384);
  CHECK(report.locks == 2);
  CHECK(report.lock_token == 17);
  CHECK(report.reshard.change == "add n3");
  CHECK(report.reshard.slots_left == 4096);
}

TEST_CASE("parse_status: other versions' answers are read as far as they go, other answers are refused") {
  const Result<StatusReport> sparse =
      parse_status(R"({"leader":null,"members":[7,{"name":"n1","lease_ms":"soon","new":1}],"slots":[],"extra":{}})");
  REQUIRE(sparse.ok());
  CHECK(sparse->leader.empty());
  REQUIRE(sparse->members.size() == 1);
  CHECK(sparse->members[0].name == "n1");
  CHECK(sparse->members[0].lease_ms == 0);
  for (const std::string_view bad : {"", "[]", "{", "-ERR unknown command", "{\"a\":1}x"}) {
    INFO(bad);
    CHECK(parse_status(bad).status().code() == ErrorCode::corrupt);
  }
}

TEST_CASE("to_text: the tables are those of testdata/status.txt") {
  CHECK(to_text(example()) == testdata("status.txt"));
}

TEST_CASE("to_text: an empty cluster is a table too") {
  const std::string text = to_text(StatusReport{});
  CHECK(contains(text, "leader NONE"));
  CHECK(contains(text, "slots: 0 of 16384 served"));
  CHECK_FALSE(contains(text, "LOST"));
  CHECK(contains(text, "reshard: idle"));
  CHECK_FALSE(contains(text, "changing:"));
}

TEST_CASE("to_text: every state of a member but up is explained") {
  StatusReport report;
  for (const char* state : {"up", "joining", "absent", "leaving", "gone"}) {
    StatusReport::Member member;
    member.name = std::string("the-") + state;
    member.state = state;
    report.members.push_back(member);
  }
  report.members.push_back(report.members[1]);
  report.members.back().name = "the-receiving";
  report.members.back().slots = 7;
  const std::string text = to_text(report);
  CHECK_FALSE(contains(text, "the-up has"));
  CHECK(contains(text,
                 "\n  the-joining has registered and is not in the ring; `chainring reshard add` gives it slots\n"));
  CHECK(contains(text, "\n  the-receiving is being given slots\n"));
  CHECK(contains(text, "\n  the-absent has lost its lease; "));
  CHECK(contains(text, "\n  the-leaving gives its slots away"));
  CHECK(contains(text, "\n  the-gone will not come back"));
}

TEST_CASE("to_text: of very many moves some are shown and the rest counted") {
  StatusReport report;
  for (int i = 0; i < 100; ++i) report.ranges.push_back({i, i, 1, {"n1"}, 2, {"n2"}});
  const std::string text = to_text(report);
  CHECK(contains(text, "slots 19-19"));
  CHECK_FALSE(contains(text, "slots 20-20"));
  CHECK(contains(text, "and 80 more ranges"));
}

TEST_CASE("what_is_missing: leader, then nodes, then slots, then nothing") {
  StatusReport report = example();
  report.slots_lost = 0;
  CHECK(what_is_missing(report, 3).what == "2 of 3 nodes are up");
  report.members[1].state = "up";
  CHECK(what_is_missing(report, 3).what == "16368 of 16384 slots are served");
  report.slots_served = 16384;
  CHECK(what_is_missing(report, 3).what.empty());
  report.leader.clear();
  CHECK(what_is_missing(report, 3).what == "the coordinators elect a leader");
  CHECK_FALSE(what_is_missing(report, 3).needs_the_operator);
}

TEST_CASE("what_is_missing: slots that are lost need the operator once all nodes are there") {
  StatusReport report = example();  // n2 is absent and could bring back what it held
  CHECK(what_is_missing(report, 3).what == "2 of 3 nodes are up");
  report.members[1].state = "joining";
  CHECK(what_is_missing(report, 3).needs_the_operator);
  CHECK(contains(what_is_missing(report, 3).what, "every copy of 1 slots is lost"));
  CHECK(contains(what_is_missing(report, 3).what, "--on-loss empty"));
}

}  // namespace chainring::cli
