// A simulated operator: asks the cluster, through its router, to change the ring now and then, and does first what has
// to be done.
//
// Thread-safety: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "base/random.h"
#include "base/transport.h"
#include "protocol/resp.h"

namespace chainring::sim {

// What an operator who watches logs and status has to ask for. Thread-safety: none.
class Duties {
 public:
  virtual ~Duties() = default;
  // The command that is asked for next, until nothing has to be done: then it is empty.
  [[nodiscard]] virtual std::vector<std::string> next() = 0;
};

class Operator final : public Process {
 public:
  struct Plan {
    std::vector<Address> routers;    // it connects to any of them
    std::vector<std::string> nodes;  // all of them, in the ring or not
    Micros think_most = 1500 * kMicrosPerMilli;
  };
  Operator(Plan plan, Transport& transport, Random& random);

  [[nodiscard]] Status start(Now now) override;
  void turn(Now now, std::span<const NetEvent> events) override;
  [[nodiscard]] Micros next_wake() const override;
  void request_stop(Now) override {}
  [[nodiscard]] bool finished() const override { return false; }
  [[nodiscard]] Status outcome() const override { return {}; }

  // The wishes that were granted.
  struct Granted {
    uint64_t of_the_ring = 0;
    uint64_t of_placement_rules = 0;
    uint64_t of_duty = 0;
  };
  [[nodiscard]] const Granted& granted() const { return granted_; }

  // REQUIRES: `duties` outlives the operator.
  void follow(Duties& duties) { duties_ = &duties; }
  // From now on it asks for nothing but its duties, and that paused moves go on.
  void retire() { retired_ = true; }
  // It changes no placement rules: keys that one moves wait for all routers and nodes to know of it.
  void leave_the_rules() { leaves_the_rules_ = true; }

 private:
  void dial(Now now);
  void ask();
  [[nodiscard]] std::vector<std::string> draw_wish();
  void take(const protocol::ReplyValue& reply);

  Plan plan_;
  Transport& transport_;
  Random& random_;
  ConnId conn_ = kNoConn;
  bool up_ = false;
  bool waits_ = false;
  bool retired_ = false;
  bool leaves_the_rules_ = false;
  Duties* duties_ = nullptr;
  bool on_duty_ = false;                 // what it asks for now
  uint64_t Granted::* asked_ = nullptr;  // where that counts
  Granted granted_;
  Micros dial_at_ = 0;
  Micros ask_at_ = 0;
};

}  // namespace chainring::sim
