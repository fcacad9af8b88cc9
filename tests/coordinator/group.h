// A group of coordinators in the simulated world, with nodes and a router that speak only as much of the protocol as
// coordinators see of them: what a test wants to know is what the coordinators do.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/settings.h"
#include "base/text.h"
#include "coordinator/coordinator.h"
#include "ring/table.h"
#include "session/coordinator_link.h"
#include "tests/sim/world.h"
#include "tests/support/sim_disk.h"

namespace chainring::coordinator {

using sim::HostId;

class UnheardLog final : public Log {
 public:
  void write(LogLevel, std::string_view) override {}
};

// A node without data: slots have numbers, as many as the test says, and levelling moves them at once.
class FakeNode final : public Process {
 public:
  FakeNode(std::string name, uint16_t port, const Settings& settings, Transport& transport, Random& random);

  [[nodiscard]] Status start(Now now) override;
  void turn(Now now, std::span<const NetEvent> events) override;
  [[nodiscard]] Micros next_wake() const override;
  void request_stop(Now) override {}
  [[nodiscard]] bool finished() const override { return false; }
  [[nodiscard]] Status outcome() const override { return {}; }

  [[nodiscard]] MemberId self() const { return self_; }
  [[nodiscard]] const ring::Table& table() const { return table_; }
  [[nodiscard]] bool has_lease(Micros now) const { return now < lease_until_; }
  [[nodiscard]] uint64_t grants() const { return grants_; }
  // Whether it would serve the slot as head.
  [[nodiscard]] bool serves(Slot slot, Micros now) const;
  void hold(Slot slot, Sequence applied) { applied_[slot] = applied; }
  [[nodiscard]] Sequence applied(Slot slot) const { return applied_[slot]; }
  [[nodiscard]] const std::vector<protocol::LevelItem>& levels() const { return levels_; }

  [[nodiscard]] bool goes_round() { return link_.link().goes_round(); }
  bool mute = false;  // obeys nothing and says nothing of having stopped
  std::function<void(const protocol::LevelItem&)> on_level;

 private:
  void on_frame(const protocol::Frame& frame);
  void heartbeat();
  void state_stops();

  session::PeerIdentity identity_;
  uint16_t port_;
  UnheardLog log_;
  session::CoordinatorLink link_;
  ring::Table table_;
  MemberId self_ = kNoMember;
  Now now_;
  Micros lease_until_ = 0;
  Micros heartbeat_at_ = 0;
  Micros heard_at_ = 0;
  uint64_t grants_ = 0;
  std::vector<Sequence> applied_ = std::vector<Sequence>(kSlotCount);
  std::vector<protocol::LevelItem> levels_;
};

// Sends commands to whoever leads, again and again until one is answered, as a router does.
class FakeRouter final : public Process {
 public:
  FakeRouter(uint16_t port, const Settings& settings, Transport& transport, Random& random);

  [[nodiscard]] Status start(Now now) override;
  void turn(Now now, std::span<const NetEvent> events) override;
  [[nodiscard]] Micros next_wake() const override;
  void request_stop(Now) override {}
  [[nodiscard]] bool finished() const override { return false; }
  [[nodiscard]] Status outcome() const override { return {}; }

  struct Call {
    uint64_t number = 0;
    std::string command;
    uint8_t flags = 0;
    uint8_t db = 0;
    uint32_t attempt = 0;
    uint64_t sent_as = 0;  // the request id of the last try; 0: not sent on this link
    Micros sent_at = 0;
    int tries = 0;
    std::optional<std::string> reply;
    std::optional<protocol::ReplyStatus> refused;  // expired
  };
  // The call's place among calls(); it is made in the next turns.
  size_t call(std::string_view line, uint64_t number_again = 0);
  [[nodiscard]] const Call& calls(size_t place) const { return calls_[place]; }
  [[nodiscard]] const protocol::TableMessage& table() const { return table_; }
  void send_again() { drop_ = true; }  // as when the link breaks
  bool forget_answers = false;         // numbers below are never called answered
  std::vector<MemberId> accused;       // as it says
  [[nodiscard]] bool goes_round() { return link_.link().goes_round(); }

 private:
  void on_frame(const protocol::Frame& frame);
  void send_calls();

  session::PeerIdentity identity_;
  uint16_t port_;
  UnheardLog log_;
  session::CoordinatorLink link_;
  protocol::TableMessage table_;
  std::deque<Call> calls_;
  Now now_;
  uint64_t last_request_ = 0;
  uint64_t last_number_ = 0;
  uint32_t attempt_ = 0;
  Micros subscribe_at_ = 0;
  Micros heard_at_ = 0;
  bool drop_ = false;
};

class Group {
 public:
  struct Options {
    size_t coordinators = 3;
    uint64_t seed = 1;
    std::map<Setting, std::string> settings = {};
  };
  explicit Group(const Options& options);

  Coordinator* coordinator(size_t i) { return dynamic_cast<Coordinator*>(world.process(coordinators_[i])); }
  // The one that leads, alone and ready; nullptr for none.
  Coordinator* leader();
  [[nodiscard]] size_t leader_index();
  void start_coordinators() {
    for (size_t i = 0; i < coordinators_.size(); ++i) start(i);
  }
  void start(size_t i) { world.start(coordinators_[i]); }
  void kill(size_t i);  // with what was not synced lost
  [[nodiscard]] HostId host(size_t i) const { return coordinators_[i]; }
  testing::SimDisk& disk(size_t i) { return *disks_[i]; }
  void replace_disk(size_t i) { *disks_[i] = testing::SimDisk(); }
  // What is on it is the caller's, and an empty one is in its place. REQUIRES: its coordinator does not run.
  testing::SimDisk take_disk(size_t i) { return std::exchange(*disks_[i], testing::SimDisk()); }
  // Of coordinators that are started later.
  void configure(Setting id, std::string value) { options_.settings[id] = std::move(value); }

  // Another coordinator with an empty disk, not started; returns its place. It is configured with the founders and
  // itself.
  size_t new_coordinator();
  // Its next life is at another address, with the same disk; only its own configuration knows.
  void move(size_t i);
  [[nodiscard]] std::string name_of(size_t i) const { return concat("c", i + 1); }
  [[nodiscard]] std::string add_command(size_t i) const;
  [[nodiscard]] std::string remove_command(size_t i) const { return concat("RING COORDINATOR REMOVE ", name_of(i)); }
  // The names of those that vote, as the leader's Raft and roster have it; a name in brackets is one of the two only.
  [[nodiscard]] std::string voters();

  // Starts a node, or its next incarnation.
  FakeNode& node(const std::string& name);
  FakeNode& running(const std::string& name) { return *dynamic_cast<FakeNode*>(world.process(nodes_.at(name))); }
  void kill_node(const std::string& name) { world.kill(nodes_.at(name)); }
  [[nodiscard]] HostId node_host(const std::string& name) const { return nodes_.at(name); }
  FakeRouter& router();
  [[nodiscard]] HostId router_host() const { return *router_; }  // REQUIRES: it was started

  void pass(Micros time) { world.run_until(world.now() + time); }
  // Whether it became true within the time.
  bool within(Micros time, const std::function<bool()>& condition);
  bool has_leader() {
    return within(5 * kMicrosPerSecond, [&] { return leader() != nullptr; });
  }
  // The reply to a command by the router.
  std::string ask(std::string_view line);
  // Every slot is served by one node; how many chains there are is the test's to look at.
  bool all_served();
  [[nodiscard]] std::vector<std::string> chain_of(Slot slot);  // names, as the leader has them in force

  sim::World world;

 private:
  [[nodiscard]] Settings founders() const;
  [[nodiscard]] Settings settings_of(size_t i) const;
  HostId host_for(size_t i);

  Options options_;
  std::vector<uint16_t> ports_;  // of coordinators
  std::vector<std::unique_ptr<testing::SimDisk>> disks_;
  std::vector<HostId> coordinators_;
  std::map<std::string, HostId> nodes_;
  std::optional<HostId> router_;
};

}  // namespace chainring::coordinator
