// The simulated world: virtual time, a network of byte streams that stall and break, and processes that are started,
// paused, killed and started again, all from one seed, in one thread. It supplies clock, network and randomness to
// the production code and nothing else.
//
// Streams behave as TCP does: bytes arrive in order, later or never; a stream that loses a message breaks, with
// everything behind it lost; both ends learn of it at different times. Duplicates come as they do in life: what was
// sent on an old stream arrives after it was sent again on a new one.
//
// A turn takes no time unless the host is slowed or stalled: then the clock that the turn read is old when its output
// leaves.
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/random.h"
#include "base/time.h"
#include "base/transport.h"
#include "tests/sim/fault.h"

namespace chainring::sim {

using HostId = size_t;

struct NetworkFaults {
  Micros delay_least = 50;
  Micros delay_most = 1500;
  uint32_t breaks_per_100k = 0;  // of messages: the stream breaks there
  uint32_t late_per_100k = 0;    // of messages: the sender loses the stream there, and its bytes come late
};

class World;

// A process's view of the network.
class SimTransport final : public Transport {
 public:
  SimTransport(World& world, HostId host, uint64_t life) : world_(world), host_(host), life_(life) {}
  Result<uint16_t> listen(const Address& address) override;
  ConnId connect(const Address& address) override;
  std::string_view input(ConnId conn) const override;
  void consume(ConnId conn, size_t bytes) override;
  std::string* output(ConnId conn) override;
  size_t unsent(ConnId conn) const override;
  uint64_t sent_late(ConnId) const override { return 0; }  // there is room for everything
  void set_reading(ConnId conn, bool reading) override;
  void close(ConnId conn) override;
  void close_after_flush(ConnId conn) override;
  std::string peer_name(ConnId conn) const override;

 private:
  World& world_;
  HostId host_;
  uint64_t life_;
};

class QuietLog final : public Log {
 public:
  explicit QuietLog(World& world, std::string name) : world_(world), name_(std::move(name)) {}
  void write(LogLevel level, std::string_view text) override;

 private:
  World& world_;
  std::string name_;
};

class World {
 public:
  // Makes the process of a host's next life.
  using Factory = std::function<std::unique_ptr<Process>(Transport&, Random&, Log&)>;

  World(uint64_t seed, bool verbose);
  ~World();

  // A host runs one process at a time; `clock_ppm` is how fast its monotonic clock runs beyond true time.
  HostId add_host(std::string name, uint16_t port, Factory factory, int32_t clock_ppm);
  void start(HostId host);
  void kill(HostId host);                   // as kill -9: what was sent is still delivered, then the streams end
  void request_stop(HostId host);           // as SIGTERM
  void wake(HostId host);                   // it has a turn soon
  void pause(HostId host, Micros length);   // as SIGSTOP and SIGCONT
  void stall(HostId host, Micros length);   // the next turn takes so long
  void slow(HostId host, uint32_t factor);  // each turn takes so many times as long; 1: no time at all
  void set_drift(HostId host, int32_t clock_ppm);
  void set_wall(HostId host, Millis ahead);    // of true time
  void cut(HostId from, HostId to, bool cut);  // one direction; streams stall, new ones do not come up
  void heal_all();
  // Nobody is paused or stalled, and no stream has ended of which one end does not know it yet.
  [[nodiscard]] bool at_rest() const;

  [[nodiscard]] bool running(HostId host) const { return hosts_[host].process != nullptr; }
  [[nodiscard]] Process* process(HostId host) const { return hosts_[host].process.get(); }
  [[nodiscard]] const std::string& name(HostId host) const { return hosts_[host].name; }
  [[nodiscard]] Now local_now(HostId host) const;

  // Runs the next thing that happens; false when nothing is left. `after_turn` is called after each turn of a process.
  bool step();
  [[nodiscard]] Micros next_at() const { return actions_.empty() ? kNever : actions_.top().time; }
  void run_until(Micros time);
  void at(Micros time, std::function<void()> action);

  [[nodiscard]] Micros now() const { return now_; }
  [[nodiscard]] Random& random() { return random_; }
  NetworkFaults& faults() { return faults_; }
  FaultCounts& counts() { return counts_; }
  std::function<void(HostId)> after_turn;
  std::function<Micros(HostId)> turn_cost;  // how long its last turn took beyond what the world knows of; may be empty
  std::function<void(HostId)> on_end;       // a process ended by itself
  std::function<void(HostId)> after_start, before_kill;

  void say(std::string_view who, std::string_view what) const;

 private:
  friend class SimTransport;

  struct End {
    HostId host = 0;
    uint64_t life = 0;  // which life of the host; ends of earlier lives are dead
    bool open = false;
    bool reading = true;
    bool flushing = false;             // close_after_flush(): closes when the turn's output has left
    std::string in;                    // received, not consumed
    size_t taken = 0;                  // of `in`
    std::string out;                   // written in this turn
    std::string unread;                // arrived while not reading
    Micros last_arrival = 0;           // at this end: streams keep their order
    std::vector<std::string> stalled;  // messages to this end that a cut holds up
    bool end_stalled = false;
  };
  struct Stream {
    End ends[2];  // [0] dialled
    bool broken = false;
  };
  struct Host {
    std::string name;
    uint16_t port = 0;
    Factory factory;
    int32_t clock_ppm = 0;
    Micros clock_set_at = 0;  // true time, and what the clock said then
    Micros clock_then = 0;
    Millis wall_ahead = 0;
    uint32_t slowed = 1;
    Micros stall = 0;  // of the next turn
    uint64_t life = 0;
    bool listening = false;
    Micros paused_until = 0;
    Micros wake_scheduled = kNever;
    Micros turn_scheduled = kNever;
    std::vector<NetEvent> events;
    std::vector<uint64_t> written;  // streams that the turn wrote to or closes after it
    std::unique_ptr<SimTransport> transport;
    std::unique_ptr<Random> random;
    std::unique_ptr<QuietLog> log;
    std::unique_ptr<Process> process;
  };
  struct Action {
    Micros time;
    uint64_t order;
    std::function<void()> run;
    bool operator>(const Action& other) const { return time != other.time ? time > other.time : order > other.order; }
  };

  static ConnId conn_of(uint64_t stream, int side) { return stream * 2 + static_cast<uint64_t>(side); }
  End* end_of(ConnId conn, HostId host, uint64_t life);
  void deliver(uint64_t stream, int side, std::string bytes);
  void deliver_end(uint64_t stream, int side);
  void send(uint64_t stream, int from_side, Micros leaves);
  void break_stream(uint64_t stream);
  void come_late(uint64_t stream, int from_side, std::string bytes);
  void dial(uint64_t stream, HostId from, uint64_t life, uint16_t port);
  void event(HostId host, NetEvent event);
  void schedule_turn(HostId host, Micros time);
  void schedule_wake(HostId host);
  void turn(HostId host);
  void send_written(HostId host, Micros leaves);
  [[nodiscard]] Micros cost_of_turn(HostId host);
  void sweep();  // forgets streams that both ends have left
  [[nodiscard]] Micros delay();
  [[nodiscard]] bool is_cut(HostId from, HostId to) const;

  SeededRandom random_;
  bool verbose_;
  Micros now_ = 0;
  uint64_t order_ = 0;
  uint64_t next_stream_ = 1;
  NetworkFaults faults_;
  FaultCounts counts_;
  std::vector<Host> hosts_;
  std::map<uint64_t, Stream> streams_;  // ordered, so that a seed always plays the same
  std::map<std::pair<HostId, HostId>, bool> cuts_;
  std::priority_queue<Action, std::vector<Action>, std::greater<>> actions_;
};

}  // namespace chainring::sim
