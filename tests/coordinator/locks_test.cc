// Locks: tokens, owners, times, limits (R25, R26, R28, R30).

#include <fstream>
#include <iterator>
#include <set>

#include "tests/coordinator/lock_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

std::string visible(std::string_view resp) {
  std::string text;
  for (const char c : resp) {
    if (c == '\r') {
      text += "\\r";
    } else if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text;
}

// testdata/locks.txt: "> command" and the reply behind it; "@ ms" moves the lock time on; "# remark".
TEST_CASE("Locks: the transcript") {
  const std::string path = std::string(CHAINRING_TESTDATA) + "/locks.txt";
  std::ifstream file(path);
  REQUIRE(file.good());
  LockFixture f;
  std::string line, played;
  while (std::getline(file, line)) {
    if (line.starts_with("> ")) {
      played += line + "\n" + visible(f.run(line.substr(2))) + "\n";
    } else if (line.starts_with("@ ")) {
      f.now += std::stoll(line.substr(2));
      played += line + "\n";
    } else if (line.starts_with("#") || line.empty()) {
      played += line + "\n";
    }
  }
  std::ifstream again(path);
  const std::string expected((std::istreambuf_iterator<char>(again)), std::istreambuf_iterator<char>());
  if (played != expected) std::ofstream("locks.txt.played") << played;  // to compare, and to replace it when right
  REQUIRE(played == expected);
}

TEST_CASE("Locks.token: each grant takes the next one, renewal and re-entry keep theirs (R26)") {
  LockFixture f;
  f.run("SET lock:a me NX PX 1000");
  const uint64_t first = f.token("lock:a");
  REQUIRE(first == (uint64_t{1} << kTokenGenerationShift) + 1);
  f.run("PEXPIRE lock:a 5000");
  f.run("SET lock:a me PX 9000");
  f.run("LOCK RENEW lock:a me TTL 100");
  REQUIRE(f.run("LOCK ACQUIRE lock:a me TTL 100") == concat("*2\r\n:", first, "\r\n:100\r\n"));
  REQUIRE(f.token("lock:a") == first);
  f.run("SET lock:a you");  // another owner
  REQUIRE(f.token("lock:a") == first + 1);
  f.run("DEL lock:a");
  f.run("SET lock:a you NX");
  REQUIRE(f.token("lock:a") == first + 2);
  f.now += 10;
  f.run("PEXPIRE lock:a 5");
  f.now += 5;
  f.run("SET lock:a you NX");
  REQUIRE(f.token("lock:a") == first + 3);
}

TEST_CASE("Locks.token: one counter for all locks and databases, below 2^53") {
  LockFixture f;
  uint64_t last = 0;
  for (int i = 0; i < 100; ++i) {
    f.db = static_cast<uint8_t>(i % 16);
    f.run(concat("LOCK ACQUIRE lock:", i % 7, " owner", i, " TTL 1000"));
    f.run(concat("SET redlock:", i, " x"));
    REQUIRE(f.state.locks().last_token() > last);
    last = f.state.locks().last_token();
  }
  REQUIRE(last < uint64_t{1} << 53);
}

TEST_CASE("Locks.token: several keys of one command are granted in a fixed order") {
  LockFixture f, g;
  for (LockFixture* each : {&f, &g}) {
    each->run("MSET {lock:t}c 1 lock:a 2 lock:b 3");
    each->run("RENAME {lock:t}c {lock:t}d");
    each->run("COPY lock:a lock:a DB 4");
  }
  REQUIRE(f.state.snapshot() == g.state.snapshot());
  REQUIRE(f.state.locks().find(0, "{lock:t}c") == nullptr);
  REQUIRE(f.state.locks().find(0, "{lock:t}d") != nullptr);
  REQUIRE(f.state.locks().find(4, "lock:a")->owner == "2");
  std::set<uint64_t> tokens;
  for (const char* key : {"lock:a", "lock:b", "{lock:t}d"}) tokens.insert(f.token(key));
  tokens.insert(f.state.locks().find(4, "lock:a")->token);
  REQUIRE(tokens.size() == 4);
}

TEST_CASE("Locks.advance: time never goes back, and what has expired by it is gone (R25)") {
  LockFixture f;
  f.run("SET lock:a me PX 100");
  f.apply(encode_entry(LockTimeEntry{f.now + 99}));
  REQUIRE(f.state.locks().count() == 1);
  f.apply(encode_entry(LockTimeEntry{f.now - 500}));
  REQUIRE(f.state.locks().time() == f.now + 99);
  f.apply(encode_entry(LockTimeEntry{f.now + 100}));
  REQUIRE(f.state.locks().count() == 0);
}

TEST_CASE("Locks.rests_on_expiry: a lock whose time is up is there until that is committed") {
  LockFixture f;
  f.run("SET lock:a me PX 100");
  f.run("SET lock:b me");
  const std::string_view get_a[] = {"get", "lock:a"}, get_b[] = {"get", "lock:b"}, size[] = {"dbsize"};
  const LockCommand a{protocol::find_command("get"), get_a}, b{protocol::find_command("get"), get_b};
  const LockCommand all{protocol::find_command("dbsize"), size};
  const LockSpace& locks = f.state.locks();
  REQUIRE_FALSE(locks.rests_on_expiry(a, f.now + 99));
  REQUIRE(locks.rests_on_expiry(a, f.now + 100));
  REQUIRE(locks.rests_on_expiry(all, f.now + 100));
  REQUIRE_FALSE(locks.rests_on_expiry(b, f.now + 100));
  REQUIRE(locks.find(0, "lock:a") != nullptr);
}

TEST_CASE("Locks.changes_nothing: what is refused as things are needs no entry (R30)") {
  LockFixture f;
  f.run("SET lock:held me PX 10000");
  const auto nothing = [&](std::string_view line) {
    const std::vector<std::string> owned = words(line);
    const std::vector<std::string_view> args(owned.begin(), owned.end());
    const LockCommand command{protocol::find_command(args), args};
    const bool expected = f.state.locks().changes_nothing(command);
    if (expected) {  // then it can be answered, and the state stays as it is
      const std::string before = f.state.snapshot();
      (void)f.state.locks().read(command, {f.now, f.wall(), &f.random});
      REQUIRE(f.state.snapshot() == before);
    }
    return expected;
  };
  REQUIRE(nothing("SET lock:held x NX PX 5"));
  REQUIRE(nothing("SET lock:held x PX 5 NX GET"));
  REQUIRE(nothing("SET lock:free x XX"));
  REQUIRE(nothing("SET lock:held x IFEQ other"));
  REQUIRE(nothing("SET lock:held x IFEQ NX NX"));
  REQUIRE(nothing("SET lock:held x NX nonsense"));
  REQUIRE(nothing("SET lock:held x EX NX NX"));
  REQUIRE(nothing("SETNX lock:held x"));
  REQUIRE(nothing("DELIFEQ lock:held x"));
  REQUIRE(nothing("LOCK ACQUIRE lock:held x TTL 5"));
  REQUIRE(nothing("LOCK ACQUIRE lock:held x TTL nonsense"));
  REQUIRE(nothing("LOCK RENEW lock:held x TTL 5"));
  REQUIRE(nothing("LOCK RENEW lock:free x TTL 5"));
  REQUIRE(nothing("LOCK RELEASE lock:held x"));
  REQUIRE_FALSE(nothing("SET lock:free x NX PX 5"));
  REQUIRE_FALSE(nothing("SET lock:held x"));
  REQUIRE_FALSE(nothing("SET lock:held x IFEQ me"));
  REQUIRE_FALSE(nothing("SET lock:held x PX 5"));
  REQUIRE_FALSE(nothing("LOCK ACQUIRE lock:held me TTL 5"));
  REQUIRE_FALSE(nothing("LOCK RELEASE lock:held me"));
  REQUIRE_FALSE(nothing("DEL lock:held"));
}

TEST_CASE("Locks.run: no more locks than the limit, and those that are held stay") {
  LockFixture f;
  f.founded(2);
  REQUIRE(f.run("MSET lock:a 1 lock:b 2") == "+OK\r\n");
  REQUIRE(f.run("SET lock:c 3").starts_with("-OOM"));
  REQUIRE(f.run("LOCK ACQUIRE lock:c me TTL 10").starts_with("-OOM"));
  REQUIRE(f.run("MSET lock:b 9 lock:c 3").starts_with("-OOM"));
  REQUIRE(f.run("GET lock:b") == "$1\r\n2\r\n");
  REQUIRE(f.run("SET lock:a 4") == "+OK\r\n");
  REQUIRE(f.run("DEL lock:b") == ":1\r\n");
  REQUIRE(f.run("SET lock:c 3") == "+OK\r\n");
}

TEST_CASE("Locks.run: a copy in another database is one lock more") {
  LockFixture f;
  f.founded(3);
  REQUIRE(f.run("MSET lock:{t}a 1 lock:{t}b 2") == "+OK\r\n");
  REQUIRE(f.run("COPY lock:{t}a lock:{t}a DB 1") == ":1\r\n");
  REQUIRE(f.run("COPY lock:{t}a lock:{t}a DB 2").starts_with("-OOM"));
  REQUIRE(f.run("COPY lock:{t}a lock:{t}b db 3 REPLACE").starts_with("-OOM"));
  REQUIRE(f.run("COPY lock:{t}b lock:{t}a REPLACE DB 1") == ":1\r\n");
  REQUIRE(f.run("COPY lock:{t}a lock:{t}b REPLACE") == ":1\r\n");
  REQUIRE(f.state.locks().count() == 3);
}

TEST_CASE("Locks.run: a lock holds little") {
  LockFixture f;
  const std::string big(kLockValueBytesMax + 1, 'x');
  REQUIRE(f.run("SET lock:a " + big).starts_with("-ERR a lock may hold"));
  REQUIRE(f.run("SET lock:a " + big.substr(1)) == "+OK\r\n");
  REQUIRE(f.run("APPEND lock:a x").starts_with("-ERR a lock may hold"));
  REQUIRE(f.run("SETRANGE lock:b 500000000 x").starts_with("-ERR a lock may hold"));
  REQUIRE(f.run("SETRANGE lock:b 18446744073709551615 x").starts_with("-ERR"));
  REQUIRE(f.run("SET lock:" + std::string(kLockKeyBytesMax, 'k') + " v").starts_with("-ERR a lock key"));
}

TEST_CASE("Locks.read: MGET is refused when its reply would be too long") {
  LockFixture f;
  f.run("SET lock:a " + std::string(kLockValueBytesMax, 'x'));
  std::string line = "MGET";
  for (size_t i = 0; i < kLockReplyBytesMax / kLockValueBytesMax - 1; ++i) line += " lock:a";
  const std::string reply = f.run(line);
  REQUIRE(reply.starts_with("*1023\r\n$65536\r\n"));
  REQUIRE(reply.size() <= kLockReplyBytesMax);
  REQUIRE(f.run(line + " lock:a") == protocol::error_reply(protocol::errors::kReplyTooLong));
}

TEST_CASE("Locks.read: KEYS and LOCK LIST are refused when their reply would be too long") {
  LockFixture f;
  constexpr size_t kLocks = kLockReplyBytesMax / kLockKeyBytesMax + 1;
  f.founded(kLocks);
  std::string key = "lock:" + std::string(kLockKeyBytesMax - 10, 'k');
  for (size_t i = 0; i < kLocks; ++i) f.run(concat("SET ", key, 10'000 + i, " x"));
  const std::string refused = protocol::error_reply(protocol::errors::kReplyTooLong);
  REQUIRE(f.run("KEYS lock:*") == refused);
  REQUIRE(f.run("LOCK LIST") == refused);
  REQUIRE(f.run("KEYS lock:*10100") == concat("*1\r\n$4096\r\n", key, "10100\r\n"));
}

// Locks whose time is over, so many that no entry removes them all, and one of those that go last.
void leave_the_time_behind(LockFixture& f, std::string_view last) {
  f.founded(100'000);
  f.run(concat("SET ", last, " me PX 149"));
  for (size_t i = 0; i < 3 * kExpiredPerEntryMax; ++i) f.run(concat("SET lock:", i, " x PX ", 100 + i % 50));
  f.now += 500;
}

TEST_CASE("Locks.run: what is granted while the time stays behind is held for all of its time (R25)") {
  LockFixture f;
  leave_the_time_behind(f, "lock:last");
  const bool native = GENERATE(false, true);
  CHECK(f.run(native ? "LOCK ACQUIRE lock:new me TTL 1000" : "SET lock:new me NX PX 1000").front() != '-');
  CHECK(f.state.locks().time() < f.now);
  const Lock* lock = f.state.locks().find(0, "lock:new");
  REQUIRE(lock != nullptr);
  CHECK(lock->deadline == f.now + 1000);
  CHECK(lock->granted_at == f.now);
}

TEST_CASE("Locks.run: what has expired is gone for who names it, although the time stays behind (R25, R26)") {
  LockFixture f;
  leave_the_time_behind(f, "lock:last");
  const uint64_t token = f.token("lock:last");
  const std::string_view line =
      GENERATE("LOCK ACQUIRE lock:last me TTL 1000", "PSETEX lock:last 1000 me", "SET lock:last me NX PX 1000");
  CAPTURE(line);
  f.apply(encode_entry(LockTimeEntry{f.now}));
  REQUIRE(f.state.locks().find(0, "lock:last") != nullptr);
  LockFixture restored;  // one that begins with a snapshot from in between
  REQUIRE(restored.state.restore(f.state.snapshot()).ok());
  restored.index = f.index;
  restored.now = f.now;
  const std::string reply = f.run(line);
  CHECK(f.state.locks().time() < f.now);
  CHECK(f.token("lock:last") > token);
  CHECK(f.state.locks().find(0, "lock:last")->deadline == f.now + 1000);
  CHECK(restored.run(line) == reply);
  CHECK(restored.state.snapshot() == f.state.snapshot());
}

TEST_CASE("Locks.write: a lock takes no more of a snapshot than is counted of it") {
  LockFixture f;
  const size_t without = f.state.snapshot().size();
  const std::string key = "lock:" + std::string(1000, 'k'), owner(kLockValueBytesMax, 'o');
  f.run(concat("SET ", key, " ", owner, " PX 1000"));
  CHECK(f.state.snapshot().size() - without <= key.size() + owner.size() + kLockOverheadBytes);
}

TEST_CASE("Locks.read: SCAN meets every lock that is held during the whole walk, once") {
  LockFixture f;
  std::set<std::string> stay;
  for (int i = 0; i < 300; ++i) {
    f.run(concat("SET lock:", i, " x"));
    if (i % 3 != 0) stay.insert(concat("lock:", i));
  }
  f.db = 1;
  f.run("SET lock:elsewhere x");
  f.db = 0;
  std::multiset<std::string> seen;
  std::string cursor = std::to_string(uint64_t{16384} << 48);  // as a router begins
  for (int turn = 0;; ++turn) {
    const std::string reply = f.run(concat("SCAN ", cursor, " COUNT 20"));
    protocol::ReplyValue value;
    REQUIRE(protocol::parse_reply(reply, value).state == protocol::ReplyExtent::State::ready);
    cursor = value.items.at(0).text;
    for (const protocol::ReplyValue& key : value.items.at(1).items) seen.insert(key.text);
    if (turn < 100) {  // others come and go, some change their owner
      f.run(concat("DEL lock:", turn * 3));
      f.run(concat("SET lock:new", turn, " x"));
      f.run(concat("SET lock:", turn * 3 + 1, " other"));
    }
    if (cursor == "0") break;
    REQUIRE(std::stoull(cursor) >> 48 == 16384);
  }
  for (const std::string& key : stay) REQUIRE(seen.count(key) == 1);
  REQUIRE(seen.count("lock:elsewhere") == 0);
}

TEST_CASE("with_durations: times of the wall clock become lengths of time (R25)") {
  const auto shortened = [](std::string_view line, Millis wall) {
    const std::vector<std::string> owned = words(line);
    const std::vector<std::string_view> args(owned.begin(), owned.end());
    std::string text;
    for (const std::string& word : with_durations({protocol::find_command(args), args}, wall)) {
      append_text(text, text.empty() ? "" : " ", word);
    }
    return text;
  };
  REQUIRE(shortened("SET k v EXAT 10", 4'000) == "SET k v PX 6000");
  REQUIRE(shortened("SET k v NX pxat 10000 GET", 4'000) == "SET k v NX PX 6000 GET");
  REQUIRE(shortened("SET k v PXAT 10", 4'000) == "SET k v PX 1");
  REQUIRE(shortened("SET k v IFEQ EXAT EX 10", 4'000) == "SET k v IFEQ EXAT EX 10");
  REQUIRE(shortened("SET EXAT 10 EX 10", 4'000) == "SET EXAT 10 EX 10");
  REQUIRE(shortened("SET k v EXAT 0", 4'000) == "SET k v EXAT 0");
  REQUIRE(shortened("SET k v EXAT ten", 4'000) == "SET k v EXAT ten");
  REQUIRE(shortened("SET k v EXAT 9223372036854775807", 4'000) == "SET k v EXAT 9223372036854775807");
  REQUIRE(shortened("GETEX k EXAT 10", 4'000) == "GETEX k PX 6000");
  REQUIRE(shortened("EXPIREAT k 10 GT", 4'000) == "PEXPIRE k 6000 GT");
  REQUIRE(shortened("PEXPIREAT k 10", 4'000) == "PEXPIRE k -3990");
  REQUIRE(shortened("PEXPIREAT k -9223372036854775808", 4'000) == "PEXPIREAT k -9223372036854775808");
  REQUIRE(shortened("PEXPIRE k 10", 4'000) == "PEXPIRE k 10");
}

}  // namespace
}  // namespace chainring::coordinator
