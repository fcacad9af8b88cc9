// What the desk takes of one turn, whatever is asked of it: in locks that are looked at, not in time (R13).

#include "protocol/lock_keys.h"
#include "tests/coordinator/desk_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using protocol::ReplyStatus;

constexpr uint64_t kTurn = LockDesk::kLooksPerTurnMax;

// "MSET lock:<first> x lock:<first + 1> x ...", or any other command on so many keys.
std::string with_keys(std::string command, uint64_t keys, std::string_view behind_each = "", uint64_t first = 0) {
  for (uint64_t i = first; i < first + keys; ++i) append_text(command, " lock:", 100'000 + i, behind_each);
  return command;
}

struct TurnFixture : DeskFixture {
  explicit TurnFixture(uint64_t locks) {
    REQUIRE(state.apply(first_index++, encode_entry(SettingsEntry{1'000'000})).ok());
    for (uint64_t held = 0; held < locks;) {
      const uint64_t more = std::min<uint64_t>(1000, locks - held);
      REQUIRE(run(with_keys("MSET", more, " x", held)) == "+OK\r\n");
      held += more;
    }
    pass(1);
  }
  // How many of the requests have been answered, which must be the first ones.
  [[nodiscard]] size_t answered(const std::vector<uint64_t>& ids) const {
    size_t done = 0;
    while (done < ids.size() && answers.contains(ids[done])) ++done;
    for (size_t i = done; i < ids.size(); ++i) REQUIRE_FALSE(answers.contains(ids[i]));
    return done;
  }
  std::vector<uint64_t> submit_many(size_t count, std::string_view line) {
    std::vector<uint64_t> ids;
    while (ids.size() < count) ids.push_back(submit(line));
    return ids;
  }
  // Answers them in turns, no more than `per_turn_max` in each; how many turns there were.
  size_t turns_for(const std::vector<uint64_t>& ids, size_t per_turn_max) {
    confirm();
    size_t turns = 1, before = 0;
    for (size_t now_done = answered(ids); now_done < ids.size(); now_done = answered(ids), ++turns) {
      REQUIRE(now_done - before <= per_turn_max);
      REQUIRE(now_done > before);
      REQUIRE(desk.next_tick() == now.mono);
      before = now_done;
      pass(0);
    }
    REQUIRE(desk.next_tick() == kNever);
    return turns;
  }
};

TEST_CASE("LockDesk: walks that find nothing take of a turn what they look at, in the order in which they came (R13)") {
  TurnFixture f(1000);
  const std::vector<uint64_t> lists = f.submit_many(100, "LOCK LIST MATCH zzz*");
  REQUIRE(f.turns_for(lists, kTurn / 1000 + 1) >= 100 * 1000 / kTurn);
  for (const uint64_t id : lists) REQUIRE(f.answers[id] == std::pair(ReplyStatus::done, std::string("*0\r\n")));

  REQUIRE(f.turns_for(f.submit_many(100, "KEYS zzz*"), kTurn / 1000 + 1) >= 100 * 1000 / kTurn);
  REQUIRE(f.turns_for(f.submit_many(100, "SCAN 0 COUNT 500 MATCH zzz*"), kTurn / 500 + 1) >= 100 * 500 / kTurn);
  REQUIRE(f.turns_for(f.submit_many(100, "RANDOMKEY"), kTurn / 1000 + 1) >= 100 * 1000 / kTurn);
}

TEST_CASE("LockDesk: requests that name locks take of a turn what they name (R13)") {
  TurnFixture f(10);
  REQUIRE(f.turns_for(f.submit_many(50, with_keys("EXISTS", 1000)), kTurn / 1000 + 1) >= 50 * 1000 / kTurn);
  REQUIRE(f.turns_for(f.submit_many(2 * kTurn, "GET lock:a"), kTurn) >= 2);
}

TEST_CASE("LockDesk: who names a lock does not wait for walks") {
  TurnFixture f(1000);
  const std::vector<uint64_t> lists = f.submit_many(100, "LOCK LIST MATCH zzz*");
  f.link = 6;
  const uint64_t get = f.submit("GET lock:100000"), poll = f.submit("SET lock:100000 me NX");
  f.confirm();
  REQUIRE(f.answered(lists) < lists.size());
  REQUIRE(f.answers[get].second == "$1\r\nx\r\n");
  REQUIRE(f.answers[poll].second == "$-1\r\n");
}

TEST_CASE(
    "LockDesk: a walk that is longer than a turn goes on in the next, with all that is held all the while (R13)") {
  constexpr uint64_t kLocks = 2 * kTurn + 1000;
  TurnFixture f(kLocks);
  const bool keys = GENERATE(false, true);
  const uint64_t walk = f.submit(keys ? "KEYS lock:*" : "LOCK LIST");
  const uint64_t next = f.submit("DBSIZE"), own = f.submit("DEL lock:100000");  // R10: of its client
  f.confirm();
  f.link = 6;
  f.run(concat("DEL lock:", 100'000 + kLocks - 1));
  f.run(concat("SET lock:", 100'000 + kTurn, " other"));
  f.run(concat("SET lock:", 200'000, " x"));
  f.run("SET lock:0 x");  // the walk is past it
  f.pass(1);
  f.commit();
  REQUIRE_FALSE(f.answers.contains(walk));
  REQUIRE_FALSE(f.answers.contains(own));
  f.pass(1);
  f.commit();
  REQUIRE(f.answers.contains(next));
  REQUIRE(f.answers[own].second == ":1\r\n");
  protocol::ReplyValue told;
  REQUIRE(protocol::parse_reply(f.answers[walk].second, told).state == protocol::ReplyExtent::State::ready);
  std::vector<std::string> expected;
  for (uint64_t i = 0; i + 1 < kLocks; ++i) expected.push_back(concat("lock:", 100'000 + i));
  expected.push_back("lock:200000");
  REQUIRE(told.items.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) REQUIRE(told.items[i].text == expected[i]);
}

TEST_CASE("LockDesk: a poll that waits for the next turn is judged there: what has come free is proposed") {
  TurnFixture f(10);
  f.link = 6;
  f.submit_many(kTurn / 1000 + 1, with_keys("EXISTS", 1000));
  f.link = 5;
  const uint64_t poll = f.submit("SET lock:100001 me NX");
  f.confirm();
  REQUIRE_FALSE(f.answers.contains(poll));
  f.link = 7;
  f.submit("DEL lock:100001");
  f.commit();
  const size_t entries = f.log.size();
  f.pass(1);
  REQUIRE(f.log.size() == entries + 1);
  f.commit();
  REQUIRE(f.answers[poll].second == "+OK\r\n");
}

TEST_CASE("LockDesk: what has waited for the time to be committed does not do so again in the next turn (R25)") {
  TurnFixture f(10);
  f.run("SET lock:a me PX 100");
  f.submit_many(kTurn / 1000 + 1, with_keys("EXISTS", 1000));
  const uint64_t get = f.submit("GET lock:a");
  f.confirm();
  f.accepting = false;
  f.pass(150);
  REQUIRE(f.answers[get].second == "$2\r\nme\r\n");
}

TEST_CASE("LockDesk: a walk under way is not sent back for what others read") {
  TurnFixture f(kTurn + 1000);
  f.run("SET lock:a " + std::string(kLockValueBytesMax, 'x'));
  const uint64_t walk = f.submit("LOCK LIST MATCH zzz*");
  f.confirm();
  f.submit_many(kTurn / 1000 + 1, with_keys("EXISTS", 1000));
  std::string line = "MGET";
  for (size_t i = 0; i < 1000; ++i) line += " lock:a";
  const std::vector<uint64_t> reads = f.submit_many(4, line);
  f.confirm();
  f.pass(1);
  REQUIRE(f.answers[reads.back()].first == ReplyStatus::bounced);
  REQUIRE(f.answers[walk].second == "*0\r\n");
}

TEST_CASE("LockDesk.submit: walks that owe too much are refused, not others") {
  constexpr uint64_t kLocks = 20'000;
  TurnFixture f(kLocks);
  const size_t fit = LockDesk::kLooksOwedMax / kLocks;
  const std::vector<uint64_t> lists = f.submit_many(fit, "LOCK LIST MATCH zzz*");
  REQUIRE(f.answered(lists) == 0);
  REQUIRE(f.answers[f.submit("KEYS *")].second.starts_with("-TRYAGAIN"));
  const uint64_t get = f.submit("GET lock:100000");
  f.confirm();
  REQUIRE(f.answers[get].first == ReplyStatus::done);
  f.pass(1);
  REQUIRE(f.answered(lists) > 0);
  const uint64_t later = f.submit("KEYS *");
  REQUIRE_FALSE(f.answers.contains(later));
  f.desk.resign();
  REQUIRE(f.answers[later].first == ReplyStatus::not_leader);
  REQUIRE(f.answers[lists.back()].first == ReplyStatus::not_leader);
  REQUIRE(f.desk.next_tick() == kNever);
  f.desk.lead(0, f.now);
  const uint64_t again = f.submit("KEYS zzz*");
  f.confirm();
  f.pass(1);
  REQUIRE(f.answers[again].second == "*0\r\n");
}

TEST_CASE(
    "LockDesk.submit: a command or transaction names no more keys than the limit, those that it watches included") {
  TurnFixture f(10);
  const std::string error = protocol::error_reply(protocol::too_many_lock_keys());
  constexpr uint64_t kMost = protocol::kLockKeysMax;
  REQUIRE(f.answers[f.submit(with_keys("MSET", kMost + 1, " x"))].second == error);
  REQUIRE(f.answers[f.submit(with_keys("EXISTS", kMost + 1))].second == error);
  REQUIRE(f.run(with_keys("EXISTS", kMost)) == ":10\r\n");
  REQUIRE(f.run(with_keys("MSET", kMost, " x")) == "+OK\r\n");

  const std::string half = with_keys("DEL", kMost / 2);
  REQUIRE(f.answers[f.submit_transaction({half, half, "INCR lock:n"})].second == error);
  protocol::ReplyValue mark;
  (void)protocol::parse_reply(f.run("WATCH lock:a"), mark);
  REQUIRE(f.answers[f.submit_transaction({half, half}, {mark.text})].second == error);
  const uint64_t exec = f.submit_transaction({half, half});
  f.commit();
  REQUIRE(f.answers[exec].second == "*2\r\n:512\r\n:0\r\n");
}

TEST_CASE("LockDesk.submit: so many keys are on their way to be applied, and what is too much is sent back (R13)") {
  TurnFixture f(0);
  const std::string line = with_keys("DEL", protocol::kLockKeysMax);
  const size_t fit = LockDesk::kProposedKeysMax / protocol::kLockKeysMax;
  const std::vector<uint64_t> writes = f.submit_many(fit, line);
  REQUIRE(f.log.size() == fit);
  REQUIRE(f.answers[f.submit("INCR lock:n")].first == ReplyStatus::bounced);
  f.commit(1);
  f.submit("INCR lock:n");
  REQUIRE(f.log.size() == fit + 1);
  f.commit();
  REQUIRE(f.answers[writes.back()].second == ":0\r\n");
  f.submit_many(fit, line);
  f.desk.resign();
  f.desk.lead(0, f.now);
  const size_t before = f.log.size();
  f.submit_many(fit, line);
  REQUIRE(f.log.size() == before + fit);
}

}  // namespace
}  // namespace chainring::coordinator
