#include "tests/raft/simulation_server.h"

#include "base/bytes.h"
#include "base/check.h"
#include "raft/raft.h"
#include "tests/raft/simulation_checker.h"

namespace chainring::raft::testing {
namespace {

struct SavedState {
  uint64_t state = 0;
  uint64_t entries = 0;
  std::string padding;  // makes the snapshot longer than one chunk
  template <class A>
  void fields(A& a) {
    a(state, entries, padding);
  }
};

}  // namespace

void NotingMachine::apply(const Entry& entry) {
  state_ = next_state(state_, entry.kind, digest_of(entry));
  ++entries_;
  notes.applied.push_back(Applied{entry.index, state_});
}

std::string NotingMachine::snapshot() const { return encode(SavedState{state_, entries_, std::string(padding_, 'p')}); }

Status NotingMachine::restore(std::string_view snapshot) {
  const auto saved = decode<SavedState>(snapshot);
  if (!saved) return {ErrorCode::corrupt, "the snapshot of the simulation's state is damaged"};
  state_ = saved->state;
  entries_ = saved->entries;
  notes.restored = true;
  notes.restored_state = state_;
  notes.restored_entries = entries_;
  return {};
}

void NotingMachine::leadership(bool leading, Term term, ServerId) {
  notes.began_to_lead = leading;
  notes.term = term;
  if (leading) on_leading_();
}

Status SimServer::start(const ReplicaOptions& options, Micros now) {
  CHECK(!up(), "one life at a time");
  ReplicaOptions own = options;
  own.id = id;
  machine = std::make_unique<NotingMachine>(padding_bytes, [this] { propose_two(); });
  auto opened = Replica::open(own, disk, random, *machine, now);
  if (!opened) return opened.status();
  replica = *std::move(opened);
  turn_at = kNever;
  leads = false;
  paused_until = 0;
  disk_fault = DiskFault::none;
  return {};
}

void SimServer::propose_two() {
  for (const char* text : {"first", "second"}) {
    CHECK(replica->propose(text).ok(), "whoever is told that it leads may propose at once");
  }
}

void SimServer::stop() {
  replica.reset();
  machine.reset();
  inbox.clear();
  turn_at = kNever;
  ++life;
}

}  // namespace chainring::raft::testing
