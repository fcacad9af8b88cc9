// The event loop that drives one Process (base/process.h) on real sockets and the real clocks.
//
// A turn: wait for sockets or next_wake(), read all that are ready, read the clocks once, process.turn(), write all
// output (R5). The Process is made with transport(), so the Loop comes first and lives longer.
// Thread-safety: none; everything happens on the thread that calls run().
#pragma once

#include <memory>
#include <vector>

#include "base/process.h"
#include "io/http_server.h"
#include "io/network.h"

namespace chainring::io {

class Loop {
 public:
  // `log` outlives it.
  explicit Loop(Log& log, const NetworkOptions& options = {});
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  [[nodiscard]] Network& transport() { return *network_; }

  // Answers HTTP at this address between turns, on connections that the process does not see. Returns the port that was
  // bound. REQUIRES: once.
  [[nodiscard]] Result<uint16_t> serve_http(const Address& address, HttpServer::Pages pages);

  // From now on the first SIGTERM or SIGINT asks the process to stop, and a second one ends run() at once. Signals
  // belong to one Loop of a program.
  void watch_signals();

  // Starts the process and drives it until finished(). Returns its outcome.
  [[nodiscard]] Status run(Process& process);

  // One turn, which waits for at most `wait_max`.
  void turn(Process& process, Micros wait_max = kNever);

 private:
  struct BaseDeleter {
    void operator()(event_base* base) const;
  };

  // Who watches has a network of its own, so that it neither meets the process' connections nor takes their memory.
  struct HttpSide {
    HttpSide(event_base* base, Log& log, HttpServer::Pages pages);
    Network network;
    HttpServer server;
  };

  static void on_wake(int fd, short what, void* loop);
  static void on_signal(int number, short what, void* loop);
  void wait(Micros deadline, Micros wait_max);
  void turn_http(Now now);
  void arm_wake(Micros now, Micros deadline);

  std::unique_ptr<event_base, BaseDeleter> base_;
  Log& log_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<HttpSide> http_;  // nullptr: nobody watches
  EventHandle wake_;
  Micros armed_for_ = kNever;
  std::vector<EventHandle> signals_;
  int stop_signals_ = 0;
  bool stop_requested_ = false;
};

}  // namespace chainring::io
