// The next generation of a cluster that has lost all its coordinators (R31).

#include "coordinator/recovery.h"

#include <algorithm>

#include "coordinator/state.h"
#include "protocol/frame.h"
#include "ring/table.h"
#include "tests/coordinator/ring_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using protocol::MemberState;
using protocol::TableStatement;

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// n1 and n2 hold slots 0 to 99, n2 and n3 the others.
struct Lost : RingFixture {
  Lost() : RingFixture(4, 2) { activate(intend({{0, 99, {1, 2}}, {100, kSlotCount - 1, {2, 3}}}, true)); }
  // What node `n<id>` says by the table of now.
  [[nodiscard]] TableStatement of(MemberId id) const {
    const protocol::TableMember& listed = ring.member(id)->listed;
    return {protocol::kWireVersion, listed.name, listed.incarnation, kLease, 0, ring.table()};
  }
};

Result<Recovery> weigh(const std::vector<TableStatement>& statements) {
  std::vector<std::string> bytes;
  for (const TableStatement& statement : statements) bytes.push_back(encode(statement));
  return weigh_statements(std::vector<std::string_view>(bytes.begin(), bytes.end()));
}

std::string why_not(const std::vector<TableStatement>& statements) {
  const Result<Recovery> recovery = weigh(statements);
  REQUIRE_FALSE(recovery.ok());
  return std::string(recovery.status().message());
}

RingState recovered(const Recovery& recovery) {
  RingState ring;
  FoundEntry own = found_entry(1);
  own.cluster_id = 0xbad;
  own.coordinators = {1, {{"d1", 77, "127.0.0.1", 7301}}, {}};
  ring.apply(recover_entry(recovery, own));
  return ring;
}

TEST_CASE("weigh_statements: the newest table counts, whoever states it") {
  Lost lost;
  const TableStatement old = lost.of(1);
  const Epoch epoch = lost.intend({{0, 99, {2}}});
  TableStatement stopped = lost.of(3);
  lost.activate(epoch);
  for (const std::vector<TableStatement>& order :
       {std::vector{old, stopped, lost.of(2)}, std::vector{lost.of(2), stopped, old}}) {
    const Result<Recovery> recovery = weigh(order);
    REQUIRE(recovery.ok());
    REQUIRE(recovery->table.version == lost.ring.version());
    REQUIRE(recovery->table.ranges == lost.ring.ranges());
    REQUIRE(recovery->uncovered.empty());
    REQUIRE(recovery->silent.empty());
    REQUIRE(recovery->lease_us == RingFixture::kLease);
  }
  // Another generation is newer than any version.
  TableStatement next = old;
  next.table.generation = 2;
  REQUIRE(weigh({lost.of(2), next})->table.generation == 2);
}

TEST_CASE("weigh_statements: tells who was not asked and which slots nobody of the others holds") {
  Lost lost;
  const Result<Recovery> recovery = weigh({lost.of(1), lost.of(4)});
  REQUIRE(recovery.ok());
  REQUIRE(recovery->uncovered == std::vector<protocol::SlotRange>{{100, kSlotCount - 1}});
  REQUIRE(recovery->silent.size() == 2);
  REQUIRE(recovery->silent[0].name == "n2");
  REQUIRE(recovery->silent[0].slots == kSlotCount);
  REQUIRE(contains(recovery_json(*recovery), R"("silent":[{"name":"n2","version":0,"slots":16384},{"name":"n3")"));
  REQUIRE(contains(recovery_json(*recovery), R"("uncovered":[{"first":100,"last":16383}],"uncovered_slots":16284})"));
  // Who was started again is another incarnation, and holds nothing.
  TableStatement again = lost.of(2);
  again.incarnation = 999;
  REQUIRE(weigh({lost.of(1), again})->uncovered.size() == 1);
}

TEST_CASE("weigh_statements: what cannot be recovered from is refused") {
  Lost lost;
  TableStatement served = lost.of(2);
  served.lease_left_us = 1;
  REQUIRE(contains(why_not({lost.of(1), served}), "node n2 holds a lease for 1 ms more"));
  TableStatement foreign = lost.of(2);
  foreign.table.cluster_id = 0xc2;
  REQUIRE(contains(why_not({lost.of(1), foreign}), "node n2 is of cluster c2, others are of cluster c1"));
  TableStatement empty = lost.of(2);
  empty.table = {};
  REQUIRE(contains(why_not({empty}), "nothing to recover"));
  REQUIRE(weigh({lost.of(1), empty}).ok());  // one that knows nothing yet is no harm
  TableStatement other_version = lost.of(2);
  ++other_version.wire_version;
  REQUIRE(contains(why_not({other_version}), "another version"));
  TableStatement broken = lost.of(2);
  broken.table.ranges.pop_back();
  REQUIRE(contains(why_not({lost.of(1), broken}), "node n2 states a table that cannot be"));
  TableStatement last = lost.of(2);
  last.table.generation = kGenerationMax;
  REQUIRE(contains(why_not({last}), "last generation"));
  lost.ring.apply(ShutdownEntry{});
  REQUIRE(contains(why_not({lost.of(1)}), "stopped in order"));
  REQUIRE_FALSE(weigh({}).ok());
}

TEST_CASE("RingState.apply: a recovered generation goes on with the members and a barrier for every slot (R31)") {
  Lost lost;
  lost.intend({{0, 49, {2}}});  // which some have promised
  const RingState& old = lost.ring;
  const RingState ring = recovered(*weigh({lost.of(1), lost.of(2), lost.of(3)}));
  REQUIRE(ring.cluster_id() == old.cluster_id());
  REQUIRE(ring.generation() == old.generation() + 1);
  REQUIRE(ring.hash_seed() == old.hash_seed());
  REQUIRE(ring.copies() == 2);
  REQUIRE(ring.coordinators().coordinators[0].name == "d1");
  REQUIRE(ring.members().size() == 4);
  for (const Member& member : ring.members()) {
    REQUIRE(member.listed.incarnation == old.member(member.listed.id)->listed.incarnation);
    REQUIRE(member.placed == (member.listed.id != 4));
    REQUIRE(may_be_granted(ring, member, old.version()) == (member.listed.id == 4));
  }
  REQUIRE(ring.version() > uint64_t{2} << kGenerationShift);
  for (const Slot slot : {Slot{0}, Slot{99}, Slot{100}}) {
    const protocol::TableRange& range = ring.range_of(slot);
    REQUIRE(range.chain == old.range_of(slot).chain);
    REQUIRE(range.epoch == old.range_of(slot).epoch);
    REQUIRE(range.next_chain == range.chain);
    REQUIRE(range.next_epoch > uint64_t{2} << kGenerationShift);
  }
  REQUIRE(ring::Table::from_message(ring.table()).ok());
  REQUIRE(ring.wishes() != ring.target_wishes());
}

TEST_CASE("RingState.apply: a recovered generation gives no member id again, and is founded once") {
  Lost lost;
  RingState ring = recovered(*weigh({lost.of(1)}));
  ring.apply(register_entry("n5", 500));
  REQUIRE(ring.find(500)->listed.id == 5);
  const TableVersion version = ring.version();
  ring.apply(recover_entry(*weigh({lost.of(1)}), found_entry()));
  ring.apply(found_entry());
  REQUIRE(ring.version() == version);
}

TEST_CASE("RingState.apply: who is not there after the recovery is left out when its lease is over") {
  Lost lost;
  RingState ring = recovered(*weigh({lost.of(1), lost.of(2)}));
  Planner planner({0, false, 0, 0});
  planner.begin();
  LeaseBook leases(RingFixture::kLease, RingFixture::kMargin);
  Micros now = lost.now;
  leases.begin(ring.members(), now, 0);
  REQUIRE_FALSE(planner.plan(ring, leases, now, 0).intention);
  now += 2 * RingFixture::kLease + RingFixture::kMargin;
  leases.grant(1, now);
  leases.grant(2, now);
  const Plan plan = planner.plan(ring, leases, now, 0);
  REQUIRE(plan.intention);
  REQUIRE(plan.intention->runs == std::vector<IntendedRun>{{100, kSlotCount - 1, {2}}});
  REQUIRE_FALSE(plan.intention->from_empty);
}

TEST_CASE("RingState.apply: who was absent before the recovery is so from the first lapse after it on") {
  Lost lost;
  lost.set_state(3, MemberState::absent);
  RingState ring = recovered(*weigh({lost.of(1), lost.of(2)}));
  REQUIRE(ring.member(3)->listed.state == MemberState::absent);
  REQUIRE_FALSE(ring.member(3)->absent_since.has_value());
  const TableVersion version = ring.version();
  ring.apply(MemberStatesEntry{{{3, MemberState::absent}}, {}, 700});
  ring.apply(MemberStatesEntry{{{3, MemberState::absent}}, {}, 900});
  REQUIRE(ring.member(3)->absent_since == 700);
  REQUIRE(ring.version() == version);  // no table says it
}

TEST_CASE(
    "RingState.apply: of a node that the chains name twice, the later incarnation alone has the place (R1, R31)") {
  Lost lost;
  lost.ring.apply(register_entry("n1", 500));
  const MemberId later = lost.ring.find(500)->listed.id;
  lost.intend({{100, kSlotCount - 1, {2, later}}}, false);
  RingState ring = recovered(*weigh({lost.of(2), lost.of(later)}));
  REQUIRE_FALSE(ring.member(1)->placed);
  REQUIRE(ring.member(later)->placed);
  REQUIRE(ring.placed_count() == 3);  // n1, n2, n3

  // Registered, and not named by any chain yet.
  Lost early;
  early.ring.apply(register_entry("n1", 500));
  ring = recovered(*weigh({early.of(2)}));
  REQUIRE_FALSE(ring.member(1)->placed);
  REQUIRE(ring.find(500)->placed);
}

TEST_CASE("State.apply: tokens of a recovered generation are greater than all before (R26)") {
  State before, after;
  Lost lost;
  REQUIRE(before.apply(1, encode_entry(found_entry())).ok());
  REQUIRE(after.apply(1, encode_entry(recover_entry(*weigh({lost.of(1)}), found_entry()))).ok());
  REQUIRE(after.locks().last_token() >= before.locks().last_token() + (uint64_t{1} << kTokenGenerationShift));
}

}  // namespace
}  // namespace chainring::coordinator
