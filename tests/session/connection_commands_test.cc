// HELLO, AUTH, PING, ECHO, SELECT, RESET, QUIT, and requests that are refused.
#include <string>

#include "base/text.h"
#include "tests/session/rig.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

constexpr std::string_view kOk = "+OK\r\n";
constexpr std::string_view kNoAuth = "-NOAUTH Authentication required.\r\n";
constexpr std::string_view kWrongPass = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

std::string hello_fields(std::string_view id, std::string_view mode, int proto) {
  return concat(bulk("server"), bulk("redis"), bulk("version"), bulk("7.2.5"), bulk("proto"), ':', proto, "\r\n",
                bulk("id"), ':', id, "\r\n", bulk("mode"), bulk(mode), bulk("role"), bulk("master"), bulk("modules"),
                "*0\r\n");
}

}  // namespace

TEST_CASE("HELLO: tells who answers, in the version that was asked for") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "HELLO") == concat("*14\r\n", hello_fields("1", "standalone", 2)));
  CHECK(rig.ask(conn, "HELLO 3") == concat("%7\r\n", hello_fields("1", "standalone", 3)));
  CHECK(rig.ask(conn, "HELLO") == concat("%7\r\n", hello_fields("1", "standalone", 3)));
  CHECK(rig.ask(conn, "HELLO 2") == concat("*14\r\n", hello_fields("1", "standalone", 2)));
}

TEST_CASE("HELLO: a node says that it speaks cluster") {
  Rig rig("cluster");
  CHECK(rig.ask(rig.connect(), "HELLO") == concat("*14\r\n", hello_fields("1", "cluster", 2)));
}

TEST_CASE("HELLO: a coordinator looks like a server of its own") {
  Rig rig("coordinator");
  CHECK(rig.ask(rig.connect(), "HELLO") == concat("*14\r\n", hello_fields("1", "standalone", 2)));
}

TEST_CASE("HELLO: refuses what it does not understand and changes nothing") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "HELLO 4") == "-NOPROTO unsupported protocol version\r\n");
  CHECK(rig.ask(conn, "HELLO 1") == "-NOPROTO unsupported protocol version\r\n");
  CHECK(rig.ask(conn, "HELLO x") == "-ERR Protocol version is not an integer or out of range\r\n");
  CHECK(rig.ask(conn, "HELLO 3 FOO") == "-ERR Syntax error in HELLO option 'FOO'\r\n");
  CHECK(rig.ask(conn, "HELLO 3 SETNAME") == "-ERR Syntax error in HELLO option 'SETNAME'\r\n");
  CHECK(rig.ask(conn, "HELLO 3 AUTH default") == "-ERR Syntax error in HELLO option 'AUTH'\r\n");
  CHECK(rig.send(conn, request({"HELLO", "3", "SETNAME", "a b"})) ==
        "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
  CHECK(rig.ask(conn, "GET k") == bulk("k"));
  CHECK(rig.backend.seen.at(0).resp == protocol::RespVersion::resp2);
}

TEST_CASE("HELLO: AUTH and SETNAME in one go") {
  Rig rig;
  rig.set(Setting::requirepass, "secret");
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "HELLO 3").starts_with("-NOAUTH HELLO must be called with the client already authenticated, "));
  CHECK(rig.ask(conn, "HELLO 3 AUTH default wrong SETNAME me") == kWrongPass);
  CHECK(rig.ask(conn, "CLIENT GETNAME") == kNoAuth);
  CHECK(rig.ask(conn, "HELLO 3 AUTH default secret SETNAME me").starts_with("%7\r\n"));
  CHECK(rig.ask(conn, "CLIENT GETNAME") == bulk("me"));
}

TEST_CASE("AUTH: with a password set nothing else is answered before it") {
  Rig rig;
  rig.set(Setting::requirepass, "secret");
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "PING") == kNoAuth);
  CHECK(rig.ask(conn, "GET k") == kNoAuth);
  CHECK(rig.backend.seen.empty());
  CHECK(rig.ask(conn, "AUTH wrong") == kWrongPass);
  CHECK(rig.ask(conn, "AUTH secre") == kWrongPass);
  CHECK(rig.ask(conn, "AUTH secretsecret") == kWrongPass);
  CHECK(rig.ask(conn, "AUTH other secret") == kWrongPass);
  CHECK(rig.ask(conn, "PING") == kNoAuth);
  CHECK(rig.ask(conn, "AUTH secret") == kOk);
  CHECK(rig.ask(conn, "GET k") == bulk("k"));
  CHECK(rig.ask(conn, "AUTH wrong") == kWrongPass);
  CHECK(rig.ask(conn, "GET k") == bulk("k"));
  CHECK(rig.ask(rig.connect(), "AUTH default secret") == kOk);
}

TEST_CASE("AUTH: without a password") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "AUTH any") ==
        "-ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?\r\n");
  CHECK(rig.ask(conn, "AUTH default any") == kOk);
  CHECK(rig.ask(conn, "AUTH other any") == kWrongPass);
  CHECK(rig.ask(conn, "AUTH a b c") == "-ERR syntax error\r\n");
}

TEST_CASE("AUTH: a password that is set later asks new clients alone") {
  Rig rig;
  const ConnId before = rig.connect();
  CHECK(rig.ask(before, "CONFIG SET requirepass secret") == kOk);
  CHECK(rig.ask(before, "PING") == "+PONG\r\n");
  CHECK(rig.ask(rig.connect(), "PING") == kNoAuth);
  CHECK(rig.ask(before, "RESET") == "+RESET\r\n");
  CHECK(rig.ask(before, "PING") == kNoAuth);
}

TEST_CASE("PING, ECHO") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "PING") == "+PONG\r\n");
  CHECK(rig.ask(conn, "ping hello") == bulk("hello"));
  CHECK(rig.ask(conn, "PING a b") == "-ERR wrong number of arguments for 'ping' command\r\n");
  CHECK(rig.send(conn, request({"ECHO", ""})) == bulk(""));
}

TEST_CASE("SELECT: 0 to 15") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "SELECT 15") == kOk);
  CHECK(rig.ask(conn, "SELECT 16") == "-ERR DB index is out of range\r\n");
  CHECK(rig.ask(conn, "SELECT -1") == "-ERR DB index is out of range\r\n");
  CHECK(rig.ask(conn, "SELECT a") == "-ERR value is not an integer or out of range\r\n");
  CHECK(rig.ask(conn, "SELECT 99999999999") ==
        "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
  rig.ask(conn, "GET k");
  CHECK(rig.backend.seen.at(0).db == 15);
}

TEST_CASE("RESET: brings a connection back to its first state") {
  Rig rig;
  const ConnId conn = rig.connect();
  rig.ask(conn, "HELLO 3 SETNAME me");
  rig.ask(conn, "SELECT 4");
  CHECK(rig.ask(conn, "RESET") == "+RESET\r\n");
  CHECK(rig.ask(conn, "CLIENT GETNAME") == "$-1\r\n");
  rig.ask(conn, "GET k");
  CHECK(rig.backend.seen.at(0).db == 0);
}

TEST_CASE("QUIT: answers all that came before it, then closes") {
  Rig rig;
  rig.backend.at_once = false;
  const ConnId conn = rig.connect();
  CHECK(rig.send(conn, request("GET a") + request("QUIT") + request("GET never")).empty());
  CHECK(rig.open(conn));
  REQUIRE(rig.backend.seen.size() == 1);
  rig.clients.complete(rig.backend.seen[0].ticket, "$-1\r\n");
  rig.turn();
  CHECK(rig.transport.take_output(conn) == concat("$-1\r\n", kOk));
  CHECK_FALSE(rig.open(conn));
}

TEST_CASE("Refusals: unknown commands, unknown subcommands, wrong arity, as Redis words them") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "FOO a b") == "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' \r\n");
  CHECK(rig.send(conn, request({"F\r\nOO"})) == "-ERR unknown command 'F  OO', with args beginning with: \r\n");
  CHECK(rig.ask(conn, "CLIENT FOO bar") == "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n");
  CHECK(rig.ask(conn, "client tracking on") == "-ERR unknown subcommand 'tracking'. Try CLIENT HELP.\r\n");
  CHECK(rig.ask(conn, "CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type none") ==
        "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n");
  CHECK(rig.ask(conn, "CLIENT") == "-ERR wrong number of arguments for 'client' command\r\n");
  CHECK(rig.ask(conn, "CLIENT SETNAME") == "-ERR wrong number of arguments for 'client|setname' command\r\n");
  CHECK(rig.ask(conn, "GET") == "-ERR wrong number of arguments for 'get' command\r\n");
  CHECK(rig.open(conn));
  CHECK(rig.backend.seen.empty());
}

TEST_CASE("CLUSTER: a router is no cluster to its clients") {
  Rig rig;
  const ConnId conn = rig.connect();
  constexpr std::string_view kDisabled = "-ERR This instance has cluster support disabled\r\n";
  for (const std::string_view words :
       {"CLUSTER INFO", "CLUSTER SLOTS", "CLUSTER NODES", "CLUSTER LINKS", "READONLY", "READWRITE", "ASKING"}) {
    INFO(words);
    CHECK(rig.ask(conn, words) == kDisabled);
  }
  CHECK(rig.ask(conn, "CLUSTER") == "-ERR wrong number of arguments for 'cluster' command\r\n");
}

TEST_CASE("CLUSTER: a node's role answers it") {
  Rig rig("cluster");
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "CLUSTER SLOTS") == bulk("SLOTS"));
  CHECK(rig.ask(conn, "ASKING") == kOk);
  CHECK(rig.ask(conn, "CLUSTER HELP").find("MYSHARDID") != std::string::npos);
  CHECK(rig.ask(conn, "CLUSTER FOO") == "-ERR unknown subcommand 'FOO'. Try CLUSTER HELP.\r\n");
}

TEST_CASE("READONLY: is kept until READWRITE or RESET") {
  Rig rig("cluster");
  const ConnId conn = rig.connect();
  const auto is_set = [&] { return rig.ask(conn, "CLIENT INFO").find(" flags=r ") != std::string::npos; };
  CHECK_FALSE(is_set());
  CHECK(rig.ask(conn, "READONLY") == kOk);
  CHECK(is_set());
  CHECK(rig.ask(conn, "READWRITE") == kOk);
  CHECK_FALSE(is_set());
  rig.ask(conn, "READONLY");
  rig.ask(conn, "RESET");
  CHECK_FALSE(is_set());
}

}  // namespace chainring::session
