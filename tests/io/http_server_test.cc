#include "io/http_server.h"

#include <string>
#include <vector>

#include "base/text.h"
#include "tests/io/support.h"
#include "tests/support/fake_transport.h"

#include <catch2/catch.hpp>

namespace chainring::io {
namespace {

struct Rig {
  Rig()
      : server(transport, [this](std::string_view path, Now) {
          asked.emplace_back(path);
          return HttpAnswer{path == "/sick" ? 503 : 200, "text/plain", concat("page ", path)};
        }) {}

  ConnId connect() {
    const ConnId conn = transport.accept();
    turn();
    return conn;
  }
  void turn() {
    const std::vector<NetEvent> events = transport.take_events();
    server.turn(now, events);
  }
  std::string send(ConnId conn, std::string_view bytes) {
    transport.receive(conn, bytes);
    turn();
    return transport.take_output(conn);
  }
  [[nodiscard]] bool open(ConnId conn) const { return transport.state(conn) == test::FakeTransport::State::open; }

  test::FakeTransport transport;
  std::vector<std::string> asked;
  HttpServer server;
  Now now{.mono = 1000 * kMicrosPerSecond, .wall = 0};
};

std::string get(std::string_view path) {
  return concat("GET ", path, " HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n\r\n");
}

}  // namespace

TEST_CASE("HttpServer: a GET is answered whole, and the connection ends") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.send(conn, get("/a?b=c")) ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\nCache-Control: no-store\r\n"
        "Connection: close\r\n\r\npage /a");
  CHECK_FALSE(rig.open(conn));
  CHECK(rig.asked == std::vector<std::string>{"/a"});
  CHECK(rig.server.next_tick() == kNever);
}

TEST_CASE("HttpServer: HEAD has the headers of GET and no body, the status is the page's") {
  Rig rig;
  const std::string head = rig.send(rig.connect(), "HEAD /a HTTP/1.0\r\n\r\n");
  CHECK(head.find("Content-Length: 7\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK(rig.send(rig.connect(), get("/sick")).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
}

TEST_CASE("HttpServer: a request that comes in pieces is answered when it is whole") {
  Rig rig;
  const ConnId conn = rig.connect();
  const std::string request = get("/a");
  for (size_t i = 0; i + 1 < request.size(); ++i) CHECK(rig.send(conn, request.substr(i, 1)).empty());
  CHECK(rig.send(conn, request.substr(request.size() - 1)).ends_with("page /a"));
}

TEST_CASE("HttpServer: other methods and what is no HTTP are refused, and ask for no page") {
  Rig rig;
  const std::string post = rig.send(rig.connect(), "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
  CHECK(post.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
  CHECK(post.find("Allow: GET, HEAD\r\n") != std::string::npos);
  for (const std::string_view bad :
       {"*1\r\n$4\r\nPING\r\n\r\n", "GET\r\n\r\n", "GET /a\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", " /a HTTP/1.1\r\n\r\n",
        "GET a HTTP/1.1\r\n\r\n", "GET /a HTTP/2\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n", "\r\n\r\n"}) {
    INFO(bad);
    const ConnId conn = rig.connect();
    CHECK(rig.send(conn, bad).starts_with("HTTP/1.1 400 Bad Request\r\n"));
    CHECK_FALSE(rig.open(conn));
  }
  CHECK(rig.asked.empty());
}

TEST_CASE("HttpServer: requests are bounded in size") {
  Rig rig;
  const ConnId conn = rig.connect();
  const std::string begin = "GET /a HTTP/1.1\r\nX: ";
  CHECK(rig.send(conn, begin + std::string(kHttpRequestBytesMax - begin.size() - 1, 'x')).empty());
  CHECK(rig.send(conn, "x").starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
  CHECK_FALSE(rig.open(conn));
}

TEST_CASE("HttpServer: requests are bounded in time, however often a byte comes") {
  Rig rig;
  const ConnId slow = rig.connect();
  for (int second = 0; second < 4; ++second) {
    CHECK(rig.server.next_tick() <= rig.now.mono + kMicrosPerSecond);
    rig.now.mono += kMicrosPerSecond;
    rig.send(slow, "G");
  }
  CHECK(rig.open(slow));
  for (int second = 0; second < 2; ++second) {
    rig.now.mono += kMicrosPerSecond;
    rig.turn();
  }
  CHECK_FALSE(rig.open(slow));
  CHECK(rig.server.next_tick() == kNever);
}

TEST_CASE("HttpServer: connections are bounded in number, and places come free again") {
  Rig rig;
  std::vector<ConnId> silent;
  for (size_t i = 0; i < kHttpConnectionsMax; ++i) silent.push_back(rig.connect());
  const ConnId refused = rig.connect();
  CHECK_FALSE(rig.open(refused));
  rig.transport.disconnect(silent.front());
  rig.turn();
  CHECK(rig.send(rig.connect(), get("/a")).ends_with("page /a"));
}

TEST_CASE("Loop.serve_http: pages are answered between turns, unseen by the process") {
  World world;
  const auto port = world.loop.serve_http({"127.0.0.1", 0}, [](std::string_view path, Now now) {
    return HttpAnswer{200, "text/plain", concat(path, now.mono > 0 ? " has a time" : "")};
  });
  REQUIRE(port.ok());
  Client client(*port);
  client.send(get("/page"));
  REQUIRE(world.until([&] { return !client.receive(); }));
  CHECK(client.received.ends_with("\r\n\r\n/page has a time"));
  CHECK(world.process.counts.empty());
}

TEST_CASE("Loop.serve_http: a port that is taken is an error that names it") {
  World world;
  const uint16_t taken = world.listen();
  const auto port = world.loop.serve_http({"127.0.0.1", taken}, [](std::string_view, Now) { return HttpAnswer{}; });
  REQUIRE_FALSE(port.ok());
  CHECK(port.status().message().find(concat(taken)) != std::string_view::npos);
}

}  // namespace chainring::io
