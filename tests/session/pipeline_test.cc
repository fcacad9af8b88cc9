// Requests in, replies out: order, streaming, and bytes that are no requests.
#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/resp.h"
#include "tests/session/rig.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

constexpr std::string_view kPong = "+PONG\r\n";

}  // namespace

TEST_CASE("Clients: a request of the role is handed over with its bytes and its reply goes back") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "SELECT 5") == "+OK\r\n");
  CHECK(rig.ask(conn, "get k1") == bulk("k1"));
  REQUIRE(rig.backend.seen.size() == 1);
  CHECK(rig.backend.seen[0].bytes == request("get k1"));
  CHECK(rig.backend.seen[0].args == std::vector<std::string>{"get", "k1"});
  CHECK(rig.backend.seen[0].db == 5);
  CHECK(rig.backend.seen[0].resp == protocol::RespVersion::resp2);
}

TEST_CASE("Clients: an inline command is handed over as RESP") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.send(conn, "SET k \"a b\"\r\n") == bulk("a b"));
  REQUIRE(rig.backend.seen.size() == 1);
  CHECK(rig.backend.seen[0].bytes == request({"SET", "k", "a b"}));
}

TEST_CASE("Clients: replies keep the client's order when requests are answered in any order") {
  Rig rig;
  rig.backend.at_once = false;
  const ConnId conn = rig.connect();
  CHECK(rig.send(conn, request("GET a") + request("GET b") + request("PING") + request("GET c")).empty());
  REQUIRE(rig.backend.seen.size() == 3);
  rig.clients.complete(rig.backend.seen[2].ticket, "$1\r\nC\r\n");
  rig.clients.complete(rig.backend.seen[1].ticket, "$1\r\nB\r\n");
  CHECK(rig.transport.take_output(conn).empty());
  rig.clients.complete(rig.backend.seen[0].ticket, "$1\r\nA\r\n");
  CHECK(rig.transport.take_output(conn) == concat("$1\r\nA\r\n$1\r\nB\r\n", kPong, "$1\r\nC\r\n"));
}

TEST_CASE("Clients: random orders of completion over many clients keep each one's order") {
  const uint64_t seed = GENERATE(1, 2, 3, 4, 5);
  INFO("seed " << seed);
  Rig rig;
  rig.backend.at_once = false;
  SeededRandom random(seed);
  std::vector<ConnId> conns;
  std::vector<std::string> expected(8);
  for (size_t i = 0; i < expected.size(); ++i) conns.push_back(rig.connect());
  std::vector<std::string> received(expected.size());
  for (int step = 0; step < 2000; ++step) {
    if (random.percent(50)) {
      const size_t who = random.below(conns.size());
      rig.send(conns[who], request(concat("GET ", step)));
      expected[who] += bulk(concat(step));
    } else if (!rig.backend.seen.empty()) {
      const auto which = rig.backend.seen.begin() + static_cast<ptrdiff_t>(random.below(rig.backend.seen.size()));
      rig.clients.complete(which->ticket, bulk(which->args[1]));
      rig.backend.seen.erase(which);
    }
    for (size_t i = 0; i < conns.size(); ++i) received[i] += rig.transport.take_output(conns[i]);
  }
  for (const FakeBackend::Seen& seen : rig.backend.seen) rig.clients.complete(seen.ticket, bulk(seen.args[1]));
  for (size_t i = 0; i < conns.size(); ++i) {
    received[i] += rig.transport.take_output(conns[i]);
    CHECK(received[i] == expected[i]);
  }
}

TEST_CASE("Clients: a pipeline may be cut at any byte") {
  const std::string input = request("PING") + "PING\r\n" + request({"SET", "k", "line\r\nend"}) + "*0\r\n\r\n" +
                            request("ECHO hello") + request("GET k") + "ECHO 'x y'\n";
  Rig whole;
  const std::string expected = whole.send(whole.connect(), input);
  CHECK(expected == concat(kPong, kPong, bulk("line\r\nend"), bulk("hello"), bulk("k"), bulk("x y")));
  for (size_t cut = 0; cut <= input.size(); ++cut) {
    INFO("cut at " << cut);
    Rig rig;
    const ConnId conn = rig.connect();
    std::string output = rig.send(conn, input.substr(0, cut));
    output += rig.send(conn, input.substr(cut));
    REQUIRE(output == expected);
  }
  Rig rig;
  const ConnId conn = rig.connect();
  std::string output;
  for (const char c : input) output += rig.send(conn, std::string_view(&c, 1));
  CHECK(output == expected);
}

TEST_CASE("Clients: pipelined requests before SELECT and HELLO use what was in force when they came") {
  Rig rig;
  rig.backend.at_once = false;
  const ConnId conn = rig.connect();
  rig.send(conn, request("GET a") + request("SELECT 3") + request("GET b") + request("HELLO 3") + request("GET c"));
  REQUIRE(rig.backend.seen.size() == 3);
  CHECK(rig.backend.seen[0].db == 0);
  CHECK(rig.backend.seen[1].db == 3);
  CHECK(rig.backend.seen[1].resp == protocol::RespVersion::resp2);
  CHECK(rig.backend.seen[2].resp == protocol::RespVersion::resp3);
}

TEST_CASE("Clients: a command of a million arguments is handed over whole") {
  constexpr size_t kArgs = 1'000'000;
  Rig rig;
  const ConnId conn = rig.connect();
  std::string input = concat('*', kArgs, "\r\n$3\r\nDEL\r\n");
  for (size_t i = 1; i < kArgs; ++i) input += "$1\r\nk\r\n";
  const size_t half = input.size() / 2;
  CHECK(rig.send(conn, std::string_view(input).substr(0, half)).empty());
  CHECK(rig.send(conn, std::string_view(input).substr(half)) == bulk("k"));
  REQUIRE(rig.backend.seen.size() == 1);
  CHECK(rig.backend.seen[0].args.size() == kArgs);
}

TEST_CASE("Clients: a protocol error is told in its turn and closes the connection") {
  Rig rig;
  rig.backend.at_once = false;
  const ConnId conn = rig.connect();
  CHECK(rig.send(conn, request("GET a") + "*1\r\n:1\r\n" + request("PING")).empty());
  CHECK(rig.open(conn));
  rig.clients.complete(rig.backend.seen.at(0).ticket, "$-1\r\n");
  rig.turn();
  CHECK(rig.transport.take_output(conn) == "$-1\r\n-ERR Protocol error: expected '$', got ':'\r\n");
  CHECK_FALSE(rig.open(conn));
  CHECK(rig.backend.gone == std::vector<ClientId>{1});
}

TEST_CASE("Clients: a bulk of 2 GB is refused by its header alone") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.send(conn, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2147483648\r\n") ==
        "-ERR Protocol error: invalid bulk length\r\n");
  CHECK_FALSE(rig.open(conn));
  CHECK(rig.clients.count() == 0);
}

TEST_CASE("Clients: bytes of HTTP close the connection without an answer") {
  for (const std::string_view line : {"POST / HTTP/1.1\r\n", "Host: 127.0.0.1:7379\r\n"}) {
    Rig rig;
    const ConnId conn = rig.connect();
    CHECK(rig.send(conn, concat(line, "SET a b\r\n")).empty());
    CHECK_FALSE(rig.open(conn));
    CHECK(rig.log.warnings.size() == 1);
    CHECK(rig.backend.seen.empty());
  }
}

TEST_CASE("Clients: random bytes cost their own connection at most") {
  const uint64_t seed = GENERATE(range(1, 201));
  INFO("seed " << seed);
  constexpr std::string_view kLikely = "*$\r\n0123456789 -:+PINGSET\"'\\x";
  SeededRandom random(seed);
  Rig rig;
  const ConnId good = rig.connect();
  const ConnId bad = rig.connect();
  for (int i = 0; i < 50; ++i) {
    std::string bytes;
    for (uint64_t n = random.below(64); n > 0; --n) {
      bytes.push_back(random.percent(70) ? kLikely[random.below(kLikely.size())] : static_cast<char>(random.next()));
    }
    rig.send(bad, bytes);
  }
  CHECK(rig.ask(good, "PING") == kPong);
}

TEST_CASE("Clients: a connection that breaks is reported once and its late replies are dropped") {
  Rig rig;
  rig.backend.at_once = false;
  const ConnId conn = rig.connect();
  rig.ask(conn, "GET a");
  rig.transport.disconnect(conn);
  rig.turn();
  CHECK(rig.backend.gone == std::vector<ClientId>{1});
  CHECK(rig.clients.count() == 0);
  CHECK_FALSE(rig.clients.owns(conn));
  rig.clients.complete(rig.backend.seen.at(0).ticket, "$-1\r\n");
  rig.turn();
  CHECK(rig.backend.gone.size() == 1);
}

TEST_CASE("Clients: a connection that begins with PEER is the role's from then on") {
  Rig rig;
  const ConnId conn = rig.connect();
  rig.transport.receive(conn, request("PEER 5 ab router r1 cd secret") + "frames");
  rig.turn();
  REQUIRE(rig.peers == std::vector<ConnId>{conn});
  const auto args = rig.clients.peer_args();
  CHECK(std::vector<std::string>(args.begin(), args.end()) ==
        std::vector<std::string>{"PEER", "5", "ab", "router", "r1", "cd", "secret"});
  CHECK(rig.transport.input(conn) == "frames");
  CHECK(rig.open(conn));
  CHECK_FALSE(rig.clients.owns(conn));
  CHECK(rig.clients.count() == 0);
}

TEST_CASE("Clients: PEER is the first request or an error") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "PING") == kPong);
  CHECK(rig.ask(conn, "PEER 5 ab router r1 cd secret") == "-ERR PEER must be the first request of a connection\r\n");
  CHECK(rig.peers.empty());
}

TEST_CASE("Clients.close_all: replies that are ready leave first") {
  Rig rig;
  const ConnId conn = rig.connect();
  rig.transport.receive(conn, request("PING"));
  rig.turn();
  rig.clients.close_all();
  CHECK(rig.transport.state(conn) == test::FakeTransport::State::flushing);
  CHECK(rig.transport.take_output(conn) == kPong);
  CHECK(rig.clients.count() == 0);
  CHECK(rig.backend.gone.size() == 1);
}

}  // namespace chainring::session
