// What every role counts of its clients, at /metrics.
#include <string>

#include "base/text.h"
#include "tests/session/rig.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

std::string metrics(const Rig& rig) {
  MetricsWriter out;
  rig.clients.metrics(rig.now, out);
  return out.text();
}

bool has_line(const std::string& text, std::string_view line) {
  return text.find(concat('\n', line, '\n')) != std::string::npos;
}

}  // namespace

TEST_CASE("Clients.metrics: connections, commands by name, errors by code, bytes") {
  Rig rig;
  const ConnId conn = rig.connect();
  rig.ask(conn, "PING");
  rig.ask(conn, "PING");
  rig.ask(conn, "GET a b");
  rig.ask(conn, "SET k v");
  const std::string text = metrics(rig);
  CHECK(has_line(text, "chainring_clients 1"));
  CHECK(has_line(text, "chainring_connections_total 1"));
  CHECK(has_line(text, "chainring_commands_total{command=\"ping\"} 2"));
  CHECK(has_line(text, "chainring_commands_total{command=\"set\"} 1"));
  CHECK(has_line(text, "chainring_commands_refused_total{command=\"get\"} 1"));
  CHECK(has_line(text, "chainring_error_replies_total{code=\"ERR\"} 1"));
  CHECK(has_line(text, concat("chainring_client_input_bytes_total ",
                              2 * request("PING").size() + request("GET a b").size() + request("SET k v").size())));
  CHECK(has_line(text, "chainring_process_resident_memory_bytes 3145728"));
  CHECK(text.find("command=\"get\"} 0") == std::string::npos);
}

TEST_CASE(
    "Clients.metrics: a duration is from the turn of the request to the turn of its reply, in the client's order") {
  Rig rig;
  rig.backend.at_once = false;
  const ConnId conn = rig.connect();
  rig.send(conn, request("GET a") + request("GET b"));
  rig.pass(3 * kMicrosPerMilli);
  rig.send(conn, request("GET c"));
  rig.pass(2 * kMicrosPerMilli);
  rig.clients.complete(rig.backend.seen.at(2).ticket, bulk("c"));  // waits for a and b
  CHECK(has_line(metrics(rig), "chainring_command_duration_seconds_count 0"));
  rig.clients.complete(rig.backend.seen.at(0).ticket, bulk("a"));
  CHECK(has_line(metrics(rig), "chainring_command_duration_seconds_sum 0.005000"));
  rig.pass(kMicrosPerMilli);
  rig.clients.complete(rig.backend.seen.at(1).ticket, bulk("b"));
  const std::string text = metrics(rig);
  CHECK(has_line(text, "chainring_command_duration_seconds_sum 0.014000"));  // 5, 6 and 3 ms
  CHECK(has_line(text, "chainring_command_duration_seconds_bucket{le=\"0.002048\"} 0"));
  CHECK(has_line(text, "chainring_command_duration_seconds_bucket{le=\"0.004096\"} 1"));
  CHECK(has_line(text, "chainring_command_duration_seconds_count 3"));
}

TEST_CASE("Clients.metrics: no secret is in them") {
  Rig rig;
  rig.set(Setting::requirepass, "hidden-password");
  rig.set(Setting::peer_secret, "hidden-secret");
  const ConnId conn = rig.connect();
  rig.ask(conn, "AUTH hidden-wrong");
  rig.ask(conn, "hidden-command x");
  CHECK(metrics(rig).find("hidden") == std::string::npos);
}

}  // namespace chainring::session
