#include "coordinator/lock_order.h"

#include "base/check.h"

namespace chainring::coordinator {
namespace {

// Where what reads all keys meets the writes of its origin. A key with this hash would only wait more than it has to.
constexpr uint64_t kAllKeys = 0;

bool has_before(const std::set<uint64_t>& ids, uint64_t id) { return !ids.empty() && *ids.begin() < id; }

}  // namespace

template <class Meet>
void LockOrder::for_each_place(const Claim& claim, Meet&& meet) {
  for (const uint64_t key : claim.keys) meet(Place(claim.link, claim.client, key), true);
  // Writes of different keys meet here too, and do not wait for each other.
  if (claim.all_keys || claim.writes) meet(Place(claim.link, claim.client, kAllKeys), false);
}

bool LockOrder::is_blocked(uint64_t id, const Claim& claim) const {
  bool blocked = false;
  for_each_place(claim, [&](const Place& place, bool writes_exclude) {
    const auto queue = queues_.find(place);
    if (blocked || queue == queues_.end()) return;
    const auto& [reads, writes] = queue->second;
    blocked =
        has_before(claim.writes ? reads : writes, id) || (claim.writes && writes_exclude && has_before(writes, id));
  });
  return blocked;
}

void LockOrder::add(uint64_t id, Claim claim) {
  CHECK(claims_.empty() || claims_.rbegin()->first < id, "requests come in their order");
  for_each_place(claim, [&](const Place& place, bool) {
    Queue& queue = queues_[place];
    (claim.writes ? queue.writes : queue.reads).insert(id);
  });
  claims_.emplace(id, std::move(claim));
}

void LockOrder::remove(uint64_t id, std::set<uint64_t>& freed) {
  const auto node = claims_.extract(id);
  CHECK(!node.empty(), "it was added");
  const Claim& claim = node.mapped();
  const auto look_at = [&](uint64_t later) {
    if (!is_blocked(later, claims_.at(later))) freed.insert(later);
  };
  // First it leaves all its queues; then who waited for it is looked at, as that depends on all of them.
  for_each_place(claim, [&](const Place& place, bool) {
    const auto queue = queues_.find(place);
    if (queue == queues_.end()) return;  // a key that was named twice
    (claim.writes ? queue->second.writes : queue->second.reads).erase(id);
    if (queue->second.reads.empty() && queue->second.writes.empty()) queues_.erase(queue);
  });
  for_each_place(claim, [&](const Place& place, bool writes_exclude) {
    const auto queue = queues_.find(place);
    if (queue == queues_.end()) return;
    const auto& own = claim.writes ? queue->second.writes : queue->second.reads;
    const auto& other = claim.writes ? queue->second.reads : queue->second.writes;
    const uint64_t next_own = own.empty() ? UINT64_MAX : *own.begin();
    for (auto later = other.upper_bound(id); later != other.end() && *later < next_own; ++later) {
      look_at(*later);
      if (!claim.writes && writes_exclude) break;  // the first write shuts out the next
    }
    if (claim.writes && writes_exclude && next_own != UINT64_MAX && next_own > id) look_at(next_own);
  });
}

void LockOrder::clear() {
  claims_.clear();
  queues_.clear();
}

}  // namespace chainring::coordinator
