// One server of the simulated group: a Replica, its disk, and a state machine that notes what it is told.
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "raft/replica.h"
#include "tests/support/sim_disk.h"

namespace chainring::raft::testing {

class NotingMachine final : public StateMachine {
 public:
  struct Applied {
    Index index;
    uint64_t state;
  };
  // What one flush told, in the order of the checks.
  struct Notes {
    bool restored = false;
    uint64_t restored_state = 0;
    uint64_t restored_entries = 0;
    std::vector<Applied> applied;
    std::vector<uint64_t> reads_ready;
    std::vector<uint64_t> reads_failed;
    bool began_to_lead = false;
    Term term = 0;
    void clear() { *this = Notes{}; }
  };

  // Called whenever it begins to lead, from within the flush: what it proposes there goes with the next one.
  using OnLeading = std::function<void()>;
  NotingMachine(size_t padding_bytes, OnLeading on_leading)
      : padding_(padding_bytes), on_leading_(std::move(on_leading)) {}

  void apply(const Entry& entry) override;
  std::string snapshot() const override;
  uint64_t snapshot_bytes() const override { return padding_; }
  Status restore(std::string_view snapshot) override;
  void read_ready(uint64_t context) override { notes.reads_ready.push_back(context); }
  void read_failed(uint64_t context) override { notes.reads_failed.push_back(context); }
  void leadership(bool leading, Term term, ServerId leader) override;

  Notes notes;

 private:
  const size_t padding_;
  const OnLeading on_leading_;
  uint64_t state_ = 0;
  uint64_t entries_ = 0;
};

enum class DiskFault { none, sync, power };

struct SimServer {
  SimServer(ServerId given, uint64_t seed, size_t padding) : id(given), random(seed), padding_bytes(padding) {}

  // Begins a life: reads the disk. REQUIRES: !up().
  [[nodiscard]] Status start(const ReplicaOptions& options, Micros now);
  // Ends it; the disk stays.
  void stop();
  [[nodiscard]] bool up() const { return replica != nullptr; }
  void propose_two();

  const ServerId id;
  SeededRandom random;
  const size_t padding_bytes;
  chainring::testing::SimDisk disk;
  std::unique_ptr<NotingMachine> machine;
  std::unique_ptr<Replica> replica;
  std::vector<Message> inbox;
  bool leads = false;  // after its last turn
  uint64_t life = 0;
  Micros turn_at = kNever;  // the turn that is scheduled
  Micros paused_until = 0;
  DiskFault disk_fault = DiskFault::none;  // that is armed
};

}  // namespace chainring::raft::testing
