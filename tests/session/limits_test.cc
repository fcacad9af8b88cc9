// What a client may not do to others: take all places, never read, ask without end, sit idle.
#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/frame.h"
#include "tests/session/rig.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

constexpr std::string_view kPong = "+PONG\r\n";
constexpr size_t kMiB = 1024 * 1024;

}  // namespace

TEST_CASE("Clients: beyond maxclients a client is refused, a peer is not") {
  Rig rig;
  rig.set(Setting::maxclients, "2");
  const ConnId first = rig.connect();
  rig.connect();
  const ConnId third = rig.connect();
  CHECK(rig.ask(third, "PING") == "-ERR max number of clients reached\r\n");
  CHECK_FALSE(rig.open(third));
  const ConnId peer = rig.connect();
  rig.ask(peer, "PEER 5 ab router r1 cd secret");
  CHECK(rig.peers == std::vector<ConnId>{peer});
  rig.transport.disconnect(first);
  rig.turn();
  const ConnId fourth = rig.connect();
  CHECK(rig.ask(fourth, "PING") == kPong);
}

TEST_CASE("Clients: silent connections beyond maxclients are bounded in number and time") {
  Rig rig;
  rig.set(Setting::maxclients, "1");
  const ConnId kept = rig.connect();
  rig.ask(kept, "PING");
  std::vector<ConnId> silent;
  for (int i = 0; i < 128; ++i) silent.push_back(rig.connect());
  const ConnId refused = rig.connect();
  CHECK(rig.transport.take_output(refused) == "-ERR max number of clients reached\r\n");
  CHECK_FALSE(rig.open(refused));
  CHECK(rig.clients.count() == 129);
  CHECK(rig.clients.next_tick() <= rig.now.mono + kMicrosPerSecond);
  rig.pass(2 * kMicrosPerSecond);
  CHECK(rig.clients.count() == 1);
  CHECK_FALSE(rig.open(silent.front()));
  CHECK(rig.ask(kept, "PING") == kPong);
}

TEST_CASE("Clients: a client that does not read gets nothing more executed until it does") {
  Rig rig;
  const std::string value(4 * kMiB, 'v');
  rig.backend.answer = [&](const ClientRequest&) { return bulk(value); };
  const ConnId conn = rig.connect();
  std::string pipeline;
  for (int i = 0; i < 30; ++i) pipeline += request("GET k");
  rig.transport.receive(conn, pipeline);
  rig.turn();
  const size_t executed = rig.backend.seen.size();
  CHECK(executed < 12);
  CHECK_FALSE(rig.transport.reading(conn));
  rig.pass(kMicrosPerSecond);
  CHECK(rig.backend.seen.size() == executed);

  size_t received = 0;
  for (int turns = 0; turns < 100 && rig.backend.seen.size() < 30; ++turns) {
    received += rig.transport.take_output(conn).size();
    rig.turn();
  }
  received += rig.transport.take_output(conn).size();
  CHECK(rig.backend.seen.size() == 30);
  CHECK(received == 30 * bulk(value).size());
  rig.turn();
  CHECK(rig.transport.reading(conn));
}

TEST_CASE("Clients: replies beyond client-output-buffer-limit close the client") {
  Rig rig;
  rig.set(Setting::client_output_buffer_limit, "normal 2mb 0 0");
  rig.backend.at_once = false;
  const ConnId conn = rig.connect();
  rig.send(conn, request("GET a") + request("GET b") + request("GET c"));
  const std::string value = bulk(std::string(kMiB, 'v'));
  rig.clients.complete(rig.backend.seen.at(2).ticket, value);  // waits for the others
  rig.clients.complete(rig.backend.seen.at(0).ticket, value);
  CHECK(rig.open(conn));  // nothing is closed in the midst of the Backend's work
  rig.clients.complete(rig.backend.seen.at(1).ticket, value);
  rig.turn();
  CHECK_FALSE(rig.open(conn));
  CHECK(rig.backend.gone == std::vector<ClientId>{1});
  CHECK(rig.log.warnings.size() == 1);
}

TEST_CASE("Clients: a client above the soft limit is closed when it stays there, not when it reads meanwhile") {
  Rig rig;
  rig.set(Setting::client_output_buffer_limit, "normal 0 1mb 5");
  const std::string value(2 * kMiB, 'v');
  rig.backend.answer = [&](const ClientRequest&) { return bulk(value); };
  const ConnId lazy = rig.connect();
  const ConnId slow = rig.connect();
  for (const ConnId conn : {lazy, slow}) rig.transport.receive(conn, request("GET k"));
  rig.turn();
  rig.pass(4 * kMicrosPerSecond);
  CHECK(rig.transport.take_output(slow, 3 * kMiB / 2).size() == 3 * kMiB / 2);  // below the limit for a moment
  rig.pass(kMicrosPerSecond);
  rig.transport.receive(slow, request("GET k"));
  rig.turn();
  CHECK(rig.open(lazy));  // not longer than 5 seconds yet
  CHECK(rig.clients.next_tick() <= rig.now.mono + kMicrosPerSecond);
  rig.pass(2 * kMicrosPerSecond);
  CHECK_FALSE(rig.open(lazy));
  CHECK(rig.open(slow));
  CHECK(rig.ask(rig.connect(), "INFO stats").find("client_output_buffer_limit_disconnections:1\r\n") !=
        std::string::npos);
}

TEST_CASE("Clients: no setting admits a value that cannot be stored, or a request that fits no frame") {
  Rig rig;
  const auto most = [](Setting setting) { return setting_table()[static_cast<size_t>(setting)].greatest; };
  CHECK(most(Setting::proto_max_bulk_len) == static_cast<int64_t>(protocol::kBulkBytesMax));
  CHECK(most(Setting::client_query_buffer_limit) == static_cast<int64_t>(protocol::kRequestBytesMax));
  CHECK(protocol::kRequestBytesMax + (1 << 20) < protocol::kFramePayloadMax);
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "CONFIG SET proto-max-bulk-len 513mb").starts_with("-ERR CONFIG SET failed"));
  CHECK(rig.ask(conn, "CONFIG SET client-query-buffer-limit 1025mb").starts_with("-ERR CONFIG SET failed"));
  CHECK(rig.ask(conn, "CONFIG SET proto-max-bulk-len 512mb client-query-buffer-limit 1gb") == "+OK\r\n");
}

TEST_CASE("Clients: a request beyond client-query-buffer-limit closes the client without a word") {
  Rig rig;
  rig.set(Setting::client_query_buffer_limit, "1mb");
  const ConnId conn = rig.connect();
  CHECK(rig.send(conn, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n").empty());
  CHECK_FALSE(rig.open(conn));
  CHECK(rig.ask(rig.connect(), "INFO stats").find("client_query_buffer_limit_disconnections:1\r\n") !=
        std::string::npos);
  CHECK(rig.log.warnings.size() == 1);
}

TEST_CASE("Clients: beyond maxmemory-clients the biggest are closed first, and NO-EVICT is honoured") {
  Rig rig;
  rig.set(Setting::maxmemory_clients, "1mb");
  rig.backend.at_once = false;
  const ConnId chosen = rig.connect();
  const ConnId big = rig.connect();
  const ConnId bigger = rig.connect();
  const ConnId small = rig.connect();
  CHECK(rig.ask(chosen, "CLIENT NO-EVICT on") == "+OK\r\n");
  const auto fill = [&](ConnId conn, size_t bytes) {  // an unfinished request
    rig.transport.receive(conn, concat("*2\r\n$3\r\nGET\r\n$900000\r\n", std::string(bytes, 'x')));
    rig.turn();
  };
  fill(chosen, 500'000);
  fill(big, 300'000);
  fill(small, 1000);
  CHECK(rig.open(big));
  fill(bigger, 310'000);
  CHECK_FALSE(rig.open(bigger));
  CHECK(rig.open(chosen));
  CHECK(rig.open(big));
  CHECK(rig.open(small));
  const ConnId admin = rig.connect();
  CHECK(rig.ask(admin, "INFO stats").find("evicted_clients:1\r\n") != std::string::npos);
  CHECK(rig.log.warnings.size() == 1);
}

TEST_CASE("Clients: what has left and who has gone does not count against maxmemory-clients") {
  Rig rig;
  rig.set(Setting::maxmemory_clients, "1mb");
  const std::string value(kMiB / 4, 'v');
  rig.backend.answer = [&](const ClientRequest&) { return bulk(value); };
  const ConnId conn = rig.connect();
  for (int i = 0; i < 40; ++i) CHECK(rig.ask(conn, "GET k") == bulk(value));
  for (int i = 0; i < 10; ++i) {
    const ConnId other = rig.connect();
    rig.transport.receive(other, request("GET k"));
    rig.turn();
    rig.transport.disconnect(other);
    rig.turn();
  }
  CHECK(rig.open(conn));
  CHECK(rig.log.warnings.empty());
}

TEST_CASE("Clients: maxmemory-clients may be a share of maxmemory, which must have a limit then") {
  Rig rig;
  rig.set(Setting::maxmemory_clients, "50%");
  rig.backend.at_once = false;
  const ConnId conn = rig.connect();
  rig.transport.receive(conn, concat("*2\r\n$3\r\nGET\r\n$900000\r\n", std::string(400'000, 'x')));
  rig.turn();
  CHECK(rig.open(conn));  // maxmemory is 0
  rig.set(Setting::maxmemory, "1000000");
  rig.turn();
  CHECK(rig.open(conn));
  rig.set(Setting::maxmemory, "700000");
  rig.turn();
  CHECK_FALSE(rig.open(conn));
}

TEST_CASE("INFO clients: the greatest buffers of the last seconds, the memory of all") {
  Rig rig;
  const ConnId conn = rig.connect();
  const std::string text(5000, 'x');
  CHECK(rig.send(conn, request({"ECHO", text})) == bulk(text));
  const std::string input = concat("client_recent_max_input_buffer:", request({"ECHO", text}).size(), "\r\n");
  const std::string output = concat("client_recent_max_output_buffer:", bulk(text).size(), "\r\n");
  const auto info = [&](std::string_view section) { return rig.ask(conn, concat("INFO ", section)); };
  CHECK(info("clients").find(input) != std::string::npos);
  CHECK(info("clients").find(output) != std::string::npos);
  CHECK(info("memory").find("mem_clients_normal:") != std::string::npos);
  rig.pass(9 * kMicrosPerSecond);
  CHECK(info("clients").find(input) == std::string::npos);
}

TEST_CASE("Clients: a node's error beyond maxclients is that of a Redis Cluster") {
  Rig rig("cluster");
  rig.set(Setting::maxclients, "1");
  rig.connect();
  CHECK(rig.ask(rig.connect(), "PING") == "-ERR max number of clients + cluster connections reached\r\n");
}

TEST_CASE("Clients: a pipeline longer than the replies that may be pending is executed in order, with pauses") {
  constexpr size_t kRequests = 50'000;
  Rig rig;
  rig.backend.at_once = false;
  const ConnId conn = rig.connect();
  std::string pipeline, expected, output;
  for (size_t i = 0; i < kRequests; ++i) {
    pipeline += request(concat("GET ", i));
    expected += bulk(concat(i));
  }
  rig.transport.receive(conn, pipeline);
  rig.turn();
  CHECK(rig.backend.seen.size() == 1024);
  CHECK_FALSE(rig.transport.reading(conn));
  size_t answered = 0;
  while (answered < rig.backend.seen.size()) {
    const FakeBackend::Seen seen = rig.backend.seen[answered++];
    rig.clients.complete(seen.ticket, bulk(seen.args[1]));
    if (answered % 100 == 0) {
      rig.turn();
      output += rig.transport.take_output(conn);
    }
  }
  rig.turn();
  output += rig.transport.take_output(conn);
  CHECK(answered == kRequests);
  CHECK(output == expected);
  CHECK(rig.transport.reading(conn));
}

TEST_CASE("Clients: an idle client is closed after `timeout` seconds, one that waits for a reply is not") {
  Rig rig;
  rig.set(Setting::timeout, "10");
  rig.backend.at_once = false;
  const ConnId idle = rig.connect();
  const ConnId waiting = rig.connect();
  const ConnId busy = rig.connect();
  rig.ask(waiting, "GET a");
  for (int i = 0; i < 12; ++i) {
    CHECK(rig.clients.next_tick() <= rig.now.mono + kMicrosPerSecond);
    rig.pass(kMicrosPerSecond);
    rig.ask(busy, "PING");
  }
  CHECK_FALSE(rig.open(idle));
  CHECK(rig.open(waiting));
  CHECK(rig.open(busy));
}

TEST_CASE("Clients.next_tick: without a time-out and without a pause nothing wakes the process") {
  Rig rig;
  rig.connect();
  CHECK(rig.clients.next_tick() == kNever);
}

TEST_CASE("Clients.hold: a held client is neither read nor executed until it is released") {
  Rig rig;
  const ConnId conn = rig.connect();
  rig.backend.answer = [&](const ClientRequest& asked) {
    if (asked.args[1] == "hold") rig.clients.hold(asked.ticket.client);
    return bulk(asked.args[1]);
  };
  CHECK(rig.send(conn, request("GET a") + request("GET hold") + request("GET b")) == bulk("a") + bulk("hold"));
  CHECK_FALSE(rig.transport.reading(conn));
  CHECK(rig.ask(conn, "GET c").empty());
  rig.clients.release(1);
  rig.turn();
  rig.turn();
  CHECK(rig.transport.take_output(conn) == bulk("b") + bulk("c"));
  CHECK(rig.transport.reading(conn));
}

TEST_CASE("Clients: CLIENT PAUSE holds commands back until its time is over") {
  Rig rig;
  const ConnId admin = rig.connect();
  const ConnId conn = rig.connect();
  CHECK(rig.ask(admin, "CLIENT PAUSE 1000") == "+OK\r\n");
  CHECK(rig.send(conn, request("GET a") + request("PING")).empty());
  CHECK(rig.clients.next_tick() == rig.now.mono + kMicrosPerSecond);
  rig.pass(999 * kMicrosPerMilli);
  CHECK(rig.transport.take_output(conn).empty());
  rig.pass(kMicrosPerMilli);
  CHECK(rig.transport.take_output(conn) == concat(bulk("a"), kPong));
  rig.turn();
  CHECK(rig.transport.reading(conn));
}

TEST_CASE("Clients: CLIENT PAUSE WRITE lets reads pass, and CLIENT UNPAUSE ends it") {
  Rig rig;
  const ConnId admin = rig.connect();
  const ConnId conn = rig.connect();
  CHECK(rig.ask(admin, "CLIENT PAUSE 100000 WRITE") == "+OK\r\n");
  CHECK(rig.send(conn, request("GET a") + request("SET k v") + request("GET b")) == bulk("a"));
  CHECK(rig.ask(admin, "CLIENT UNPAUSE") == "+OK\r\n");
  rig.turn();
  CHECK(rig.transport.take_output(conn) == bulk("v") + bulk("b"));
  CHECK(rig.ask(conn, "SET k w") == bulk("w"));
}

TEST_CASE("Clients: before AUTH requests are small") {
  Rig rig;
  rig.set(Setting::requirepass, "secret");
  const ConnId many = rig.connect();
  CHECK(rig.send(many, "*11\r\n") == "-ERR Protocol error: unauthenticated multibulk length\r\n");
  CHECK_FALSE(rig.open(many));
  const ConnId big = rig.connect();
  CHECK(rig.send(big, "*2\r\n$4\r\nECHO\r\n$16385\r\n") == "-ERR Protocol error: unauthenticated bulk length\r\n");
  const ConnId known = rig.connect();
  CHECK(rig.ask(known, "AUTH secret") == "+OK\r\n");
  const std::string text(20'000, 'x');
  CHECK(rig.send(known, request({"ECHO", text})) == bulk(text));
}

}  // namespace chainring::session
