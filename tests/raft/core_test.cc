// The core where the dissertation leaves it open: limits, pipelining, blank servers, notes, and bad messages.
#include "base/bytes.h"
#include "raft/raft.h"
#include "tests/raft/core_group.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::raft::testing {
namespace {

size_t entries_in(const std::vector<Message>& messages, ServerId to) {
  size_t count = 0;
  for (const Message& m : messages) count += m.to == to ? m.entries.size() : 0;
  return count;
}

}  // namespace

TEST_CASE("Core.take_ready: the proposals of a turn share one append") {
  CoreGroup group(3);
  group.elect(1);
  for (int i = 0; i < 10; ++i) REQUIRE(group[1].propose("x").ok());
  const auto messages = group.flush(1).ready.messages;
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].entries.size() == 10);
}

TEST_CASE("Core.take_ready: appends are bounded in bytes and in number, and go on with each acknowledgement") {
  Limits limits;
  limits.append_bytes_max = 3 * EntryLog::weight(entry(1, 1, "x"));
  limits.appends_in_flight_max = 2;
  CoreGroup group(3, limits);
  group.elect(1);
  for (int i = 0; i < 10; ++i) REQUIRE(group[1].propose("x").ok());
  auto messages = group.flush(1).ready.messages;
  CHECK(messages.size() == 4);  // two to each peer
  CHECK(entries_in(messages, 2) == 6);
  REQUIRE(group[1].propose("x").ok());
  CHECK(entries_in(group.flush(1).ready.messages, 2) == 0);  // the window is full
  group.deliver(2);
  for (const Message& m : group.take(1)) group[1].step(m);
  CHECK(entries_in(group.flush(1).ready.messages, 2) == 5);
  group.settle();
  CHECK(group[3].log().last_index() == group[1].log().last_index());
}

TEST_CASE("Core.take_ready: an entry beyond the append's limit travels alone") {
  Limits limits;
  limits.append_bytes_max = 100;
  CoreGroup group(3, limits);
  group.elect(1);
  REQUIRE(group[1].propose(std::string(5000, 'x')).ok());
  REQUIRE(group[1].propose("y").ok());
  group.settle();
  CHECK(group.applied[3].size() == 2);
}

TEST_CASE("Core: a lost append is noticed by the next heartbeat") {
  CoreGroup group(3);
  group.elect(1);
  REQUIRE(group[1].propose("lost").ok());
  group.flush(1);
  group.take(2);
  REQUIRE(group[1].propose("gap").ok());
  group.flush(1);
  group.settle();
  CHECK(group.applied[2] == std::vector<std::string>{"lost", "gap"});
  REQUIRE(group[1].propose("lost, nothing follows").ok());
  group.flush(1);
  group.take(2);
  group.elapse(1, kHeartbeatUs);
  group.flush(1);
  group.settle();
  CHECK(group[2].log().last_index() == group[1].log().last_index());
}

TEST_CASE("Core.propose: limits on one proposal and on all that wait") {
  Limits limits;
  limits.proposal_bytes_max = 100;
  limits.uncommitted_entries_max = 3;
  CoreGroup group(3, limits);
  group.elect(1);
  CHECK(group[1].propose(std::string(101, 'x')).status().code() == ErrorCode::invalid_argument);
  for (int i = 0; i < 3; ++i) CHECK(group[1].propose(std::string(100, 'x')).ok());
  CHECK(group[1].propose("x").status().code() == ErrorCode::resource_exhausted);
  group.settle();
  CHECK(group[1].propose("x").ok());
}

TEST_CASE("Core.propose: limits on the bytes that wait") {
  Limits limits;
  limits.uncommitted_bytes_max = 300;
  CoreGroup group(3, limits);
  group.elect(1);
  int taken = 0;
  while (group[1].propose(std::string(100, 'x')).ok()) ++taken;
  CHECK(taken == 3);
  group.settle();
  CHECK(group[1].propose("x").ok());
}

TEST_CASE("Core.read: a limit on reads that wait") {
  Limits limits;
  limits.reads_pending_max = 2;
  CoreGroup group(3, limits);
  group.elect(1);
  CHECK(group[1].read(1).ok());
  CHECK(group[1].read(2).ok());
  CHECK(group[1].read(3).code() == ErrorCode::resource_exhausted);
  group.settle();
  CHECK(group[1].read(3).ok());
}

TEST_CASE("Core.step: a follower asks and is asked for nothing that only a leader does") {
  CoreGroup group(3);
  group.elect(1);
  CHECK(group[2].propose("x").status().code() == ErrorCode::unavailable);
  CHECK(group[2].read(1).code() == ErrorCode::unavailable);
  CHECK(group[2].transfer_leadership(3).code() == ErrorCode::unavailable);
  CHECK(group[2].propose_configuration(voters({1, 2})).status().code() == ErrorCode::unavailable);
}

TEST_CASE("Core.step: a blank server votes for nobody and begins nothing") {
  CoreGroup group(3);
  group.add_blank(9);
  for (const MessageType type : {MessageType::vote, MessageType::pre_vote}) {
    for (const bool transfer : {false, true}) {
      Message m;
      m.type = type;
      m.from = 1;
      m.to = 9;
      m.term = 50;
      m.index = 50;
      m.log_term = 49;
      m.transfer = transfer;
      group[9].step(m);
    }
  }
  group.time_out(9);
  const Flushed flushed = group.flush(9);
  CHECK(flushed.ready.messages.empty());
  CHECK_FALSE(flushed.ready.hard_state.has_value());
  CHECK(group[9].next_tick() == kNever);
}

TEST_CASE("Core.step: a server that came back without a vote still gets the log") {
  CoreGroup group(3);
  group.add_blank(3);  // founded with the others, but its disk never took the group in
  group.elect(1);
  REQUIRE(group[1].role() == Role::leader);
  CHECK(group[3].log().last_index() == group[1].log().last_index());
  CHECK(group[3].vote() == kNobody);
}

TEST_CASE("Core.propose_configuration: refused while it would leave the group to servers without the log") {
  CoreGroup group(3);
  group.add_blank(3);
  const auto without_three = [](const Message& m) { return m.from != 3; };
  group.time_out(1);
  group.settle(without_three);
  REQUIRE(group[1].role() == Role::leader);
  CHECK(group[1].propose_configuration(voters({1, 3})).status().code() == ErrorCode::unavailable);
  CHECK(group[1].propose_configuration(voters({2, 3})).status().code() == ErrorCode::unavailable);
  CHECK(group[1].propose_configuration(voters({2, 3}, {1})).status().code() == ErrorCode::unavailable);
  group.elapse(1, kHeartbeatUs);
  group.flush(1);
  group.settle();  // server 3 gets the log
  CHECK(group[1].propose_configuration(voters({2, 3}, {1})).ok());
}

TEST_CASE("Core.note: the greatest value spreads and reaches whoever is elected") {
  CoreGroup group(3);
  group.elect(1);
  group[2].set_note(900);  // only a leader sets it
  CHECK(group[2].note() == 0);
  group[1].set_note(500);
  group[1].set_note(400);
  CHECK(group[1].note() == 500);
  CHECK(group[1].quorum_note() == 0);
  group.elapse(1, kHeartbeatUs);
  group.flush(1);
  group.deliver(2);
  group.deliver(1);
  CHECK(group[1].quorum_note() == 500);
  CHECK(group[2].quorum_note() == 0);
  CHECK(group[2].note() == 500);
  CHECK(group[3].note() == 0);
  group.take(3);
  for (const ServerId id : {ServerId{1}, ServerId{2}}) group.elapse(id, kElectionUs);
  group.time_out(3);
  group.settle([](const Message& m) { return m.from != 1; });
  REQUIRE(group[3].role() == Role::leader);
  CHECK(group[3].note() == 500);  // learned from the voter
}

TEST_CASE("Core.note: what a deposed leader sets does not take the place of its successor's (R25)") {
  CoreGroup group(3);
  group.elect(1);
  group[1].set_note(500);
  group.elapse(1, kHeartbeatUs);
  group.flush(1);
  group.settle();
  REQUIRE(group[3].note() == 500);
  const auto without_1 = [](const Message& m) { return m.from != 1 && m.to != 1; };
  for (const ServerId id : {ServerId{2}, ServerId{3}}) group.elapse(id, kElectionUs);
  group.time_out(2);
  group.settle(without_1);
  REQUIRE(group[2].role() == Role::leader);
  group[2].set_note(600);
  group.elapse(2, kHeartbeatUs);
  group.flush(2);
  group.settle(without_1);
  CHECK(group[2].quorum_note() == 600);

  REQUIRE(group[1].role() == Role::leader);  // it stood still, and its clock went on
  group[1].set_note(5000);
  group.elapse(1, kHeartbeatUs);
  group.flush(1);
  group.settle();
  CHECK(group[2].note() == 600);
  CHECK(group[3].note() == 600);
  group.elapse(2, kHeartbeatUs);
  group.flush(2);
  group.settle();
  CHECK(group[1].role() == Role::follower);
  CHECK(group[1].note() == 600);
}

TEST_CASE("Core.step: malformed messages change nothing") {
  CoreGroup group(3);
  group.elect(1);
  const Term term = group[1].term();
  const Index last = group[2].log().last_index();
  const auto refuse = [&](Message m) {
    group[2].step(m);
    CHECK(group[2].log().last_index() == last);
    CHECK_FALSE(group[2].has_work());
  };
  Message m;
  m.type = MessageType::append;
  m.from = 1;
  m.to = 2;
  m.term = term;
  m.index = last;
  m.log_term = term;
  const Message good = m;
  m.to = 3;
  refuse(m);  // for somebody else
  m = good;
  m.from = 2;
  refuse(m);  // from itself
  m = good;
  m.from = kNobody;
  refuse(m);
  m = good;
  m.type = static_cast<MessageType>(99);
  refuse(m);
  m = good;
  m.entries = {entry(term, last + 2)};
  refuse(m);  // a gap
  m.entries = {entry(term + 1, last + 1)};
  refuse(m);  // of the future
  m.entries = {entry(term, last + 1), entry(term - 1, last + 2)};
  refuse(m);  // a term that falls
  m.entries = {entry(term, last + 1, "?", EntryKind::configuration)};
  refuse(m);
  m.entries = {entry(term, last + 1, encode(voters({})), EntryKind::configuration)};
  refuse(m);
  m.entries = {entry(term, last + 1, "", static_cast<EntryKind>(7))};
  refuse(m);
  m = good;
  m.type = MessageType::snapshot;
  m.configuration = voters({3, 1});
  refuse(m);  // not sorted
}

TEST_CASE("Core.fault: a leader that contradicts a committed entry stops the server") {
  CoreGroup group(3);
  group.elect(1);
  Message m;
  m.type = MessageType::append;
  m.from = 3;
  m.to = 2;
  m.term = 9;
  m.index = group[2].committed() - 1;
  m.log_term = *group[2].log().term_at(m.index);
  m.entries = {entry(9, m.index + 1, "other")};
  REQUIRE(group[2].fault().ok());
  group[2].step(m);
  CHECK(group[2].fault().ok());  // below the commit index nothing is compared: it matches by leader completeness
  m.from = group[2].leader() == 1 ? 3 : 1;
  m.term = group[2].term();
  m.index = group[2].committed();
  m.log_term = *group[2].log().term_at(m.index);
  m.entries.clear();
  group[1].step([&] {
    Message other = m;
    other.to = 1;
    other.term = group[1].term();
    other.from = 3;
    return other;
  }());
  CHECK(group[1].fault().code() == ErrorCode::corrupt);  // a second leader of its own term
}

TEST_CASE("Core.tick: a leader that stalled reads what waits before it judges its peers silent") {
  CoreGroup group(3);
  group.elect(1);
  group.stall(1, 5 * kElectionUs);
  CHECK(group[1].role() == Role::leader);
  // A leader that nobody answers steps down although each of its turns comes late.
  int turns = 0;
  while (group[1].role() == Role::leader && ++turns < 100) group.stall(1, 5 * kHeartbeatUs);
  CHECK(turns <= kElectionUs / kHeartbeatUs);
}

TEST_CASE("Core.tick: a follower that stalled reads what waits before it campaigns") {
  CoreGroup group(3);
  group.elect(1);
  group.stall(2, 5 * kElectionUs);
  CHECK(group[2].role() == Role::follower);
  CHECK(group[2].leader() == 1);
  group.elapse(2, kHeartbeatUs);
  CHECK(group[2].role() == Role::pre_candidate);
}

TEST_CASE("Core.step: a peer far behind a compacted log gets the snapshot even when its appends were lost") {
  Limits limits;
  limits.append_bytes_max = EntryLog::weight(entry(1, 1, "x"));
  limits.appends_in_flight_max = 2;
  CoreGroup group(3, limits);
  group.elect(1);
  const auto without_three = [](const Message& m) { return m.to != 3; };
  for (int i = 0; i < 10; ++i) {
    REQUIRE(group[1].propose("x").ok());
    group.settle(without_three);  // two appends to server 3 are lost and fill its window
  }
  group.compact(1, group[1].applied());
  group.elapse(1, kHeartbeatUs);
  group.flush(1);
  group.settle();
  CHECK(group.applied[3] == group.applied[1]);
}

}  // namespace chainring::raft::testing
