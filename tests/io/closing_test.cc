#include "tests/io/support.h"

namespace chainring::io {

TEST_CASE("Network: the other end closes: what it sent comes first, then `closed`, then the id is dead") {
  World world;
  std::string input;
  world.process.on_event = [&](const NetEvent& event) {
    if (event.kind == NetEvent::Kind::input) input = world.net().input(event.conn);
  };
  const uint16_t port = world.listen();
  ConnId conn = kNoConn;
  {
    auto [client, accepted] = world.accept(port);
    conn = accepted;
    client.send("bye");
  }
  REQUIRE(world.until([&] { return world.process.counts[NetEvent::Kind::closed] == 1; }));
  CHECK(input == "bye");
  CHECK(world.net().output(conn) == nullptr);
  CHECK(world.net().input(conn).empty());
  CHECK(world.net().unsent(conn) == 0);
  CHECK(world.net().peer_name(conn).empty());
  world.net().set_reading(conn, false);  // a dead id is no crime
  world.net().close(conn);
  world.net().close_after_flush(conn);
}

TEST_CASE("Network.close: no event follows, and the id is never used again") {
  World world;
  const uint16_t port = world.listen();
  std::vector<ConnId> ids;
  for (int i = 0; i < 20; ++i) {
    auto [client, conn] = world.accept(port);
    for (const ConnId earlier : ids) CHECK(earlier != conn);
    ids.push_back(conn);
    world.net().close(conn);
    REQUIRE(world.until([&, &c = client] { return !c.receive(); }));
  }
  CHECK(world.process.counts[NetEvent::Kind::closed] == 0);
}

TEST_CASE("Network.close_after_flush: all output arrives, then the end") {
  World world;
  auto [client, conn] = world.accept(world.listen());
  const std::string text = pattern(8 << 20);
  world.net().output(conn)->append(text);
  world.net().close_after_flush(conn);
  CHECK(world.net().output(conn) == nullptr);  // dead to its process at once
  REQUIRE(world.until([&, &c = client] { return !c.receive(); }));
  CHECK(client.ended);
  CHECK((client.received == text));
  CHECK(world.process.counts[NetEvent::Kind::closed] == 0);
}

TEST_CASE("Network.close_after_flush: the last reply reaches a client that is still sending") {
  World world;
  auto [client, conn] = world.accept(world.listen());
  const std::string block = pattern(1 << 20);
  for (int i = 0; i < 16; ++i) client.send(block);  // unread when the reply goes out
  world.net().output(conn)->append("-ERR Protocol error\r\n");
  world.net().close_after_flush(conn);
  REQUIRE(world.until([&, &c = client] {
    c.send(block);
    return !c.receive();
  }));
  CHECK(client.received == "-ERR Protocol error\r\n");
  CHECK(client.ended);
}

TEST_CASE("Network.close_after_flush: a client that has shut down its sending side gets all") {
  World world;
  auto [client, conn] = world.accept(world.listen());
  const std::string text = pattern(8 << 20);
  world.net().output(conn)->append(text);
  world.net().close_after_flush(conn);
  client.shut_down_sending();
  for (int i = 0; i < 10; ++i) world.loop.turn(world.process, 0);
  REQUIRE(world.until([&, &c = client] { return !c.receive(); }));
  CHECK(client.ended);
  CHECK((client.received == text));
}

TEST_CASE("Network.close_after_flush: a client that never reads is cut off after a bounded time") {
  World world;
  auto [client, conn] = world.accept(world.listen());
  world.net().output(conn)->append(pattern(32 << 20));
  world.net().close_after_flush(conn);
  world.loop.turn(world.process, 0);
  const Micros begun = read_mono();
  REQUIRE(world.net().next_deadline() <= begun + 5 * kMicrosPerSecond);
  const auto later = begun + 6 * kMicrosPerSecond;
  CHECK(world.net().begin_turn(later).empty());  // cut off, and nobody is told
  world.net().finish_turn();
  CHECK(world.net().next_deadline() == kNever);
  REQUIRE(world.until([&, &c = client] { return !c.receive(); }));
  CHECK(client.received.size() < (32u << 20));
}

TEST_CASE("Network: output to a peer that has gone is an event, not a signal") {
  World world;
  const uint16_t port = world.listen();
  ConnId conn = kNoConn;
  {
    auto [client, accepted] = world.accept(port);
    conn = accepted;
    client.send("unread, so that closing resets");
    world.net().output(conn)->append(pattern(1 << 20));
    world.loop.turn(world.process, 0);
  }
  REQUIRE(world.until([&] {
    if (std::string* output = world.net().output(conn); output != nullptr) output->append(pattern(1 << 16));
    return world.process.counts[NetEvent::Kind::closed] == 1;
  }));
}

}  // namespace chainring::io
