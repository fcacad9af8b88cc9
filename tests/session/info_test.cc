// INFO: sections, fields that clients and frameworks read, and that the numbers are true.
#include <map>
#include <string>
#include <string_view>

#include "base/text.h"
#include "protocol/resp.h"
#include "tests/session/rig.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

std::string info(Rig& rig, ConnId conn, std::string_view sections = {}) {
  protocol::ReplyValue value;
  const std::string reply = rig.ask(conn, sections.empty() ? "INFO" : concat("INFO ", sections));
  REQUIRE(protocol::parse_reply(reply, value).state == protocol::ReplyExtent::State::ready);
  REQUIRE(value.kind == protocol::ReplyValue::Kind::bulk);
  return value.text;
}

std::string field(const std::string& text, std::string_view name) {
  const std::string start = concat("\r\n", name, ":");
  const size_t at = text.find(start);
  if (at == std::string::npos) return "(none)";
  return text.substr(at + start.size(), text.find("\r\n", at + 2) - at - start.size());
}

std::string titles(const std::string& text) {
  std::string found;
  for (size_t at = 0; (at = text.find("# ", at)) != std::string::npos; ++at) {
    found += text.substr(at + 2, text.find("\r\n", at) - at - 2) + ' ';
  }
  return found;
}

}  // namespace

TEST_CASE("INFO: sections by name, default, all and everything") {
  Rig rig;
  const ConnId conn = rig.connect();
  constexpr std::string_view kDefault =
      "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Chainring Keyspace ";
  constexpr std::string_view kAll =
      "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Cluster Chainring "
      "Keyspace ";
  CHECK(titles(info(rig, conn)) == kDefault);
  CHECK(titles(info(rig, conn, "default")) == kDefault);
  CHECK(titles(info(rig, conn, "ALL")) == kAll);
  CHECK(titles(info(rig, conn, "everything")) == kAll);
  CHECK(titles(info(rig, conn, "SERVER")) == "Server ");
  CHECK(titles(info(rig, conn, "keyspace server")) == "Server Keyspace ");
  CHECK(titles(info(rig, conn, "commandstats default")) == kAll);
  CHECK(info(rig, conn, "nothing").empty());
}

TEST_CASE("INFO: what clients read on connect") {
  Rig rig;
  rig.clients.set_port(7379);
  const ConnId conn = rig.connect();
  rig.pass(90'000 * kMicrosPerSecond);
  const std::string text = info(rig, conn);
  const std::map<std::string, std::string> expected = {{"redis_version", "7.2.5"},
                                                       {"redis_mode", "standalone"},
                                                       {"os", "Linux 6.1 x86_64"},
                                                       {"arch_bits", "64"},
                                                       {"process_id", "4711"},
                                                       {"run_id", std::string(40, 'a')},
                                                       {"tcp_port", "7379"},
                                                       {"uptime_in_seconds", "90005"},
                                                       {"uptime_in_days", "1"},
                                                       {"executable", "/usr/bin/chainring"},
                                                       {"chainring_version", "0.1.0"},
                                                       {"connected_clients", "1"},
                                                       {"blocked_clients", "0"},
                                                       {"maxclients", "10000"},
                                                       {"used_memory", "1536"},
                                                       {"used_memory_human", "1.50K"},
                                                       {"used_memory_rss_human", "3.00M"},
                                                       {"mem_fragmentation_ratio", "2048.00"},
                                                       {"maxmemory", "0"},
                                                       {"maxmemory_human", "0B"},
                                                       {"maxmemory_policy", "noeviction"},
                                                       {"loading", "0"},
                                                       {"rdb_bgsave_in_progress", "0"},
                                                       {"aof_enabled", "0"},
                                                       {"role", "master"},
                                                       {"connected_slaves", "2"},
                                                       {"master_repl_offset", "0"},
                                                       {"used_cpu_sys", "0.250000"},
                                                       {"used_cpu_user", "1.500000"},
                                                       {"cluster_enabled", "0"},
                                                       {"db0", "keys=1,expires=0,avg_ttl=0"}};
  for (const auto& [name, value] : expected) {
    INFO(name);
    CHECK(field(text, name) == value);
  }
}

TEST_CASE("INFO: redis-cli --stat finds used_memory before longer names that begin so") {
  Rig rig;
  const std::string text = info(rig, rig.connect());
  CHECK(text.find("used_memory") == text.find("used_memory:"));
}

TEST_CASE("INFO: a node speaks cluster") {
  Rig rig("cluster");
  const std::string text = info(rig, rig.connect());
  CHECK(field(text, "redis_mode") == "cluster");
  CHECK(field(text, "cluster_enabled") == "1");
}

TEST_CASE("INFO: counts connections, commands, errors and bytes") {
  Rig rig;
  const ConnId conn = rig.connect();
  const ConnId gone = rig.connect();
  rig.transport.disconnect(gone);
  rig.turn();
  const std::string asked = request("GET k") + request("FOO") + request("GET") + request("PING");
  const std::string got = rig.send(conn, asked);
  const std::string text = info(rig, conn, "all");
  CHECK(field(text, "total_connections_received") == "2");
  CHECK(field(text, "connected_clients") == "1");
  CHECK(field(text, "total_commands_processed") == "3");  // GET, PING, INFO
  CHECK(field(text, "total_error_replies") == "2");
  CHECK(field(text, "errorstat_ERR") == "count=2");
  CHECK(field(text, "cmdstat_get") == "calls=1,rejected_calls=1");
  CHECK(field(text, "total_net_input_bytes") == concat(asked.size()));
  CHECK(field(text, "total_net_output_bytes") == concat(got.size()));
  rig.ask(conn, "CONFIG RESETSTAT");
  const std::string after = info(rig, conn, "all");
  CHECK(field(after, "total_commands_processed") == "1");
  CHECK(field(after, "total_error_replies") == "0");
  CHECK(field(after, "total_connections_received") == "0");
}

TEST_CASE("INFO: instantaneous_ops_per_sec is the rate of the last 1.6 seconds") {
  Rig rig;
  const ConnId conn = rig.connect();
  for (int i = 0; i < 40; ++i) {
    for (int n = 0; n < 10; ++n) rig.ask(conn, "PING");
    rig.pass(100 * kMicrosPerMilli);
  }
  CHECK(field(info(rig, conn, "stats"), "instantaneous_ops_per_sec") == "100");
  rig.now.mono += 60 * kMicrosPerSecond;  // a rest without any turn
  CHECK(field(info(rig, conn, "stats"), "instantaneous_ops_per_sec") == "0");
}

TEST_CASE("INFO: refused connections are counted") {
  Rig rig;
  rig.set(Setting::maxclients, "1");
  const ConnId conn = rig.connect();
  rig.ask(rig.connect(), "PING");
  CHECK(field(info(rig, conn, "stats"), "rejected_connections") == "1");
}

TEST_CASE("INFO: a role that merges the figures of others gets it as a request") {
  Rig rig;
  rig.backend.takes_info = true;
  CHECK(rig.ask(rig.connect(), "INFO memory") == bulk("memory"));
  REQUIRE(rig.backend.seen.size() == 1);
  CHECK(rig.backend.seen[0].args[0] == "INFO");
  const std::string_view server = "server";
  const std::string text = rig.clients.info(std::span(&server, 1), rig.now);
  CHECK(text.starts_with("# Server\r\nredis_version:7.2.5\r\n"));
}

}  // namespace chainring::session
