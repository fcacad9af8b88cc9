// The client that a measurement loads a cluster with: it writes and reads keys at a rate or as fast as answers come,
// notes what was acknowledged and how long that took, and reads everything again when asked.
//
// It is told what to do on a connection of its own, by requests in RESP:
//   FILL                       writes every key once; answered when that is done
//   RUN rate outstanding       begins to write one key after the other, so that what is lost is not soon written over,
//                              and to read keys drawn at random: `rate` a second, or with rate 0 so that always
//                              `outstanding` are under way
//   WATCH                      begins a new window
//   QUIET ranges               microseconds without an acknowledged write in slots, as "0-5460,7000"
//   REPORT [name ranges]...    the window's figures up to now for groups of slots, as JSON; times in microseconds
//   STOP                       begins nothing more; answered when nothing is under way
//   CHECK                      reads every key; answered with what is lost, as JSON
//
// Thread-safety: none; a Process.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "base/random.h"
#include "bench/load/ledger.h"
#include "bench/load/operations.h"
#include "bench/load/window.h"
#include "protocol/resp.h"

namespace chainring::load {

struct LoadOptions {
  OperationsOptions operations;
  std::string prefix = "load";
  uint32_t keys = 100'000;
  size_t value_bytes = 64;
  uint32_t read_percent = 20;
  Address control;
};

inline constexpr size_t kOutstandingMax = 100'000;
inline constexpr uint64_t kRateMax = 10'000'000;
inline constexpr size_t kSweepOutstanding = 512;  // of FILL and CHECK
inline constexpr size_t kControllersMax = 8;
inline constexpr size_t kLostNamesMax = 5;  // that CHECK tells
inline constexpr Micros kTick = kMicrosPerMilli;

class Load final : public Process {
 public:
  // `transport`, `random` and `log` outlive it.
  Load(const LoadOptions& options, Transport& transport, Random& random, Log& log);

  [[nodiscard]] Status start(Now now) override;
  void turn(Now now, std::span<const NetEvent> events) override;
  [[nodiscard]] Micros next_wake() const override;
  void request_stop(Now) override { finished_ = true; }
  [[nodiscard]] bool finished() const override { return finished_; }
  [[nodiscard]] Status outcome() const override { return {}; }

 private:
  using Args = std::span<const std::string_view>;
  enum class Phase { idle, filling, running, checking };

  void control(const NetEvent& event);
  void command(ConnId conn, Args args);
  [[nodiscard]] Result<std::string> run(Args args);
  [[nodiscard]] std::string watch();
  [[nodiscard]] Result<std::string> quiet(Args args) const;
  [[nodiscard]] Result<std::string> report(Args args) const;
  void reply(ConnId conn, const Result<std::string>& answer);
  void sweep(Phase phase, ConnId asker);
  void begin_sweep_operations();
  void begin_paced(Micros due);
  void begin_one(Micros due);
  [[nodiscard]] Key choose_key(Kind kind);
  void issue();
  void settle();
  void found(Key key, const std::string* value);
  [[nodiscard]] std::string check_report() const;

  const LoadOptions options_;
  Transport& transport_;
  Random& random_;
  Log& log_;
  Ledger ledger_;
  Window window_;
  Operations operations_;
  std::map<ConnId, protocol::RequestParser> controllers_;
  Micros now_ = 0;
  bool finished_ = false;

  Phase phase_ = Phase::idle;
  ConnId asker_ = kNoConn;  // is answered when what it asked for is done
  Key next_key_ = 0;        // of a sweep
  uint64_t rate_ = 0;
  size_t outstanding_ = 0;
  Micros next_tick_ = 0;
  uint64_t owed_ = 0;  // operations that are due, in millionths
  Key next_write_ = 0;
  uint64_t skipped_ = 0;  // that were due when the keys chosen were all busy
  uint64_t lost_ = 0;
  uint64_t late_ = 0;
  uint64_t strange_ = 0;
  std::vector<std::string> lost_names_;
};

}  // namespace chainring::load
