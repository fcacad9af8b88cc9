// The log against a twin that keeps everything in plain vectors, over random work, crashes and power cuts.
#include <optional>

#include "raft/log.h"
#include "tests/support/sim_disk.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::raft {
namespace {

using chainring::testing::SimDisk;

const Configuration kThree{{1, 2, 3}, {}};
constexpr uint64_t kSeeds = 3000;
constexpr int kSteps = 120;

struct Twin {
  HardState hard_state;
  Index snapshot = 0;
  Term snapshot_term = 0;
  std::vector<Entry> entries;

  [[nodiscard]] Index last() const { return snapshot + entries.size(); }
  [[nodiscard]] Term last_term() const { return entries.empty() ? snapshot_term : entries.back().term; }
  void put(const Entry& entry) {
    entries.resize(entry.index - snapshot - 1);
    entries.push_back(entry);
  }
  void take_snapshot(Index index) {
    snapshot_term = entries[index - snapshot - 1].term;
    entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(index - snapshot));
    snapshot = index;
  }
  void install(Index index, Term term) {
    entries.clear();
    snapshot = index;
    snapshot_term = term;
  }
  friend bool operator==(const Twin&, const Twin&) = default;
};

class Work {
 public:
  explicit Work(uint64_t seed) : random_(seed) { open(); }

  void run() {
    for (int step = 0; step < kSteps; ++step) {
      switch (random_.below(12)) {
        case 0:
          put_hard_state();
          break;
        case 1:
          overwrite();
          break;
        case 2:
          sync();
          save_snapshot();
          break;
        case 3:
          sync();
          install();
          break;
        case 4:
          reopen(random_.percent(50));
          break;
        case 5:
          if (random_.percent(40)) disk_.cut_power_after(random_.below(12));
          break;
        case 6:
          if (random_.percent(40)) disk_.fail_sync_after(random_.below(4));
          break;
        case 7:
        case 8:
          sync();
          break;
        default:
          append();
          break;
      }
    }
    sync();
    reopen(true);
  }

 private:
  void append() {
    const Term term = std::max<Term>(1, pending_.last_term() + (random_.percent(10) ? 1 : 0));
    put(Entry{term, pending_.last() + 1, EntryKind::data, std::string(random_.below(80), 'x')});
  }
  void overwrite() {
    if (pending_.entries.empty()) return;
    const Index from = pending_.snapshot + 1 + random_.below(pending_.entries.size());
    put(Entry{pending_.last_term() + 1, from, EntryKind::data, "new"});
  }
  void put(const Entry& entry) {
    log_->put(entry);
    pending_.put(entry);
    stages_.push_back(pending_);
  }
  void put_hard_state() {
    pending_.hard_state = HardState{pending_.hard_state.term + 1, random_.below(4)};
    log_->put(pending_.hard_state);
    stages_.push_back(pending_);
  }
  void sync() {
    if (!log_->sync().ok()) return reopen(false);
    settle();
  }
  void save_snapshot() {
    if (pending_.entries.empty()) return;
    const Index index = pending_.snapshot + 1 + random_.below(pending_.entries.size());
    pending_.take_snapshot(index);
    stages_.push_back(pending_);
    if (!log_->save_snapshot(Snapshot{index, pending_.snapshot_term, kThree, "state"}).ok()) return reopen(false);
    settle();
  }
  void install() {
    const Index index = pending_.snapshot + 1 + random_.below(pending_.entries.size() + 10);
    // Another term than the log's at that index, or beyond its end: else the core keeps its log.
    const Term term = pending_.last_term() + 1;
    pending_.install(index, term);
    stages_.push_back(pending_);
    if (!log_->install_snapshot(Snapshot{index, term, kThree, "installed"}).ok()) return reopen(false);
    settle();
  }
  void settle() { stages_ = {pending_}; }

  // Ends the process, with the power or without, and compares: the log must be in one of the stages since the last
  // success, that one included.
  void reopen(bool power_loss) {
    log_.reset();
    if (power_loss || random_.percent(50)) disk_.crash(random_);
    disk_.disarm();
    if (power_was_cut()) disk_.crash(random_);
    open();
  }
  // The power stays away after a cut until the crash.
  bool power_was_cut() { return !disk_.sync_directory().ok(); }

  void open() {
    auto opened = Log::open(disk_, 50 + random_.below(600));
    REQUIRE(opened.status().ok());
    log_ = std::move(opened->log);
    const Log::Contents& contents = opened->contents;
    const Twin found{contents.hard_state, contents.snapshot.index, contents.snapshot.term, contents.entries};
    REQUIRE(std::find(stages_.begin(), stages_.end(), found) != stages_.end());
    pending_ = found;
    settle();
  }

  SeededRandom random_;
  SimDisk disk_;
  std::unique_ptr<Log> log_;
  Twin pending_;                     // with all that was put
  std::vector<Twin> stages_ = {{}};  // every state since the last success
};

}  // namespace

TEST_CASE("Log: equals its twin after random work and crashes") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    INFO("seed " << seed);
    Work(seed).run();
  }
}

}  // namespace chainring::raft
