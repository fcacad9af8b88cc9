// Servers as a Replica makes them: each on a disk of its own, with a state machine that notes what it is told.
//
// Time stands still until a test moves a server's clock; messages go when it says so. Thread-safety: none.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "raft/replica.h"
#include "tests/support/sim_disk.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::raft::testing {

using chainring::testing::SimDisk;
using Calls = std::vector<std::string>;

inline constexpr Micros kHeartbeat = 10'000;
inline constexpr Micros kElection = 100'000;

class RecordingMachine final : public StateMachine {
 public:
  void apply(const Entry& entry) override {
    state += entry.data;
    calls.push_back(concat("apply ", entry.data));
    if (on_apply) on_apply();
  }
  std::string snapshot() const override {
    snapshots.push_back({state.size(), leads});
    return state;
  }
  uint64_t snapshot_bytes() const override { return state.size(); }
  Status restore(std::string_view snapshot) override {
    state = snapshot;
    calls.push_back(concat("restore ", snapshot));
    return refuses_restore ? Status(ErrorCode::corrupt, "no such state") : Status();
  }
  void read_ready(uint64_t context) override { calls.push_back(concat("ready ", context)); }
  void read_failed(uint64_t context) override { calls.push_back(concat("failed ", context)); }
  void leadership(bool leading, Term term, ServerId leader) override {
    leads = leading;
    calls.push_back(concat(leading ? "leads" : "follows", " term ", term, " leader ", leader));
  }
  Calls take() { return std::exchange(calls, {}); }

  struct Taken {
    uint64_t bytes = 0;
    bool leading = false;
  };
  mutable std::vector<Taken> snapshots;
  Calls calls;
  std::string state;
  bool leads = false;
  bool refuses_restore = false;
  std::function<void()> on_apply;
};

struct Server {
  explicit Server(ServerId given, uint64_t snapshots_each = 0, const Limits& given_limits = {})
      : id(given), random(given), snapshot_entries(snapshots_each), limits(given_limits) {
    REQUIRE(open().ok());
  }
  Status open() {
    replica.reset();
    ReplicaOptions options;
    options.id = id;
    options.heartbeat_us = kHeartbeat;
    options.election_us = kElection;
    options.snapshot_entries = snapshot_entries;
    options.limits = limits;
    auto opened = Replica::open(options, disk, random, machine, now);
    if (opened.ok()) replica = *std::move(opened);
    return opened.status();
  }
  void pass(Micros us) {
    for (; us > kHeartbeat; us -= kHeartbeat) replica->tick(now += kHeartbeat);
    replica->tick(now += us);
  }
  Status propose(std::string data) { return replica->propose(std::move(data)).status(); }

  const ServerId id;
  SimDisk disk;
  SeededRandom random;
  uint64_t snapshot_entries;
  const Limits limits;
  RecordingMachine machine;
  Micros now = 0;
  std::unique_ptr<Replica> replica;
};

// A group of one that leads already.
struct Alone : Server {
  explicit Alone(uint64_t snapshots_each = 0, const Limits& given_limits = {})
      : Server(7, snapshots_each, given_limits) {
    REQUIRE(replica->found({{7}, {}}, 0).ok());
    lead();
  }
  void lead() {
    pass(2 * kElection);
    REQUIRE(replica->flush().ok());
    REQUIRE(replica->leading());
    machine.take();
  }
};

// Exchanges messages until there are none; those for which `passes` says no are lost.
inline void settle(
    const std::vector<Server*>& servers,
    const std::function<bool(const Message&)>& passes = [](const Message&) { return true; }) {
  for (bool quiet = false; !quiet;) {
    quiet = true;
    for (Server* server : servers) {
      REQUIRE(server->replica->flush().ok());
      for (const Message& message : server->replica->take_messages()) {
        quiet = false;
        if (!passes(message)) continue;
        for (Server* to : servers) to->replica->step(message);
      }
    }
  }
}

}  // namespace chainring::raft::testing
