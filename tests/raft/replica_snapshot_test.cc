// Replica and raft/snapshot_schedule.h: servers of a group take their snapshots in turn, and long ones while they
// follow.
#include "raft/snapshot_schedule.h"

#include <algorithm>
#include <map>
#include <set>

#include "raft/raft.h"
#include "tests/raft/replica_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::raft::testing {
namespace {

constexpr uint64_t kEvery = 90;

Limits long_from(uint64_t bytes) {
  Limits limits;
  limits.leader_snapshot_bytes_max = bytes;
  return limits;
}

// Servers 1 to 3, of which 1 leads. Each entry has one byte, and so has what it adds to the state.
struct Trio {
  explicit Trio(uint64_t long_bytes = UINT64_MAX)
      : one(1, kEvery, long_from(long_bytes)),
        two(2, kEvery, long_from(long_bytes)),
        three(3, kEvery, long_from(long_bytes)) {
    for (Server* server : all) REQUIRE(server->replica->found({{1, 2, 3}, {}}, 0).ok());
    one.pass(2 * kElection);
    settle(all);
    REQUIRE(one.replica->leading());
  }

  Server* leader() {
    const auto found = std::find_if(all.begin(), all.end(), [](Server* server) { return server->replica->leading(); });
    return found == all.end() ? nullptr : *found;
  }
  // One entry, with what it leads to.
  void add_entry(const std::function<bool(const Message&)>& passes) {
    REQUIRE(leader() != nullptr);
    REQUIRE(leader()->propose("x").ok());
    settle(up, passes);
  }
  void add_entry() {
    add_entry([](const Message&) { return true; });
  }
  void pass(Micros us, const std::function<bool(const Message&)>& passes) {
    for (; us > 0; us -= kHeartbeat) {
      for (Server* server : up) server->pass(kHeartbeat);
      settle(up, passes);
    }
  }
  void pass(Micros us) {
    pass(us, [](const Message&) { return true; });
  }
  // Entries until the next snapshot of that server is due; it may not be taken yet.
  void reach_turn_of(const Server& server) {
    const auto& core = *server.replica->core();
    const Index due = next_snapshot(core.log().snapshot().index, kEvery, place_of(core.configuration(), server.id));
    while (leader()->replica->applied() < due - 1) add_entry();
  }

  Server one, two, three;
  const std::vector<Server*> all = {&one, &two, &three};
  std::vector<Server*> up = all;
};

Index snapshot_of(const Server& server) { return server.replica->core()->log().snapshot().index; }

}  // namespace

TEST_CASE("next_snapshot: places have turns of their own, equally far apart, whatever was the last one") {
  for (const uint64_t members : {1u, 2u, 3u, 5u, 7u}) {
    std::set<uint64_t> phases;
    for (uint64_t rank = 0; rank < members; ++rank) {
      const Place place{rank, members};
      const uint64_t phase = next_snapshot(0, kEvery, place) % kEvery;
      CHECK(phase == kEvery * rank / members);
      CHECK(phases.insert(phase).second);
      for (Index last = 0; last < 3 * kEvery; ++last) {
        const Index next = next_snapshot(last, kEvery, place);
        CHECK(next % kEvery == phase);
        CHECK(next >= last + kEvery / 2);
        CHECK(next < last + kEvery / 2 + kEvery);
        CHECK(next_snapshot(next, kEvery, place) == next + kEvery);
      }
    }
  }
  CHECK(next_snapshot(0, 1, {0, 1}) == 1);
  CHECK(next_snapshot(7, 1, {2, 3}) == 8);
  CHECK(next_snapshot(0, 20'000, {0, 1}) == 20'000);
}

TEST_CASE("place_of: by id among voters and learners, or alone") {
  const Configuration configuration{{10, 30, 50}, {20}};
  CHECK(place_of(configuration, 10).rank == 0);
  CHECK(place_of(configuration, 20).rank == 1);
  CHECK(place_of(configuration, 30).rank == 2);
  CHECK(place_of(configuration, 50).rank == 3);
  CHECK(place_of(configuration, 50).members == 4);
  CHECK(place_of(configuration, 40).rank == 0);
  CHECK(place_of(configuration, 40).members == 1);
  CHECK(place_of({}, 1).members == 1);
}

TEST_CASE("log_bytes_due: another one at each place, between half of what may be in memory and all of it") {
  std::set<uint64_t> all;
  for (uint64_t rank = 0; rank < 5; ++rank) {
    const uint64_t due = log_bytes_due({rank, 5});
    CHECK(due >= kLogBytesMax / 2);
    CHECK(due < kLogBytesMax);
    all.insert(due);
  }
  CHECK(all.size() == 5);
  CHECK(log_bytes_due({0, 1}) == kLogBytesMax / 2);
}

TEST_CASE("Replica: servers of a group take their snapshots at different indices, also after a restart") {
  Trio group;
  std::map<ServerId, std::vector<Index>> taken;
  for (int i = 0; i < 1'000; ++i) {
    group.add_entry();
    for (const Server* server : group.all) {
      std::vector<Index>& indices = taken[server->id];
      const Index newest = snapshot_of(*server);
      if (newest > 0 && (indices.empty() || indices.back() != newest)) indices.push_back(newest);
    }
    if (i == 400) {
      group.two.disk.crash_keeping(0);
      group.two.machine = RecordingMachine();
      REQUIRE(group.two.open().ok());
      group.pass(2 * kHeartbeat);
    }
  }
  std::set<Index> all;
  for (const auto& [id, indices] : taken) {
    CAPTURE(id);
    CHECK(indices.size() > 8);
    for (const Index index : indices) CHECK(index % kEvery == kEvery * (id - 1) / 3);
    all.insert(indices.begin(), indices.end());
  }
  CHECK(all.size() == taken[1].size() + taken[2].size() + taken[3].size());
}

TEST_CASE("Replica: a leader hands over before a long snapshot, to the one whose own is the farthest") {
  Trio group(20);
  std::vector<ServerId> led = {1};
  while (led.size() < 8) {
    group.add_entry();
    for (Server* server : group.all) server->pass(kHeartbeat / 4);
    settle(group.all);
    REQUIRE(group.leader() != nullptr);
    if (led.back() != group.leader()->id) led.push_back(group.leader()->id);
    REQUIRE(group.one.replica->applied() < 20 * kEvery);
  }
  CHECK(led == std::vector<ServerId>{1, 3, 2, 1, 3, 2, 1, 3});
  group.pass(kElection);
  for (const Server* server : group.all) {
    CAPTURE(server->id);
    CHECK(server->machine.snapshots.size() >= 4);
    for (const auto& taken : server->machine.snapshots) CHECK_FALSE(taken.leading);
    CHECK(server->machine.state == group.one.machine.state);
  }
}

TEST_CASE("Replica: short snapshots are taken by whoever leads") {
  Trio group(10'000);
  for (int i = 0; i < 300; ++i) group.add_entry();
  CHECK(group.one.replica->leading());
  CHECK(group.one.replica->term() == 2);
  CHECK(group.one.machine.snapshots.size() == 3);
}

TEST_CASE("Replica: who has just led waits with a long snapshot until the others have found the next leader") {
  Trio group(20);
  group.pass(kElection);
  group.reach_turn_of(group.one);
  REQUIRE(group.one.replica->leading());
  group.add_entry();
  REQUIRE(group.three.replica->leading());
  CHECK(snapshot_of(group.one) == 0);
  group.pass(kElection - kHeartbeat);
  CHECK(snapshot_of(group.one) == 0);
  group.pass(2 * kHeartbeat);
  CHECK(snapshot_of(group.one) > 0);
  CHECK(group.three.replica->leading());
}

TEST_CASE("Replica: a leader takes a long snapshot itself when the others are no majority") {
  Trio group(20);
  group.up = {&group.one, &group.two};
  group.pass(2 * kElection);  // it is not taken for one that keeps up any more
  group.reach_turn_of(group.one);
  CHECK(snapshot_of(group.one) == 0);
  group.add_entry();
  CHECK(snapshot_of(group.one) == kEvery);
  CHECK(group.one.replica->term() == 2);
  CHECK(group.one.machine.snapshots.back().leading);
}

TEST_CASE("Replica: each voter is asked once to lead before a long snapshot, then the leader takes it") {
  Trio group(20);
  std::vector<ServerId> asked;
  const auto nobody_hears = [&](const Message& message) {
    if (message.type != MessageType::timeout_now) return true;
    if (asked.empty() || asked.back() != message.to) asked.push_back(message.to);
    return false;
  };
  group.pass(kElection);
  group.reach_turn_of(group.one);
  group.add_entry(nobody_hears);
  CHECK(group.one.propose("x").code() == ErrorCode::unavailable);
  group.pass(3 * kElection, nobody_hears);
  CHECK(asked == std::vector<ServerId>{3, 2});
  CHECK(group.one.replica->term() == 2);
  CHECK(snapshot_of(group.one) == kEvery);
  CHECK(group.one.propose("x").ok());
  // The next one begins anew.
  settle(group.all);
  group.reach_turn_of(group.one);
  group.add_entry();
  CHECK(group.three.replica->leading());
}

TEST_CASE("Replica: a leader alone takes a long snapshot, not before it has led for an election timeout") {
  Alone server(kEvery, long_from(0));
  for (uint64_t i = 0; i < kEvery; ++i) {
    REQUIRE(server.propose("x").ok());
    REQUIRE(server.replica->flush().ok());
  }
  CHECK(server.machine.snapshots.empty());
  server.pass(kElection);
  REQUIRE(server.replica->flush().ok());
  CHECK(server.machine.snapshots.size() == 1);
}

TEST_CASE("Replica: a log that is much too long waits for nobody") {
  Alone server(kEvery, long_from(0));
  while (server.machine.snapshots.empty()) {
    REQUIRE(server.propose("x").ok());
    REQUIRE(server.replica->flush().ok());
    REQUIRE(server.replica->applied() <= 4 * kEvery);
  }
  CHECK(server.replica->applied() == 4 * kEvery);
}

}  // namespace chainring::raft::testing
