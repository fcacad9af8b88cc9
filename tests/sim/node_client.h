// A simulated client that is connected to nodes: follows MOVED, tries again, reads at whatever member answers, and
// writes down what it called and what it got. One request at a time.
//
// Thread-safety: none.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/random.h"
#include "protocol/resp.h"
#include "tests/sim/calls.h"

namespace chainring::sim {

class NodeClient final : public Process {
 public:
  struct Plan {
    size_t id = 0;
    std::vector<Address> nodes;
    Micros think_most = 20 * kMicrosPerMilli;
    Micros patience = kMicrosPerSecond;  // then it hangs up
  };
  NodeClient(Plan plan, Notebook& notebook, const Micros& world_time, Transport& transport, Random& random);

  [[nodiscard]] Status start(Now now) override;
  void turn(Now now, std::span<const NetEvent> events) override;
  [[nodiscard]] Micros next_wake() const override;
  void request_stop(Now) override { calling_ = false; }
  [[nodiscard]] bool finished() const override { return false; }
  [[nodiscard]] Status outcome() const override { return {}; }

  void stop_calling() { calling_ = false; }
  [[nodiscard]] bool quiet() const { return !open_; }

 private:
  struct Link {
    ConnId conn = kNoConn;
    bool up = false;
  };
  struct Open {
    size_t index = 0;  // in the notebook's operations
    size_t node = 0;
    Micros until = 0;
  };
  void on_event(const NetEvent& event);
  void call(Now now);
  void take_reply(Now now);
  void failed(Operation& operation, std::string_view error);
  void follow(const std::string& key, std::string_view moved);
  void hang_up();
  void complain(const Operation& operation, std::string_view what);
  [[nodiscard]] size_t choose_node(const Operation& operation);

  Plan plan_;
  Notebook& notebook_;
  const Micros& world_time_;
  Transport& transport_;
  Random& random_;
  Calls calls_;
  std::vector<Link> links_;               // by node
  std::map<std::string, size_t> heads_;   // by key: the node that it was sent to last
  std::optional<std::string> try_again_;  // a key that it was sent on with
  std::optional<Open> open_;
  bool calling_ = true;
  Micros call_at_ = 0;
};

}  // namespace chainring::sim
