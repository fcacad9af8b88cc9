// A Loop, a Process made of lambdas, and plain sockets as its clients, all on one thread.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/directory_lock.h"
#include "io/fd.h"
#include "io/logger.h"
#include "io/loop.h"
#include "io/real_clock.h"
#include "io/real_disk.h"

// clang-format off
#include <catch2/catch.hpp>  // last: it has a CHECK of its own
// clang-format on

namespace chainring::io {

class MemoryLog final : public Log {
 public:
  void write(LogLevel, std::string_view text) override { lines.emplace_back(text); }
  std::vector<std::string> lines;
};

// Counts events by kind and calls what a test has set.
class ScriptedProcess final : public Process {
 public:
  Status start(Now now) override { return on_start ? on_start(now) : Status(); }
  void turn(Now now, std::span<const NetEvent> events) override {
    ++turns;
    last_turn = now;
    for (const NetEvent& event : events) {
      ++counts[event.kind];
      if (event.kind == NetEvent::Kind::accepted) accepted.push_back(event.conn);
      if (on_event) on_event(event);
    }
  }
  Micros next_wake() const override { return wake; }
  void request_stop(Now) override {
    ++stop_requests;
    done = stops;
  }
  bool finished() const override { return done; }
  Status outcome() const override { return {}; }

  std::function<Status(Now)> on_start;
  std::function<void(const NetEvent&)> on_event;
  std::map<NetEvent::Kind, int> counts;
  std::vector<ConnId> accepted;
  Micros wake = kNever;
  Now last_turn;
  int turns = 0;
  int stop_requests = 0;
  bool stops = true;  // whether request_stop() ends it
  bool done = false;
};

// A client on a socket of its own that never blocks.
class Client {
 public:
  explicit Client(uint16_t port);
  // How much the system took.
  size_t send(std::string_view bytes);
  // Receives what is there; true while the connection stands.
  bool receive();
  void shut_down_sending();

  std::string received;
  bool ended = false;  // the other end has closed
  bool reset = false;

 private:
  Fd fd_;
};

struct World {
  explicit World(const NetworkOptions& options = {}) : loop(log, options) {}

  uint16_t listen();
  // Turns the loop until `holds`; false when it does not within a bound far above what any test needs.
  bool until(const std::function<bool()>& holds);
  // A client that has been accepted, and its id.
  std::pair<Client, ConnId> accept(uint16_t port);
  Network& net() { return loop.transport(); }

  MemoryLog log;
  Loop loop;
  ScriptedProcess process;
};

// A directory that goes with the test.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Bytes whose places can be told apart.
[[nodiscard]] std::string pattern(size_t size);

}  // namespace chainring::io
