// Requests under way, each from when it is due until it is answered, however many attempts that takes.
//
// An operation follows MOVED and ASK. An attempt that fails (an error reply, a broken connection, no answer in time) is
// made again after a pause that grows, with the same value: what is measured is how long it takes until the cluster
// has done it. Of each key one operation is under way at a time.
// Thread-safety: none; belongs to one Process.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <vector>

#include "base/fifo.h"
#include "base/time.h"
#include "base/transport.h"
#include "bench/load/ledger.h"
#include "bench/load/links.h"
#include "bench/load/topology.h"
#include "bench/load/window.h"

namespace chainring::load {

struct OperationsOptions {
  std::vector<Address> servers;
  bool cluster = false;  // the servers are nodes of a cluster, else each of them takes all keys
  std::string password;
  Micros attempt_timeout = 250 * kMicrosPerMilli;
  uint16_t lanes = 4;  // connections to each server
};

inline constexpr Micros kRetryAfterLeast = 10 * kMicrosPerMilli;
inline constexpr Micros kRetryAfterMost = 160 * kMicrosPerMilli;
// How often CLUSTER SLOTS is asked while there is trouble, how long one answer is waited for, and how long the
// trouble counts after the last attempt that failed or was redirected.
inline constexpr Micros kAskSlotsEvery = 50 * kMicrosPerMilli;
inline constexpr Micros kAskSlotsTimeout = 100 * kMicrosPerMilli;
inline constexpr Micros kTroubleLasts = kMicrosPerSecond;
inline constexpr uint8_t kRedirectionsMax = 16;  // of one attempt

class Operations final : private LinkUser {
 public:
  // What a read found that was answered; nullptr: no such key.
  using Found = std::function<void(Key, const std::string*)>;

  // `transport`, `ledger` and `window` outlive it.
  Operations(const OperationsOptions& options, Transport& transport, Ledger& ledger, Window& window);

  [[nodiscard]] bool handle(const NetEvent& event, Micros now);
  // What is due by itself: time-outs, attempts to be made again, questions for the slots.
  void tend(Micros now);

  // Whether it is known who has which slot, as far as that has to be known.
  [[nodiscard]] bool ready() const { return !options_.cluster || topology_.owner(0) != kNoServer; }
  [[nodiscard]] size_t under_way() const { return under_way_; }
  [[nodiscard]] bool busy(Key key) const { return busy_[key]; }
  // REQUIRES: !busy(key).
  void begin(Kind kind, Key key, Micros due, Micros now);
  // Who wants to see what reads find, instead of having it judged; none: judge it.
  void set_found(Found found) { found_ = std::move(found); }
  [[nodiscard]] std::vector<Waiting> waiting(Micros now) const;

 private:
  using Id = uint32_t;  // index
  static constexpr Tag kSlotsTag = UINT32_MAX - 1;

  struct Operation {
    Key key = 0;
    Version version = 0;  // of a write; of a read, what was acknowledged when it began
    Micros due = 0;
    uint32_t attempt = 0;  // counts on over all operations that had this index, so that a time-out finds its own
    uint32_t failures = 0;
    Kind kind = Kind::write;
    bool under_way = false;
    uint8_t redirections = 0;
    Lane lane;
  };
  struct Timeout {
    Micros at = 0;
    Id id = 0;
    uint32_t attempt = 0;
  };
  struct Retry {
    Micros at;
    Id id;
    bool operator>(const Retry& other) const { return at > other.at; }
  };

  void answered(Tag tag, Lane lane, const protocol::ReplyValue& reply) override;
  void lost(Tag tag, Lane lane) override;

  [[nodiscard]] Server server_of(Key key) const;
  [[nodiscard]] std::string request_of(const Operation& operation) const;
  void attempt(Id id, Server server, bool asking);
  void redirect(Id id, Lane from, const Redirection& to);
  void fail(Id id, std::string_view kind);
  void finish(Id id);
  void judge(const Operation& operation, const protocol::ReplyValue& reply);
  void expire();
  void ask_slots();

  const OperationsOptions options_;
  Ledger& ledger_;
  Window& window_;
  Topology topology_;
  Links links_;
  Micros now_ = 0;

  std::vector<Operation> operations_;
  std::vector<Id> free_;
  std::vector<bool> busy_;  // by key
  size_t under_way_ = 0;
  Found found_;
  Fifo<Timeout> timeouts_;  // in order of time: all attempts have the same time
  std::priority_queue<Retry, std::vector<Retry>, std::greater<>> retries_;

  Micros trouble_until_ = 0;
  Micros slots_asked_at_ = -kMicrosPerSecond;
  bool slots_asked_ = false;
  Lane slots_lane_;
  bool giving_up_ = false;  // a connection is broken because an answer did not come in time
};

}  // namespace chainring::load
