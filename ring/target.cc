// The target table. A slot keeps its members as far as it may; the rest goes by preference; then whoever is out of
// bounds gives or takes slots, and at last the heads are balanced.
#include <algorithm>
#include <span>
#include <unordered_map>

#include "base/check.h"
#include "ring/balance.h"
#include "ring/domains.h"
#include "ring/groups.h"
#include "ring/heads.h"
#include "ring/placement.h"

namespace chainring::ring {
namespace {

// Places in chains. Members are indices into the candidates sorted by name, so that the order in which they were given
// does not matter; chains are sorted, until their heads are chosen.
class Placing final : public Assignment {
 public:
  Placing(std::span<const Candidate> members, uint32_t copies, std::vector<Places> in_force)
      : copies_(copies),
        domains_(members, copies),
        groups_(members),
        in_force_(std::move(in_force)),
        chains_(in_force_),
        loads_(members.size()) {
    for (Places& chain : chains_) std::sort(chain.begin(), chain.end());
    sorted_in_force_ = chains_;
  }

  std::vector<Places> build();

  [[nodiscard]] const Groups& groups() const override { return groups_; }
  [[nodiscard]] const std::vector<Share>& shares() const override { return domains_.shares(); }
  [[nodiscard]] const std::vector<uint32_t>& loads() const override { return loads_; }
  [[nodiscard]] std::span<const uint32_t> bearers(uint32_t slot) const override { return chains_[slot]; }
  [[nodiscard]] bool is_open(uint32_t slot) const override { return chains_[slot].size() < copies_; }
  [[nodiscard]] std::span<const uint32_t> takers(uint32_t slot) const override { return groups_.preference(slot); }
  [[nodiscard]] bool can_replace(uint32_t slot, uint32_t giver, uint32_t taker) const override;
  void replace(uint32_t slot, uint32_t giver, uint32_t taker) override;
  [[nodiscard]] bool alike(uint32_t slot, uint32_t other) const override {
    return chains_[slot] == chains_[other] && sorted_in_force_[slot] == sorted_in_force_[other];
  }
  [[nodiscard]] bool would_join(uint32_t slot, uint32_t giver, uint32_t taker, uint32_t neighbour) const override {
    return exchanged(slot, giver, taker) == chains_[neighbour];
  }
  [[nodiscard]] bool is_new(uint32_t slot, uint32_t giver) const override {
    return !is_in(sorted_in_force_[slot], giver);
  }

 private:
  void keep();
  void drop_what_may_not_stay(Places& chain);
  [[nodiscard]] static bool is_in(const Places& chain, uint32_t member) {
    return std::find(chain.begin(), chain.end(), member) != chain.end();
  }
  [[nodiscard]] Places exchanged(uint32_t slot, uint32_t giver, uint32_t taker) const;
  // Negative below the fair share.
  [[nodiscard]] int64_t surplus(uint32_t member) const {
    return int64_t{loads_[member]} - int64_t{shares()[member].fair_ceil};
  }

  uint32_t copies_;
  Domains domains_;
  Groups groups_;
  std::vector<Places> in_force_;  // head first, without members that are gone
  std::vector<Places> sorted_in_force_;
  std::vector<Places> chains_;
  std::vector<uint32_t> loads_;  // by member: chains that it is in
};

std::vector<Places> Placing::build() {
  keep();
  fill(*this);
  balance(*this);

  std::vector<bool> settled(kSlotCount);
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    settled[slot] = chains_[slot] == sorted_in_force_[slot];
    if (settled[slot]) chains_[slot] = in_force_[slot];
  }
  balance_heads(groups_, domains_.head_shares(), settled, chains_);
  return std::move(chains_);
}

void Placing::keep() {
  for (const Places& chain : chains_) {
    for (const uint32_t member : chain) ++loads_[member];
  }
  // Neighbours with the same members drop the same ones, so that ranges stay long.
  Places before, kept;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    Places& chain = chains_[slot];
    if (slot == groups_.first_slot(groups_.of(slot))) before.clear();
    if (chain.size() <= copies_ && domains_.allows(chain)) continue;
    if (chain != before) {
      before = chain;
      drop_what_may_not_stay(chain);
      kept = chain;
      continue;
    }
    for (const uint32_t member : chain) loads_[member] -= is_in(kept, member) ? 0 : 1;
    chain = kept;
  }
}

// Who has the least to give away stays. What may stand together forms a matroid, so taking one after the other keeps as
// many as possible.
void Placing::drop_what_may_not_stay(Places& chain) {
  Places by_surplus = chain;
  std::stable_sort(by_surplus.begin(), by_surplus.end(),
                   [&](uint32_t a, uint32_t b) { return surplus(a) < surplus(b); });
  Places kept;
  for (const uint32_t member : by_surplus) {
    kept.push_back(member);
    if (kept.size() <= copies_ && domains_.allows(kept)) continue;
    kept.pop_back();
    --loads_[member];
  }
  std::erase_if(chain, [&](uint32_t member) { return !is_in(kept, member); });
}

Places Placing::exchanged(uint32_t slot, uint32_t giver, uint32_t taker) const {
  Places chain = chains_[slot];
  std::erase(chain, giver);
  chain.insert(std::lower_bound(chain.begin(), chain.end(), taker), taker);
  return chain;
}

bool Placing::can_replace(uint32_t slot, uint32_t giver, uint32_t taker) const {
  const Places& chain = chains_[slot];
  if (giver == kNobody ? chain.size() >= copies_ : !is_in(chain, giver)) return false;
  return !is_in(chain, taker) && domains_.allows(exchanged(slot, giver, taker));
}

void Placing::replace(uint32_t slot, uint32_t giver, uint32_t taker) {
  chains_[slot] = exchanged(slot, giver, taker);
  if (giver != kNobody) --loads_[giver];
  ++loads_[taker];
}

std::vector<Candidate> sorted_by_name(std::span<const Candidate> candidates) {
  std::vector<Candidate> members(candidates.begin(), candidates.end());
  std::sort(members.begin(), members.end(), [](const Candidate& a, const Candidate& b) { return a.name < b.name; });
  for (size_t i = 1; i < members.size(); ++i) {
    CHECK(members[i - 1].name != members[i].name, "names of candidates are distinct");
  }
  return members;
}

// The chains in force as indices, without the members that are gone.
std::vector<Places> remaining(std::span<const Candidate> members, std::span<const Chain> in_force) {
  std::unordered_map<MemberId, uint32_t> index;
  for (uint32_t i = 0; i < members.size(); ++i) {
    const bool distinct = index.emplace(members[i].id, i).second;
    CHECK(distinct, "ids of candidates are distinct");
  }
  std::vector<Places> places(kSlotCount);
  for (size_t slot = 0; slot < in_force.size(); ++slot) {
    for (const MemberId id : in_force[slot]) {
      if (const auto found = index.find(id); found != index.end()) places[slot].push_back(found->second);
    }
  }
  return places;
}

}  // namespace

std::vector<Chain> target_table(std::span<const Candidate> candidates, uint32_t copies,
                                std::span<const Chain> in_force) {
  CHECK(copies >= 1, "a chain has at least one member");
  CHECK(in_force.empty() || in_force.size() == kSlotCount, "a table has a chain for each slot");
  std::vector<Chain> target(kSlotCount);
  if (candidates.empty()) return target;

  const std::vector<Candidate> members = sorted_by_name(candidates);
  const auto length = std::min(copies, static_cast<uint32_t>(members.size()));
  const std::vector<Places> chains = Placing(members, length, remaining(members, in_force)).build();
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    for (const uint32_t place : chains[slot]) target[slot].push_back(members[place].id);
  }
  return target;
}

std::vector<Move> plan(std::span<const Chain> in_force, std::span<const Chain> target) {
  CHECK(in_force.size() == kSlotCount && target.size() == kSlotCount, "a table has a chain for each slot");
  std::vector<Move> moves;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    if (in_force[slot] != target[slot]) moves.push_back({static_cast<Slot>(slot), in_force[slot], target[slot]});
  }
  return moves;
}

}  // namespace chainring::ring
