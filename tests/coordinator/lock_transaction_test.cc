// WATCH and EXEC on the lock keyspace.
#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/resp.h"
#include "protocol/transaction.h"
#include "tests/coordinator/lock_fixture.h"

#include <catch2/catch.hpp>

namespace chainring::coordinator {
namespace {

constexpr std::string_view kNull = "*-1\r\n";

struct TransactionFixture : LockFixture {
  std::string watch(std::string_view keys) {
    const std::string reply = run(concat("WATCH ", keys));
    protocol::ReplyValue value;
    REQUIRE(protocol::parse_reply(reply, value).state == protocol::ReplyExtent::State::ready);
    REQUIRE(value.kind == protocol::ReplyValue::Kind::bulk);
    return value.text;
  }
  LockTransactionEntry entry(const std::vector<std::string_view>& lines, std::vector<std::string> marks = {}) {
    LockTransactionEntry made;
    made.time = now;
    const std::string bytes = transaction_payload(lines, std::move(marks));
    const auto transaction = protocol::parse_transaction(bytes, 0);
    REQUIRE(transaction.ok());
    made.payload = with_durations(*transaction, 0, wall());
    return made;
  }
  std::string exec(const std::vector<std::string_view>& lines, std::vector<std::string> marks = {}) {
    return apply(encode_entry(entry(lines, std::move(marks)))).lock->reply.resp;
  }
};

std::string refusal(const std::vector<std::string_view>& lines) {
  const std::string bytes = transaction_payload(lines);
  const auto transaction = protocol::parse_transaction(bytes, 0);
  REQUIRE(transaction.ok());
  return refuse_lock_transaction(*transaction, {"lock:"});
}

}  // namespace

TEST_CASE("LockSpace.run: a transaction is one entry, with a reply for each command") {
  TransactionFixture f;
  CHECK(f.exec({"SET lock:a me NX PX 1000", "SET lock:a you NX", "GET lock:a", "PTTL lock:a", "INCR lock:a"}) ==
        "*5\r\n+OK\r\n$-1\r\n$2\r\nme\r\n:1000\r\n-ERR value is not an integer or out of range\r\n");
  CHECK(f.token("lock:a") == f.state.locks().last_token());
}

TEST_CASE("LockSpace.run: a transaction's times of the wall clock become durations (R25)") {
  TransactionFixture f;
  f.exec({"SET lock:a me PXAT 1700000006000", "SET lock:b me", "PEXPIREAT lock:b 1700000007000"});
  CHECK(f.run("PTTL lock:a") == ":5000\r\n");
  CHECK(f.run("PTTL lock:b") == ":6000\r\n");
}

TEST_CASE("LockSpace.run: a transaction that is sent again does not run again (R20)") {
  TransactionFixture f;
  LockTransactionEntry entry = f.entry({"INCR lock:n", "INCR lock:n"});
  entry.sender = 77;
  entry.number = 1;
  CHECK(f.apply(encode_entry(entry)).lock->reply.resp == "*2\r\n:1\r\n:2\r\n");
  CHECK(f.apply(encode_entry(entry)).lock->reply.resp == "*2\r\n:1\r\n:2\r\n");
  CHECK(f.run("GET lock:n") == "$1\r\n2\r\n");
}

TEST_CASE("LockSpace.watch: EXEC runs when no watched lock has changed") {
  TransactionFixture f;
  f.run("SET lock:a me");
  const std::string mark = f.watch("lock:a lock:free");
  f.run("SET lock:other me");
  f.run("SET lock:a you NX");
  CHECK(f.exec({"DEL lock:a", "SET lock:free me"}, {mark}) == "*2\r\n:1\r\n+OK\r\n");
}

TEST_CASE("LockSpace.watch: a change of a watched lock makes EXEC null, and it does nothing") {
  TransactionFixture f;
  f.run("SET lock:a me PX 1000");
  const std::string mark = f.watch("lock:a lock:free");
  const std::string_view change = GENERATE("DEL lock:a", "SET lock:a me", "PEXPIRE lock:a 5000", "SET lock:free x",
                                           "LOCK RELEASE lock:a me", "expiry", "exec", "ABA");
  INFO(change);
  if (change == "expiry") {
    f.now += 1000;
  } else if (change == "exec") {
    f.exec({"SET lock:free me"});
  } else if (change == "ABA") {
    f.run("SET lock:free me");
    f.run("DEL lock:free");
  } else {
    f.run(change);
  }
  CHECK(f.exec({"SET lock:q 1"}, {mark}) == kNull);
  CHECK(f.run("GET lock:q") == "$-1\r\n");
}

TEST_CASE("LockSpace.watch: a mark is as good after a snapshot, and a malformed one aborts") {
  TransactionFixture f;
  f.run("SET lock:a me");
  const std::string kept = f.watch("lock:a lock:free"), lost = f.watch("lock:gone");
  f.run("SET lock:gone me");
  f.run("DEL lock:gone");
  State restored;
  REQUIRE(restored.restore(f.state.snapshot()).ok());
  f.state = std::move(restored);
  CHECK(f.exec({"GET lock:a"}, {lost}) == kNull);
  CHECK(f.exec({"GET lock:a"}, {"?"}) == kNull);
  CHECK(f.exec({"GET lock:a"}, {kept}) == "*1\r\n$2\r\nme\r\n");
}

TEST_CASE("LockSpace.watch: a watched lock that has expired has changed, although the time stays behind") {
  TransactionFixture f;
  f.founded(100'000);
  f.run("SET lock:last me PX 149");
  for (size_t i = 0; i < 3 * kExpiredPerEntryMax; ++i) f.run(concat("SET lock:", i, " x PX ", 100 + i % 50));
  const std::string mark = f.watch("lock:last");
  f.now += 500;
  CHECK(f.exec({"SET lock:q 1"}, {mark}) == kNull);
  CHECK(f.state.locks().time() < f.now);
  CHECK(f.state.locks().find(0, "lock:q") == nullptr);
}

TEST_CASE("LockSpace.run: replies of a transaction that are too long are errors, and its writes are executed") {
  TransactionFixture f;
  const std::string value(kLockValueBytesMax, 'x');
  f.run("SET lock:a " + value);
  std::vector<std::string_view> lines(40'000, "GET lock:a");
  lines.push_back("INCR lock:n");
  lines.push_back("GETSET lock:a y");
  lines.push_back("GET lock:a");
  const std::string reply = f.exec(lines);
  const std::string refused = protocol::error_reply(protocol::errors::kRepliesTooLong);
  CHECK(reply.starts_with(concat("*40003\r\n$65536\r\n", value, "\r\n$65536\r\n")));
  CHECK(reply.ends_with(concat(refused, ":1\r\n", refused, refused)));
  CHECK(reply.size() <= kLockTransactionReplyBytesMax + lines.size() * refused.size());
  CHECK(f.run("GET lock:a") == "$1\r\ny\r\n");
}

TEST_CASE("LockSpace.run: an MGET of a transaction that would tell too much is not executed") {
  TransactionFixture f;
  f.run("SET lock:a " + std::string(kLockValueBytesMax, 'x'));
  std::string line = "MGET";
  for (size_t i = 0; i < kLockTransactionReplyBytesMax / kLockValueBytesMax; ++i) line += " lock:a";
  CHECK(f.exec({line, "DEL lock:a"}) ==
        concat("*2\r\n", protocol::error_reply(protocol::errors::kReplyTooLong), ":1\r\n"));
}

TEST_CASE("refuse_lock_transaction: only what has one outcome on all coordinators") {
  CHECK(refusal({"SET lock:a 1", "GET lock:b"}).empty());
  for (const std::string_view line :
       {"GET cache", "OBJECT IDLETIME lock:a", "MEMORY USAGE lock:a", "PEXPIRETIME lock:a",
        "LOCK ACQUIRE lock:a me TTL 1000", "DBSIZE", "FLUSHALL", "LCS lock:a lock:b"}) {
    INFO(line);
    CHECK(refusal({"SET lock:a 1", line}).starts_with("ERR "));
  }
}

}  // namespace chainring::coordinator
