// A whole Raft group in one thread on virtual time, from one seed: the production Replica on simulated disks and a
// simulated network. The seed also draws the size of the group, its limits, and which faults there are and how often.
//
// A run has two parts: a time of faults, in which a Checker judges every turn of every server, and then a time without,
// in which a leader must appear, take a proposal and answer a read within a bound.
// Thread-safety: none.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "raft/replica.h"
#include "tests/raft/simulation_checker.h"
#include "tests/raft/simulation_server.h"

namespace chainring::raft::testing {

// How often what happens. A seed switches each fault on or off, so that some runs have one kind only.
struct FaultPlan {
  uint32_t loss_percent = 0;
  uint32_t duplicate_percent = 0;
  uint32_t late_percent = 0;  // messages that take up to late_us
  Micros delay_us = 1000;     // others take up to this
  Micros late_us = 0;
  Micros turn_us = 0;  // what comes within this is one turn
  bool partitions = false;
  bool crashes = false;      // of the machine: what was not synced is lost or torn
  bool kills = false;        // of the process: what was written can still be read
  bool disk_faults = false;  // syncs that fail, power cuts in the middle of a flush
  bool pauses = false;
  bool changes = false;  // of the group's members
  bool transfers = false;
  uint32_t hunt_percent = 0;  // of new leaders, which are cut off or crash before they have said a word
  Micros fault_mean_us = 0;   // between two faults
};

struct Statistics {
  uint64_t turns = 0, messages = 0, lost = 0, duplicated = 0, late = 0, partitions = 0, crashes = 0, kills = 0;
  uint64_t disk_faults = 0, pauses = 0, changes = 0, transfers = 0, hunted = 0, snapshots_installed = 0;
  uint64_t elections = 0;
  uint64_t committed = 0, reads_answered = 0, reads_failed = 0;
  void add(const Statistics& other);
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed);
  ~Simulation();

  // Empty when nothing was violated, else what was.
  [[nodiscard]] std::string run();
  // The servers as they are, one a line.
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] const Statistics& statistics() const { return statistics_; }

 private:
  enum class EventKind : uint8_t { turn, deliver, restart, proposal, read, fault, member_change, transfer };
  struct Event {
    Micros time;
    uint64_t order;
    EventKind kind;
    uint32_t subject;  // server's place or message's slot
    uint64_t life;     // of the server: one of an earlier life is void
    bool operator>(const Event& other) const { return time != other.time ? time > other.time : order > other.order; }
  };

  void draw_plan();
  void add_servers();
  void run_until(Micros end);
  void handle(const Event& event);
  void schedule(Micros delay, EventKind kind, uint32_t subject = 0, uint64_t life = 0);
  void schedule_turn(uint32_t place, Micros time);
  void repeat(EventKind kind, Micros mean_us);

  // A server's turn.
  void turn(uint32_t place);
  void check_turn(SimServer& server);
  void send(SimServer& from);
  void transmit(const Message& message);
  void deliver(uint32_t slot);
  [[nodiscard]] SimServer* server_of(ServerId id);
  [[nodiscard]] SimServer* some_leader();  // whether or not it was told so yet
  [[nodiscard]] SimServer& some_server();

  // Faults.
  void inject_fault();
  [[nodiscard]] bool hunt(SimServer& server);
  void cut_off(size_t place, bool one_way);
  void cut_links();
  void heal_links();
  void crash(SimServer& server, bool power_loss);
  void restart(uint32_t place);
  void arm_disk_fault(SimServer& server);
  void pause(SimServer& server);
  void change_members();
  [[nodiscard]] bool edit(Configuration& configuration);
  void stop_faults();

  // Clients.
  void propose();
  void read();
  void expect_liveness();
  [[nodiscard]] bool everybody_applied(const Configuration& configuration, Index index);

  static constexpr size_t kServersMax = 7;
  SeededRandom random_;
  FaultPlan plan_;
  ReplicaOptions options_;
  bool faults_ = true;
  Micros now_ = 0;
  uint64_t order_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Message> in_flight_;
  std::vector<uint32_t> free_slots_;
  std::vector<std::unique_ptr<SimServer>> servers_;
  size_t founders_ = 0;
  std::array<std::array<bool, kServersMax>, kServersMax> cut_{};  // [from][to], by place
  std::map<uint64_t, Index> reads_;                               // context -> what was committed when it began
  uint64_t next_context_ = 1;
  uint64_t next_proposal_ = 1;
  Checker checker_;
  Statistics statistics_;
};

}  // namespace chainring::raft::testing
