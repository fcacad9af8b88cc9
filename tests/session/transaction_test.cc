// MULTI, EXEC, DISCARD, WATCH, UNWATCH: what the session answers, and what it asks of the role. The replies are those
// of redis-server 7.0.15, checked against it by hand and by tests/cluster/transaction_test.py.
#include <string>
#include <vector>

#include "base/text.h"
#include "tests/session/rig.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

constexpr std::string_view kOk = "+OK\r\n";
constexpr std::string_view kQueued = "+QUEUED\r\n";
constexpr std::string_view kAborted = "-EXECABORT Transaction discarded because of previous errors.\r\n";
constexpr std::string_view kNoExec = "-ERR EXEC without MULTI\r\n";
constexpr std::string_view kCrossSlot = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";

struct TransactionRig : Rig {
  ConnId conn = connect();

  // One request of each line, one after the other; returns all replies.
  std::string ask_all(std::initializer_list<std::string_view> lines) {
    std::string replies;
    for (const std::string_view line : lines) replies += ask(conn, line);
    return replies;
  }
  // The same as one pipeline.
  std::string pipeline(std::initializer_list<std::string_view> lines) {
    std::string bytes;
    for (const std::string_view line : lines) bytes += request(line);
    return send(conn, bytes);
  }
};

}  // namespace

TEST_CASE("Transaction: what is queued goes to its place as one request") {
  TransactionRig rig;
  const std::string replies = concat(kOk, kQueued, kQueued, "*2\r\n$1\r\nv\r\n$1\r\nk\r\n");
  const bool at_once = GENERATE(true, false);
  const std::initializer_list<std::string_view> lines = {"MULTI", "SET k v", "GET k", "EXEC"};
  CHECK((at_once ? rig.pipeline(lines) : rig.ask_all(lines)) == replies);
  CHECK(rig.backend.seen.empty());
  REQUIRE(rig.backend.transactions.size() == 1);
  CHECK(rig.backend.transactions[0].commands == std::vector<std::string>{"0 SET k v", "0 GET k"});
  CHECK(rig.backend.transactions[0].writes);
  CHECK(rig.backend.transactions[0].marks.empty());
  CHECK(rig.ask(rig.conn, "GET k") == "$1\r\nk\r\n");  // it is over
}

TEST_CASE("Transaction: one that only reads is no write") {
  TransactionRig rig;
  rig.ask_all({"MULTI", "GET k", "EXEC"});
  CHECK_FALSE(rig.backend.transactions.at(0).writes);
}

TEST_CASE("Transaction: an empty one asks nobody") {
  TransactionRig rig;
  CHECK(rig.ask_all({"MULTI", "EXEC", "EXEC"}) == concat(kOk, "*0\r\n", kNoExec));
  CHECK(rig.backend.transactions.empty());
}

TEST_CASE("Transaction: EXEC and DISCARD need MULTI, and MULTI does not nest") {
  TransactionRig rig;
  CHECK(rig.ask_all({"EXEC", "DISCARD", "UNWATCH"}) == concat(kNoExec, "-ERR DISCARD without MULTI\r\n", kOk));
  CHECK(rig.ask_all({"MULTI", "MULTI", "SET a 1", "EXEC"}) ==
        concat(kOk, "-ERR MULTI calls can not be nested\r\n", kQueued, "*1\r\n$1\r\n1\r\n"));
  CHECK(rig.ask_all({"MULTI", "SET a 1", "DISCARD", "EXEC"}) == concat(kOk, kQueued, kOk, kNoExec));
  CHECK(rig.backend.transactions.size() == 1);
}

TEST_CASE("Transaction: an error while queueing discards it at EXEC") {
  TransactionRig rig;
  CHECK(rig.ask_all({"MULTI", "FOO bar", "SET a 1", "EXEC", "EXEC"}) ==
        concat(kOk, "-ERR unknown command 'FOO', with args beginning with: 'bar' \r\n", kQueued, kAborted, kNoExec));
  CHECK(rig.ask_all({"MULTI", "GET", "EXEC"}) ==
        concat(kOk, "-ERR wrong number of arguments for 'get' command\r\n", kAborted));
  CHECK(rig.ask_all({"MULTI", "CLIENT FOO", "EXEC"}) ==
        concat(kOk, "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n", kAborted));
  CHECK(rig.ask_all({"MULTI", "DISCARD foo", "SET a 1", "EXEC"}) ==
        concat(kOk, "-ERR wrong number of arguments for 'discard' command\r\n", kQueued, kAborted));
  CHECK(rig.backend.transactions.empty());
}

TEST_CASE("Transaction: EXEC with arguments discards it at once") {
  TransactionRig rig;
  const std::string_view because =
      "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n";
  CHECK(rig.ask_all({"MULTI", "SET a 2", "EXEC foo", "EXEC"}) == concat(kOk, kQueued, because, kNoExec));
  CHECK(rig.ask_all({"EXEC foo"}) == because);
}

TEST_CASE("Transaction: keys of two places are refused when they are queued") {
  TransactionRig rig;
  CHECK(rig.ask_all({"MULTI", "SET a 1", "SET b 1", "EXEC"}) == concat(kOk, kQueued, kCrossSlot, kAborted));
  CHECK(rig.ask_all({"WATCH a", "WATCH b", "UNWATCH"}) == concat(kOk, kCrossSlot, kOk));
  CHECK(rig.ask_all({"WATCH a", "MULTI", "GET b", "EXEC"}) == concat(kOk, kOk, kCrossSlot, kAborted));
  CHECK(rig.ask_all({"MULTI", "SET b 1", "EXEC"}) == concat(kOk, kQueued, "*1\r\n$1\r\n1\r\n"));
}

TEST_CASE("Transaction: what asks the whole cluster, or would disturb the array, is refused") {
  TransactionRig rig;
  const std::string_view refused =
      GENERATE("DBSIZE", "FLUSHALL", "SCAN 0", "KEYS *", "INFO", "HELLO 3", "CLIENT REPLY OFF");
  INFO(refused);
  rig.ask(rig.conn, "MULTI");
  CHECK(rig.ask(rig.conn, refused).starts_with("-ERR "));
  CHECK(rig.ask(rig.conn, "EXEC") == kAborted);
}

TEST_CASE("Transaction: the session's own commands are answered in their places") {
  TransactionRig rig;
  const bool at_once = GENERATE(true, false);
  const std::initializer_list<std::string_view> lines = {"MULTI", "PING",   "SELECT 3", "SET k v",  "SELECT 99",
                                                         "GET k", "ECHO e", "EXEC",     "GET after"};
  const std::string replies = at_once ? rig.pipeline(lines) : rig.ask_all(lines);
  CHECK(replies == concat(kOk, kQueued, kQueued, kQueued, kQueued, kQueued, kQueued,
                          "*6\r\n+PONG\r\n+OK\r\n$1\r\nv\r\n-ERR DB index is out of range\r\n$1\r\nk\r\n$1\r\ne\r\n",
                          "$5\r\nafter\r\n"));
  CHECK(rig.backend.transactions.at(0).commands == std::vector<std::string>{"3 SET k v", "3 GET k"});
  CHECK(rig.backend.seen.at(0).db == 3);
}

TEST_CASE("Transaction: with the session's own commands alone, nobody is asked") {
  TransactionRig rig;
  CHECK(rig.ask_all({"MULTI", "PING", "UNWATCH", "EXEC"}) == concat(kOk, kQueued, kQueued, "*2\r\n+PONG\r\n+OK\r\n"));
  CHECK(rig.backend.transactions.empty());
}

TEST_CASE("Transaction: own commands do not run when it did not") {
  TransactionRig rig;
  rig.backend.transaction_reply = "*-1\r\n";
  CHECK(rig.ask_all({"MULTI", "SELECT 3", "SET k v", "EXEC", "GET k"}) ==
        concat(kOk, kQueued, kQueued, "*-1\r\n", "$1\r\nk\r\n"));
  CHECK(rig.backend.seen.at(0).db == 0);
}

TEST_CASE("Transaction: what follows waits until its own commands have run") {
  TransactionRig rig;
  rig.backend.at_once = false;
  CHECK(rig.pipeline({"MULTI", "SELECT 3", "SET k v", "EXEC", "GET k"}) == concat(kOk, kQueued, kQueued));
  CHECK(rig.backend.seen.empty());
  rig.clients.complete(rig.backend.transactions.at(0).ticket, "*1\r\n+OK\r\n");
  rig.turn();
  CHECK(rig.transport.take_output(rig.conn) == "*2\r\n+OK\r\n+OK\r\n");
  REQUIRE(rig.backend.seen.size() == 1);
  CHECK(rig.backend.seen[0].db == 3);
}

TEST_CASE("Transaction: pipelined ones without own commands do not wait for each other") {
  TransactionRig rig;
  rig.backend.at_once = false;
  rig.pipeline({"MULTI", "SET k v", "EXEC", "MULTI", "SET k w", "EXEC", "GET k"});
  CHECK(rig.backend.transactions.size() == 2);
  CHECK(rig.backend.seen.size() == 1);
}

TEST_CASE("Transaction: the marks of WATCH come back with EXEC") {
  TransactionRig rig;
  CHECK(rig.ask_all({"WATCH {t}a {t}b", "WATCH {t}c", "MULTI", "GET {t}a", "EXEC"}) ==
        concat(kOk, kOk, kOk, kQueued, "*1\r\n$4\r\n{t}a\r\n"));
  CHECK(rig.backend.seen.at(0).args == std::vector<std::string>{"WATCH", "{t}a", "{t}b"});
  CHECK(rig.backend.transactions.at(0).marks == std::vector<std::string>{"{t}b", "{t}c"});
  rig.ask_all({"MULTI", "GET x", "EXEC"});
  CHECK(rig.backend.transactions.at(1).marks.empty());
}

TEST_CASE("Transaction: EXEC of nothing asks whether the watched keys have changed") {
  TransactionRig rig;
  CHECK(rig.ask_all({"WATCH a", "MULTI", "EXEC"}) == concat(kOk, kOk, "*0\r\n"));
  CHECK(rig.backend.transactions.size() == 1);
}

TEST_CASE("Transaction: UNWATCH, DISCARD, EXEC and RESET forget what is watched") {
  TransactionRig rig;
  const std::string_view forget = GENERATE("UNWATCH", "DISCARD", "EXEC", "RESET");
  rig.ask(rig.conn, "WATCH a");
  if (forget == "DISCARD" || forget == "EXEC") rig.ask(rig.conn, "MULTI");
  rig.ask(rig.conn, forget);
  rig.backend.transactions.clear();
  rig.ask_all({"MULTI", "GET b", "EXEC"});
  CHECK(rig.backend.transactions.at(0).marks.empty());
}

TEST_CASE("Transaction: EXEC without MULTI keeps what is watched") {
  TransactionRig rig;
  rig.ask_all({"WATCH a", "EXEC", "MULTI", "GET a", "EXEC"});
  CHECK(rig.backend.transactions.at(0).marks == std::vector<std::string>{"a"});
}

TEST_CASE("Transaction: nothing is done for a client before its WATCH is answered") {
  TransactionRig rig;
  rig.backend.at_once = false;
  CHECK(rig.pipeline({"WATCH a", "MULTI", "SET a 1", "EXEC"}).empty());
  CHECK(rig.backend.transactions.empty());
  rig.clients.complete(rig.backend.seen.at(0).ticket, "$4\r\nmark\r\n");
  rig.turn();
  CHECK(rig.transport.take_output(rig.conn) == concat(kOk, kOk, kQueued));
  CHECK(rig.backend.transactions.at(0).marks == std::vector<std::string>{"mark"});
}

TEST_CASE("Transaction: after a WATCH that failed, EXEC runs nothing") {
  TransactionRig rig;
  const bool resp3 = GENERATE(true, false);
  if (resp3) rig.ask(rig.conn, "HELLO 3");
  rig.backend.answer = [](const ClientRequest&) { return std::string("-CLUSTERDOWN not now\r\n"); };
  CHECK(rig.ask_all({"WATCH a", "MULTI", "SET a 1", "EXEC"}) ==
        concat("-CLUSTERDOWN not now\r\n", kOk, kQueued, resp3 ? "_\r\n" : "*-1\r\n"));
  CHECK(rig.backend.transactions.empty());
  CHECK(rig.ask_all({"MULTI", "SET a 1", "EXEC"}) == concat(kOk, kQueued, "*1\r\n$1\r\n1\r\n"));
}

TEST_CASE("Transaction: WATCH inside MULTI is refused and does no harm") {
  TransactionRig rig;
  CHECK(rig.ask_all({"MULTI", "WATCH a", "SET a 1", "EXEC"}) ==
        concat(kOk, "-ERR WATCH inside MULTI is not allowed\r\n", kQueued, "*1\r\n$1\r\n1\r\n"));
}

TEST_CASE("Transaction: RESET and QUIT act at once") {
  TransactionRig rig;
  CHECK(rig.ask_all({"MULTI", "SET a 1", "RESET", "EXEC"}) == concat(kOk, kQueued, "+RESET\r\n", kNoExec));
  CHECK(rig.ask_all({"MULTI", "SET a 1", "QUIT"}) == concat(kOk, kQueued, kOk));
  CHECK_FALSE(rig.open(rig.conn));
  CHECK(rig.backend.transactions.empty());
}

TEST_CASE("Transaction: it is bounded in commands and in what is watched") {
  TransactionRig rig;
  std::string bytes = request("MULTI");
  for (size_t i = 0; i <= protocol::kTransactionCommandsMax; ++i) bytes += request("GET k");
  const std::string replies = rig.send(rig.conn, bytes);
  CHECK(std::string_view(replies).substr(replies.size() - 80).find("-ERR a transaction may have at most") !=
        std::string_view::npos);
  CHECK(rig.ask(rig.conn, "EXEC") == kAborted);

  std::string keys = "WATCH";
  for (size_t i = 0; i <= protocol::kWatchedKeysMax; ++i) keys += " k";
  CHECK(rig.ask(rig.conn, keys).starts_with("-ERR a client may watch at most"));
}

TEST_CASE("Transaction: CLIENT INFO tells of it") {
  TransactionRig rig;
  CHECK(rig.ask(rig.conn, "CLIENT INFO").find(" multi=-1 watch=0 ") != std::string::npos);
  rig.ask_all({"WATCH {t}a {t}b", "MULTI", "GET {t}a"});
  const ConnId other = rig.connect();
  const std::string all = rig.ask(other, "CLIENT LIST");
  CHECK(all.find(" flags=x ") != std::string::npos);
  CHECK(all.find(" multi=1 watch=2 ") != std::string::npos);
}

TEST_CASE("Transaction: CLIENT PAUSE WRITE holds the EXEC of one that writes") {
  TransactionRig rig;
  const ConnId other = rig.connect();
  const bool writes = GENERATE(true, false);
  rig.ask_all({"MULTI", writes ? "SET a 1" : "GET a"});
  rig.ask(other, "CLIENT PAUSE 1000 WRITE");
  CHECK(rig.ask(rig.conn, "EXEC").empty() == writes);
  CHECK(rig.backend.transactions.empty() == writes);
  rig.ask(other, "CLIENT UNPAUSE");
  CHECK(rig.backend.transactions.size() == 1);
}

TEST_CASE("Transaction: before AUTH nothing is queued") {
  TransactionRig rig;
  rig.set(Setting::requirepass, "secret");
  const ConnId late = rig.connect();
  CHECK(rig.ask(late, "MULTI") == "-NOAUTH Authentication required.\r\n");
  CHECK(rig.ask(late, "EXEC") == "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.\r\n");
}

}  // namespace chainring::session
