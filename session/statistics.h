// What INFO counts of clients and commands.
// Thread-safety: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/latency.h"
#include "base/time.h"
#include "protocol/command.h"

namespace chainring::session {

// Commands per second over the last 1.6 seconds, as Redis reckons it: the mean of 16 samples, each over 100 ms or more.
class CommandRate {
 public:
  void sample(uint64_t commands, Micros now);
  [[nodiscard]] int64_t per_second() const;

 private:
  static constexpr size_t kSamples = 16;
  std::array<int64_t, kSamples> samples_{};
  size_t next_ = 0;
  uint64_t last_commands_ = 0;
  Micros last_at_ = 0;
};

// The greatest of the values of the last 8 seconds, as Redis keeps it for INFO clients.
class RecentPeak {
 public:
  void see(uint64_t value, Micros now);
  [[nodiscard]] uint64_t peak(Micros now) const;

 private:
  static constexpr size_t kSlots = 8;
  struct Slot {
    int64_t second = -1;
    uint64_t value = 0;
  };
  std::array<Slot, kSlots> slots_{};
};

struct Counters {
  uint64_t connections = 0;
  uint64_t rejected_connections = 0;
  uint64_t commands = 0;
  uint64_t net_input_bytes = 0;
  uint64_t net_output_bytes = 0;
  uint64_t error_replies = 0;
  uint64_t output_limit_closed = 0;
  uint64_t query_limit_closed = 0;
  uint64_t evicted_clients = 0;
  uint64_t idle_closed = 0;
  LatencyCounts durations;
  std::array<uint64_t, protocol::kCommandCount> calls{};
  std::array<uint64_t, protocol::kCommandCount> rejected{};

  // Error replies by their first word. REQUIRES: reply begins with '-'.
  void count_error(std::string_view reply);
  [[nodiscard]] const std::map<std::string, uint64_t, std::less<>>& errors() const { return errors_; }

 private:
  static constexpr size_t kErrorCodesMax = 128;  // as Redis: a client that makes up codes must not fill the memory
  std::map<std::string, uint64_t, std::less<>> errors_;
};

}  // namespace chainring::session
