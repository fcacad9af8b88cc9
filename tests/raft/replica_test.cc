// Replica: the order of persist, send, apply; what the state machine is told; what a failed disk does.
#include "raft/replica.h"

#include <algorithm>

#include "tests/raft/replica_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::raft::testing {

TEST_CASE("Replica.found: once, by its members, and it is still there after a restart") {
  Server server(2);
  CHECK_FALSE(server.replica->founded());
  CHECK(server.replica->next_tick() == kNever);
  CHECK(server.replica->flush().ok());
  CHECK(server.propose("x").code() == ErrorCode::unavailable);
  CHECK(server.replica->read(1).code() == ErrorCode::unavailable);
  CHECK(server.replica->found({{1, 3}, {}}, 0).code() == ErrorCode::invalid_argument);
  CHECK(server.replica->found({{}, {2}}, 0).code() == ErrorCode::invalid_argument);
  REQUIRE(server.replica->found({{1, 2, 3}, {}}, 0).ok());
  CHECK(server.replica->founded());
  CHECK(server.replica->found({{1, 2, 3}, {}}, 0).code() == ErrorCode::already_exists);
  CHECK(server.replica->join_blank(0).code() == ErrorCode::already_exists);
  server.disk.crash_keeping(0);
  REQUIRE(server.open().ok());
  CHECK(server.replica->founded());
  CHECK(server.replica->configuration() == Configuration{{1, 2, 3}, {}});
}

TEST_CASE("Replica.join_blank: belongs to a group that it does not know yet") {
  Server server(4);
  REQUIRE(server.replica->join_blank(0).ok());
  server.disk.crash_keeping(0);
  REQUIRE(server.open().ok());
  CHECK(server.replica->founded());
  CHECK(server.replica->configuration() == Configuration{});
  server.pass(100 * kElection);
  REQUIRE(server.replica->flush().ok());
  CHECK(server.replica->take_messages().empty());
}

TEST_CASE("Replica.flush: a single voter commits at once, with one sync") {
  Alone server;
  const uint64_t syncs = server.disk.syncs();
  for (const char* text : {"a", "b", "c"}) REQUIRE(server.propose(text).ok());
  REQUIRE(server.replica->read(9).ok());
  CHECK(server.machine.calls.empty());  // nothing is applied but by flush()
  REQUIRE(server.replica->flush().ok());
  CHECK(server.disk.syncs() == syncs + 1);
  CHECK(server.machine.take() == Calls{"apply a", "apply b", "apply c", "ready 9"});
  REQUIRE(server.replica->flush().ok());
  CHECK(server.disk.syncs() == syncs + 1);
}

TEST_CASE("Replica: leading is told once the no-op of the term is applied") {
  Server one(1);
  Server two(2);
  Server three(3);
  const std::vector<Server*> all = {&one, &two, &three};
  for (Server* server : all) REQUIRE(server->replica->found({{1, 2, 3}, {}}, 0).ok());
  one.pass(2 * kElection);
  settle({&one, &two, &three});
  CHECK(one.replica->leading());
  const Calls calls = one.machine.take();
  REQUIRE_FALSE(calls.empty());
  CHECK(calls.back() == "leads term 2 leader 1");
  CHECK(std::count(calls.begin(), calls.end(), "leads term 2 leader 1") == 1);
  CHECK(two.machine.take().back() == "follows term 2 leader 1");
  CHECK(two.propose("x").code() == ErrorCode::unavailable);

  REQUIRE(one.replica->transfer_leadership(3).ok());
  settle({&one, &two, &three});
  CHECK(three.replica->leading());
  CHECK_FALSE(one.replica->leading());
  CHECK(one.machine.take().back() == "follows term 3 leader 3");
}

TEST_CASE("Replica: losing leadership is told before another leader's entries are applied") {
  Server one(1);
  Server two(2);
  Server three(3);
  for (Server* server : {&one, &two, &three}) REQUIRE(server->replica->found({{1, 2, 3}, {}}, 0).ok());
  one.pass(2 * kElection);
  settle({&one, &two, &three});
  REQUIRE(one.replica->read(5).ok());
  two.pass(kElection);
  three.pass(2 * kElection);
  settle({&two, &three});
  REQUIRE(three.replica->leading());
  REQUIRE(three.propose("theirs").ok());
  one.machine.take();
  settle({&two, &three});
  three.pass(kHeartbeat);
  REQUIRE(three.replica->flush().ok());
  for (const Message& message : three.replica->take_messages()) one.replica->step(message);
  settle({&one, &three});
  const Calls calls = one.machine.take();
  const auto lost = std::find(calls.begin(), calls.end(), "follows term 3 leader 3");
  const auto applied = std::find(calls.begin(), calls.end(), "apply theirs");
  CHECK(std::find(calls.begin(), calls.end(), "failed 5") != calls.end());
  REQUIRE(lost != calls.end());
  REQUIRE(applied != calls.end());
  CHECK(lost < applied);
}

TEST_CASE("Replica.flush: after a failed sync nothing is sent and nothing applied, for good") {
  Server one(1);
  Server two(2);
  for (Server* server : {&one, &two}) REQUIRE(server->replica->found({{1, 2}, {}}, 0).ok());
  one.pass(2 * kElection);
  settle({&one, &two});
  REQUIRE(one.replica->leading());
  one.machine.take();
  REQUIRE(one.propose("x").ok());
  one.disk.fail_sync_after(0);
  CHECK(one.replica->flush().code() == ErrorCode::io_error);
  CHECK(one.replica->take_messages().empty());
  CHECK(one.replica->flush().code() == ErrorCode::io_error);  // the disk works again, which proves nothing
  CHECK(one.replica->take_messages().empty());
  CHECK(one.machine.take().empty());
}

TEST_CASE("Replica.found: a failed sync founds nothing, for good") {
  Server server(1);
  server.disk.fail_sync_after(0);
  CHECK(server.replica->found({{1}, {}}, 0).code() == ErrorCode::io_error);
  CHECK_FALSE(server.replica->founded());
  CHECK(server.replica->found({{1}, {}}, 0).code() == ErrorCode::io_error);
  CHECK(server.replica->join_blank(0).code() == ErrorCode::io_error);
}

TEST_CASE("Replica: snapshots by number of entries, and a restart begins from them") {
  Alone server(10);
  for (int i = 0; i < 25; ++i) {
    REQUIRE(server.propose("x").ok());
    REQUIRE(server.replica->flush().ok());
  }
  const std::string state = server.machine.state;
  CHECK(state.size() == 25);
  server.disk.crash_keeping(0);
  server.machine = RecordingMachine();
  REQUIRE(server.open().ok());
  Calls calls = server.machine.take();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].starts_with("restore xxxxxxxx"));
  server.lead();
  CHECK(server.machine.state == state);
}

TEST_CASE("Replica: a server far behind is restored from the leader's snapshot") {
  Server one(1, 10);
  Server two(2, 10);
  Server three(3, 10);
  for (Server* server : {&one, &two, &three}) REQUIRE(server->replica->found({{1, 2, 3}, {}}, 0).ok());
  one.pass(2 * kElection);
  settle({&one, &two});
  for (int i = 0; i < 40; ++i) {
    REQUIRE(one.propose(concat(i, ",")).ok());
    settle({&one, &two});
  }
  three.machine.take();
  for (int i = 0; i < 3; ++i) {
    one.pass(kHeartbeat);
    settle({&one, &two, &three});
  }
  CHECK(three.machine.state == one.machine.state);
  const Calls calls = three.machine.take();
  CHECK(std::any_of(calls.begin(), calls.end(), [](const auto& call) { return call.starts_with("restore 0,1,2,"); }));
  three.disk.crash_keeping(0);
  three.machine = RecordingMachine();
  REQUIRE(three.open().ok());
  CHECK(three.machine.state.starts_with("0,1,2,"));
}

TEST_CASE("Replica.open: a state that cannot be restored, or a damaged disk, is an error") {
  Alone server(3);
  for (int i = 0; i < 10; ++i) {
    REQUIRE(server.propose("x").ok());
    REQUIRE(server.replica->flush().ok());
  }
  server.machine.refuses_restore = true;
  CHECK(server.open().code() == ErrorCode::corrupt);
  server.machine.refuses_restore = false;
  const auto names = *server.disk.list();
  server.disk.replace_contents(names.back(), "CRSNAP01 and then something else");
  CHECK(server.open().code() == ErrorCode::corrupt);
}

TEST_CASE("Replica: the state machine may propose while it applies, and the next flush takes it") {
  Alone server;
  int left = 3;
  server.machine.on_apply = [&] {
    if (left-- > 0) REQUIRE(server.propose(concat("again", left)).ok());
  };
  REQUIRE(server.propose("first").ok());
  REQUIRE(server.replica->flush().ok());
  CHECK(server.machine.take() == Calls{"apply first"});
  int flushes = 0;
  while (server.replica->next_tick() <= server.now) {
    REQUIRE(server.replica->flush().ok());
    REQUIRE(++flushes < 10);
  }
  CHECK(server.machine.take() == Calls{"apply again2", "apply again1", "apply again0"});
}

TEST_CASE("Replica.heartbeat_note: set by the leader, carried to all") {
  Server one(1);
  Server two(2);
  Server three(3);
  for (Server* server : {&one, &two, &three}) REQUIRE(server->replica->found({{1, 2, 3}, {}}, 0).ok());
  one.pass(2 * kElection);
  settle({&one, &two, &three});
  one.replica->set_heartbeat_note(1234);
  two.replica->set_heartbeat_note(9999);
  CHECK(one.replica->quorum_note() == 0);
  one.pass(kHeartbeat);
  settle({&one, &two, &three});
  CHECK(one.replica->quorum_note() == 1234);
  CHECK(two.replica->heartbeat_note() == 1234);
  CHECK(two.replica->quorum_note() == 0);
  REQUIRE(one.replica->transfer_leadership(2).ok());
  settle({&one, &two, &three});
  REQUIRE(two.replica->leading());
  CHECK(two.replica->heartbeat_note() == 1234);
}

}  // namespace chainring::raft::testing
