// A simulated client of a router: sends pipelines of commands, transactions and lock requests, as any Redis client
// would, and writes down what it called and what it got. A router answers everything within its request timeout, and
// says nothing else than the answer before that: any other error is a complaint.
//
// Thread-safety: none.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/random.h"
#include "protocol/resp.h"
#include "tests/sim/calls.h"

namespace chainring::sim {

// For how long clients ask for locks.
inline constexpr Micros kLockTtl = 700 * kMicrosPerMilli;

class Client final : public Process {
 public:
  struct Plan {
    size_t id = 0;
    std::vector<Address> routers;  // it connects to any of them
    size_t locks = 2;
    Micros think_most = 30 * kMicrosPerMilli;
    bool eager = false;  // calls again before it is answered, often on the same key
  };
  Client(Plan plan, Notebook& notebook, const Micros& world_time, Transport& transport, Random& random);

  [[nodiscard]] Status start(Now now) override;
  void turn(Now now, std::span<const NetEvent> events) override;
  [[nodiscard]] Micros next_wake() const override;
  void request_stop(Now now) override;
  [[nodiscard]] bool finished() const override { return false; }
  [[nodiscard]] Status outcome() const override { return {}; }

  // No new calls from now on; quiet() once nothing is open.
  void stop_calling() { calling_ = false; }
  // At the end it reads all keys once more, and takes and releases all locks, through each router.
  // REQUIRES: stop_calling(), quiet(), and that it has a turn now.
  void read_all() { reads_through_ = 0; }
  [[nodiscard]] bool quiet() const { return open_.empty() && !watching_ && !reads_through_; }

 private:
  struct Open {
    enum class What {
      operation,    // the reply of one
      legs,         // of an MGET or MSET: of `count` operations from `index` on
      ordered,      // of an MGET of the keys that are counted up in order
      behind,       // of a GET of the first of them, sent behind one of the second
      plain,        // OK or QUEUED
      transaction,  // EXEC of a pair
      swap,         // EXEC of a watched key's change
      acquire,
      release,
      renew,
      token,  // asks for that of a lock that it holds
    } what;
    size_t index = 0;  // in the notebook's operations
    Micros called = 0;
    size_t count = 1;
    Grant lock = {};  // that it is about; with no token while it is asked for
  };
  void dial(Now now, size_t router);
  void dial_any(Now now) { dial(now, random_.below(plan_.routers.size())); }
  void lost();
  [[nodiscard]] bool may_call() const;
  void call_some();
  void read_all_through(Now now, size_t router);
  void call_eagerly();
  void call(Operation operation);
  void call_many();  // MGET, MSET: each key for itself
  // Counts up two keys of one slot, one behind the other, or looks at both at once.
  void call_in_order();
  void read_ordered();
  // Both keys of a pair, counted or read in one transaction: to the judge, one counter.
  void call_transaction(Operation::Kind kind, std::string pair);
  void call_lock();
  void call_for_held(Grant& held);
  void acquire(const std::string& key);
  void release(Grant& held);
  // WATCH and GET; when that is answered, MULTI, SET, EXEC: to the judge, a compare-and-set.
  void begin_swap();
  void end_swap();
  void take_replies(Now now);
  void answered(const protocol::ReplyValue& reply);
  // What the reply says of this operation of the notebook; false for an error.
  [[nodiscard]] bool take(size_t index, const protocol::ReplyValue& reply);
  // A write has happened: what this connection's router had given up before it was called does not happen behind it.
  void settle(const Operation& write);
  void answered_behind(const Open& open, const protocol::ReplyValue& reply);
  void answered_legs(const Open& open, const protocol::ReplyValue& reply);
  void answered_transaction(const Open& open, const protocol::ReplyValue& reply);
  void answered_swap(const Open& open, const protocol::ReplyValue& reply);
  void answered_acquire(const Open& open, const protocol::ReplyValue& reply);
  // What the holder of a lock asked; its owner is told whether it holds it.
  void answered_held(const Open& open, const protocol::ReplyValue& reply);
  // What an error says of the operations from `open.index` on.
  void failed(const Open& open, const protocol::ReplyValue& reply);
  void note_given_up(const Open& open);
  [[nodiscard]] bool is_known_error(const Open& open, const protocol::ReplyValue& reply);
  void send(const std::vector<std::string>& words);
  void complain(std::string_view about, std::string_view what);
  void complain(std::string_view about, const protocol::ReplyValue& reply);

  Plan plan_;
  Notebook& notebook_;
  const Micros& world_time_;
  Transport& transport_;
  Random& random_;
  Calls calls_;
  ConnId conn_ = kNoConn;
  size_t router_ = 0;  // that it is connected to
  bool up_ = false;
  bool calling_ = true;
  std::optional<size_t> reads_through_;  // the router that it reads everything through next
  Micros dial_at_ = 0;
  Micros call_at_ = 0;
  std::deque<Open> open_;
  struct GivenUp {
    size_t index = 0;  // in the notebook's operations
    Micros told = 0;
  };
  std::vector<GivenUp> given_up_;        // over this connection, and not settled
  std::optional<std::string> same_key_;  // what an eager client goes on with
  std::optional<size_t> watching_;       // the GET of a swap that is not ended
};

}  // namespace chainring::sim
