// The child processes of `chainring up`: started, watched, started again, and ended.
//
// Thread-safety: none; all on the thread that made it, which is the children's parent. Whatever is left of the children
// is killed when it goes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/time.h"
#include "cli/child.h"
#include "cli/cluster_plan.h"

namespace chainring::cli {

using Say = std::function<void(const std::string& line)>;  // to the operator

class LocalCluster {
 public:
  LocalCluster(ClusterPlan plan, bool restart, Say say);
  ~LocalCluster();
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;

  [[nodiscard]] const ClusterPlan& plan() const { return plan_; }

  // Whether all ports are free at the moment; the error names the first that is not.
  [[nodiscard]] Status check_ports() const;
  [[nodiscard]] Status check_ports(const PlannedProcess& process) const;
  // Directories and configuration files.
  [[nodiscard]] Status prepare(const UpCommand& up) const;
  [[nodiscard]] Status start_all(Micros now);

  // One more node, and one less: it is asked to end, ended when it does not, and not in the plan any more when it has.
  [[nodiscard]] Status add_node(const PlannedProcess& node, const UpCommand& up, Micros now);
  void stop_node(const std::string& name, Micros now);
  [[nodiscard]] bool has(const std::string& name) const;

  // Takes notice of children that have ended, and starts again those whose wait is over. An error, with the child's
  // own words, when one gives up before the cluster was ever ready: it would again.
  [[nodiscard]] Status tend(Micros now);
  void set_ready() { was_ready_ = true; }

  // For an orderly stop: nobody is started again any more.
  void stop_restarting() { restart_ = false; }
  void signal_all(int number, Role role);
  // How many run, after those that have ended were noticed without a word.
  [[nodiscard]] int count_running(Role role);
  void kill_all();  // and waits for them

 private:
  struct Member {
    PlannedProcess process;
    pid_t pid = 0;  // 0: not running
    Micros started_at = 0;
    Micros wait = 0;  // before the next start
    Micros start_again_at = kNever;
    Micros kill_at = kNever;  // it is being stopped for good
    [[nodiscard]] bool is_leaving() const { return kill_at != kNever; }
  };

  [[nodiscard]] Status prepare_one(const PlannedProcess& process, const UpCommand& up) const;
  [[nodiscard]] Status start(Member& member, Micros now);
  [[nodiscard]] Status tend(Member& member, Micros now);
  void forget_those_who_left();
  [[nodiscard]] Status has_ended(Member& member, const ChildEnd& end, Micros now);
  void forget_pid(Member& member);

  ClusterPlan plan_;
  const Say say_;
  bool restart_;
  bool was_ready_ = false;
  std::vector<Member> members_;  // of the plan's processes
};

}  // namespace chainring::cli
