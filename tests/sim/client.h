// A simulated client: sends pipelines of commands through a router, as any Redis client would, and writes down what it
// called and what it got.
//
// Thread-safety: none.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/random.h"
#include "protocol/resp.h"
#include "tests/sim/history.h"

namespace chainring::sim {

// What all clients of a world write to. Times are the world's, not a process's.
struct Notebook {
  std::vector<Operation> operations;
  std::vector<Grant> grants;
  std::vector<std::string> complaints;  // replies that no client should ever see
  uint64_t calls = 0;                   // numbers them all, so that no two write the same value, in no life of a client
  uint64_t answered = 0;
  uint64_t errors = 0;
};

class Client final : public Process {
 public:
  struct Plan {
    size_t id = 0;
    std::vector<Address> routers;  // it connects to any of them
    size_t locks = 2;
    Micros think_most = 30 * kMicrosPerMilli;
  };
  [[nodiscard]] static std::vector<std::string> all_keys();  // but for locks, that any client uses
  Client(Plan plan, Notebook& notebook, const Micros& world_time, Transport& transport, Random& random);

  [[nodiscard]] Status start(Now now) override;
  void turn(Now now, std::span<const NetEvent> events) override;
  [[nodiscard]] Micros next_wake() const override;
  void request_stop(Now now) override;
  [[nodiscard]] bool finished() const override { return false; }
  [[nodiscard]] Status outcome() const override { return {}; }

  // No new calls from now on; answered() once nothing is open.
  void stop_calling() { calling_ = false; }
  [[nodiscard]] bool quiet() const { return open_.empty(); }
  [[nodiscard]] Micros waiting_since() const { return open_.empty() ? kNever : open_.front().called; }

 private:
  struct Open {
    enum class What { operation, acquire, release, queued, transaction } what;
    size_t index;  // in the notebook's operations, or grants for release
    Micros called;
    Grant wanted;  // of acquire
  };
  void dial(Now now);
  void lost();
  void call_some();
  void call_operation();
  // Both keys of a pair, counted or read in one transaction: to the judge, one counter.
  void call_transaction();
  void call_lock();
  void answered(const protocol::ReplyValue& reply);
  void answered_operation(Operation& operation, const protocol::ReplyValue& reply);
  void answered_transaction(Operation& operation, const protocol::ReplyValue& reply);
  void answered_acquire(const Open& open, const protocol::ReplyValue& reply);
  void send(const std::vector<std::string>& words);
  void complain(std::string_view about, const protocol::ReplyValue& reply);

  Plan plan_;
  Notebook& notebook_;
  const Micros& world_time_;
  Transport& transport_;
  Random& random_;
  ConnId conn_ = kNoConn;
  bool up_ = false;
  bool calling_ = true;
  Micros dial_at_ = 0;
  Micros call_at_ = 0;
  std::deque<Open> open_;
  std::vector<std::pair<std::string, std::string>> written_;  // key, value: what compare-and-set tries
};

}  // namespace chainring::sim
