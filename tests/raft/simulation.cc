#include "tests/raft/simulation.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "raft/raft.h"

namespace chainring::raft::testing {
namespace {

constexpr Micros kHeartbeat = 20'000;
constexpr Micros kElection = 100'000;
constexpr Micros kFaultTime = 3'000'000;
constexpr Micros kCalmTimeMax = 40 * kElection;  // within it a leader must appear and a proposal commit
constexpr Micros kProposalMean = 4'000;
constexpr Micros kReadMean = 15'000;
constexpr uint32_t kCodecPercent = 5;  // messages that go through their encoding

}  // namespace

void Statistics::add(const Statistics& other) {
  turns += other.turns, messages += other.messages, lost += other.lost, duplicated += other.duplicated;
  late += other.late, partitions += other.partitions, crashes += other.crashes, kills += other.kills;
  disk_faults += other.disk_faults, pauses += other.pauses, changes += other.changes, transfers += other.transfers;
  hunted += other.hunted;
  snapshots_installed += other.snapshots_installed, elections += other.elections, committed += other.committed;
  reads_answered += other.reads_answered, reads_failed += other.reads_failed;
}

Simulation::Simulation(uint64_t seed) : random_(seed * 0x9e3779b97f4a7c15ULL + 1) {
  draw_plan();
  add_servers();
}

Simulation::~Simulation() = default;

void Simulation::draw_plan() {
  const auto maybe = [&](uint32_t value) { return random_.percent(60) ? value : 0; };
  plan_.loss_percent = maybe(static_cast<uint32_t>(1 + random_.below(15)));
  plan_.duplicate_percent = maybe(static_cast<uint32_t>(1 + random_.below(15)));
  plan_.late_percent = maybe(static_cast<uint32_t>(1 + random_.below(20)));
  plan_.delay_us = static_cast<Micros>(200 + random_.below(8'000));
  plan_.late_us = static_cast<Micros>(10'000 + random_.below(300'000));
  plan_.turn_us = static_cast<Micros>(random_.below(3'000));
  plan_.partitions = random_.percent(60);
  plan_.crashes = random_.percent(60);
  plan_.kills = random_.percent(40);
  plan_.disk_faults = random_.percent(40);
  plan_.pauses = random_.percent(40);
  plan_.changes = random_.percent(50);
  plan_.transfers = random_.percent(50);
  plan_.hunt_percent = maybe(static_cast<uint32_t>(random_.below(70)));
  plan_.fault_mean_us = static_cast<Micros>(20'000 + random_.below(150'000));

  options_.heartbeat_us = kHeartbeat;
  options_.election_us = kElection;
  options_.snapshot_entries = random_.percent(30) ? 0 : 5 + random_.below(120);
  options_.segment_bytes = 200 + random_.below(4'000);
  options_.limits.append_bytes_max = 50 + random_.below(600);
  options_.limits.appends_in_flight_max = static_cast<uint32_t>(1 + random_.below(8));
  options_.limits.uncommitted_entries_max = 20 + random_.below(200);
  options_.limits.snapshot_chunk_bytes = 8 + random_.below(200);
  options_.limits.lag_entries_max = 20;
  if (random_.percent(50)) options_.limits.leader_snapshot_bytes_max = random_.below(400);
}

void Simulation::add_servers() {
  founders_ = random_.percent(50) ? 3 : 5;
  const size_t spares = plan_.changes ? 2 : 0;
  const size_t padding = random_.below(400);
  for (size_t place = 0; place < founders_ + spares; ++place) {
    servers_.push_back(std::make_unique<SimServer>(place + 1, random_.next(), padding));
  }
}

std::string Simulation::run() {
  Configuration configuration;
  for (size_t place = 0; place < founders_; ++place) configuration.voters.push_back(servers_[place]->id);
  for (auto& server : servers_) {
    if (Status status = server->start(options_, now_); !status) return std::string(status.message());
    if (server->id > founders_) continue;
    // One may have lost its disk before it took the group in: it is a voter by the others' word, and begins blank.
    const bool blank = server->id == founders_ && random_.percent(15);
    const Status status = blank ? server->replica->join_blank(now_) : server->replica->found(configuration, now_);
    if (!status) return std::string(status.message());
  }
  for (uint32_t place = 0; place < servers_.size(); ++place) schedule_turn(place, now_);
  repeat(EventKind::proposal, kProposalMean);
  repeat(EventKind::read, kReadMean);
  repeat(EventKind::fault, plan_.fault_mean_us);
  if (plan_.changes) repeat(EventKind::member_change, 2 * kElection);
  if (plan_.transfers) repeat(EventKind::transfer, 3 * kElection);
  run_until(kFaultTime);
  if (checker_.ok()) expect_liveness();
  statistics_.elections = checker_.elections();
  statistics_.committed = checker_.committed();
  return checker_.violation();
}

std::string Simulation::describe() const {
  std::string out = concat("at ", now_, " us\n");
  for (const auto& server : servers_) {
    append_text(out, "  server ", server->id, ": ");
    const Core* core = server->up() ? server->replica->core() : nullptr;
    if (core == nullptr) {
      out += server->up() ? "blank\n" : "down\n";
      continue;
    }
    constexpr std::array<std::string_view, 4> kRoles = {"follower", "pre-candidate", "candidate", "leader"};
    append_text(out, kRoles[static_cast<size_t>(core->role())], " term ", core->term(), " vote ", core->vote(),
                " leader ", core->leader(), " log ", core->log().base(), "..", core->log().last_index(), " of term ",
                core->log().last_term(), " stable ", core->stable(), " committed ", core->committed(), " applied ",
                core->applied(), " voters");
    for (const ServerId voter : core->configuration().voters) append_text(out, ' ', voter);
    out += " learners";
    for (const ServerId learner : core->configuration().learners) append_text(out, ' ', learner);
    append_text(out, " since ", core->log().configuration_index(), '\n');
    for (const auto& peer : servers_) {
      const Progress* progress = core->progress(peer->id);
      if (progress == nullptr) continue;
      constexpr std::array<std::string_view, 3> kStates = {"probe", "replicate", "snapshot"};
      append_text(out, "    feeds ", peer->id, ": ", kStates[static_cast<size_t>(progress->state)], " match ",
                  progress->match, " next ", progress->next, " in flight ", progress->in_flight.size(), " snapshot ",
                  progress->snapshot_index, " from ", progress->snapshot_offset, '\n');
    }
  }
  return out;
}

void Simulation::run_until(Micros end) {
  while (checker_.ok() && !events_.empty() && events_.top().time <= end) {
    const Event event = events_.top();
    events_.pop();
    now_ = event.time;
    handle(event);
  }
  now_ = std::max(now_, end);
}

void Simulation::handle(const Event& event) {
  switch (event.kind) {
    case EventKind::turn: {
      SimServer& server = *servers_[event.subject];
      if (!server.up() || server.life != event.life || server.turn_at != event.time) return;
      server.turn_at = kNever;
      return turn(event.subject);
    }
    case EventKind::deliver:
      return deliver(event.subject);
    case EventKind::restart:
      return servers_[event.subject]->life == event.life ? restart(event.subject) : void();
    case EventKind::proposal:
      propose();
      return repeat(event.kind, kProposalMean);
    case EventKind::read:
      read();
      return repeat(event.kind, kReadMean);
    case EventKind::fault:
      inject_fault();
      return repeat(event.kind, plan_.fault_mean_us);
    case EventKind::member_change:
      change_members();
      return repeat(event.kind, 2 * kElection);
    case EventKind::transfer:
      if (SimServer* leader = some_leader(); leader != nullptr && faults_) {
        if (leader->replica->transfer_leadership(some_server().id).ok()) ++statistics_.transfers;
        schedule_turn(static_cast<uint32_t>(leader->id - 1), now_);
      }
      return repeat(event.kind, 3 * kElection);
  }
}

void Simulation::schedule(Micros delay, EventKind kind, uint32_t subject, uint64_t life) {
  events_.push(Event{now_ + delay, order_++, kind, subject, life});
}

void Simulation::repeat(EventKind kind, Micros mean_us) {
  schedule(static_cast<Micros>(random_.below(2 * static_cast<uint64_t>(mean_us))), kind);
}

void Simulation::schedule_turn(uint32_t place, Micros time) {
  SimServer& server = *servers_[place];
  time = std::max({time, now_, server.paused_until});
  if (!server.up() || server.turn_at <= time) return;
  server.turn_at = time;
  events_.push(Event{time, order_++, EventKind::turn, place, server.life});
}

void Simulation::turn(uint32_t place) {
  SimServer& server = *servers_[place];
  ++statistics_.turns;
  server.replica->tick(now_);
  for (const Message& message : server.inbox) server.replica->step(message);
  server.inbox.clear();
  server.machine->notes.clear();
  server.replica->set_heartbeat_note(now_);
  if (const Core* core = server.replica->core()) checker_.flushing(server.id, *core);
  if (!server.replica->flush().ok()) {
    if (server.disk_fault == DiskFault::none)
      return checker_.fail(server.id, std::string(server.replica->flush().message()));
    ++statistics_.disk_faults;
    return crash(server, server.disk_fault == DiskFault::power || random_.percent(50));
  }
  const bool led = server.leads;
  check_turn(server);
  if (!checker_.ok()) return;
  if (!led && server.leads && hunt(server)) return;
  send(server);
  if (const Micros next = server.replica->next_tick(); next != kNever) schedule_turn(place, next);
}

void Simulation::check_turn(SimServer& server) {
  const Core* core = server.replica->core();
  if (core == nullptr) return;
  const NotingMachine::Notes& notes = server.machine->notes;
  checker_.flushed(server.id, *core);
  if (notes.restored) {
    ++statistics_.snapshots_installed;
    checker_.restored(server.id, notes.restored_state, notes.restored_entries);
  }
  for (const auto& applied : notes.applied) checker_.applied(server.id, applied.index, applied.state);
  if (notes.began_to_lead) checker_.told_leading(server.id, notes.term, *core);
  for (const uint64_t context : notes.reads_ready) {
    checker_.read_answered(server.id, reads_[context], server.replica->applied());
    reads_.erase(context);
    ++statistics_.reads_answered;
  }
  for (const uint64_t context : notes.reads_failed) statistics_.reads_failed += reads_.erase(context);
  server.leads = core->role() == Role::leader;
  if (server.leads) checker_.note_confirmed(server.replica->quorum_note());
}

void Simulation::send(SimServer& from) {
  for (Message& message : from.replica->take_messages()) {
    checker_.sent(message);
    ++statistics_.messages;
    if (random_.percent(kCodecPercent)) {
      auto decoded = decode<Message>(encode(message));
      if (!decoded || *decoded != message) return checker_.fail(from.id, "a message does not survive its encoding");
    }
    if (faults_ && random_.percent(plan_.loss_percent)) {
      ++statistics_.lost;
      continue;
    }
    transmit(message);
    if (faults_ && random_.percent(plan_.duplicate_percent)) {
      ++statistics_.duplicated;
      transmit(message);
    }
  }
}

void Simulation::transmit(const Message& message) {
  Micros delay = static_cast<Micros>(random_.below(static_cast<uint64_t>(plan_.delay_us)));
  if (faults_ && random_.percent(plan_.late_percent)) {
    ++statistics_.late;
    delay += static_cast<Micros>(random_.below(static_cast<uint64_t>(plan_.late_us)));
  }
  uint32_t slot = static_cast<uint32_t>(in_flight_.size());
  if (free_slots_.empty()) {
    in_flight_.push_back(message);
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
    in_flight_[slot] = message;
  }
  schedule(delay, EventKind::deliver, slot);
}

void Simulation::deliver(uint32_t slot) {
  Message message = std::move(in_flight_[slot]);
  free_slots_.push_back(slot);
  SimServer* to = server_of(message.to);
  if (to == nullptr || !to->up() || cut_[message.from - 1][message.to - 1]) return;
  to->inbox.push_back(std::move(message));
  const Micros gathering =
      plan_.turn_us == 0 ? 0 : static_cast<Micros>(random_.below(static_cast<uint64_t>(plan_.turn_us)));
  schedule_turn(static_cast<uint32_t>(to->id - 1), now_ + gathering);
}

SimServer* Simulation::server_of(ServerId id) {
  return id >= 1 && id <= servers_.size() ? servers_[id - 1].get() : nullptr;
}

SimServer& Simulation::some_server() { return *servers_[random_.below(servers_.size())]; }

// One that believes that it leads: there can be several.
SimServer* Simulation::some_leader() {
  const size_t first = random_.below(servers_.size());
  for (size_t i = 0; i < servers_.size(); ++i) {
    SimServer& server = *servers_[(first + i) % servers_.size()];
    const Core* core = server.up() ? server.replica->core() : nullptr;
    if (core != nullptr && core->role() == Role::leader && server.paused_until <= now_) return &server;
  }
  return nullptr;
}

void Simulation::propose() {
  SimServer* leader = some_leader();
  if (leader == nullptr || !faults_) return;
  const uint64_t burst = random_.percent(5) ? 1 + random_.below(60) : 1;
  for (uint64_t i = 0; i < burst; ++i) {
    std::string data = concat("p", next_proposal_++);
    if (random_.percent(10)) data.append(random_.below(700), '.');
    if (!leader->replica->propose(std::move(data)).ok()) break;
  }
  schedule_turn(static_cast<uint32_t>(leader->id - 1), now_);
}

void Simulation::read() {
  SimServer* leader = some_leader();
  if (leader == nullptr) return;
  const uint64_t context = next_context_++;
  if (!leader->replica->read(context).ok()) return;
  reads_[context] = checker_.read_frontier();
  schedule_turn(static_cast<uint32_t>(leader->id - 1), now_);
}

void Simulation::expect_liveness() {
  stop_faults();
  const Micros deadline = now_ + kCalmTimeMax;
  Index marker = 0;
  Term marker_term = 0;
  const uint64_t reads_before = statistics_.reads_answered;
  while (checker_.ok() && now_ < deadline) {
    run_until(now_ + kHeartbeat);
    SimServer* leader = some_leader();
    if (leader == nullptr) continue;
    const Term term = leader->replica->term();
    if (marker == 0 || marker_term != term) {  // lost with its leader, or never made
      auto index = leader->replica->propose("marker");
      marker = index.ok() ? *index : 0;
      marker_term = term;
      schedule_turn(static_cast<uint32_t>(leader->id - 1), now_);
    } else if (everybody_applied(leader->replica->configuration(), marker) &&
               statistics_.reads_answered > reads_before) {
      return;
    }
  }
  checker_.fail(kNobody, "liveness: no proposal was applied everywhere after the faults had stopped");
}

bool Simulation::everybody_applied(const Configuration& configuration, Index index) {
  const auto applied = [&](ServerId id) { return server_of(id)->up() && server_of(id)->replica->applied() >= index; };
  return std::all_of(configuration.voters.begin(), configuration.voters.end(), applied) &&
         std::all_of(configuration.learners.begin(), configuration.learners.end(), applied);
}

}  // namespace chainring::raft::testing
