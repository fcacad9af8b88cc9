#include <algorithm>
#include <list>

#include "tests/io/support.h"

namespace chainring::io {
namespace {

void echo(World& world) {
  world.process.on_event = [&world](const NetEvent& event) {
    if (event.kind != NetEvent::Kind::input) return;
    const std::string_view bytes = world.net().input(event.conn);
    world.net().output(event.conn)->append(bytes);
    world.net().consume(event.conn, bytes.size());
  };
}

}  // namespace

TEST_CASE("Network: bytes go in, through the process, and out") {
  World world;
  echo(world);
  auto [client, conn] = world.accept(world.listen());
  CHECK(world.net().peer_name(conn).starts_with("127.0.0.1:"));
  REQUIRE(client.send("PING\r\n") == 6);
  REQUIRE(world.until([&, &c = client] { return c.receive(), c.received == "PING\r\n"; }));
  CHECK(world.net().unsent(conn) == 0);
  CHECK(world.net().input_capacity() == 0);  // an idle connection holds no buffer
}

TEST_CASE("Network: what is not consumed stays, contiguous, before what comes next") {
  World world;
  auto [client, conn] = world.accept(world.listen());
  const std::string text = pattern(100'000);
  size_t sent = 0;
  while (sent < text.size()) {
    sent += client.send(std::string_view(text).substr(sent, 1000));
    REQUIRE(world.until([&, c = conn] { return world.net().input(c).size() == sent; }));
  }
  CHECK(world.net().input(conn) == text);
  world.net().consume(conn, 99'990);
  CHECK(world.net().input(conn) == text.substr(99'990));
}

TEST_CASE("Network: a view of the input lives until the end of the turn, even past close()") {
  World world;
  std::string seen;
  world.process.on_event = [&](const NetEvent& event) {
    if (event.kind != NetEvent::Kind::input) return;
    const std::string_view view = world.net().input(event.conn);
    world.net().close(event.conn);
    CHECK(world.net().input(event.conn).empty());
    seen = view;
  };
  auto [client, conn] = world.accept(world.listen());
  client.send("last words");
  REQUIRE(world.until([&] { return !seen.empty(); }));
  CHECK(seen == "last words");
}

TEST_CASE("Network.set_reading: with false nothing more is read, with true what waits is told") {
  World world;
  const uint16_t port = world.listen();
  auto [client, conn] = world.accept(port);
  REQUIRE(client.send("first") == 5);
  REQUIRE(world.until([&, c = conn] { return world.net().input(c) == "first"; }));
  world.net().set_reading(conn, false);

  const std::string block = pattern(1 << 20);
  size_t taken = 0;
  auto [other, other_conn] = world.accept(port);  // its bytes come later, so the first one's would have come
  for (int i = 0; i < 64; ++i) taken += client.send(block);
  CHECK(taken > 0);
  CHECK(client.send(block) == 0);  // the kernel's buffers are full
  REQUIRE(other.send("x") == 1);
  REQUIRE(world.until([&, c = other_conn] { return world.net().input(c) == "x"; }));
  CHECK(world.net().input(conn) == "first");

  const int events_before = world.process.counts[NetEvent::Kind::input];
  world.net().set_reading(conn, true);
  world.loop.turn(world.process);  // without waiting for a socket: the five bytes are told
  CHECK(world.process.counts[NetEvent::Kind::input] > events_before);
  REQUIRE(world.until([&, c = conn] { return world.net().input(c).size() == 5 + taken; }));
}

TEST_CASE("Network: output that the other end is slow to take leaves in order, then `drained` comes") {
  World world;
  auto [client, conn] = world.accept(world.listen());
  const std::string text = pattern(32 << 20);
  world.net().output(conn)->append(text);
  CHECK(world.net().unsent(conn) == text.size());
  world.net().set_reading(conn, true);
  world.loop.turn(world.process, 0);
  const size_t left = world.net().unsent(conn);
  CHECK(left > kOutputLowWater);
  CHECK(world.net().sent_late(conn) == 0);
  CHECK(world.process.counts[NetEvent::Kind::drained] == 0);
  world.net().output(conn)->append("the end");  // behind what waits
  REQUIRE(world.until([&, &c = client] { return c.receive(), c.received.size() == text.size() + 7; }));
  CHECK((client.received == text + "the end"));
  REQUIRE(world.until([&] { return world.process.counts[NetEvent::Kind::drained] == 1; }));
  CHECK(world.net().unsent(conn) == 0);
  CHECK(world.net().sent_late(conn) == left + 7);
  world.net().output(conn)->append("more");  // there is room again
  REQUIRE(world.until([&, &c = client] { return c.receive(), c.received.ends_with("more"); }));
  CHECK(world.net().sent_late(conn) == left + 7);
}

TEST_CASE("Network: `drained` comes also when much output left at once, and not for little") {
  World world;
  auto [client, conn] = world.accept(world.listen());
  world.net().output(conn)->append(1000, 'x');
  world.loop.turn(world.process, 0);
  world.loop.turn(world.process, 0);
  CHECK(world.process.counts[NetEvent::Kind::drained] == 0);
  world.net().output(conn)->append(kOutputLowWater + 1, 'x');
  REQUIRE(world.until([&, &c = client] { return c.receive(), world.process.counts[NetEvent::Kind::drained] == 1; }));
}

TEST_CASE("Network: many connections each get their own bytes back, and idle ones hold no memory") {
  World world;
  echo(world);
  const uint16_t port = world.listen();
  std::list<Client> clients;
  constexpr int kClients = 400;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back(port);
    clients.back().send("client " + std::to_string(i));
  }
  REQUIRE(world.until([&] {
    return std::all_of(clients.begin(), clients.end(), [](Client& c) { return c.receive(), !c.received.empty(); });
  }));
  int i = 0;
  for (const Client& client : clients) CHECK(client.received == "client " + std::to_string(i++));
  CHECK(world.process.accepted.size() == kClients);
  CHECK(world.net().input_capacity() == 0);
}

TEST_CASE("Network: one connection with much to say does not silence another") {
  World world;
  echo(world);
  const uint16_t port = world.listen();
  auto [loud, loud_conn] = world.accept(port);
  auto [quiet, quiet_conn] = world.accept(port);
  const std::string block = pattern(1 << 20);
  size_t sent = 0;
  for (int i = 0; i < 8; ++i) sent += loud.send(block);
  REQUIRE(quiet.send("me too") == 6);
  REQUIRE(sent > 256 * 1024);
  REQUIRE(world.until([&, &q = quiet] { return q.receive(), q.received == "me too"; }));
  CHECK(world.process.turns <= 4);  // not after the whole of the other one's bytes
}

TEST_CASE("Network: the connection that would exceed the memory for input is closed, others stay") {
  NetworkOptions options;
  options.input_bytes_max = 1 << 20;
  World world(options);
  const uint16_t port = world.listen();
  auto [modest, modest_conn] = world.accept(port);
  auto [greedy, greedy_conn] = world.accept(port);
  const std::string block = pattern(64 * 1024);
  REQUIRE(world.until([&, &g = greedy] {
    g.send(block);
    return world.process.counts[NetEvent::Kind::closed] == 1;
  }));
  CHECK(world.net().output(greedy_conn) == nullptr);
  REQUIRE(world.log.lines.size() == 1);
  CHECK(world.log.lines[0].find("input of all connections") != std::string::npos);
  modest.send("hello");
  REQUIRE(world.until([&, c = modest_conn] { return world.net().input(c) == "hello"; }));
}

}  // namespace chainring::io
