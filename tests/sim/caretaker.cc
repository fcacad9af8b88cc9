#include "tests/sim/caretaker.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "protocol/runs.h"
#include "raft/configuration.h"

namespace chainring::sim {

std::vector<std::string> Caretaker::next() {
  if (hosts_.leader() == nullptr) return {};
  look();
  std::vector<std::string> words = add_coordinator();
  return words.empty() && !leaves_lost_slots_ ? serve_empty() : words;
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

Caretaker::Slots Caretaker::orphans() const {
  Slots orphans;
  for (const protocol::TableRange& range : hosts_.leader()->state().ring().ranges()) {
    const std::vector<MemberId>& holders = coordinator::basis(range);
    const bool one_runs =
        std::any_of(holders.begin(), holders.end(), [&](MemberId holder) { return hosts_.node_of(holder) != nullptr; });
    for (uint32_t slot = range.first; slot <= range.last; ++slot) orphans.set(slot, !one_runs);
  }
  return orphans;
}

void Caretaker::look() {
  if (hosts_.leader() == nullptr) return;
  const Slots lost = orphans();
  for (SlotLoss& loss : notebook_.lost_slots) {
    if (loss.when.certain || (loss.slots & lost).any()) continue;
    loss.when.returned = world_time_;
    loss.when.certain = true;
    for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
      if (loss.slots[slot] && seen_.begun_empty(static_cast<Slot>(slot)) < loss.when.called) loss.slots.reset(slot);
    }
  }
  std::erase_if(notebook_.lost_slots, [](const SlotLoss& loss) { return loss.slots.none(); });
}

// Who is listed as absent there is declared gone: its process has ended.
std::vector<std::string> Caretaker::serve_empty() {
  const coordinator::RingState& ring = hosts_.leader()->state().ring();
  Slots fresh = orphans();
  if (fresh.none()) return {};
  std::vector<protocol::SlotRange> runs;
  std::set<std::string> gone;
  for (uint32_t at = 0; at < kSlotCount; ++at) {
    if (!fresh.test(at)) continue;
    const auto slot = static_cast<Slot>(at);
    protocol::append_run(runs, {slot, slot});
    for (const MemberId id : coordinator::basis(ring.range_of(slot))) {
      const coordinator::Member* holder = ring.member(id);
      if (holder != nullptr && !holder->gone()) gone.insert(holder->listed.name);
    }
  }
  std::vector<std::string> words = {"RING", "SERVE-EMPTY"};
  for (const protocol::SlotRange& run : runs) words.push_back(concat(run.first, "-", run.last));
  if (!gone.empty()) words.emplace_back("GONE");
  words.insert(words.end(), gone.begin(), gone.end());
  for (const SlotLoss& loss : notebook_.lost_slots) {
    if (!loss.when.certain) fresh &= ~loss.slots;  // asked for before
  }
  if (fresh.any()) notebook_.lost_slots.push_back({fresh, {.called = world_time_}});
  return words;
}

}  // namespace chainring::sim
