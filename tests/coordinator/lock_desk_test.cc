// Requests at the leader's desk, with a log that commits when the test says so (R20, R25, R30).

#include "tests/coordinator/desk_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using protocol::ReplyStatus;

TEST_CASE("LockDesk.submit: a write is answered when its entry is committed") {
  DeskFixture f;
  const uint64_t id = f.submit("SET lock:a me NX PX 1000");
  REQUIRE(f.log.size() == 1);
  f.confirm();
  REQUIRE_FALSE(f.answers.contains(id));
  f.commit();
  REQUIRE(f.answers[id] == std::pair(ReplyStatus::done, std::string("+OK\r\n")));
}

TEST_CASE("LockDesk.submit: reads, and what would change nothing, wait for a round and leave no entry (R30)") {
  DeskFixture f;
  f.run("SET lock:a me NX PX 1000");
  const size_t entries = f.log.size();
  const uint64_t get = f.submit("GET lock:a"), refused = f.submit("SET lock:a you NX PX 1000", 1);
  REQUIRE(f.answers.size() == 1);
  f.confirm();
  REQUIRE(f.answers[get].second == "$2\r\nme\r\n");
  REQUIRE(f.answers[refused].second == "$-1\r\n");
  REQUIRE(f.log.size() == entries);
}

TEST_CASE("LockDesk.confirmed: a read sees the writes that came before it, and does not wait for later ones (R10)") {
  DeskFixture f;
  f.submit("SET lock:a me PX 1000");
  const uint64_t get = f.submit("GET lock:a"), mark = f.submit("WATCH lock:a"),
                 token = f.submit("LOCK TOKEN lock:a me");
  f.submit("SET lock:b me PX 1000");
  f.confirm();  // the round was quicker than the entry
  REQUIRE(f.answers.empty());
  f.commit(1);
  REQUIRE(f.answers[get].second == "$2\r\nme\r\n");
  REQUIRE(f.answers[mark].first == ReplyStatus::done);
  REQUIRE(f.answers[token].second == concat(":", f.state.locks().find(0, "lock:a")->token, "\r\n"));
}

TEST_CASE("LockDesk.confirmed: what would change nothing is judged behind the writes that came before it (R10, R30)") {
  DeskFixture f;
  f.run("SET lock:a me");
  f.submit("DEL lock:a");
  const uint64_t polled = f.submit("SET lock:a you NX", 1);
  f.confirm();
  REQUIRE(f.log.size() == 2);
  f.commit();
  REQUIRE(f.answers[polled].second == "+OK\r\n");
  REQUIRE(f.log.size() == 3);

  f.submit("SET lock:a they");
  const uint64_t refused = f.submit("SET lock:a me NX", 2);
  f.confirm();
  REQUIRE_FALSE(f.answers.contains(refused));
  f.commit();
  REQUIRE(f.answers[refused].second == "$-1\r\n");
  REQUIRE(f.log.size() == 4);
}

TEST_CASE("LockDesk.confirmed: what has come free in the meantime is proposed after all") {
  DeskFixture f;
  f.run("SET lock:a me");
  const uint64_t id = f.submit("SET lock:a you NX");
  f.link = 6;  // of others: in its own client's order it would come later
  f.submit("DEL lock:a");
  f.commit();
  f.confirm();
  f.commit();
  REQUIRE(f.answers[id].second == "+OK\r\n");
}

TEST_CASE("LockDesk: an answer that rests on an expiry first commits the time (R25)") {
  DeskFixture f;
  f.run("SET lock:a me PX 100");
  f.now.mono += 150 * kMicrosPerMilli;  // no tick yet that would move the time on by itself
  f.accepting = false;
  f.desk.tick(f.now);
  f.accepting = true;
  const uint64_t get = f.submit("GET lock:a"), poll = f.submit("SET lock:a you NX PX 50"),
                 other = f.submit("GET lock:b");
  f.confirm();
  REQUIRE(f.answers.contains(other));
  REQUIRE_FALSE(f.answers.contains(get));
  REQUIRE_FALSE(f.answers.contains(poll));
  f.commit();
  REQUIRE(f.answers[get].second == "$-1\r\n");
  f.commit();
  REQUIRE(f.answers[poll].second == "+OK\r\n");
  REQUIRE(f.state.locks().find(0, "lock:a")->owner == "you");
}

TEST_CASE("LockDesk.tick: locks that nobody asks for expire, too, in one entry for many") {
  DeskFixture f;
  for (int i = 0; i < 50; ++i) f.run(concat("SET lock:", i, " me PX ", 100 + i % 3));
  const size_t entries = f.log.size();
  REQUIRE(f.desk.next_tick() > f.now.mono);
  f.pass(99);
  REQUIRE(f.log.size() == entries);
  f.pass(5);
  f.commit();
  REQUIRE(f.log.size() == entries + 1);
  REQUIRE(f.state.locks().count() == 0);
  REQUIRE(f.desk.next_tick() == kNever);
}

TEST_CASE(
    "LockDesk: when very many locks expire at once, no entry removes them all, and an answer waits for the last") {
  DeskFixture f;
  REQUIRE(f.state.apply(f.first_index++, encode_entry(SettingsEntry{100'000})).ok());
  constexpr int kLocks = 3 * static_cast<int>(kExpiredPerEntryMax);
  for (int i = 0; i < kLocks; ++i) f.submit(concat("SET lock:", i, " me PX ", 100 + i % 50));
  f.commit();
  f.pass(200);
  const uint64_t size = f.submit("DBSIZE");
  f.confirm();
  f.commit(1);
  REQUIRE(f.state.locks().count() > kLocks / 2);
  REQUIRE(f.state.locks().time() < f.desk.time());
  REQUIRE_FALSE(f.answers.contains(size));
  f.commit();
  REQUIRE(f.answers[size].second == ":0\r\n");
  REQUIRE(f.state.locks().time() == f.desk.time());
}

TEST_CASE("LockDesk: the remaining time is reckoned when the reply leaves (R25)") {
  DeskFixture f;
  const uint64_t id = f.submit("LOCK ACQUIRE lock:a me TTL 1000");
  f.pass(300);
  f.commit();
  REQUIRE(f.answers[id].second.ends_with(":700\r\n"));
  f.pass(200);
  REQUIRE(f.run("PTTL lock:a") == ":500\r\n");
  REQUIRE(f.run("PEXPIRETIME lock:a") == concat(":", f.now.wall + 500, "\r\n"));
}

TEST_CASE("LockDesk.lead: time begins at the greatest that is known, and steps of the wall clock do not matter") {
  DeskFixture f;
  f.run("SET lock:a me PX 1000");
  f.pass(400);
  f.desk.resign();
  const Millis noted = f.desk.time();
  f.now.mono += 60 * kMicrosPerSecond;  // nobody led
  f.now.wall -= 3'600'000;
  f.desk.lead(noted, f.now);
  REQUIRE(f.run("PTTL lock:a") == ":600\r\n");
  f.desk.resign();
  f.desk.lead(0, f.now);  // one that has heard nothing knows the state's time at least
  REQUIRE(f.desk.time() == f.state.locks().time());
}

TEST_CASE("LockDesk.submit: a write that is sent again while it is under way is answered once, on the new link (R20)") {
  DeskFixture f;
  const uint64_t first = f.submit("INCR lock:n", 1), again = f.submit("INCR lock:n", 1);
  REQUIRE(f.log.size() == 1);
  f.commit();
  REQUIRE_FALSE(f.answers.contains(first));
  REQUIRE(f.answers[again].second == ":1\r\n");
  REQUIRE(f.run("INCR lock:n", 1) == ":1\r\n");
  REQUIRE(f.run("GET lock:n") == "$1\r\n1\r\n");
}

TEST_CASE("LockDesk: a grant that is asked for again is not judged by what its own first run has done") {
  DeskFixture f;
  const uint64_t first = f.submit("SET lock:a me NX PX 1000", 1);
  const uint64_t again = f.submit("SET lock:a me NX PX 1000", 1);
  f.commit();
  REQUIRE_FALSE(f.answers.contains(first));
  REQUIRE(f.answers[again].second == "+OK\r\n");
  REQUIRE(f.run("SET lock:a me NX PX 1000", 1) == "+OK\r\n");
  REQUIRE(f.run("SET lock:a me NX PX 1000", 2) == "$-1\r\n");
}

TEST_CASE("LockDesk: a number that was called answered is refused and does not run") {
  DeskFixture f;
  f.submit("INCR lock:n", 1);
  f.submit("INCR lock:n", 2, 2);
  const uint64_t late = f.submit("INCR lock:n", 1);
  f.commit();
  const uint64_t later = f.submit("INCR lock:n", 1);
  f.commit();
  REQUIRE(f.answers[late].second == ":1\r\n");  // it was the first one's answer, on the new link
  REQUIRE(f.answers[later].first == ReplyStatus::expired);
  REQUIRE(f.run("GET lock:n") == "$1\r\n2\r\n");
}

TEST_CASE("LockDesk.resign: everything is answered as what has become of it") {
  DeskFixture f;
  f.run("SET lock:a me PX 100");
  const uint64_t numbered = f.submit("INCR lock:n", 1), plain = f.submit("INCR lock:m");
  const uint64_t behind = f.submit("GET lock:n"), poll = f.submit("SET lock:a you NX", 2);
  f.confirm();
  const uint64_t read = f.submit("GET lock:n");
  f.desk.resign();
  REQUIRE(f.answers[numbered].first == ReplyStatus::unsettled);
  REQUIRE(f.answers[read].first == ReplyStatus::not_leader);
  REQUIRE(f.answers[behind].first == ReplyStatus::not_leader);
  REQUIRE(f.answers[poll].first == ReplyStatus::not_leader);
  REQUIRE(f.unknown == std::set<uint64_t>{plain});
  REQUIRE(f.desk.take_round() == 0);
  f.desk.lead(0, f.now);
  f.commit();  // they were committed all the same; nobody is told twice
  REQUIRE(f.run("INCR lock:n", 1) == ":1\r\n");
}

TEST_CASE("LockDesk.submit: what the log does not take is not lost") {
  DeskFixture f;
  f.accepting = false;
  REQUIRE(f.answers[f.submit("SET lock:a me")].first == ReplyStatus::bounced);
  f.refusal = ErrorCode::unavailable;
  REQUIRE(f.answers[f.submit("SET lock:a me")].first == ReplyStatus::not_leader);
}

TEST_CASE("LockDesk.submit: what no log ever takes is answered, and not sent again") {
  DeskFixture f;
  f.accepting = false;
  f.refusal = ErrorCode::invalid_argument;
  const uint64_t id = f.submit("SET lock:a me", 1);
  REQUIRE(f.answers[id].first == ReplyStatus::done);
  REQUIRE(f.answers[id].second.starts_with("-ERR "));
  f.accepting = true;
  REQUIRE(f.run("SET lock:a me", 2) == "+OK\r\n");
}

TEST_CASE("LockDesk.submit: what is as long as may be runs, although it is longer when it is proposed (R25)") {
  DeskFixture f;
  const size_t others = std::string_view("SETlock:aEXAT9999999999").size();
  const std::string value(kLockCommandBytesMax - others, 'v');
  const uint64_t set = f.submit(concat("SET lock:a ", value, " EXAT 9999999999"));
  REQUIRE(f.log.size() == 1);
  REQUIRE(f.log.back().size() > kLockCommandBytesMax);
  f.commit();
  REQUIRE(f.answers[set].second.starts_with("-ERR a lock may hold"));
  const uint64_t longer = f.submit(concat("SET lock:a ", value, "v EXAT 9999999999"));
  REQUIRE(f.answers[longer].second.starts_with("-ERR a command on lock keys may have at most"));
}

TEST_CASE("LockDesk.submit: so does a transaction, whose commands all become longer (R25)") {
  DeskFixture f;
  f.run("SET lock:a me");
  const std::string line = concat("EXPIREAT lock:", std::string(2000, 'a'), " 9999999999");
  const size_t bytes = line.size() - 2;  // without the spaces
  std::vector<std::string_view> lines(kLockCommandBytesMax / bytes, line);
  const std::string last = "SET lock:a " + std::string(kLockCommandBytesMax % bytes - 9, 'v');
  lines.push_back(last);
  const uint64_t exec = f.submit_transaction(lines);
  REQUIRE(f.log.back().size() > kLockCommandBytesMax);
  f.commit();
  REQUIRE(f.answers[exec].second.starts_with(concat("*", lines.size(), "\r\n:0\r\n")));
  const std::string one_more = last + "v";
  lines.back() = one_more;
  const uint64_t longer = f.submit_transaction(lines);
  REQUIRE(f.answers[longer].second.starts_with("-ERR a transaction on lock keys may have at most"));
}

TEST_CASE("LockDesk.confirmed: no more is read in one turn than can wait to be sent") {
  DeskFixture f;
  f.run("SET lock:a " + std::string(kLockValueBytesMax, 'x'));
  std::string line = "MGET";
  for (size_t i = 0; i < 512; ++i) line += " lock:a";
  const size_t fit = LockDesk::kReadBytesPerTurnMax / (512 * kLockValueBytesMax);
  std::vector<uint64_t> reads;
  for (size_t i = 0; i <= fit; ++i) reads.push_back(f.submit(line));
  const uint64_t behind = f.submit("DEL lock:a");  // R10
  f.confirm();
  for (size_t i = 0; i < fit; ++i) REQUIRE(f.answers[reads[i]].first == ReplyStatus::done);
  REQUIRE(f.answers[reads.back()].first == ReplyStatus::bounced);
  REQUIRE(f.answers[behind].first == ReplyStatus::bounced);
  REQUIRE(f.log.size() == 1);
  f.pass(1);
  REQUIRE(f.run("STRLEN lock:a") == ":65536\r\n");
}

TEST_CASE("LockDesk.submit: the desk has a size") {
  DeskFixture f;
  for (size_t i = 0; i < LockDesk::kRequestsMax; ++i) f.submit("GET lock:a");
  REQUIRE(f.answers.empty());
  REQUIRE(f.answers[f.submit("GET lock:a")].first == ReplyStatus::bounced);
  f.confirm();
  while (f.desk.next_tick() == f.now.mono) f.pass(0);
  f.submit("GET lock:a");
  REQUIRE(f.answers.size() == LockDesk::kRequestsMax + 1);
}

TEST_CASE("LockDesk.submit: keys that are no locks, and commands that do not run on locks, are refused at once") {
  DeskFixture f;
  for (const char* line : {"GET cache", "MSET lock:a 1 cache 2", "FLUSHALL", "LOCK TOKEN cache me", "PING"}) {
    const uint64_t id = f.submit(line);
    REQUIRE(f.answers[id].second.starts_with("-ERR"));
  }
  REQUIRE(f.log.empty());
}

TEST_CASE("LockClock.when: the inverse of at(), without overflow") {
  LockClock clock;
  clock.begin(1000, 5'000'000);
  REQUIRE(clock.at(5'000'999) == 1000);
  REQUIRE(clock.at(clock.when(1234)) == 1234);
  REQUIRE(clock.when(5) == 5'000'000);
  REQUIRE(clock.when(INT64_MAX) == kNever);
}

}  // namespace
}  // namespace chainring::coordinator
