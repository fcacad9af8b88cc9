// Slots whose every copy is lost, and an operator's word to serve them again, empty (R18).

#include "coordinator/lost_slots.h"

#include <algorithm>

#include "coordinator/mover.h"
#include "coordinator/state.h"
#include "ring/table.h"
#include "tests/coordinator/ring_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using protocol::MemberState;

// Slots 0 to 9 are held by n1 and n2, the others by n3; n1 and n2 have lost their leases.
struct LostFixture : RingFixture {
  LostFixture() : RingFixture(3, 2) {
    const Epoch epoch = intend({{0, 9, {1, 2}}, {10, kSlotCount - 1, {3}}}, true);
    activate(epoch);
    grant({1, 2, 3});
    let_leases_end();
    grant({3});
  }
  Result<ServeEmptyEntry> plan(std::vector<std::string_view> args) { return plan_serve_empty(ring, leases, now, args); }
  std::string why_not(std::vector<std::string_view> args) {
    const Result<ServeEmptyEntry> planned = plan(std::move(args));
    REQUIRE_FALSE(planned.ok());
    return std::string(planned.status().message());
  }
  // Later incarnations of n1 and n2 have registered, so the earlier ones are gone.
  void come_back_empty() {
    const MemberId first = add("n1"), second = add("n2");
    grant({first, second, 3});
    set_state(1, MemberState::gone);
    set_state(2, MemberState::gone);
  }
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

TEST_CASE("plan_serve_empty: who has a lease, or is only absent, is not given up without being named") {
  LostFixture f;
  REQUIRE(contains(f.why_not({"10-20"}), "slots 10-20 are not lost: n3 (member 3) holds them"));
  REQUIRE(contains(f.why_not({"10-20", "GONE", "n3"}), "n3 (member 3) holds them"));
  REQUIRE(contains(f.why_not({"0-9"}), "n1 (member 1 at host-n1:7401) is only absent"));
  REQUIRE(contains(f.why_not({"0-9", "gone", "n1"}), "say so: GONE n2"));
  REQUIRE(contains(f.why_not({"0-10", "GONE", "n1", "n2"}), "slot 10 are not lost"));
  REQUIRE(contains(f.why_not({"0-9", "GONE", "n1", "n2", "n9"}), "no node 'n9' held any of these slots"));
  const Result<ServeEmptyEntry> planned = f.plan({"0-4", "7", "GONE", "n1", "n2"});
  REQUIRE(planned.ok());
  REQUIRE(planned->gone == std::vector<MemberId>{1, 2});
  REQUIRE(planned->runs == std::vector<IntendedRun>{{0, 4, {3}}, {7, 7, {3}}});
}

TEST_CASE("plan_serve_empty: what makes no sense is refused with what does") {
  LostFixture f;
  REQUIRE(contains(f.why_not({"5-4"}), "is not a slot"));
  REQUIRE(contains(f.why_not({"0-16384"}), "is not a slot"));
  REQUIRE(contains(f.why_not({"GONE", "n1"}), "name the slots"));
  REQUIRE(contains(f.why_not({"0-9", "GONE"}), "GONE is followed"));
  f.let_leases_end();
  REQUIRE(contains(f.why_not({"0-9", "GONE", "n1", "n2"}), "no node of the ring is there"));
  f.ring.apply(ShutdownEntry{});
  REQUIRE(contains(f.why_not({"0-9", "GONE", "n1", "n2"}), "stopped in order"));
}

TEST_CASE("RingState.apply: given-up slots begin empty at a new epoch, the others stay, the old members are gone") {
  LostFixture f;
  const Ranges before = f.ring.ranges();
  const Result<ServeEmptyEntry> planned = f.plan({"0-4", "GONE", "n1", "n2"});
  f.ring.apply(*planned);
  const protocol::TableRange& served = f.ring.range_of(0);
  REQUIRE(served.last == 4);
  REQUIRE(served.chain.empty());
  REQUIRE(served.next_chain == Chain{3});
  REQUIRE(served.next_epoch > before[0].epoch);
  REQUIRE(f.ring.range_of(5).chain == Chain{1, 2});
  REQUIRE(f.ring.range_of(5).next_epoch == 0);
  REQUIRE(f.ring.lost(f.ring.range_of(5)));
  for (const MemberId id : {1u, 2u}) {
    REQUIRE(f.ring.member(id)->gone());
    REQUIRE_FALSE(may_be_granted(f.ring, *f.ring.member(id), f.ring.version()));
  }
}

TEST_CASE("RingState.apply: the word to serve slots empty is no standing order") {
  LostFixture f;
  f.come_back_empty();
  const Result<ServeEmptyEntry> word = f.plan({"0-9"});
  REQUIRE(word.ok());
  REQUIRE(word->gone.empty());
  f.ring.apply(*word);
  f.activate(f.ring.range_of(0).next_epoch);
  REQUIRE_FALSE(f.ring.range_of(0).chain.empty());
  // The slots move on and are lost again, while those who began them are there: the same word does not count again.
  const MemberId later = f.add("n6");
  f.activate(f.intend({{0, 9, {later}}}));
  f.set_state(later, MemberState::gone);
  REQUIRE(f.ring.lost(f.ring.range_of(0)));
  const TableVersion version = f.ring.version();
  REQUIRE_FALSE(f.ring.check(*word).ok());
  f.ring.apply(*word);
  REQUIRE(f.ring.version() == version);
}

// Where slots belong is reckoned from these: a name that has two places would end every leader.
void check_places(const RingState& ring, const std::vector<MemberId>& placed) {
  std::vector<MemberId> found;
  for (const ring::Candidate& candidate : placed_candidates(ring)) found.push_back(candidate.id);
  REQUIRE(found == placed);
}

TEST_CASE("RingState.apply: who was only to get what is given up has no place by that (R1, R18)") {
  const bool comes_again = GENERATE(false, true);
  CAPTURE(comes_again);
  LostFixture f;
  const MemberId to = f.add("n4");
  f.ring.apply(ReshardEntry{ReshardVerb::add, "n4", 0, 0, 0, 0});
  f.intend({{0, 9, {to}}});
  std::vector<MemberId> placed = {1, 2, 3};
  if (comes_again) {
    placed.push_back(f.add("n4"));
  } else {
    f.ring.apply(ReshardEntry{ReshardVerb::remove, "n4", 0, 0, 0, 0});
  }
  check_places(f.ring, placed);
  const Result<ServeEmptyEntry> word = f.plan({"0-9", "GONE", "n1", "n2"});
  REQUIRE(word.ok());
  f.ring.apply(*word);
  REQUIRE(f.ring.range_of(0).chain.empty());
  placed.erase(placed.begin(), placed.begin() + 2);
  check_places(f.ring, placed);
}

TEST_CASE("RingState.apply: who is to begin slots and registers again has one place, the later one (R1)") {
  LostFixture f;
  const Result<ServeEmptyEntry> word = f.plan({"0-9", "GONE", "n1", "n2"});
  REQUIRE(word->runs.front().chain == Chain{3});
  const MemberId again = f.add("n3");
  f.ring.apply(*word);
  REQUIRE(f.ring.range_of(0).next_chain == Chain{3});
  check_places(f.ring, {again});

  RingFixture first(2);
  const IntentionEntry table{{{0, kSlotCount - 1, {1, 2}}}, true, first.ring.ranges_version()};
  const MemberId second = first.add("n2");
  first.ring.apply(table);
  check_places(first.ring, {1, second});
}

TEST_CASE("RingState.check: the word is void when a chain has changed before it is recorded") {
  LostFixture f;
  const Result<ServeEmptyEntry> word = f.plan({"0-9", "GONE", "n1", "n2"});
  REQUIRE(f.ring.check(*word).ok());
  f.intend({{3, 3, {1}}});
  REQUIRE(contains(f.ring.check(*word).message(), "slots 3-3 have changed meanwhile"));
  f.ring.apply(*word);
  REQUIRE_FALSE(f.ring.member(1)->gone());
  REQUIRE(f.ring.range_of(0).chain == Chain{1, 2});
}

TEST_CASE("State.apply: the word to serve slots empty is answered again as before, and done once (R20)") {
  State state;
  uint64_t index = 0;
  const auto apply = [&](const std::string& entry) { return *state.apply(++index, entry); };
  (void)apply(encode_entry(found_entry()));
  (void)apply(encode_entry(register_entry("n1", 101)));
  IntentionEntry first;
  first.from_empty = true;
  first.planned_on = state.ring().ranges_version();
  first.runs = {{0, kSlotCount - 1, {1}}};
  (void)apply(encode_entry(first));
  (void)apply(encode_entry(register_entry("n2", 102)));
  ServeEmptyEntry word;
  word.runs = {{0, kSlotCount - 1, {2}}};
  word.planned_at = state.ring().last_epoch();
  word.gone = {1};
  word.sender = 7;
  word.number = 1;
  REQUIRE(apply(encode_entry(word)).wish->reply.resp == ":16384\r\n");
  const TableVersion version = state.ring().version();
  REQUIRE(apply(encode_entry(word)).wish->reply.resp == ":16384\r\n");
  REQUIRE(state.ring().version() == version);
  word.number = 2;
  REQUIRE(apply(encode_entry(word)).wish->reply.resp.starts_with("-ERR slots 0-16383 have changed"));
}

TEST_CASE("lost_json: lists the chains that stand still and who held them") {
  LostFixture f;
  const std::string standing = lost_json(f.ring, f.leases, f.now);
  REQUIRE(standing.starts_with(
      R"({"chains":[{"first":0,"last":9,"epoch":1,"lost":false,"members":[1,2]}],"slots":10,"lost":0,)"));
  REQUIRE(contains(standing, R"({"id":2,"name":"n2","host":"host-n2","port":7401,"state":"absent","slots":10,)"));
  f.come_back_empty();
  const std::string lost = lost_json(f.ring, f.leases, f.now);
  REQUIRE(contains(lost, R"("lost":true,"members":[1,2]}],"slots":10,"lost":10,)"));
  REQUIRE(contains(lost, R"("state":"gone")"));
  f.ring.apply(ShutdownEntry{});
  REQUIRE(lost_json(f.ring, f.leases, f.now) == R"({"chains":[],"slots":0,"lost":0,"members":[]})");
}

}  // namespace
}  // namespace chainring::coordinator
