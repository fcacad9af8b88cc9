#include "node/door.h"

#include <algorithm>
#include <utility>

namespace chainring::node {
namespace {

size_t cost(const ParkedRequest& request) { return sizeof(ParkedRequest) + request.bytes.size(); }

}  // namespace

Door judge_door(const ring::Table& table, const Chains& chains, MemberId self, Slot slot, bool reads_here,
                bool serving) {
  if (chains.heads(slot, 0)) return serving ? Door::head : Door::waits;
  if (reads_here && serving && chains.view(slot).active) return Door::member;
  if (!table.has_ranges()) return Door::lost;
  const protocol::TableRange& range = table.range(slot);
  if (range.next_epoch != 0) return Door::waits;
  if (range.chain.empty()) return Door::lost;
  if (range.chain.front() == self) return Door::waits;
  const protocol::TableMember* head = table.member(range.chain.front());
  switch (head->state) {
    case protocol::MemberState::absent:  // a fail-over is about to begin, or the last copy may come back (R18)
      return Door::waits;
    case protocol::MemberState::gone:
      return Door::lost;
    default:
      return Door::elsewhere;
  }
}

bool heads_all_of_its(const ring::Table& table, const Chains& chains, MemberId self) {
  if (!table.has_ranges()) return false;
  for (const protocol::SlotRange& range : table.headed_by(self)) {
    for (uint32_t slot = range.first; slot <= range.last; ++slot) {
      if (!chains.heads(static_cast<Slot>(slot), 0)) return false;
    }
  }
  return true;
}

bool ParkedRequests::park(ParkedRequest request) {
  if (bytes_ + cost(request) > kBytesMax) return false;
  bytes_ += cost(request);
  const Micros deadline = request.deadline;
  requests_.emplace_hint(requests_.end(), deadline, std::move(request));
  return true;
}

void ParkedRequests::forget(session::ClientId client) {
  static_cast<void>(take([client](const ParkedRequest& request) { return request.ticket.client == client; }));
}

std::vector<ParkedRequest> ParkedRequests::take(const std::function<bool(const ParkedRequest&)>& wanted) {
  std::vector<ParkedRequest> taken;
  for (auto at = requests_.begin(); at != requests_.end();) {
    if (wanted(at->second)) {
      bytes_ -= cost(at->second);
      taken.push_back(std::move(at->second));
      at = requests_.erase(at);
    } else {
      ++at;
    }
  }
  return taken;
}

Micros ParkedRequests::next_deadline() const { return requests_.empty() ? kNever : requests_.begin()->first; }

}  // namespace chainring::node
