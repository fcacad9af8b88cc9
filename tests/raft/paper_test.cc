// The clauses of Ongaro's dissertation, one test each. The section stands in each test's comment.
#include "base/bytes.h"
#include "raft/configuration.h"
#include "raft/raft.h"
#include "tests/raft/core_group.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::raft::testing {
namespace {

Message make(MessageType type, ServerId from, ServerId to, Term term) {
  Message m;
  m.type = type;
  m.from = from;
  m.to = to;
  m.term = term;
  return m;
}

Message vote_request(ServerId from, ServerId to, Term term, Index last_index, Term last_term) {
  Message m = make(MessageType::vote, from, to, term);
  m.index = last_index;
  m.log_term = last_term;
  return m;
}

Message append_of(ServerId from, ServerId to, Term term, Index previous, Term previous_term,
                  std::vector<Entry> entries = {}, Index commit = 0) {
  Message m = make(MessageType::append, from, to, term);
  m.index = previous;
  m.log_term = previous_term;
  m.entries = std::move(entries);
  m.commit = commit;
  return m;
}

Message success(ServerId from, ServerId to, Term term, Index match) {
  Message m = make(MessageType::append_reply, from, to, term);
  m.index = match;
  return m;
}

std::vector<Term> terms_of(const EntryLog& log) {
  std::vector<Term> terms;
  for (Index i = log.base() + 1; i <= log.last_index(); ++i) terms.push_back(log.at(i).term);
  return terms;
}

}  // namespace

// 3.3: "If a server receives a request with a stale term number, it rejects the request."
TEST_CASE("Core.step: a stale term is refused and told the present one", "[paper]") {
  CoreGroup group(3);
  group.elect(2);
  const Index last = group[1].log().last_index();
  group[1].step(append_of(3, 1, 1, last, 1, {entry(1, last + 1, "old")}));
  const auto messages = group.flush(1).ready.messages;
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].refused);
  CHECK(messages[0].term == group[1].term());
  CHECK(group[1].log().last_index() == last);
}

// 3.3: "If a candidate or leader discovers that its term is out of date, it immediately reverts to follower state."
TEST_CASE("Core.step: a greater term makes a leader a follower", "[paper]") {
  CoreGroup group(3);
  group.elect(1);
  REQUIRE(group[1].role() == Role::leader);
  Message m = make(MessageType::append_reply, 2, 1, group[1].term() + 5);
  m.refused = true;
  group[1].step(m);
  CHECK(group[1].role() == Role::follower);
  CHECK(group[1].leader() == kNobody);
  CHECK(group.flush(1).ready.hard_state == HardState{m.term, kNobody});
}

// 3.4: "Leaders send periodic heartbeats ... to all followers in order to maintain their authority."
TEST_CASE("Core.tick: a leader sends heartbeats", "[paper]") {
  CoreGroup group(3);
  group.elect(1);
  CHECK(group[1].next_tick() == 2 * kElectionUs + kHeartbeatUs);
  group.elapse(1, kHeartbeatUs);
  const auto messages = group.flush(1).ready.messages;
  REQUIRE(messages.size() == 2);
  for (const Message& m : messages) {
    CHECK(m.type == MessageType::append);
    CHECK(m.entries.empty());
  }
}

// 3.4: "To begin an election, a follower increments its current term and transitions to candidate state. It then votes
// for itself and issues RequestVote RPCs in parallel". 9.6 puts a pre-vote before it.
TEST_CASE("Core.tick: an election begins with a pre-vote and then a vote for oneself", "[paper]") {
  CoreGroup group(3);
  group.time_out(1);
  const auto before = group.flush(1);
  CHECK_FALSE(before.ready.hard_state.has_value());
  CHECK(before.ready.messages.size() == 2);
  CHECK(group[1].role() == Role::pre_candidate);
  group.deliver(2);
  group.take(3);
  for (const Message& m : group.take(1)) group[1].step(m);
  CHECK(group[1].role() == Role::candidate);
  const auto after = group.flush(1);
  CHECK(after.ready.hard_state == HardState{2, 1});
  REQUIRE(after.ready.messages.size() == 2);
  CHECK(after.ready.messages[0].type == MessageType::vote);
}

// 3.4: "each server will vote for at most one candidate in a given term, on a first-come-first-served basis".
TEST_CASE("Core.step: one vote a term", "[paper]") {
  CoreGroup group(3);
  group[3].step(vote_request(1, 3, 2, 1, 1));
  group[3].step(vote_request(2, 3, 2, 1, 1));
  group[3].step(vote_request(1, 3, 2, 1, 1));
  const auto flushed = group.flush(3);
  CHECK(flushed.ready.hard_state == HardState{2, 1});
  REQUIRE(flushed.ready.messages.size() == 3);
  CHECK_FALSE(flushed.ready.messages[0].refused);
  CHECK(flushed.ready.messages[1].refused);
  CHECK_FALSE(flushed.ready.messages[2].refused);  // asked again, it answers the same
}

// 3.8: "each server persists its current term and vote" before it answers: after a restart it still knows.
TEST_CASE("Core.step: a vote survives a restart", "[paper]") {
  CoreGroup group(3);
  group[3].step(vote_request(1, 3, 2, 1, 1));
  group.flush(3);
  group.restart(3);
  group[3].step(vote_request(2, 3, 2, 1, 1));
  const auto messages = group.flush(3).ready.messages;
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].refused);
}

// 3.4: "the Election Safety Property": without a majority nobody is elected.
TEST_CASE("Core.step: half of the votes do not elect", "[paper]") {
  CoreGroup group(4);
  group.time_out(1);
  group.settle([](const Message& m) { return m.from != 3 && m.from != 4; });
  CHECK(group[1].role() == Role::pre_candidate);
  CHECK(group[1].term() == 1);
}

// 3.4: "If the leader's term is at least as large as the candidate's current term, then the candidate recognizes the
// leader as legitimate and returns to follower state."
TEST_CASE("Core.step: a candidate follows the leader of its term", "[paper]") {
  CoreGroup group(3);
  group.time_out(1);
  group.flush(1);
  group.deliver(2);
  for (const Message& m : group.take(1)) group[1].step(m);
  REQUIRE(group[1].role() == Role::candidate);
  group[1].step(append_of(3, 1, 2, 1, 1));
  CHECK(group[1].role() == Role::follower);
  CHECK(group[1].leader() == 3);
}

// 3.4: "Raft uses randomized election timeouts", drawn anew each time.
TEST_CASE("Core.next_tick: election timeouts lie between the shortest and twice that", "[paper]") {
  SeededRandom random(7);
  EntryLog log = log_of(voters({1, 2, 3}), {1});
  Core core(CoreOptions{1, kHeartbeatUs, kElectionUs, {}}, random, HardState{1, kNobody}, log, 0);
  Micros least = kNever;
  Micros greatest = 0;
  for (int i = 0; i < 200; ++i) {
    const Micros now = core.next_tick();
    core.tick(now);
    static_cast<void>(core.take_ready());
    const Micros timeout = core.next_tick() - now;
    least = std::min(least, timeout);
    greatest = std::max(greatest, timeout);
  }
  CHECK(least >= kElectionUs);
  CHECK(greatest < 2 * kElectionUs);
  CHECK(greatest - least > kElectionUs / 2);
}

// 3.5: "The leader appends the command to its log as a new entry, then issues AppendEntries RPCs in parallel"; "a log
// entry is committed once the leader that created the entry has replicated it on a majority of the servers".
TEST_CASE("Core.propose: an entry is committed once a majority has it", "[paper]") {
  CoreGroup group(5);
  group.elect(1);
  const Index index = *group[1].propose("x");
  group.flush(1);
  CHECK(group[1].committed() == index - 1);
  group.deliver(2);
  group.deliver(1);
  CHECK(group[1].committed() == index - 1);
  group.deliver(3);
  group.deliver(1);
  CHECK(group[1].committed() == index);
  CHECK(group.applied[1] == std::vector<std::string>{"x"});
  group.settle();
  for (ServerId id = 1; id <= 5; ++id) CHECK(group.applied[id] == std::vector<std::string>{"x"});
}

// 3.5: "When the leader decides that it is safe ... Once a follower learns that a log entry is committed, it applies
// the entry to its local state machine", and never one that it does not have.
TEST_CASE("Core.step: a follower commits no further than what the append covers", "[paper]") {
  CoreGroup group(3);
  group[2].step(append_of(1, 2, 2, 1, 1, {entry(2, 2, "a"), entry(2, 3, "b")}));
  group[2].step(append_of(1, 2, 2, 2, 2, {}, 99));
  group.flush(2);
  CHECK(group[2].committed() == 2);
}

// 3.5: "If the follower does not find an entry in its log with the same index and term, then it refuses the new
// entries."
TEST_CASE("Core.step: an append that does not join is refused", "[paper]") {
  CoreGroup group(3);
  group.add(2, HardState{2, kNobody}, log_of(voters({1, 2, 3}), {1, 2, 2}));
  group[2].step(append_of(1, 2, 4, 3, 3, {entry(4, 4)}));
  group[2].step(append_of(1, 2, 4, 7, 3, {entry(4, 8)}));
  const auto messages = group.flush(2).ready.messages;
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].refused);
  CHECK(messages[1].refused);
  CHECK(messages[1].hint == 3);  // the end of its log, with its term, so that the leader skips what cannot match
  CHECK(messages[1].log_term == 2);
  CHECK(group[2].log().last_index() == 3);
}

// 3.5: "If an existing entry conflicts with a new one (same index but different terms), delete the existing entry and
// all that follow it".
TEST_CASE("Core.step: conflicting entries are replaced", "[paper]") {
  struct Case {
    Index previous;
    Term previous_term;
    std::vector<Entry> entries;
    std::vector<Term> after;
  };
  const std::vector<Case> cases = {
      {3, 2, {entry(3, 4)}, {1, 2, 2, 3}},
      {2, 2, {entry(3, 3), entry(4, 4)}, {1, 2, 3, 4}},
      {1, 1, {entry(2, 2), entry(2, 3)}, {1, 2, 2, 2}},  // all of it is there: nothing is cut off
      {1, 1, {entry(2, 2)}, {1, 2, 2, 2}},
      {4, 2, {}, {1, 2, 2, 2}},
  };
  for (const Case& c : cases) {
    CoreGroup group(3);
    group.add(2, HardState{2, kNobody}, log_of(voters({1, 2, 3}), {1, 2, 2, 2}));
    group[2].step(append_of(1, 2, 4, c.previous, c.previous_term, c.entries));
    CHECK(terms_of(group[2].log()) == c.after);
    CHECK_FALSE(group.flush(2).ready.messages.at(0).refused);
  }
}

// 3.5, figure 3.6: the leader brings every kind of follower's log to its own.
TEST_CASE("Core: a leader makes the logs of figure 3.6 equal to its own", "[paper]") {
  const std::vector<Term> leader = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
  const std::vector<std::vector<Term>> followers = {
      {1, 1, 1, 4, 4, 5, 5, 6, 6},           // (a)
      {1, 1, 1, 4},                          // (b)
      {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6},     // (c)
      {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7},  // (d)
      {1, 1, 1, 4, 4, 4, 4},                 // (e)
      {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3},     // (f)
  };
  const Configuration configuration = voters({1, 2, 3, 4, 5, 6, 7});
  CoreGroup group(7);
  group.add(1, HardState{7, kNobody}, log_of(configuration, leader));
  for (size_t i = 0; i < followers.size(); ++i) {
    group.add(i + 2, HardState{7, kNobody}, log_of(configuration, followers[i]));
  }
  group.time_out(1);
  group.settle();
  REQUIRE(group[1].role() == Role::leader);
  for (ServerId id = 2; id <= 7; ++id) CHECK(terms_of(group[id].log()) == terms_of(group[1].log()));
}

// 3.6.1: "the voter denies its vote if its own log is more up-to-date than that of the candidate".
TEST_CASE("Core.step: votes go only to logs that are as complete", "[paper]") {
  struct Case {
    std::vector<Term> own;
    Index last_index;
    Term last_term;
    bool refused;
  };
  const std::vector<Case> cases = {
      {{1}, 1, 1, false},    {{1}, 2, 1, false},   {{1, 1}, 1, 1, true},    {{1}, 1, 2, false},
      {{1, 1}, 1, 2, false}, {{1, 2}, 3, 1, true}, {{1, 1, 2}, 9, 1, true}, {{1, 2}, 2, 2, false},
  };
  for (const Case& c : cases) {
    for (const MessageType type : {MessageType::vote, MessageType::pre_vote}) {
      CoreGroup group(3);
      group.add(1, HardState{2, kNobody}, log_of(voters({1, 2, 3}), c.own));
      Message m = vote_request(2, 1, 3, c.last_index, c.last_term);
      m.type = type;
      group[1].step(m);
      CHECK(group.flush(1).ready.messages.at(0).refused == c.refused);
    }
  }
}

// 3.6.2, figure 3.7: "Raft never commits log entries from previous terms by counting replicas."
TEST_CASE("Core: an older term's entry is not committed by counting", "[paper]") {
  CoreGroup group(3);
  group.add(1, HardState{2, kNobody}, log_of(voters({1, 2, 3}), {1, 2, 2}));
  group.time_out(1);
  group.settle([](const Message& m) { return m.type != MessageType::append; });
  REQUIRE(group[1].role() == Role::leader);
  const Index own = group[1].log().last_index();
  REQUIRE(own == 4);
  group[1].step(success(2, 1, 3, 3));
  group.flush(1);
  CHECK(group[1].committed() == 0);  // entry 3 is on a majority, but of term 2
  group[1].step(success(2, 1, 3, own));
  group.flush(1);
  CHECK(group[1].committed() == own);  // and now all before it too
}

// 3.8: what is committed survives any minority's restart, because it was on disk before it was acknowledged.
TEST_CASE("Core.take_ready: an acknowledgement leaves with the entries that must be synced before it", "[paper]") {
  CoreGroup group(3);
  group[2].step(append_of(1, 2, 2, 1, 1, {entry(2, 2, "a")}));
  CHECK(group[2].stable() == 1);
  const Ready ready = group[2].take_ready();
  CHECK(ready.must_sync());
  CHECK(ready.entries_first == 2);
  CHECK(ready.entries_last == 2);
  REQUIRE(ready.messages.size() == 1);
  CHECK(ready.messages[0].index == 2);
  CHECK(group[2].stable() == 1);
  group[2].persisted();
  CHECK(group[2].stable() == 2);
}

// 10.2.1: the leader counts itself only once the entry is on its own disk.
TEST_CASE("Core.persisted: a single voter commits after its own sync", "[paper]") {
  CoreGroup group(1);
  group.time_out(1);
  CHECK(group[1].role() == Role::leader);
  static_cast<void>(group[1].take_ready());
  CHECK(group[1].committed() == 0);
  group[1].persisted();
  CHECK(group[1].committed() == 2);
}

// 3.10: leadership transfer: the target is brought up to date, told to begin, and the old leader takes no proposals.
TEST_CASE("Core.transfer_leadership: the target leads and proposals wait", "[paper]") {
  CoreGroup group(3);
  group.elect(1);
  const Index index = *group[1].propose("x");
  REQUIRE(group[1].transfer_leadership(2).ok());
  CHECK(group[1].propose("y").status().code() == ErrorCode::unavailable);
  group.settle();
  CHECK(group[2].role() == Role::leader);
  CHECK(group[1].role() == Role::follower);
  CHECK(group[2].committed() > index);
  CHECK(group.applied[2] == std::vector<std::string>{"x"});
}

// 3.10: "If leadership transfer does not complete after about an election timeout, the prior leader aborts".
TEST_CASE("Core.transfer_leadership: it is given up after an election timeout", "[paper]") {
  CoreGroup group(3);
  group.elect(1);
  REQUIRE(group[1].transfer_leadership(2).ok());
  const auto without_order = [](const Message& m) { return m.type != MessageType::timeout_now; };
  group.settle(without_order);
  for (Micros passed = 0; passed < kElectionUs; passed += kHeartbeatUs) {
    CHECK_FALSE(group[1].propose("y").ok());
    group.elapse(1, kHeartbeatUs);
    group.flush(1);
    group.settle(without_order);
  }
  CHECK(group[1].role() == Role::leader);
  CHECK(group[1].propose("y").ok());
}

// 4.1: "Servers always use the latest configuration in their logs, regardless of whether the entry is committed", and a
// change waits for the one before it.
TEST_CASE("Core.propose_configuration: in use at once, one at a time", "[paper]") {
  CoreGroup group(3);
  group.elect(1);
  group.add_blank(4);
  REQUIRE(group[1].propose_configuration(voters({1, 2, 3}, {4})).ok());
  CHECK(group[1].configuration() == voters({1, 2, 3}, {4}));
  CHECK(group[1].propose_configuration(voters({1, 2}, {4})).status().code() == ErrorCode::unavailable);
  group.settle();
  CHECK(group[4].configuration() == voters({1, 2, 3}, {4}));
  CHECK(group[1].propose_configuration(voters({1, 2}, {})).status().code() == ErrorCode::invalid_argument);
  CHECK(group[1].propose_configuration(voters({1, 2, 3, 5}, {4})).status().code() == ErrorCode::invalid_argument);
  CHECK(group[1].propose_configuration(voters({1, 2, 3, 4})).ok());
}

// The erratum to 4.1: a leader changes nothing before an entry of its own term is committed.
TEST_CASE("Core.propose_configuration: not before an entry of the own term is committed", "[paper]") {
  CoreGroup group(3);
  group.time_out(1);
  group.settle([](const Message& m) { return m.type != MessageType::append; });
  REQUIRE(group[1].role() == Role::leader);
  CHECK(group[1].propose_configuration(voters({1, 2}, {3})).status().code() == ErrorCode::unavailable);
}

// 4.2.1: "a new server ... as a non-voting member": it gets the log and does not count.
TEST_CASE("Core: a learner neither counts nor campaigns", "[paper]") {
  CoreGroup group(3);
  group.elect(1);
  group.add_blank(4);
  REQUIRE(group[1].propose_configuration(voters({1, 2, 3}, {4})).ok());
  group.settle();
  const Index index = *group[1].propose("x");
  group.flush(1);
  group.deliver(4);
  group.deliver(1);
  CHECK(group[4].log().last_index() == index);
  CHECK(group[1].committed() == index - 1);
  group.time_out(4);
  CHECK(group[4].role() == Role::follower);
  CHECK(group[4].take_ready().messages.empty());
}

// 4.2.1: a new server becomes a voter only when it has caught up.
TEST_CASE("Core.propose_configuration: a learner that lags is not promoted", "[paper]") {
  Limits limits;
  limits.lag_entries_max = 3;
  CoreGroup group(3, limits);
  group.elect(1);
  REQUIRE(group[1].propose_configuration(voters({1, 2, 3}, {4})).ok());
  REQUIRE(group[1].propose("x").ok());
  group.settle([](const Message& m) { return m.to != 4; });
  CHECK(group[1].propose_configuration(voters({1, 2, 3, 4})).status().code() == ErrorCode::unavailable);
  group.add_blank(4);
  group.elapse(1, kHeartbeatUs);
  group.flush(1);
  group.settle();
  CHECK(group[1].propose_configuration(voters({1, 2, 3, 4})).ok());
}

// 4.2.2: a leader that is removed steps down once its removal is committed, and not before.
TEST_CASE("Core.propose_configuration: a leader can remove itself", "[paper]") {
  CoreGroup group(3);
  group.elect(1);
  REQUIRE(group[1].propose_configuration(voters({2, 3})).ok());
  group.flush(1);
  CHECK(group[1].role() == Role::leader);
  group.deliver(2);
  group.deliver(1);
  CHECK(group[1].role() == Role::leader);  // its own copy does not count: one of two has it
  group.settle();
  CHECK(group[1].role() == Role::follower);
  CHECK((group[2].role() == Role::leader || group[3].role() == Role::leader));  // it handed over
  group.time_out(1);
  CHECK(group[1].role() == Role::follower);  // and keeps quiet
}

// 4.2.2: a server whose own removal is not committed may be needed, so it campaigns.
TEST_CASE("Core.tick: a server campaigns until its removal is committed", "[paper]") {
  CoreGroup group(3);
  EntryLog log = log_of(voters({1, 2, 3, 4}), {1});
  log.append(entry(2, 2, encode(voters({1, 2, 3})), EntryKind::configuration));
  group.add(4, HardState{2, kNobody}, log);
  group.time_out(4);
  CHECK(group[4].role() == Role::pre_candidate);
  group.settle();
  CHECK(group[4].role() == Role::follower);  // elected, it committed its own removal and left
  for (ServerId id = 1; id <= 3; ++id) CHECK(group[id].configuration() == voters({1, 2, 3}));
  CHECK(group[1].committed() >= 2);
}

// 4.2.3: "if a server receives a RequestVote request within the minimum election timeout of hearing from a current
// leader, it does not update its term or grant its vote".
TEST_CASE("Core.step: a leader that is heard is not disturbed", "[paper]") {
  CoreGroup group(3);
  group.elect(1);
  const Term term = group[1].term();
  for (const ServerId voter : {ServerId{1}, ServerId{2}}) {
    group[voter].step(vote_request(3, voter, term + 9, 99, term));
    CHECK(group[voter].term() == term);
    CHECK(group.flush(voter).ready.messages.empty());
  }
  group.elapse(2, kElectionUs);  // the leader is silent: now it may vote
  group[2].step(vote_request(3, 2, term + 9, 99, term));
  CHECK(group[2].vote() == 3);
}

// 4.2.3: the exception for leadership transfer.
TEST_CASE("Core.step: an election that the leader asked for is not ignored", "[paper]") {
  CoreGroup group(3);
  group.elect(1);
  Message m = vote_request(3, 2, group[1].term() + 1, 99, group[1].term());
  m.transfer = true;
  group[2].step(m);
  CHECK(group[2].vote() == 3);
}

// 6.2: a leader steps down when an election timeout passes without a round of heartbeats to a majority.
TEST_CASE("Core.tick: a leader without a majority steps down", "[paper]") {
  CoreGroup group(5);
  group.elect(1);
  for (int i = 0; i < 9; ++i) {
    group.elapse(1, kHeartbeatUs);
    group.flush(1);
    group.settle([](const Message& m) { return m.from == 1 || m.from == 2; });
    CHECK(group[1].role() == Role::leader);
  }
  group.elapse(1, kHeartbeatUs);
  CHECK(group[1].role() == Role::follower);
  CHECK(group[1].leader() == kNobody);
}

// 6.4: read-index: a quorum round begun after the read, and an entry of the own term committed before.
TEST_CASE("Core.read: answered after a round that began later", "[paper]") {
  CoreGroup group(3);
  group.elect(1);
  group.elapse(1, kHeartbeatUs);
  group.flush(1);  // a round that began before the read
  REQUIRE(group[1].read(77).ok());
  group.deliver(2);
  group.deliver(3);
  for (const Message& m : group.take(1)) group[1].step(m);
  CHECK(group[1].take_reads().confirmed.empty());
  group.flush(1);
  group.deliver(2);
  for (const Message& m : group.take(1)) group[1].step(m);
  CHECK(group[1].take_reads().confirmed == std::vector<uint64_t>{77});
}

// 6.4: "If the leader has not yet marked an entry from its current term committed, it waits until it has done so."
TEST_CASE("Core.read: refused before an entry of the own term is committed", "[paper]") {
  CoreGroup group(3);
  group.time_out(1);
  group.settle([](const Message& m) { return m.type != MessageType::append; });
  REQUIRE(group[1].role() == Role::leader);
  CHECK(group[1].read(1).code() == ErrorCode::unavailable);
  CHECK_FALSE(group[1].leading());
}

// 6.4: a deposed leader answers nothing.
TEST_CASE("Core.read: fails with leadership", "[paper]") {
  CoreGroup group(3);
  group.elect(1);
  REQUIRE(group[1].read(5).ok());
  group[1].step(append_of(2, 1, group[1].term() + 1, 1, 1));
  const Reads reads = group[1].take_reads();
  CHECK(reads.confirmed.empty());
  CHECK(reads.failed == std::vector<uint64_t>{5});
}

// 9.6: "a candidate would only increment its term if it first learned from a majority of the cluster that they would be
// willing to grant the candidate their votes": who was cut off comes back without a greater term.
TEST_CASE("Core.tick: a server that is cut off does not raise its term", "[paper]") {
  CoreGroup group(3);
  group.elect(1);
  const Term term = group[1].term();
  const auto cut = [](const Message& m) { return m.from != 3 && m.to != 3; };
  for (int i = 0; i < 5; ++i) {
    group.time_out(3);
    group.flush(3);
    group.settle(cut);
  }
  CHECK(group[3].term() == term);
  group.elapse(1, kHeartbeatUs);
  group.flush(1);
  group.settle();
  CHECK(group[1].role() == Role::leader);
  CHECK(group[3].leader() == 1);
}

// Chapter 5: a follower that needs what is gone gets the snapshot in chunks, then the log.
TEST_CASE("Core: a snapshot brings a blank learner up to date", "[paper]") {
  Limits limits;
  limits.snapshot_chunk_bytes = 4;
  CoreGroup group(3, limits);
  group.elect(1);
  for (const char* text : {"one", "two", "three"}) {
    REQUIRE(group[1].propose(text).ok());
    group.settle();
  }
  group.compact(1, group[1].applied());
  group.add_blank(4);
  REQUIRE(group[1].propose_configuration(voters({1, 2, 3}, {4})).ok());
  REQUIRE(group[1].propose("four").ok());
  group.settle();
  CHECK(group.applied[4] == std::vector<std::string>{"one", "two", "three", "four"});
  CHECK(group[4].log().base() == group[1].log().base());
  CHECK(group[4].configuration() == voters({1, 2, 3}, {4}));
}

}  // namespace chainring::raft::testing
