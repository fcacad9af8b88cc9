// What goes wrong in a simulated group, and what its operators do to it.
#include <algorithm>
#include <utility>

#include "raft/configuration.h"
#include "raft/raft.h"
#include "tests/raft/simulation.h"

namespace chainring::raft::testing {
namespace {

constexpr Micros kDownTimeMax = 400'000;
constexpr Micros kPauseMax = 300'000;
constexpr uint64_t kDiskFaultWithin = 8;  // changes or syncs

void insert_sorted(std::vector<ServerId>& servers, ServerId server) {
  servers.insert(std::lower_bound(servers.begin(), servers.end(), server), server);
}

}  // namespace

void Simulation::inject_fault() {
  if (!faults_) return;
  SimServer& server = some_server();
  switch (random_.below(7)) {
    case 0:
    case 1:
      if (plan_.partitions) cut_links();
      return;
    case 2:
      return heal_links();
    case 3:
      if (plan_.crashes && server.up()) crash(server, true);
      return;
    case 4:
      if (plan_.kills && server.up()) crash(server, false);
      return;
    case 5:
      if (plan_.disk_faults && server.up()) arm_disk_fault(server);
      return;
    default:
      if (plan_.pauses && server.up()) pause(server);
  }
}

// What makes logs diverge: leaders that store entries of their term and are gone before anybody has them. Returns
// whether the server is down.
bool Simulation::hunt(SimServer& server) {
  if (!faults_ || !random_.percent(plan_.hunt_percent)) return false;
  ++statistics_.hunted;
  if (plan_.crashes && random_.percent(30)) {
    crash(server, true);
    return true;
  }
  heal_links();
  cut_off(server.id - 1, random_.percent(40));
  return false;
}

void Simulation::cut_off(size_t place, bool one_way) {
  for (size_t other = 0; other < kServersMax; ++other) {
    cut_[place][other] = true;
    cut_[other][place] = !one_way;
  }
}

// Two halves, one server alone, or single links in one direction.
void Simulation::cut_links() {
  ++statistics_.partitions;
  heal_links();
  const uint64_t kind = random_.below(3);
  std::array<bool, kServersMax> side{};
  for (bool& one : side) one = random_.percent(50);
  const SimServer* leader = some_leader();
  const size_t alone = leader != nullptr && random_.percent(50) ? leader->id - 1 : random_.below(servers_.size());
  const bool one_way = random_.percent(40);
  if (kind == 1) return cut_off(alone, one_way);
  for (size_t from = 0; from < kServersMax; ++from) {
    for (size_t to = 0; to < kServersMax; ++to) {
      const bool halves = one_way ? side[from] && !side[to] : side[from] != side[to];
      cut_[from][to] = kind == 0 ? halves : random_.percent(30);
    }
  }
}

void Simulation::heal_links() { cut_ = {}; }

void Simulation::crash(SimServer& server, bool power_loss) {
  ++(power_loss ? statistics_.crashes : statistics_.kills);
  if (const Core* core = server.replica->core()) checker_.crashing(server.id, *core);
  checker_.server_forgot_note();
  server.stop();
  server.disk.disarm();
  if (power_loss) server.disk.crash(random_);
  const auto down_us = static_cast<Micros>(random_.below(static_cast<uint64_t>(kDownTimeMax)));
  schedule(down_us, EventKind::restart, static_cast<uint32_t>(server.id - 1), server.life);
}

void Simulation::restart(uint32_t place) {
  SimServer& server = *servers_[place];
  if (server.up()) return;
  if (Status status = server.start(options_, now_); !status) {
    return checker_.fail(server.id, "recovery: " + std::string(status.message()));
  }
  server.machine->notes.clear();
  if (const Core* core = server.replica->core()) checker_.started(server.id, *core);
  schedule_turn(place, now_);
}

void Simulation::arm_disk_fault(SimServer& server) {
  if (random_.percent(50)) {
    server.disk_fault = DiskFault::sync;
    server.disk.fail_sync_after(random_.below(kDiskFaultWithin));
  } else {
    server.disk_fault = DiskFault::power;
    server.disk.cut_power_after(random_.below(kDiskFaultWithin));
  }
}

void Simulation::pause(SimServer& server) {
  ++statistics_.pauses;
  server.paused_until = now_ + static_cast<Micros>(random_.below(static_cast<uint64_t>(kPauseMax)));
  const Micros turn_at = std::exchange(server.turn_at, kNever);
  if (turn_at != kNever) schedule_turn(static_cast<uint32_t>(server.id - 1), turn_at);
}

void Simulation::change_members() {
  SimServer* leader = some_leader();
  if (leader == nullptr || !faults_) return;
  Configuration configuration = leader->replica->configuration();
  if (!edit(configuration)) return;
  if (leader->replica->propose_configuration(configuration).ok()) ++statistics_.changes;
  schedule_turn(static_cast<uint32_t>(leader->id - 1), now_);
}

// One step: a learner comes, is promoted or goes; a voter goes or is made a learner.
bool Simulation::edit(Configuration& configuration) {
  auto& [voters, learners] = configuration;
  SimServer& server = some_server();
  if (is_learner(configuration, server.id)) {
    std::erase(learners, server.id);
    if (random_.percent(80)) insert_sorted(voters, server.id);
    return true;
  }
  if (is_voter(configuration, server.id)) {
    if (voters.size() < 2 || (voters.size() == 2 && random_.percent(80))) return false;
    std::erase(voters, server.id);
    if (random_.percent(30)) insert_sorted(learners, server.id);
    return true;
  }
  if (!server.up()) return false;
  if (!server.replica->founded() && !server.replica->join_blank(now_).ok()) {
    crash(server, true);
    return false;
  }
  insert_sorted(learners, server.id);
  return true;
}

void Simulation::stop_faults() {
  faults_ = false;
  plan_.delay_us = std::min<Micros>(plan_.delay_us, 1'000);
  heal_links();
  for (auto& server : servers_) {
    server->paused_until = 0;
    // An armed fault ends the process at some later flush; the machine is sound by then.
    if (server->disk_fault != DiskFault::none && server->up()) crash(*server, true);
  }
  for (uint32_t place = 0; place < servers_.size(); ++place) {
    if (!servers_[place]->up()) restart(place);
    schedule_turn(place, now_);
  }
}

}  // namespace chainring::raft::testing
