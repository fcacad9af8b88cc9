#include <csignal>

#include "tests/io/support.h"

namespace chainring::io {

TEST_CASE("Loop: next_wake() brings a turn without events, and not too early") {
  World world;
  for (int i = 0; i < 5; ++i) {
    const Micros due = read_mono() + 3 * kMicrosPerMilli;
    world.process.wake = due;
    const int turns = world.process.turns;
    REQUIRE(world.until([&] { return world.process.turns > turns; }));
    CHECK(world.process.last_turn.mono >= due);
    CHECK(world.process.turns == turns + 1);
    world.process.wake = kNever;
  }
}

TEST_CASE("Loop: an earlier next_wake() replaces a later one") {
  World world;
  world.process.wake = read_mono() + 3600 * kMicrosPerSecond;
  world.loop.turn(world.process, kMicrosPerMilli);
  CHECK(world.process.turns == 0);
  world.process.wake = read_mono() + kMicrosPerMilli;
  REQUIRE(world.until([&] { return world.process.turns == 1; }));
}

TEST_CASE("Loop: a next_wake() that has passed lets sockets be read all the same") {
  World world;
  const uint16_t port = world.listen();
  world.process.wake = 0;  // always busy
  Client client(port);
  client.send("x");
  REQUIRE(world.until([&] { return world.process.counts[NetEvent::Kind::input] == 1; }));
}

TEST_CASE("Loop.run: starts, turns until finished, and gives the outcome") {
  World world;
  bool started = false;
  world.process.on_start = [&](Now now) {
    started = now.mono > 0 && now.wall > 1'600'000'000'000;
    world.process.wake = now.mono;
    return Status();
  };
  world.process.on_event = [](const NetEvent&) {};
  const uint16_t port = world.listen();
  Client client(port);
  world.process.on_event = [&](const NetEvent&) { world.process.done = true; };
  CHECK(world.loop.run(world.process).ok());
  CHECK(started);
}

TEST_CASE("Loop.run: a start that fails is the outcome") {
  World world;
  world.process.on_start = [](Now) { return Status(ErrorCode::permission_denied, "no"); };
  const Status status = world.loop.run(world.process);
  REQUIRE_FALSE(status.ok());
  CHECK(status.message() == "no");
  CHECK(world.process.turns == 0);
}

TEST_CASE("Loop.run: SIGTERM asks the process to stop") {
  World world;
  world.loop.watch_signals();
  world.process.on_start = [](Now) {
    ::raise(SIGTERM);
    return Status();
  };
  CHECK(world.loop.run(world.process).ok());
  CHECK(world.process.stop_requests == 1);
}

TEST_CASE("Loop.run: a second signal ends it at once") {
  World world;
  world.loop.watch_signals();
  world.process.stops = false;
  world.process.wake = 0;
  world.process.on_start = [](Now) {
    ::raise(SIGINT);
    ::raise(SIGTERM);
    return Status();
  };
  const Status status = world.loop.run(world.process);
  REQUIRE_FALSE(status.ok());
  CHECK(status.message().find("second signal") != std::string_view::npos);
  CHECK(world.process.stop_requests == 1);
}

}  // namespace chainring::io
