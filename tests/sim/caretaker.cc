#include "tests/sim/caretaker.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "protocol/runs.h"
#include "raft/configuration.h"

namespace chainring::sim {

std::vector<std::string> Caretaker::next() {
  if (hosts_.leader() == nullptr) return {};
  std::vector<std::string> words = add_coordinator();
  return words.empty() ? serve_empty() : words;
}

void Caretaker::answered(Answer answer) {
  const std::optional<size_t> asked = std::exchange(loss_, std::nullopt);
  if (!asked) {
    if (answer == Answer::granted) ++coordinators_added_;
    return;
  }
  SlotLoss& loss = notebook_.lost_slots[*asked];
  if (answer == Answer::refused) loss.runs.clear();
  if (answer != Answer::granted) return;
  loss.when.returned = world_time_;
  loss.when.certain = true;
  for (const protocol::SlotRange& run : loss.runs) slots_given_up_ += run.last - run.first + 1u;
}

std::vector<std::string> Caretaker::add_coordinator() const {
  const raft::Configuration& group = hosts_.leader()->replica()->configuration();
  for (const HostId host : hosts_.coordinators()) {
    const coordinator::Coordinator* running = hosts_.coordinator(host);
    if (running == nullptr || raft::is_voter(group, running->disk_id())) continue;
    return {"RING", "COORDINATOR", "ADD", hosts_.name(host), concat("127.0.0.1:", running->port())};
  }
  return {};
}

// The slots that nobody who runs holds. Who is listed as absent there is declared gone: its process has ended.
std::vector<std::string> Caretaker::serve_empty() {
  const coordinator::RingState& ring = hosts_.leader()->state().ring();
  SlotLoss loss;
  std::set<std::string> gone;
  for (const protocol::TableRange& range : ring.ranges()) {
    const std::vector<MemberId>& holders = coordinator::basis(range);
    const bool one_runs =
        std::any_of(holders.begin(), holders.end(), [&](MemberId holder) { return hosts_.node_of(holder) != nullptr; });
    if (one_runs) continue;
    protocol::append_run(loss.runs, {range.first, range.last});
    for (const MemberId id : holders) {
      const coordinator::Member* holder = ring.member(id);
      if (holder != nullptr && !holder->gone()) gone.insert(holder->listed.name);
    }
  }
  if (loss.runs.empty()) return {};
  std::vector<std::string> words = {"RING", "SERVE-EMPTY"};
  for (const protocol::SlotRange& run : loss.runs) words.push_back(concat(run.first, "-", run.last));
  if (!gone.empty()) words.emplace_back("GONE");
  words.insert(words.end(), gone.begin(), gone.end());
  loss.when.called = world_time_;
  loss_ = notebook_.lost_slots.size();
  notebook_.lost_slots.push_back(std::move(loss));
  return words;
}

}  // namespace chainring::sim
