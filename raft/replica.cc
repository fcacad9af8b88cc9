#include "raft/replica.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "raft/configuration.h"
#include "raft/log.h"
#include "raft/raft.h"
#include "raft/snapshot_schedule.h"

namespace chainring::raft {
namespace {

// While a peer is being sent a snapshot, or another server is asked to lead, the next one waits, but not until the log
// is more than so many times too long.
constexpr uint64_t kSnapshotDelayMax = 4;

struct Leadership {
  bool leading = false;
  Term term = 0;
  ServerId leader = kNobody;
  friend bool operator==(const Leadership&, const Leadership&) = default;
};

}  // namespace

struct Replica::State {
  State(const ReplicaOptions& given, Random& source, StateMachine& state_machine, Log::Opened opened)
      : options(given), random(source), machine(state_machine), log(std::move(opened.log)) {}

  void start_core(const HardState& hard_state, EntryLog entries, Micros start) {
    now = start;
    const CoreOptions core_options{options.id, options.heartbeat_us, options.election_us, options.limits};
    core.emplace(core_options, random, hard_state, std::move(entries), start);
  }

  [[nodiscard]] Status flush();
  [[nodiscard]] Status persist(const Ready& ready);
  [[nodiscard]] Status fill_chunks(std::vector<Message>& batch);
  void apply_committed();
  [[nodiscard]] Status compact();
  [[nodiscard]] uint64_t unsaved_entries() const;
  [[nodiscard]] bool log_reaches(uint64_t bytes) const;
  [[nodiscard]] bool snapshot_is_due() const;
  [[nodiscard]] bool snapshot_is_overdue() const;
  [[nodiscard]] bool lets_another_lead();
  void tell_leadership();
  void answer_reads();

  const ReplicaOptions options;
  Random& random;
  StateMachine& machine;
  std::unique_ptr<Log> log;
  std::optional<Core> core;  // once the disk holds a group
  Micros now = 0;
  Leadership told;
  std::optional<Micros> turned_at;      // when it was last told that it leads, or leads no more
  std::vector<ServerId> asked_to_lead;  // before the snapshot that is due, and in vain as long as this one leads
  std::vector<Message> messages;
  std::optional<Snapshot> outgoing;  // in memory only while a peer is being sent it
  Status failure;
};

Replica::Replica(std::unique_ptr<State> state) : state_(std::move(state)) {}
Replica::~Replica() = default;

Result<std::unique_ptr<Replica>> Replica::open(const ReplicaOptions& options, Disk& disk, Random& random,
                                               StateMachine& machine, Micros now) {
  auto opened = Log::open(disk, options.segment_bytes);
  if (!opened) return opened.status();
  Log::Contents contents = std::move(opened->contents);
  auto state = std::make_unique<State>(options, random, machine, *std::move(opened));
  if (contents.founded) {
    if (contents.snapshot.index > 0) {
      if (Status status = machine.restore(contents.snapshot.data); !status) return status;
    }
    EntryLog entries(SnapshotMark{contents.snapshot.index, contents.snapshot.term, contents.snapshot.configuration});
    for (Entry& entry : contents.entries) entries.append(std::move(entry));
    state->start_core(contents.hard_state, std::move(entries), now);
  }
  return std::unique_ptr<Replica>(new Replica(std::move(state)));
}

bool Replica::founded() const { return state_->core.has_value(); }

Status Replica::found(const Configuration& configuration, Micros now) {
  if (!state_->failure.ok()) return state_->failure;  // a second sync would prove nothing
  if (founded()) return {ErrorCode::already_exists, "the disk holds a group already"};
  if (!is_valid(configuration) || !is_member(configuration, state_->options.id)) {
    return {ErrorCode::invalid_argument, "a group is founded by its members"};
  }
  // The same first entry on every founding server, as if a leader of term 1 had sent it.
  const Entry first{1, 1, EntryKind::configuration, encode(configuration)};
  const HardState hard_state{1, kNobody};
  state_->log->put(first);
  state_->log->put(hard_state);
  if (Status status = state_->log->sync(); !status) return state_->failure = status;
  EntryLog entries;
  entries.append(first);
  state_->start_core(hard_state, std::move(entries), now);
  return {};
}

Status Replica::join_blank(Micros now) {
  if (!state_->failure.ok()) return state_->failure;
  if (founded()) return {ErrorCode::already_exists, "the disk holds a group already"};
  state_->log->put(HardState{});
  if (Status status = state_->log->sync(); !status) return state_->failure = status;
  state_->start_core(HardState{}, EntryLog(), now);
  return {};
}

void Replica::tick(Micros now) {
  state_->now = std::max(state_->now, now);
  if (state_->core) state_->core->tick(now);
}

Micros Replica::next_tick() const { return state_->core ? state_->core->next_tick() : kNever; }

void Replica::step(const Message& message) {
  if (state_->core) state_->core->step(message);
}

namespace {

Status not_founded() { return {ErrorCode::unavailable, "the group is not founded yet"}; }

}  // namespace

Result<Index> Replica::propose(std::string data) {
  return state_->core ? state_->core->propose(std::move(data)) : Result<Index>(not_founded());
}

Result<Index> Replica::propose_configuration(const Configuration& configuration) {
  return state_->core ? state_->core->propose_configuration(configuration) : Result<Index>(not_founded());
}

Status Replica::read(uint64_t context) { return state_->core ? state_->core->read(context) : not_founded(); }

Status Replica::transfer_leadership(ServerId to) {
  return state_->core ? state_->core->transfer_leadership(to) : not_founded();
}

Status Replica::flush() {
  if (state_->core && state_->failure.ok()) state_->failure = state_->flush();
  return state_->failure;
}

Status Replica::State::flush() {
  if (!core->fault().ok()) return core->fault();
  Ready ready = core->take_ready();
  if (Status status = persist(ready); !status) return status;
  core->persisted();
  if (Status status = fill_chunks(ready.messages); !status) return status;
  std::move(ready.messages.begin(), ready.messages.end(), std::back_inserter(messages));
  if (told.leading && !core->leading()) tell_leadership();  // before another leader's entries are applied
  if (ready.snapshot) {
    if (Status status = machine.restore(ready.snapshot->data); !status) return status;
  }
  apply_committed();
  if (Status status = compact(); !status) return status;
  tell_leadership();
  answer_reads();
  return {};
}

Status Replica::State::persist(const Ready& ready) {
  if (ready.snapshot) {
    if (Status status = log->install_snapshot(*ready.snapshot); !status) return status;
  }
  if (ready.hard_state) log->put(*ready.hard_state);
  for (Index i = ready.entries_first; i <= ready.entries_last; ++i) log->put(core->log().at(i));
  return log->sync();
}

Status Replica::State::fill_chunks(std::vector<Message>& batch) {
  for (Message& m : batch) {
    if (m.type != MessageType::snapshot) continue;
    if (!outgoing || outgoing->index != m.index) {
      auto snapshot = log->read_snapshot();
      if (!snapshot) return snapshot.status();
      outgoing = *std::move(snapshot);
    }
    CHECK(outgoing->index == m.index, "the newest snapshot is the one that is sent");
    const uint64_t offset = std::min<uint64_t>(m.offset, outgoing->data.size());
    m.offset = offset;
    m.chunk = outgoing->data.substr(offset, options.limits.snapshot_chunk_bytes);
    m.last_chunk = offset + m.chunk.size() == outgoing->data.size();
  }
  if (!core->sending_snapshot()) outgoing.reset();
  return {};
}

void Replica::State::apply_committed() {
  while (const Entry* entry = core->next_to_apply()) {
    if (entry->kind == EntryKind::data) machine.apply(*entry);
    core->applied_to(entry->index);
  }
}

uint64_t Replica::State::unsaved_entries() const { return core->applied() - core->log().snapshot().index; }

// Of applied entries, as only these go with a snapshot.
bool Replica::State::log_reaches(uint64_t bytes) const {
  const EntryLog& entries = core->log();
  return entries.bytes() >= bytes && entries.bytes() - entries.bytes_after(core->applied()) >= bytes;
}

bool Replica::State::snapshot_is_due() const {
  if (unsaved_entries() == 0) return false;
  const Place place = place_of(core->configuration(), options.id);
  if (log_reaches(log_bytes_due(place))) return true;
  const uint64_t every = options.snapshot_entries;
  return every > 0 && core->applied() >= next_snapshot(core->log().snapshot().index, every, place);
}

bool Replica::State::snapshot_is_overdue() const {
  const uint64_t every = options.snapshot_entries;
  return log_reaches(kLogBytesMax) || (every > 0 && unsaved_entries() / kSnapshotDelayMax >= every);
}

// While a leader writes a long snapshot nobody is served, so a server that follows writes it. For an election timeout
// after a change it waits: what it has said as a leader has to leave, and those that it served have to find the next
// one. A new leader waits longer, as whatever counts from when its leadership began has to come to its end. Each voter
// is asked once, as proposals are refused meanwhile.
bool Replica::State::lets_another_lead() {
  if (machine.snapshot_bytes() <= options.limits.leader_snapshot_bytes_max) return false;
  const bool leads = core->role() == Role::leader;
  const Micros settles_for = leads ? std::max(options.election_us, options.leads_at_least_us) : options.election_us;
  if (leads != told.leading || (turned_at && now < *turned_at + settles_for)) return true;
  if (!leads) return false;
  if (core->handing_over()) return true;
  const ServerId next = stand_in(*core, options.id, asked_to_lead);
  if (next == kNobody) return false;
  if (core->transfer_leadership(next).ok()) asked_to_lead.push_back(next);
  return true;
}

// Half as many entries as a snapshot covers stay in memory, so that a peer that is a little behind needs no snapshot.
Status Replica::State::compact() {
  if (!snapshot_is_due()) return {};
  if (!snapshot_is_overdue() && (core->sending_snapshot() || lets_another_lead())) return {};
  const Index index = core->applied();
  const EntryLog& entries = core->log();
  const bool by_bytes = log_reaches(log_bytes_due(place_of(core->configuration(), options.id)));
  Snapshot snapshot{index, *entries.term_at(index), entries.configuration_at(index), machine.snapshot()};
  if (Status status = log->save_snapshot(snapshot); !status) return status;
  const uint64_t kept = by_bytes ? 0 : std::min(index, options.snapshot_entries / 2);
  const Index base = std::max(entries.base(), index - kept);
  core->compact(SnapshotMark{index, snapshot.term, std::move(snapshot.configuration)}, base);
  asked_to_lead.clear();
  return {};
}

void Replica::State::tell_leadership() {
  const Leadership is{core->leading(), core->term(), core->leader()};
  if (is == told) return;
  if (is.leading != told.leading) turned_at = now;
  told = is;
  asked_to_lead.clear();
  machine.leadership(is.leading, is.term, is.leader);
}

void Replica::State::answer_reads() {
  const Reads reads = core->take_reads();
  for (const uint64_t context : reads.confirmed) machine.read_ready(context);
  for (const uint64_t context : reads.failed) machine.read_failed(context);
}

std::vector<Message> Replica::take_messages() {
  if (!state_->failure.ok()) return {};
  return std::exchange(state_->messages, {});
}

bool Replica::leading() const { return state_->told.leading; }
Term Replica::term() const { return state_->core ? state_->core->term() : 0; }
ServerId Replica::leader() const { return state_->core ? state_->core->leader() : kNobody; }
Index Replica::applied() const { return state_->core ? state_->core->applied() : 0; }
Index Replica::committed() const { return state_->core ? state_->core->committed() : 0; }

const Configuration& Replica::configuration() const {
  static const Configuration kBlank;
  return state_->core ? state_->core->configuration() : kBlank;
}

void Replica::set_heartbeat_note(int64_t note) {
  if (state_->core) state_->core->set_note(note);
}

int64_t Replica::heartbeat_note() const { return state_->core ? state_->core->note() : 0; }
int64_t Replica::quorum_note() const { return state_->core ? state_->core->quorum_note() : 0; }

const Core* Replica::core() const { return state_->core ? &*state_->core : nullptr; }

}  // namespace chainring::raft
