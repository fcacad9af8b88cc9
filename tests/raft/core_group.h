// Several Cores joined by message queues that the test empties as it likes; their disks never fail and live in memory.
//
// Time stands still until the test moves a server's clock. Election timeouts are the longest, just under 2 *
// election_us: after election_us a server no longer protects its leader, and does not campaign yet. Thread-safety:
// none.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "raft/raft.h"

namespace chainring::raft::testing {

inline constexpr Micros kHeartbeatUs = 10'000;
inline constexpr Micros kElectionUs = 100'000;

// Draws what the test says; the greatest number until told otherwise.
class ScriptedRandom final : public Random {
 public:
  uint64_t next() override { return value; }
  uint64_t value = UINT64_MAX;
};

Configuration voters(std::vector<ServerId> ids, std::vector<ServerId> learners = {});
Entry entry(Term term, Index index, std::string data = {}, EntryKind kind = EntryKind::data);
// A log whose entries have these terms; the first entry is the founding configuration.
EntryLog log_of(const Configuration& configuration, const std::vector<Term>& terms);

// What one flush gave.
struct Flushed {
  Ready ready;
  std::vector<Entry> persisted;
  std::vector<Entry> applied;
  Reads reads;
};

class CoreGroup {
 public:
  // A group founded by servers 1 .. size.
  explicit CoreGroup(size_t size, const Limits& limits = {});

  Core& operator[](ServerId id) { return *servers_.at(id).core; }
  [[nodiscard]] const std::map<ServerId, std::deque<Message>>& queues() const { return queues_; }

  // Adds a server, or replaces one by another with this on its disk.
  void add(ServerId id, const HardState& hard_state, EntryLog log);
  void add_blank(ServerId id) { add(id, HardState{}, EntryLog()); }
  // Ends the server and starts it again with what it had flushed.
  void restart(ServerId id);

  // In steps of a heartbeat, or all at once as after a stall.
  void elapse(ServerId id, Micros us);
  void stall(ServerId id, Micros us);
  // The server's clock moves by the longest election timeout, nobody else's does; nothing is flushed.
  void time_out(ServerId id) { elapse(id, 2 * kElectionUs); }
  // Persists, applies, and queues the messages for their receivers.
  Flushed flush(ServerId id);
  // Delivers the queue of one server, flushes it, and returns how many messages there were.
  size_t deliver(ServerId to);
  // Until no message is under way. Messages for which `passes` says no are dropped.
  void settle(const std::function<bool(const Message&)>& passes = [](const Message&) { return true; });
  // Empties a server's queue.
  std::vector<Message> take(ServerId to);
  // All lose patience with their leader, this one first; then settles. The server leads afterwards, if it can.
  void elect(ServerId id);
  // A snapshot at the applied index, as Replica would take it.
  void compact(ServerId id, Index base);

  std::map<ServerId, std::vector<std::string>> applied;  // data of each server's state machine

 private:
  struct Server {
    HardState hard_state;
    EntryLog log;
    Micros now = 0;
    std::unique_ptr<ScriptedRandom> random = std::make_unique<ScriptedRandom>();
    std::unique_ptr<Core> core;
    std::string snapshot;  // the applied data at the last snapshot, joined by commas
  };
  void fill_chunks(ServerId id, std::vector<Message>& messages);

  const Limits limits_;
  std::map<ServerId, Server> servers_;
  std::map<ServerId, std::deque<Message>> queues_;
};

}  // namespace chainring::raft::testing
