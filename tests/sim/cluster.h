// A whole cluster in one simulated world: coordinators, nodes, routers and clients, all of them production code but
// for the clients; faults by seed; invariants after every turn; histories at the end.
//
// Thread-safety: none.
#pragma once

#include <functional>
#include <string>

#include "tests/sim/caretaker.h"
#include "tests/sim/client.h"
#include "tests/sim/hosts.h"
#include "tests/sim/invariants.h"
#include "tests/sim/sabotage.h"
#include "tests/sim/world.h"

namespace chainring::sim {

// What befalls a cluster.
enum class Course {
  torment,  // anything, over and over
  calm,     // nothing but what its operator asks for
  failure,  // the same, and once one node dies, stands still or is cut off
};

struct ClusterPlan {
  uint64_t seed = 1;
  Course course = Course::torment;
  Micros faults_for = 6 * kMicrosPerSecond;
  bool verbose = false;
};

// What a run found. `violation` is empty when all held.
struct RunReport {
  std::string violation;
  uint64_t operations = 0;
  uint64_t answered = 0;
  uint64_t errors = 0;
  uint64_t grants = 0;
  Operator::Granted ring_changes;
  uint64_t unjudged_keys = 0;  // the search for a linearization was cut off
  FaultCounts faults;
  Micros served_after = 0;  // from the end of the faults until every slot was served again
  Micros longest_wait = 0;  // of a client of a router for the answer to one request
};

class Cluster {
 public:
  explicit Cluster(const ClusterPlan& plan);
  [[nodiscard]] RunReport run();

 private:
  // Runs until `done` or until so much time has passed, which is a violation.
  void wait(Micros most, std::string_view violation, const std::function<bool()>& done);
  void run_for(Micros length);
  void go_through(Course course);
  void finish_with_clients();

  [[nodiscard]] bool all_served_but(const Caretaker::Slots& lost) const;
  [[nodiscard]] bool all_served() const { return all_served_but({}); }
  [[nodiscard]] bool rest_is_in_place(const Caretaker::Slots& lost) const;  // REQUIRES: somebody leads
  [[nodiscard]] bool all_in_place() const;                                  // every slot has the chain of the target
  [[nodiscard]] std::string misplaced() const;                              // what all_in_place() misses
  [[nodiscard]] std::string difference() const;                             // between copies; empty for none
  [[nodiscard]] bool all_answered() const;
  void coordinators_lost();
  void judge_histories(RunReport& report);
  void judge_locks();
  void judge_what_was_given_up();
  void judge_waits(RunReport& report);
  void violate(std::string what);

  ClusterPlan plan_;
  World world_;
  Notebook notebook_;
  Micros world_time_ = 0;
  Micros everybody_knows_at_ = 0;  // the first table
  Hosts hosts_;
  Invariants invariants_;
  Caretaker caretaker_;
  Sabotage sabotage_;
  HostId rescuer_;
  std::string violation_;
};

}  // namespace chainring::sim
