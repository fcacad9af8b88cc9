// CONFIG, TIME, ROLE, WAIT, COMMAND, LOLWUT.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "protocol/resp.h"
#include "tests/session/rig.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

constexpr std::string_view kOk = "+OK\r\n";

// The names in the reply to CONFIG GET, sorted.
std::vector<std::string> names_in(const std::string& reply) {
  protocol::ReplyValue value;
  REQUIRE(protocol::parse_reply(reply, value).state == protocol::ReplyExtent::State::ready);
  std::vector<std::string> names;
  for (size_t i = 0; i < value.items.size(); i += 2) names.push_back(value.items[i].text);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("CONFIG GET: names, patterns, several of them, case ignored") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "CONFIG GET databases") == concat("*2\r\n", bulk("databases"), bulk("16")));
  CHECK(rig.ask(conn, "CONFIG GET TimeOut") == concat("*2\r\n", bulk("timeout"), bulk("0")));
  CHECK(rig.ask(conn, "CONFIG GET nothing") == "*0\r\n");
  CHECK(names_in(rig.ask(conn, "CONFIG GET client-*")) ==
        std::vector<std::string>{"client-output-buffer-limit", "client-query-buffer-limit"});
  CHECK(names_in(rig.ask(conn, "CONFIG GET save appendonly max* save")) ==
        std::vector<std::string>{"appendonly", "maxclients", "maxmemory", "maxmemory-clients", "maxmemory-policy",
                                 "save"});
  CHECK(rig.ask(conn, "CONFIG GET slave-read-only") == concat("*2\r\n", bulk("slave-read-only"), bulk("yes")));
  rig.ask(conn, "HELLO 3");
  CHECK(rig.ask(conn, "CONFIG GET databases") == concat("%1\r\n", bulk("databases"), bulk("16")));
}

TEST_CASE("CONFIG GET: settings of other roles and the peers' secret are not shown") {
  Rig rig;
  rig.set(Setting::peer_secret, "hidden");
  const std::string all = rig.ask(rig.connect(), "CONFIG GET *");
  CHECK(all.find("peer-secret") == std::string::npos);
  CHECK(all.find("hidden") == std::string::npos);
  CHECK(all.find("election-ms") == std::string::npos);
  CHECK(all.find("parked-bytes-max") != std::string::npos);
}

TEST_CASE("CONFIG SET: what is live, all or nothing") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "CONFIG SET timeout 30 maxclients 50") == kOk);
  CHECK(rig.settings.number(Setting::timeout) == 30);
  CHECK(rig.settings.number(Setting::maxclients) == 50);
  CHECK(rig.ask(conn, "CONFIG SET proto-max-bulk-len 2mb") == kOk);
  CHECK(rig.ask(conn, "CONFIG GET proto-max-bulk-len") ==
        concat("*2\r\n", bulk("proto-max-bulk-len"), bulk("2097152")));
  CHECK(rig.send(conn, "*2\r\n$4\r\nECHO\r\n$2097153\r\n") == "-ERR Protocol error: invalid bulk length\r\n");

  const ConnId other = rig.connect();
  CHECK(rig.ask(other, "CONFIG SET timeout 40 maxclients 0")
            .starts_with("-ERR CONFIG SET failed (possibly related to argument 'maxclients') - "));
  CHECK(rig.ask(other, "CONFIG SET timeout 40 foo 1") ==
        "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n");
  CHECK(rig.ask(other, "CONFIG SET timeout 40 port 1") ==
        "-ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config\r\n");
  CHECK(rig.ask(other, "CONFIG SET timeout 40 timeout 50") ==
        "-ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter\r\n");
  CHECK(rig.ask(other, "CONFIG SET timeout 40 maxclients") == "-ERR syntax error\r\n");
  CHECK(rig.ask(other, "CONFIG SET timeout") == "-ERR wrong number of arguments for 'config|set' command\r\n");
  CHECK(rig.ask(other, "CONFIG SET election-ms 10") ==
        "-ERR Unknown option or number of arguments for CONFIG SET - 'election-ms'\r\n");
  CHECK(rig.settings.number(Setting::timeout) == 30);
}

TEST_CASE("CONFIG SET: client-output-buffer-limit changes the classes that it names, in Redis' form") {
  Rig rig;
  const ConnId conn = rig.connect();
  const auto get = [&] { return rig.ask(conn, "CONFIG GET client-output-buffer-limit"); };
  const auto set = [&](std::string_view value) {
    return rig.send(conn, request({"CONFIG", "SET", "client-output-buffer-limit", value}));
  };
  const auto told = [](std::string_view value) {
    return concat("*2\r\n", bulk("client-output-buffer-limit"), bulk(value));
  };
  CHECK(get() == told("normal 268435456 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"));
  CHECK(set("normal 0 0 0") == kOk);
  CHECK(set("replica 1mb 512kb 5 pubsub 1k 0 7") == kOk);
  const std::string now = told("normal 0 0 0 slave 1048576 524288 5 pubsub 1000 0 7");
  CHECK(get() == now);
  const std::pair<std::string_view, std::string_view> wrong[] = {
      {"normal 0 0", "Wrong number of arguments in buffer limit configuration."},
      {"", "Wrong number of arguments in buffer limit configuration."},
      {"normal 1 1 1 master 0 0 0", "Invalid client class specified in buffer limit configuration."},
      {"normal 0 0 -1", "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
      {"normal x 0 0", "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
  };
  for (const auto& [value, why] : wrong) {
    const std::string reply = set(value);
    CHECK(reply.starts_with("-ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - "));
    CHECK(reply.ends_with(concat(why, "\r\n")));
  }
  CHECK(get() == now);
  CHECK(rig.ask(conn, "CONFIG SET maxmemory-clients 5%") == kOk);
  CHECK(rig.ask(conn, "CONFIG GET maxmemory-clients") == concat("*2\r\n", bulk("maxmemory-clients"), bulk("5%")));
  CHECK(rig.ask(conn, "CONFIG SET maxmemory-clients 101%").starts_with("-ERR CONFIG SET failed"));
}

TEST_CASE("CONFIG SET: a fixed setting may be set to what it is") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "CONFIG SET appendonly no") == kOk);
  CHECK(rig.ask(conn, "CONFIG SET appendonly yes")
            .starts_with("-ERR CONFIG SET failed (possibly related to argument 'appendonly') - "));
}

TEST_CASE("CONFIG REWRITE, RESETSTAT") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "CONFIG REWRITE") == "-ERR The server is running without a config file\r\n");
  CHECK(rig.ask(conn, "CONFIG RESETSTAT") == kOk);
  CHECK(rig.backend.resets == 1);
}

TEST_CASE("TIME, ROLE, WAIT") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "TIME") == concat("*2\r\n", bulk("1700000000"), bulk("123000")));
  CHECK(rig.ask(conn, "ROLE") == concat("*3\r\n", bulk("master"), ":0\r\n*0\r\n"));
  CHECK(rig.ask(conn, "WAIT 1 100") == ":2\r\n");
  CHECK(rig.ask(conn, "WAIT 0 0") == ":2\r\n");
  CHECK(rig.ask(conn, "WAIT a 1") == "-ERR value is not an integer or out of range\r\n");
  CHECK(rig.ask(conn, "WAIT 0 a") == "-ERR timeout is not an integer or out of range\r\n");
  CHECK(rig.ask(conn, "WAIT 0 -1") == "-ERR timeout is negative\r\n");
  CHECK(rig.ask(conn, "WAITAOF 0 0 0") == "-ERR unknown command 'WAITAOF', with args beginning with: '0' '0' '0' \r\n");
}

TEST_CASE("WAIT: comes after the replies of the writes before it") {
  Rig rig;
  rig.backend.at_once = false;
  const ConnId conn = rig.connect();
  CHECK(rig.send(conn, request("SET k v") + request("WAIT 2 0")).empty());
  rig.clients.complete(rig.backend.seen.at(0).ticket, "+OK\r\n");
  CHECK(rig.transport.take_output(conn) == "+OK\r\n:2\r\n");
}

TEST_CASE("COMMAND: answered from the table") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "COMMAND COUNT").starts_with(":"));
  CHECK(rig.ask(conn, "COMMAND").starts_with("*"));
  CHECK(rig.ask(conn, "COMMAND DOCS get").find("summary") != std::string::npos);
  CHECK(rig.ask(conn, "COMMAND GETKEYS MSET a 1 b 2") == concat("*2\r\n", bulk("a"), bulk("b")));
  CHECK(rig.ask(conn, "COMMAND FOO") == "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n");
  CHECK(rig.backend.seen.empty());
}

TEST_CASE("HELP: of every container that has one") {
  Rig rig;
  const ConnId conn = rig.connect();
  for (const std::string_view name : {"CLIENT", "COMMAND", "CONFIG", "MEMORY", "OBJECT", "RING"}) {
    INFO(name);
    const std::string reply = rig.ask(conn, concat(name, " HELP"));
    CHECK(reply.starts_with("*"));
    CHECK(reply.find(name) != std::string::npos);
  }
  CHECK(rig.backend.seen.empty());
}

TEST_CASE("LOLWUT: names both versions") {
  Rig rig;
  const std::string reply = rig.ask(rig.connect(), "LOLWUT");
  CHECK(reply.find("Redis ver. 7.2.5, Chainring ver. 0.1.0") != std::string::npos);
}

}  // namespace chainring::session
