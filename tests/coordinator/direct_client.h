// A Redis client in the simulated world, connected to one process.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "tests/sim/world.h"

namespace chainring::coordinator {

class DirectClient final : public Process {
 public:
  DirectClient(uint16_t to, Transport& transport) : to_(to), transport_(transport) {}

  // Lifetime: the world's.
  static DirectClient& connect(sim::World& world, uint16_t to);

  void send(std::string_view line);
  // Sends one command and waits for its reply, which must come within a second.
  std::string ask(sim::World& world, std::string_view line);
  std::string ask(sim::World& world, std::span<const std::string_view> words);
  [[nodiscard]] const std::string& received() const { return received_; }

  [[nodiscard]] Status start(Now now) override;
  void turn(Now now, std::span<const NetEvent> events) override;
  [[nodiscard]] Micros next_wake() const override { return now_ + kMicrosPerMilli; }
  void request_stop(Now) override {}
  [[nodiscard]] bool finished() const override { return false; }
  [[nodiscard]] Status outcome() const override { return {}; }

 private:
  std::string await_reply(sim::World& world);

  uint16_t to_;
  Transport& transport_;
  ConnId conn_ = kNoConn;
  Micros now_ = 0;
  bool up_ = false;
  std::string to_send_;
  std::string received_;
};

}  // namespace chainring::coordinator
