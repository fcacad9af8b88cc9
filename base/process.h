// A process of the cluster as its event loop sees it: a node, a router or a coordinator.
//
// The real loop (io/loop.h) and the simulator (tests/sim) drive the same objects. A turn is: read all sockets,
// read the clock once, call turn(), write all output (R5). A process owns no socket, no file, no clock, no thread.
//
// Thread-safety: none; all calls come from one thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "base/result.h"
#include "base/time.h"
#include "base/transport.h"

namespace chainring {

enum class LogLevel { debug, info, warning, error };

// Where a process says what an operator should know. Never on the path of a request.
class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view text) = 0;
  void debug(std::string_view text) { write(LogLevel::debug, text); }
  void info(std::string_view text) { write(LogLevel::info, text); }
  void warning(std::string_view text) { write(LogLevel::warning, text); }
  void error(std::string_view text) { write(LogLevel::error, text); }
};

class Process {
 public:
  virtual ~Process() = default;

  // Called once before the first turn: opens listeners, reads what is on disk.
  [[nodiscard]] virtual Status start(Now now) = 0;

  // Handles everything that happened since the last turn. Called with no events when next_wake() has come.
  virtual void turn(Now now, std::span<const NetEvent> events) = 0;

  // Monotonic time at which turn() is wanted even without events; kNever for none. Asked after each turn.
  [[nodiscard]] virtual Micros next_wake() const = 0;

  // Begins an orderly stop (SIGTERM). finished() turns true when it is done.
  virtual void request_stop(Now now) = 0;
  [[nodiscard]] virtual bool finished() const = 0;

  // When finished() because of a fault, why; the loop's owner logs it and exits 1.
  [[nodiscard]] virtual Status outcome() const = 0;

  // Between turns, for who watches over it: its metrics, and whether it can serve (the message says why not).
  virtual void metrics(Now, MetricsWriter&) const {}
  [[nodiscard]] virtual Status health(Now) const { return {}; }
};

}  // namespace chainring
