#include "ring/heads.h"

#include <algorithm>

#include "base/check.h"
#include "ring/shift.h"

namespace chainring::ring {
namespace {

class HeadBalancer {
 public:
  HeadBalancer(std::span<const Share> shares, std::vector<Places>& chains)
      : shares_(shares), chains_(chains), heads_(shares.size()) {}

  void place(const std::vector<bool>& settled);
  enum class Limit { fair_share, bounds };
  void hand_over(Limit limit);
  void shift_rest();

 private:
  void lead(uint32_t slot, uint32_t member) {
    Places& chain = chains_[slot];
    const auto found = std::find(chain.begin(), chain.end(), member);
    CHECK(found != chain.end(), "only a member of the chain can head it");
    std::rotate(chain.begin(), found, found + 1);
  }
  void change_head(uint32_t slot, uint32_t member) {
    --heads_[chains_[slot].front()];
    ++heads_[member];
    lead(slot, member);
  }

  std::span<const Share> shares_;
  std::vector<Places>& chains_;
  std::vector<uint32_t> heads_;  // slots that each member heads
};

void HeadBalancer::place(const std::vector<bool>& settled) {
  for (uint32_t slot = 0; slot < chains_.size(); ++slot) {
    if (settled[slot] && !chains_[slot].empty()) ++heads_[chains_[slot].front()];
  }
  for (uint32_t slot = 0; slot < chains_.size(); ++slot) {
    const Places& chain = chains_[slot];
    if (settled[slot] || chain.empty()) continue;
    const auto has_room = [&](uint32_t member) { return heads_[member] < shares_[member].fair_ceil; };
    const auto first = std::find_if(chain.begin(), chain.end(), has_room);
    const uint32_t head = first == chain.end() ? chain.front() : *first;
    ++heads_[head];
    lead(slot, head);
  }
}

// From members out of their bounds, or to such, straight within the chain. `limit` says how far the others may be
// taken: to their fair share, or up to their bounds. Walking in slot order keeps ranges long.
void HeadBalancer::hand_over(Limit limit) {
  const bool fair = limit == Limit::fair_share;
  const auto room_until = [&](uint32_t member) { return fair ? shares_[member].fair_ceil : shares_[member].greatest; };
  const auto spares_above = [&](uint32_t member) { return fair ? shares_[member].fair_floor : shares_[member].least; };
  const auto raised_to = [&](uint32_t member) { return fair ? shares_[member].fair_floor : shares_[member].least; };
  std::vector<bool> lacks(shares_.size());
  for (uint32_t member = 0; member < shares_.size(); ++member) lacks[member] = heads_[member] < shares_[member].least;

  for (uint32_t slot = 0; slot < chains_.size(); ++slot) {
    const Places& chain = chains_[slot];
    if (chain.size() < 2) continue;
    const uint32_t head = chain.front();
    const bool has_too_many = heads_[head] > shares_[head].greatest;
    const bool can_spare = heads_[head] > spares_above(head);
    const auto takes = [&](uint32_t member) {
      if (has_too_many) return heads_[member] < room_until(member);
      return can_spare && lacks[member] && heads_[member] < raised_to(member);
    };
    const auto taker = std::find_if(chain.begin() + 1, chain.end(), takes);
    if (taker != chain.end()) change_head(slot, *taker);
  }
}

void HeadBalancer::shift_rest() {
  const ShiftRules rules = {
      .slots_by_member =
          [&] {
            SlotsByMember slots(heads_.size());
            for (uint32_t slot = 0; slot < chains_.size(); ++slot) {
              if (!chains_[slot].empty()) slots[chains_[slot].front()].push_back(slot);
            }
            return slots;
          },
      .takers = [&](uint32_t slot) { return std::span<const uint32_t>(chains_[slot]); },
      .can_replace = [&](uint32_t slot, uint32_t member, uint32_t) { return chains_[slot].front() == member; },
      .replace = [&](uint32_t slot, uint32_t, uint32_t with) { change_head(slot, with); },
  };
  shift_into_bounds(shares_, heads_, rules);
}

}  // namespace

void balance_heads(std::span<const Share> shares, const std::vector<bool>& settled, std::vector<Places>& chains) {
  CHECK(chains.size() == settled.size(), "each chain is settled or not");
  HeadBalancer balancer(shares, chains);
  balancer.place(settled);
  balancer.hand_over(HeadBalancer::Limit::fair_share);
  balancer.hand_over(HeadBalancer::Limit::bounds);
  balancer.shift_rest();
}

}  // namespace chainring::ring
