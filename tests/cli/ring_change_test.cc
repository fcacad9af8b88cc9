#include "cli/ring_change.h"

#include "cli/node_keeper.h"
#include "cli/ring_connection.h"
#include "tests/cli/program.h"

namespace chainring::cli {
namespace {

using Kind = RingChange::Kind;

StatusReport::Member member(const std::string& name, const std::string& state, int64_t slots, int64_t weight = 100) {
  StatusReport::Member made;
  made.name = name;
  made.state = state;
  made.slots = slots;
  made.weight = weight;
  made.lease_ms = state == "absent" ? 0 : 400;
  return made;
}

StatusReport ring_of(const std::vector<StatusReport::Member>& members) {
  StatusReport report;
  report.copies = 3;
  report.members = members;
  return report;
}

ReshardReport moving(const std::string& change) {
  ReshardReport report;
  report.state = "moving";
  report.change = change;
  return report;
}

}  // namespace

TEST_CASE("RingChange: its words are those of RING, its text is that of the reports") {
  CHECK(RingChange{Kind::add, "n4", 0}.words() == std::vector<std::string>{"ADD", "n4"});
  CHECK(RingChange{Kind::remove, "n1", 0}.text() == "remove n1");
  CHECK(RingChange{Kind::weight, "n2", 200}.words() == std::vector<std::string>{"WEIGHT", "n2", "200"});
  CHECK(RingChange{Kind::weight, "n2", 200}.text() == "weight n2 200");
  CHECK(RingChange{Kind::copies, "", 2}.words() == std::vector<std::string>{"COPIES", "2"});
  CHECK(RingChange{Kind::copies, "", 2}.text() == "copies 2");
}

TEST_CASE("is_in_effect: for each kind of change") {
  const StatusReport ring = ring_of({member("n1", "up", 16384), member("n2", "absent", 5, 200), member("n2", "gone", 0),
                                     member("n3", "joining", 0), member("n4", "joining", 7)});
  CHECK(is_in_effect({Kind::add, "n1", 0}, ring));
  CHECK_FALSE(is_in_effect({Kind::add, "n2", 0}, ring));
  CHECK_FALSE(is_in_effect({Kind::add, "n3", 0}, ring));
  CHECK_FALSE(is_in_effect({Kind::add, "n9", 0}, ring));
  CHECK_FALSE(is_in_effect({Kind::remove, "n1", 0}, ring));
  CHECK_FALSE(is_in_effect({Kind::remove, "n2", 0}, ring));
  CHECK(is_in_effect({Kind::remove, "n3", 0}, ring));
  CHECK_FALSE(is_in_effect({Kind::remove, "n4", 0}, ring));  // still holds something
  CHECK(is_in_effect({Kind::remove, "n9", 0}, ring));
  StatusReport::Member dead = member("n5", "absent", 0);
  CHECK_FALSE(is_in_effect({Kind::remove, "n5", 0}, ring_of({dead})));
  dead.placed = false;
  CHECK(is_in_effect({Kind::remove, "n5", 0}, ring_of({dead})));
  CHECK(is_in_effect({Kind::weight, "n2", 200}, ring));
  CHECK_FALSE(is_in_effect({Kind::weight, "n1", 200}, ring));
  CHECK(is_in_effect({Kind::copies, "", 3}, ring));
  CHECK_FALSE(is_in_effect({Kind::copies, "", 2}, ring));
}

TEST_CASE("is_under_way: alone, among others, and while it is undone") {
  const RingChange add{Kind::add, "n4", 0};
  for (const char* change :
       {"add n4", "add n4, weight n1 200", "copies 2, add n4", "undo add n4", "undo copies 2, add n4"}) {
    INFO(change);
    CHECK(is_under_way(add, moving(change)));
  }
  for (const char* change : {"", "add n40", "add n5", "remove n4, copies 2", "undo add n5"}) {
    INFO(change);
    CHECK_FALSE(is_under_way(add, moving(change)));
  }
  ReshardReport idle = moving("add n4");
  idle.state = "idle";
  CHECK_FALSE(is_under_way(add, idle));
}

TEST_CASE("idle_node: one that waits, and not one that only came back") {
  CHECK(idle_node(ring_of({member("n1", "up", 9), member("n4", "joining", 0)}), {"n1", "n4"}) == "n4");
  CHECK(idle_node(ring_of({member("n4", "joining", 0)}), {"n1"}).empty());  // somebody else's
  CHECK(idle_node(ring_of({member("n4", "joining", 3)}), {"n4"}).empty());
  CHECK(idle_node(ring_of({member("n4", "absent", 3), member("n4", "joining", 0)}), {"n4"}).empty());
  CHECK(idle_node(ring_of({member("n4", "gone", 0), member("n4", "joining", 0)}), {"n4"}) == "n4");
  StatusReport lapsed = ring_of({member("n4", "joining", 0)});
  lapsed.members[0].lease_ms = 0;
  CHECK(idle_node(lapsed, {"n4"}).empty());
}

TEST_CASE("ChangeWatch: a change ends when it was seen and is seen no more, or is in effect") {
  using Verdict = ChangeWatch::Verdict;
  const auto no = [] { return false; };
  const auto yes = [] { return true; };
  const RingChange add{Kind::add, "n4", 0};
  ChangeWatch watch(add, 0);
  CHECK(watch.judge(ReshardReport{}, 1, no) == Verdict::goes_on);  // not begun yet
  CHECK(watch.judge(moving("add n4"), 2, no) == Verdict::goes_on);
  CHECK(watch.judge(moving("add n5"), 3, no) == Verdict::ended);
  CHECK(watch.judge(ReshardReport{}, 3, no) == Verdict::ended);

  ChangeWatch quick(add, 0);
  CHECK(quick.judge(ReshardReport{}, 1, yes) == Verdict::ended);

  ChangeWatch never(add, 0);
  CHECK(never.judge(ReshardReport{}, 4 * kMicrosPerSecond, no) == Verdict::goes_on);
  CHECK(never.judge(ReshardReport{}, 6 * kMicrosPerSecond, no) == Verdict::unseen);
}

TEST_CASE("fate_of: a node is stopped when it is out of the ring, and stays when its removal was taken back") {
  StatusReport ring = ring_of({member("n1", "leaving", 5), member("n2", "up", 9)});
  ring.reshard = moving("remove n1");
  CHECK(fate_of(ring, "n1") == Fate::wait);
  ring.members[0] = member("n1", "joining", 0);  // drained, and the coordinators have not finished
  CHECK(fate_of(ring, "n1") == Fate::wait);
  ring.reshard = ReshardReport{};
  CHECK(fate_of(ring, "n1") == Fate::stop);
  CHECK(fate_of(ring, "n2") == Fate::stay);
  ring.reshard = moving("add n5");
  CHECK(fate_of(ring, "n1") == Fate::stop);
}

TEST_CASE("leader_in: what a coordinator says that does not lead") {
  const RedisEndpoint asked{"h", 1, "secret"};
  const auto leader = leader_in("NOTLEADER this coordinator does not lead; ask 10.0.0.2:7302", asked);
  REQUIRE(leader.has_value());
  CHECK(leader->host == "10.0.0.2");
  CHECK(leader->port == 7302);
  CHECK(leader->password == "secret");
  for (const std::string_view other :
       {"NOTLEADER the coordinators have no leader at the moment; try again", "ERR no such: 7302", "NOTLEADER ask :1",
        "NOTLEADER ask h:0", "NOTLEADER ask h:70000", "NOTLEADER ask h:", ""}) {
    INFO(other);
    CHECK_FALSE(leader_in(other, asked).has_value());
  }
}

}  // namespace chainring::cli
