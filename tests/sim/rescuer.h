// An operator who recovers a cluster that has lost all its coordinators: asks every node that lives for its newest
// table, and tells the new coordinators to found the next generation from these (R31), again and again until they have.
//
// Thread-safety: none.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/transport.h"
#include "protocol/resp.h"

namespace chainring::sim {

class Rescuer final : public Process {
 public:
  struct Plan {
    std::vector<Address> nodes;
    std::vector<Address> coordinators;
    std::function<bool(size_t)> lives;   // whether that node has a process
    std::function<void()> founded;       // called once
    Micros patience = kMicrosPerSecond;  // then it hangs up and dials again
  };
  Rescuer(Plan plan, Transport& transport) : plan_(std::move(plan)), transport_(transport) {}

  [[nodiscard]] Status start(Now now) override;
  void turn(Now now, std::span<const NetEvent> events) override;
  [[nodiscard]] Micros next_wake() const override { return done_ ? kNever : act_at_; }
  void request_stop(Now) override {}
  [[nodiscard]] bool finished() const override { return false; }
  [[nodiscard]] Status outcome() const override { return {}; }

 private:
  void dial(Now now);
  void hang_up(Now now);
  void ask();
  void take(Now now, const protocol::ReplyValue& reply);
  // The nodes first, one after the other; then a coordinator.
  [[nodiscard]] bool asks_a_node() const { return next_node_ < plan_.nodes.size(); }

  Plan plan_;
  Transport& transport_;
  ConnId conn_ = kNoConn;
  size_t next_node_ = 0;
  size_t next_coordinator_ = 0;  // they are asked in turn
  std::vector<std::string> statements_;
  Micros act_at_ = 0;  // dials, or is out of patience
  bool done_ = false;
};

}  // namespace chainring::sim
