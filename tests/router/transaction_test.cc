// Transactions through the router: one request to one place.
#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/reply.h"
#include "protocol/transaction.h"
#include "tests/router/rig.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

using test::Arrived;
using test::key_in;
using test::Rig;

const std::string kLow = key_in(0);       // of the first half of the slots
const std::string kHigh = key_in(16000);  // of the second
constexpr uint8_t kWriting = protocol::kRequestTransaction | protocol::kRequestWrite;

// Names of the queued commands and their keys.
std::vector<std::string> commands_of(const Arrived& arrived) {
  const auto transaction = protocol::parse_transaction(arrived.transaction, arrived.header.db);
  REQUIRE(transaction.ok());
  std::vector<std::string> commands;
  for (const auto& command : transaction->commands) commands.push_back(concat(command.args[0], ' ', command.args[1]));
  return commands;
}

ConnId queue(Rig& rig, std::vector<std::vector<std::string_view>> commands) {
  const ConnId client = rig.connect();
  rig.request(client, {"MULTI"});
  for (auto& command : commands) rig.request(client, std::move(command));
  rig.request(client, {"EXEC"});
  return client;
}

}  // namespace

TEST_CASE("Router.transaction: it is one request, and a write when one of its commands is") {
  Rig rig;
  rig.publish(rig.table({1, 2}));
  const ConnId client = queue(rig, {{"GET", kHigh}, {"SET", kHigh, "v"}});
  const auto arrived = rig.requests(2);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].header.slot == 16000);
  CHECK(arrived[0].header.flags == kWriting);
  CHECK(arrived[0].header.number == 1);
  CHECK(commands_of(arrived[0]) == std::vector<std::string>{"GET " + kHigh, "SET " + kHigh});
  rig.reply(2, arrived[0].header.id, "*2\r\n$-1\r\n+OK\r\n");
  CHECK(rig.read(client) == "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$-1\r\n+OK\r\n");

  queue(rig, {{"GET", kHigh}});
  const auto reading = rig.requests(2);
  REQUIRE(reading.size() == 1);
  CHECK(reading[0].header.flags == protocol::kRequestTransaction);
  CHECK(reading[0].header.number == 0);
}

TEST_CASE("Router.transaction: with a lock key it goes to the leader, and does not mix with others") {
  Rig rig;
  rig.publish(rig.table({1}));
  queue(rig, {{"GET", "lock:a"}, {"DEL", "lock:b"}});
  const auto arrived = rig.requests(kNoMember);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].header.slot == protocol::kNoSlot);
  CHECK(arrived[0].header.flags == kWriting);
  const ConnId client = queue(rig, {{"GET", "lock:a"}, {"GET", kLow}});
  CHECK(rig.read(client).find("-CROSSSLOT") != std::string::npos);
  CHECK(rig.requests(kNoMember).empty());
}

TEST_CASE("Router.transaction: a command over several slots is refused when it is queued") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = queue(rig, {{"MSET", kLow, "1", kHigh, "2"}});
  CHECK(rig.read(client) ==
        "+OK\r\n-CROSSSLOT Keys in request don't hash to the same slot\r\n"
        "-EXECABORT Transaction discarded because of previous errors.\r\n");
  const ConnId other = queue(rig, {{"RING", "STATUS"}});
  CHECK(rig.read(other).find("-ERR 'ring|status' cannot be part of a transaction") != std::string::npos);
  CHECK(rig.requests(1).empty());
}

TEST_CASE("Router.transaction: it is sent again with its number when its node did not answer (R20)") {
  Rig rig;
  rig.publish(rig.table({1}, 1));
  const ConnId client = queue(rig, {{"INCR", kLow}});
  REQUIRE(rig.requests(1).size() == 1);
  rig.break_link(1);
  rig.publish(rig.table({2}, 2));
  rig.advance(1000);
  const auto again = rig.requests(2);
  REQUIRE(again.size() == 1);
  CHECK(again[0].header.number == 1);
  CHECK(again[0].header.flags == (kWriting | protocol::kRequestAgain));
  CHECK(commands_of(again[0]) == std::vector<std::string>{"INCR " + kLow});
  rig.reply(2, again[0].header.id, "*1\r\n:1\r\n", 2);
  CHECK(rig.read(client) == "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n");
}

TEST_CASE("Router.transaction: one that was out and is given up is of unknown outcome if it writes") {
  Rig rig;
  rig.publish(rig.table({1}));
  const bool writes = GENERATE(true, false);
  const ConnId client = queue(rig, {{writes ? "INCR" : "GET", kLow}});
  rig.break_link(1);
  rig.accept_links(false);
  rig.advance(60'000);
  CHECK(rig.read(client) == concat("+OK\r\n+QUEUED\r\n-",
                                   writes ? protocol::errors::kOutcomeUnknown : protocol::errors::kClusterDown,
                                   "\r\n"));
}

TEST_CASE("Router.transaction: WATCH asks the head of its slot, and its mark goes with EXEC") {
  Rig rig;
  rig.publish(rig.table({1}));
  const ConnId client = rig.connect();
  rig.request(client, {"WATCH", kLow});
  const auto watch = rig.requests(1);
  REQUIRE(watch.size() == 1);
  CHECK(watch[0].args == std::vector<std::string>{"WATCH", kLow});
  CHECK(watch[0].header.number == 0);
  rig.reply(1, watch[0].header.id, "$2\r\n\x01\x02\r\n");
  CHECK(rig.read(client) == "+OK\r\n");
  for (const auto& words : std::vector<std::vector<std::string_view>>{{"MULTI"}, {"GET", kLow}, {"EXEC"}}) {
    rig.request(client, words);
  }
  const auto exec = rig.requests(1);
  REQUIRE(exec.size() == 1);
  const auto transaction = protocol::parse_transaction(exec[0].transaction, 0);
  REQUIRE(transaction.ok());
  CHECK(transaction->marks == std::vector<std::string>{"\x01\x02"});
}

}  // namespace chainring::router
