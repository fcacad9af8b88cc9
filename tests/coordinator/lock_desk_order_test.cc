// What one client sends at once happens in its order, and delays nobody else (R10, R30).

#include "tests/coordinator/desk_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using protocol::ReplyStatus;

TEST_CASE("LockDesk: a write does not overtake what its client asked before it (R10)") {
  DeskFixture f;
  f.run("SET lock:a other");
  const uint64_t poll = f.submit("SET lock:a me NX"), read = f.submit("GET lock:a"), del = f.submit("DEL lock:a");
  f.commit();  // the log is quicker than the round
  f.confirm();
  f.commit();
  REQUIRE(f.answers[poll].second == "$-1\r\n");
  REQUIRE(f.answers[read].second == "$5\r\nother\r\n");
  REQUIRE(f.answers[del].second == ":1\r\n");
  REQUIRE(f.state.locks().count() == 0);
}

TEST_CASE("LockDesk: so it is for the clients that are connected here (R10)") {
  DeskFixture f;
  f.run("SET lock:a other");
  f.link = kNoConn;
  f.client = 1;
  const uint64_t read = f.submit("GET lock:a"), del = f.submit("DEL lock:a");
  REQUIRE(f.log.size() == 1);
  f.client = 2;
  f.submit("INCR lock:b");
  const uint64_t poll = f.submit("SET lock:a they NX");
  f.submit("APPEND lock:a x");
  REQUIRE(f.log.size() == 2);
  f.confirm();
  REQUIRE(f.answers[read].second == "$5\r\nother\r\n");
  f.commit(1);
  REQUIRE(f.answers[poll].second == "$-1\r\n");  // the DEL of the other one came before, and is not committed
  f.commit();
  REQUIRE(f.answers[del].second == ":1\r\n");
}

TEST_CASE("LockDesk: what comes behind a poll that gets its entry after all sees what it wrote (R10)") {
  DeskFixture f;
  f.run("SET lock:a other");
  const uint64_t poll = f.submit("SET lock:a me NX"), read = f.submit("GET lock:a"), count = f.submit("DBSIZE"),
                 last = f.submit("SET lock:a last IFEQ me");
  f.link = 6;
  f.submit("DEL lock:a");
  f.commit();
  f.confirm();
  REQUIRE_FALSE(f.answers.contains(read));
  REQUIRE_FALSE(f.answers.contains(count));
  f.commit(1);
  f.commit();
  REQUIRE(f.answers[poll].second == "+OK\r\n");
  REQUIRE(f.answers[read].second == "$2\r\nme\r\n");
  REQUIRE(f.answers[count].second == ":1\r\n");
  REQUIRE(f.answers[last].second == "+OK\r\n");
  REQUIRE(f.state.locks().find(0, "lock:a")->owner == "last");
}

TEST_CASE("LockDesk: the polls of others delay no release, nor do those of other locks") {
  DeskFixture f;
  f.run("SET lock:a me");
  f.link = 6;
  for (int i = 0; i < 10; ++i) f.submit("SET lock:a other NX");
  f.submit("INCR lock:b");
  REQUIRE(f.log.size() == 2);
  f.link = 5;
  f.submit("SET lock:a me IFEQ me PX 500");
  f.submit("DEL lock:a");
  REQUIRE(f.log.size() == 4);
}

TEST_CASE("LockDesk: many polls for one lock on one link are answered in one round, without an entry (R30)") {
  DeskFixture f;
  f.run("SET lock:a other");
  std::vector<uint64_t> polls;
  for (int i = 0; i < 100; ++i) polls.push_back(f.submit("SET lock:a me NX"));
  f.confirm();
  for (const uint64_t poll : polls) REQUIRE(f.answers[poll].second == "$-1\r\n");
  REQUIRE(f.log.size() == 1);
}

TEST_CASE("LockDesk: of many polls behind a release the first gets the only entry (R30)") {
  DeskFixture f;
  f.run("SET lock:a other");
  f.submit("GET lock:a");
  const uint64_t release = f.submit("DELIFEQ lock:a other");
  std::vector<uint64_t> polls;
  for (int i = 0; i < 100; ++i) polls.push_back(f.submit("SET lock:a me NX"));
  f.confirm();
  f.commit();
  f.commit();
  REQUIRE(f.answers[release].second == ":1\r\n");
  REQUIRE(f.answers[polls.front()].second == "+OK\r\n");
  for (size_t i = 1; i < polls.size(); ++i) REQUIRE(f.answers[polls[i]].second == "$-1\r\n");
  REQUIRE(f.log.size() == 3);
}

TEST_CASE("LockDesk: what reads all locks keeps its place among the writes of its client (R10)") {
  DeskFixture f;
  f.run("SET lock:a other");
  const uint64_t before = f.submit("DBSIZE"), del = f.submit("DEL lock:a"), after = f.submit("DBSIZE");
  f.submit("INCR lock:b");
  REQUIRE(f.log.size() == 1);
  f.commit();
  f.confirm();
  f.commit();
  REQUIRE(f.answers[before].second == ":1\r\n");
  REQUIRE(f.answers[del].second == ":1\r\n");
  REQUIRE(f.answers[after].second == ":0\r\n");
  REQUIRE(f.state.locks().count() == 1);
}

TEST_CASE(
    "LockDesk: a transaction keeps its place, for the locks that it changes and for those that it watches (R10)") {
  DeskFixture f;
  f.run("SET lock:a other");
  const uint64_t watch = f.submit("WATCH lock:w");
  f.confirm();
  protocol::ReplyValue mark;
  REQUIRE(protocol::parse_reply(f.answers[watch].second, mark).state == protocol::ReplyExtent::State::ready);

  const uint64_t poll = f.submit("SET lock:a me NX"), changes = f.submit_transaction({"DEL lock:a"});
  REQUIRE(f.log.size() == 1);
  f.confirm();
  f.commit();
  REQUIRE(f.answers[poll].second == "$-1\r\n");
  REQUIRE(f.answers[changes].second == "*1\r\n:1\r\n");

  f.run("SET lock:w other");
  f.submit("SET lock:w me NX");
  const size_t entries = f.log.size();
  const uint64_t watches = f.submit_transaction({"INCR lock:n"}, {mark.text});
  REQUIRE(f.log.size() == entries);
  f.confirm();
  f.commit();
  REQUIRE(f.answers[watches].second == "*-1\r\n");
}

TEST_CASE("LockDesk: a key is the same in every database, as COPY reaches from one into another (R10)") {
  DeskFixture f;
  f.run("SET lock:a v");
  const uint64_t read = f.submit("EXISTS lock:b");  // of database 0
  f.submit("COPY lock:a lock:b DB 3");
  REQUIRE(f.log.size() == 1);
  f.confirm();
  REQUIRE(f.answers[read].second == ":0\r\n");
  REQUIRE(f.log.size() == 2);
}

TEST_CASE("LockDesk.lost: what comes behind on the link is not run either, and is sent again in its order (R10)") {
  DeskFixture f;
  f.run("SET lock:a other");
  const uint64_t poll = f.submit("SET lock:a me NX"), del = f.submit("DEL lock:a"), other = f.submit("INCR lock:b");
  const uint64_t round = f.desk.take_round();
  const uint64_t read = f.submit("GET lock:b");
  f.desk.lost(round);
  for (const uint64_t id : {poll, del, read}) REQUIRE(f.answers[id].first == ReplyStatus::not_leader);
  f.commit();
  REQUIRE(f.answers[other].second == ":1\r\n");  // it had its entry
  REQUIRE(f.log.size() == 2);
  REQUIRE(f.run("GET lock:a") == "$5\r\nother\r\n");
}

TEST_CASE("LockDesk.lost: a client that is connected here is told of the one, and its next ones run") {
  DeskFixture f;
  f.run("SET lock:a other");
  f.link = kNoConn;
  f.client = 1;
  const uint64_t poll = f.submit("SET lock:a me NX");
  const uint64_t round = f.desk.take_round();
  const uint64_t del = f.submit("DEL lock:a");
  f.desk.lost(round);
  f.commit();
  REQUIRE(f.answers[poll].first == ReplyStatus::not_leader);
  REQUIRE(f.answers[del].second == ":1\r\n");
}

TEST_CASE("LockDesk: what the log does not take in its turn takes those behind it on the link back with it (R10)") {
  DeskFixture f;
  f.run("SET lock:a other");
  f.submit("GET lock:a");
  const uint64_t del = f.submit("DEL lock:a"), set = f.submit("SET lock:a me");
  const uint64_t read = f.submit("GET lock:b");
  f.accepting = false;
  f.confirm();
  f.accepting = true;
  for (const uint64_t id : {del, set, read}) REQUIRE(f.answers[id].first == ReplyStatus::bounced);
  f.confirm();
  REQUIRE(f.log.size() == 1);
  REQUIRE(f.run("GET lock:a") == "$5\r\nother\r\n");
}

TEST_CASE("LockDesk: whatever clients send at once, each sees its own order (R10)") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 60));
  CAPTURE(seed);
  SeededRandom random(seed);
  DeskFixture f;
  f.link = kNoConn;
  // Each has locks of its own, so what it sees is decided by its order alone; a twin runs it one at a time.
  constexpr uint64_t kClients = 3;
  static constexpr std::string_view kLines[] = {"SET lock:%c%k v%v NX",
                                                "SET lock:%c%k v%v XX",
                                                "SET lock:%c%k v%v IFEQ v%v",
                                                "DEL lock:%c%k",
                                                "GET lock:%c%k",
                                                "DELIFEQ lock:%c%k v%v",
                                                "LOCK ACQUIRE lock:%c%k v%v TTL 100000",
                                                "LOCK RELEASE lock:%c%k v%v",
                                                "INCR lock:%c%k.n",
                                                "EXISTS lock:%c%k lock:%c1",
                                                "RENAME lock:%c%k lock:%c%k",
                                                "LOCK TOKEN lock:%c0 v%v"};
  std::vector<std::vector<std::pair<uint64_t, std::string>>> sent(kClients);
  for (int step = 0; step < 200; ++step) {
    const uint64_t client = random.below(kClients);
    std::string line(kLines[random.below(std::size(kLines))]);
    for (size_t at = line.find('%'); at != std::string::npos; at = line.find('%')) {
      line.replace(at, 2, std::to_string(line[at + 1] == 'c' ? client : random.below(2)));
    }
    f.client = client + 1;
    const uint64_t id = f.submit(line);
    sent[client].emplace_back(id, line);
    if (random.percent(20)) f.confirm();
    if (random.percent(20)) f.commit(1 + random.below(4));
  }
  for (int i = 0; i < 400 && f.answers.size() < f.requests; ++i) {
    f.confirm();
    f.commit(1);
  }
  REQUIRE(f.answers.size() == f.requests);
  for (const auto& lines : sent) {
    LockFixture twin;
    for (const auto& [id, line] : lines) {
      CAPTURE(line);
      const std::string expected = twin.run(line);
      const bool tells_token = line.starts_with("LOCK ACQUIRE") || line.starts_with("LOCK TOKEN");
      if (tells_token) {
        REQUIRE(f.answers[id].second.substr(0, 2) == expected.substr(0, 2));  // tokens count the grants of all
      } else {
        REQUIRE(f.answers[id].second == expected);
      }
    }
  }
}

}  // namespace
}  // namespace chainring::coordinator
