// A simulated operator: asks the cluster, through its router, to change the ring now and then.
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
  };
  [[nodiscard]] const Granted& granted() const { return granted_; }

  // From now on it asks for nothing but that paused moves go on.
  void retire() { retired_ = true; }

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
  bool wishes_a_rule_ = false;  // what it asks for now
  Granted granted_;
  Micros dial_at_ = 0;
  Micros ask_at_ = 0;
};

}  // namespace chainring::sim
