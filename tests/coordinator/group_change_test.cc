// Each step of a change of the group, and what an operator may not ask for (R2).

#include <set>

#include "coordinator/group_change.h"
#include "tests/coordinator/ring_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using Kind = GroupStep::Kind;

// c1 (disk 11) leads; who has caught up, beside it, is the test's to say.
struct Change {
  explicit Change(int founders) {
    roster.version = 1;
    for (int i = 1; i <= founders; ++i) {
      const uint64_t disk = static_cast<uint64_t>(11 * i);
      roster.coordinators.push_back({std::string("c") + std::to_string(i), disk, "h", 1, Standing::member});
      raft.voters.push_back(disk);
      live.insert(disk);
    }
  }
  [[nodiscard]] GroupView view() const {
    return {roster, raft, settled, leader, [this](raft::ServerId server) { return live.contains(server); }};
  }
  [[nodiscard]] Result<Roster> add(std::string name, uint64_t disk) {
    Result<Roster> next = add_to(view(), {std::move(name), disk, "h", 1, Standing::joining});
    if (next.ok()) roster = *next;
    return next;
  }
  [[nodiscard]] Result<Roster> remove(std::string_view name) {
    Result<Roster> next = remove_from(view(), name);
    if (next.ok()) roster = *next;
    return next;
  }
  // Does what is to be done until nothing is; what became of the voters on the way.
  std::vector<std::vector<raft::ServerId>> run() {
    std::vector<std::vector<raft::ServerId>> seen = {raft.voters};
    for (int i = 0; i < 20; ++i) {
      const GroupStep step = next_step(view());
      if (step.kind == Kind::none) break;
      if (step.kind == Kind::record) {
        REQUIRE(well_formed(step.roster));
        REQUIRE(step.roster.version == roster.version + 1);
        roster = step.roster;
      }
      if (step.kind == Kind::hand_over) leader = step.server;
      if (step.kind == Kind::configure) raft = step.configuration;
      if (raft.voters != seen.back()) seen.push_back(raft.voters);
    }
    return seen;
  }
  [[nodiscard]] bool rests() const { return at_rest(view()); }

  Roster roster;
  raft::Configuration raft;
  std::set<raft::ServerId> live;
  raft::ServerId leader = 11;
  bool settled = true;
};

using Voters = std::vector<std::vector<raft::ServerId>>;

TEST_CASE("next_step: who is added votes when it has caught up, and not before") {
  Change change(3);
  REQUIRE(change.add("c4", 44).ok());
  REQUIRE(change.run() == Voters{{11, 22, 33}});
  REQUIRE(change.raft.learners == std::vector<raft::ServerId>{44});
  REQUIRE_FALSE(change.rests());
  change.live.insert(44);
  REQUIRE(change.run() == Voters{{11, 22, 33}, {11, 22, 33, 44}});
  REQUIRE(change.rests());
}

TEST_CASE("next_step: a lost disk goes when its successor has caught up, before that one votes") {
  Change change(3);
  change.live.erase(33);
  REQUIRE(change.add("c3", 39).ok());
  REQUIRE(change.run() == Voters{{11, 22, 33}});  // nothing is given up for one that is not there yet
  change.live.insert(39);
  REQUIRE(change.run() == Voters{{11, 22, 33}, {11, 22}, {11, 22, 39}});
  REQUIRE(change.rests());
  REQUIRE(change.roster.removed.empty());
}

TEST_CASE("next_step: a leader that leaves hands over to one that has everything, and waits for such a one") {
  Change change(3);
  change.live.erase(22);
  REQUIRE_FALSE(change.remove("c1").ok());
  change.live.insert(22);
  REQUIRE(change.remove("c1").ok());
  change.live.clear();
  REQUIRE(next_step(change.view()).kind == Kind::none);
  change.live.insert(33);
  const GroupStep step = next_step(change.view());
  REQUIRE(step.kind == Kind::hand_over);
  REQUIRE(step.server == 33);
  REQUIRE(change.run() == Voters{{11, 22, 33}, {22, 33}});
  REQUIRE(change.roster.removed == std::vector<std::string>{"c1"});
}

TEST_CASE("next_step: nothing is begun while the last configuration is not committed") {
  Change change(3);
  REQUIRE(change.add("c4", 44).ok());
  change.settled = false;
  REQUIRE(next_step(change.view()).kind == Kind::none);
}

TEST_CASE("add_to: one change at a time, at most five, no directory twice") {
  Change change(4);
  REQUIRE(change.add("c5", 55).ok());
  REQUIRE(change.add("c5", 55).ok());  // asked again
  REQUIRE(change.roster.version == 2);
  REQUIRE(change.add("c6", 66).status().message().find("c5 is being added") != std::string_view::npos);
  REQUIRE(change.remove("c1").status().message().find("c5 is being added") != std::string_view::npos);
  change.live.insert(55);
  change.run();
  REQUIRE(change.add("c6", 66).status().message().find("there are 5 coordinators") != std::string_view::npos);
  REQUIRE(change.remove("c5").ok());
  change.run();
  REQUIRE(change.add("c6", 22).status().message().find("is the one of coordinator c2") != std::string_view::npos);
}

TEST_CASE("add_to: who is being removed may stay after all, who is being added may go again") {
  Change change(3);
  REQUIRE(change.remove("c3").ok());
  REQUIRE(change.add("c3", 33).ok());
  REQUIRE(change.run() == Voters{{11, 22, 33}});
  REQUIRE(change.rests());
  REQUIRE(change.add("c4", 44).ok());
  change.run();
  REQUIRE(change.remove("c4").ok());
  change.run();
  REQUIRE(change.rests());
  REQUIRE(change.raft.learners.empty());
}

TEST_CASE("add_to: a successor whose disk is lost, too, has a successor") {
  Change change(3);
  change.live.erase(33);
  REQUIRE(change.add("c3", 39).ok());
  change.run();
  REQUIRE(change.add("c3", 40).ok());
  change.live.insert(40);
  REQUIRE(change.run().back() == std::vector<raft::ServerId>{11, 22, 40});
  REQUIRE(change.raft.learners.empty());
  REQUIRE(change.rests());
}

TEST_CASE("remove_from: never without a majority of live ones, never the last") {
  Change change(3);
  change.live = {11, 22};
  REQUIRE(change.remove("c2").status().message().find("c3 do not answer") != std::string_view::npos);
  REQUIRE(change.remove("c3").ok());
  REQUIRE(change.run() == Voters{{11, 22, 33}, {11, 22}});
  REQUIRE(change.remove("c2").ok());
  change.run();
  REQUIRE(change.remove("c1").status().message().find("the last coordinator") != std::string_view::npos);
  REQUIRE(change.remove("c9").status().message().find("no coordinator 'c9'") != std::string_view::npos);
}

TEST_CASE("well_formed: what cannot be a roster") {
  Roster good = Change(2).roster;
  REQUIRE(well_formed(good));
  REQUIRE(well_formed(Roster{}));
  Roster bad = good;
  bad.coordinators[1].disk_id = 11;
  REQUIRE_FALSE(well_formed(bad));
  bad = good;
  bad.coordinators[1].name = "c1";
  REQUIRE_FALSE(well_formed(bad));
  bad.coordinators[0].standing = Standing::leaving;
  REQUIRE(well_formed(bad));
  bad.coordinators[0].standing = static_cast<Standing>(3);
  REQUIRE_FALSE(well_formed(bad));
  bad = good;
  bad.version = 0;
  REQUIRE_FALSE(well_formed(bad));
  bad = good;
  bad.removed.resize(kRemovedNamesMax + 1);
  REQUIRE_FALSE(well_formed(bad));
}

TEST_CASE("RingState: a roster that does not follow the present one, or cannot be, changes nothing") {
  RingFixture f(1);
  Roster next = f.ring.coordinators();
  ++next.version;
  next.coordinators.push_back({"c2", 22, "127.0.0.1", 7302, Standing::joining});
  const TableVersion before = f.ring.version();
  f.ring.apply(CoordinatorsEntry{next});
  REQUIRE(f.ring.coordinators() == next);
  REQUIRE(f.ring.version() == before + 1);
  REQUIRE(f.ring.table().coordinators.size() == 1);  // it cannot be asked yet
  Roster late = next;
  late.coordinators[1].standing = Standing::member;
  f.ring.apply(CoordinatorsEntry{late});  // planned on what has changed since
  REQUIRE(f.ring.coordinators() == next);
  ++late.version;
  late.coordinators[1].disk_id = late.coordinators[0].disk_id;
  f.ring.apply(CoordinatorsEntry{late});
  REQUIRE(f.ring.coordinators() == next);
  REQUIRE(f.ring.version() == before + 1);
}

}  // namespace
}  // namespace chainring::coordinator
