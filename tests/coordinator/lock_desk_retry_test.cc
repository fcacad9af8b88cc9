// Writes that changed nothing, and so left no entry, are not run behind later ones when they are sent again (R20, R30).

#include "tests/coordinator/desk_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using protocol::ReplyStatus;
using protocol::Sent;

struct RetryFixture : DeskFixture {
  // Somebody else leads now; the state is what was committed.
  void change_leader() {
    desk.resign();
    log.resize(committed);
    answers.clear();
    desk.lead(0, now);
  }
  std::string holder(std::string_view key) {
    const Lock* lock = state.locks().find(0, key);
    return lock == nullptr ? "" : lock->owner;
  }
};

TEST_CASE("LockDesk: a write without an entry is settled by the next entry of its sender, for every leader (R20)") {
  RetryFixture f;
  f.submit("LOCK RELEASE lock:a me", 1);
  f.confirm();
  f.submit("SET lock:a me NX", 2);
  f.commit();
  f.change_leader();
  f.link = 6;
  REQUIRE(f.run("LOCK RELEASE lock:a me", 1) == ":0\r\n");
  REQUIRE(f.run("SET lock:a me NX", 2) == "+OK\r\n");
  REQUIRE(f.holder("lock:a") == "me");
}

TEST_CASE("LockDesk: it is settled by a transaction, too (R20)") {
  RetryFixture f;
  f.run("DELIFEQ lock:a me", 1);
  f.submit_transaction({"SET lock:a me"}, {}, 2);
  f.commit();
  f.change_leader();
  REQUIRE(f.run("DELIFEQ lock:a me", 1) == ":0\r\n");
  REQUIRE(f.holder("lock:a") == "me");
}

TEST_CASE("LockDesk: while its sender has no later entry it may be run again by the next leader") {
  RetryFixture f;
  f.run("SET lock:a other");
  REQUIRE(f.run("SET lock:a me NX", 1) == "$-1\r\n");
  f.run("DEL lock:a");
  if (GENERATE(false, true)) f.submit("INCR lock:n", 2);  // is lost with its leader
  f.change_leader();
  REQUIRE(f.run("SET lock:a me NX", 1) == "+OK\r\n");
}

TEST_CASE("LockDesk: the leader that answered it answers the same on another link, without an entry (R20, R30)") {
  RetryFixture f;
  f.run("SET lock:a other");
  REQUIRE(f.run("SET lock:a me NX", 1) == "$-1\r\n");
  f.run("DEL lock:a");
  const size_t entries = f.log.size();
  f.link = 6;
  const uint64_t again = f.submit("SET lock:a me NX", 1);
  REQUIRE_FALSE(f.answers.contains(again));  // nor does it answer before it knows that it still leads
  f.confirm();
  REQUIRE(f.answers[again].second == "$-1\r\n");
  REQUIRE(f.log.size() == entries);
  REQUIRE(f.holder("lock:a").empty());
}

TEST_CASE("LockDesk: sent again while the entry that settles it is under way, it is not run behind that (R20)") {
  RetryFixture f;
  REQUIRE(f.run("LOCK RELEASE lock:a me", 1) == ":0\r\n");
  f.submit("SET lock:a me NX", 2);
  f.link = 6;
  const uint64_t again = f.submit("LOCK RELEASE lock:a me", 1);
  f.confirm();
  f.commit();
  f.commit();
  REQUIRE(f.answers[again].second == ":0\r\n");
  REQUIRE(f.holder("lock:a") == "me");
}

TEST_CASE("LockDesk: an answer stays noted when the log does not take the entry that would tell it (R20)") {
  RetryFixture f;
  f.run("LOCK RELEASE lock:a me", 1);
  f.accepting = false;
  f.submit("SET lock:a me NX", 2);
  f.accepting = true;
  f.run("SET lock:a me NX", 2);
  f.change_leader();
  REQUIRE(f.run("LOCK RELEASE lock:a me", 1) == ":0\r\n");
  REQUIRE(f.holder("lock:a") == "me");
}

TEST_CASE("LockDesk: an entry tells each answer once, of its own sender, and none that was called answered") {
  RetryFixture f;
  f.run("SET lock:a other");
  f.run("SET lock:a me NX", 1);
  f.run("SET lock:a me NX", 2);
  f.sender = 88;
  f.run("INCR lock:n", 1);
  REQUIRE(f.state.answers().find(77, 1, Sent::once).verdict == Answers::Verdict::fresh);
  f.sender = 77;
  f.submit("INCR lock:n", 3, 2);
  f.commit();
  REQUIRE(f.state.answers().find(77, 1, Sent::once).verdict == Answers::Verdict::expired);
  REQUIRE(f.state.answers().find(77, 2, Sent::once).answer->resp == "$-1\r\n");
  const size_t entry_bytes = f.log.back().size();
  f.submit("INCR lock:n", 4, 2);
  REQUIRE(f.log.back().size() < entry_bytes);
}

TEST_CASE("LockDesk: a late copy of a write that was called answered is refused, although it left no entry (R20)") {
  RetryFixture f;
  f.run("SET lock:a other");
  f.run("SET lock:a me NX", 1);
  f.submit("SET lock:a me NX", 2, 2);
  f.confirm();
  f.run("DEL lock:a");
  const uint64_t late = f.submit("SET lock:a me NX", 1);
  f.confirm();
  f.commit();
  REQUIRE(f.answers[late].first == ReplyStatus::expired);
  REQUIRE(f.holder("lock:a").empty());
}

TEST_CASE("LockDesk: answers that are too much to be noted are refused by the next leader, not run again (R20)") {
  RetryFixture f;
  const std::string big(60'000, 'x');
  f.run(concat("SET lock:a ", big));
  f.submit("LOCK RELEASE lock:a me", 1);
  const uint64_t polls = Answers::kAnswerBytesMax / big.size() + 1;
  for (uint64_t i = 0; i < polls; ++i) f.submit("SET lock:a me NX GET", 2 + i);
  f.confirm();
  REQUIRE(f.answers.size() == 2 + polls);
  f.run("DEL lock:a", 2 + polls);
  f.run("SET lock:a me NX", 3 + polls);
  f.change_leader();
  const uint64_t forgotten = f.submit("LOCK RELEASE lock:a me", 1);
  f.confirm();
  f.commit();
  REQUIRE(f.answers[forgotten].first == ReplyStatus::expired);
  REQUIRE(f.holder("lock:a") == "me");
}

TEST_CASE(
    "LockDesk: of more senders than are noted, the answers that are forgotten are refused by every leader (R20)") {
  RetryFixture f;
  f.run("SET lock:taken other");
  REQUIRE(f.run("LOCK RELEASE lock:a me", 1) == ":0\r\n");
  for (Incarnation other = 1; other <= Answers::kSendersMax; ++other) {
    f.sender = 1'000 + other;
    f.submit("SET lock:taken me NX", 1);
  }
  f.confirm();
  f.sender = 77;
  REQUIRE(f.run("SET lock:a me NX", 2) == "+OK\r\n");
  if (GENERATE(false, true)) f.change_leader();
  f.sent = Sent::again;
  const uint64_t forgotten = f.submit("LOCK RELEASE lock:a me", 1);
  f.confirm();
  f.commit();
  REQUIRE(f.answers[forgotten].first == ReplyStatus::expired);
  REQUIRE(f.holder("lock:a") == "me");
  REQUIRE(f.run("SET lock:a me NX", 2) == "+OK\r\n");  // that is known
  REQUIRE(f.run("DELIFEQ lock:a me", 3) == ":1\r\n");  // so is that it has not run
}

TEST_CASE("LockDesk: an answer goes to the newer link, in whatever order the copies of a write are looked at (R20)") {
  RetryFixture f;
  f.run("SET lock:a other");
  const uint64_t old = f.submit("SET lock:a me NX", 1);
  f.link = 7;
  f.submit("DEL lock:a");
  f.commit();
  f.link = 6;
  const uint64_t again = f.submit("SET lock:a me NX", 1);  // the lock is free: it is proposed at once
  REQUIRE(f.log.size() == 3);
  f.confirm();
  f.commit();
  REQUIRE(f.answers[again].second == "+OK\r\n");
  REQUIRE_FALSE(f.answers.contains(old));
}

}  // namespace
}  // namespace chainring::coordinator
