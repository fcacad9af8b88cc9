// The target table. A slot keeps its members as far as it may; the rest goes by preference; then whoever is out of
// bounds gives or takes slots, and at last the heads are balanced.
#include <algorithm>
#include <numeric>
#include <optional>
#include <unordered_map>

#include "base/check.h"
#include "ring/domains.h"
#include "ring/heads.h"
#include "ring/placement.h"
#include "ring/shift.h"

namespace chainring::ring {
namespace {

// Members are indices into the candidates sorted by name, so that the order in which they were given does not matter.
class TargetBuilder {
 public:
  TargetBuilder(std::span<const Candidate> members, uint32_t copies)
      : copies_(copies),
        domains_(members, copies),
        shares_(domains_.shares()),
        preferences_(preference_lists(members)),
        chains_(kSlotCount),
        settled_(kSlotCount),
        loads_(members.size()) {}

  std::vector<Places> build(std::vector<Places> in_force);

 private:
  void keep(std::vector<Places> in_force);
  void drop_what_may_not_stay(Places& chain);
  void fill();
  [[nodiscard]] uint32_t choose(uint32_t slot, uint32_t short_chains) const;
  void raise_loads();
  void raise(uint32_t member);
  [[nodiscard]] std::optional<uint32_t> giver(uint32_t slot, uint32_t taker, std::optional<uint32_t> favourite) const;
  void lower_loads();
  void lower(uint32_t member);
  void shift_rest();
  void order_chains();

  [[nodiscard]] bool can_replace(uint32_t slot, uint32_t member, uint32_t with) const;
  void replace(uint32_t slot, uint32_t member, uint32_t with);
  [[nodiscard]] bool is_in(uint32_t slot, uint32_t member) const {
    return std::find(chains_[slot].begin(), chains_[slot].end(), member) != chains_[slot].end();
  }
  [[nodiscard]] const std::vector<uint32_t>& preference(uint32_t slot) const {
    return preferences_[slot / kSlotsPerGroup];
  }
  // Negative below the fair share.
  [[nodiscard]] int64_t surplus(uint32_t member) const {
    return int64_t{loads_[member]} - int64_t{shares_[member].fair_ceil};
  }
  // The groups in the order in which `member` ranks in their preference lists, best first.
  [[nodiscard]] std::vector<uint32_t> groups_by_rank(uint32_t member) const;

  uint32_t copies_;
  Domains domains_;
  const std::vector<Share>& shares_;
  std::vector<std::vector<uint32_t>> preferences_;
  std::vector<Places> chains_;
  std::vector<bool> settled_;    // by slot: it has the members that it had
  std::vector<uint32_t> loads_;  // by member: chains that it is in
};

std::vector<Places> TargetBuilder::build(std::vector<Places> in_force) {
  keep(std::move(in_force));
  fill();
  raise_loads();
  lower_loads();
  shift_rest();
  order_chains();
  balance_heads(domains_.head_shares(), settled_, chains_);
  return std::move(chains_);
}

void TargetBuilder::keep(std::vector<Places> in_force) {
  chains_ = std::move(in_force);
  for (const Places& chain : chains_) {
    for (const uint32_t member : chain) ++loads_[member];
  }
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    Places& chain = chains_[slot];
    settled_[slot] = chain.size() == copies_;
    if (chain.size() <= copies_ && domains_.allows(chain)) continue;
    settled_[slot] = false;
    drop_what_may_not_stay(chain);
  }
}

// Who has the least to give away stays. What may stand together forms a matroid, so taking one after the other keeps as
// many as possible.
void TargetBuilder::drop_what_may_not_stay(Places& chain) {
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
  std::erase_if(chain, [&](uint32_t member) { return std::find(kept.begin(), kept.end(), member) == kept.end(); });
}

void TargetBuilder::fill() {
  const auto is_short = [&](const Places& chain) { return chain.size() < copies_; };
  auto short_chains = static_cast<uint32_t>(std::count_if(chains_.begin(), chains_.end(), is_short));
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    if (!is_short(chains_[slot])) continue;
    while (is_short(chains_[slot])) {
      const uint32_t member = choose(slot, short_chains);
      chains_[slot].push_back(member);
      ++loads_[member];
    }
    --short_chains;
  }
}

// The first of the preference list with room, but before it one that comes to its fair share only when it is in all
// `short_chains` that are left. Where nobody who may stand in the chain has room, who is least over.
uint32_t TargetBuilder::choose(uint32_t slot, uint32_t short_chains) const {
  std::optional<uint32_t> first;
  Places with = chains_[slot];
  with.push_back(0);
  for (const uint32_t member : preference(slot)) {
    const bool urgent = loads_[member] + short_chains <= shares_[member].fair_floor;
    const bool better = !first || (surplus(*first) >= 0 && surplus(member) < surplus(*first));
    if ((!better && !urgent) || is_in(slot, member)) continue;
    with.back() = member;
    if (!domains_.allows(with)) continue;
    if (urgent) return member;
    first = member;
  }
  CHECK(first.has_value(), "a chain that its domains allow can be completed");
  return *first;
}

bool TargetBuilder::can_replace(uint32_t slot, uint32_t member, uint32_t with) const {
  if (!is_in(slot, member) || is_in(slot, with)) return false;
  Places changed = chains_[slot];
  std::replace(changed.begin(), changed.end(), member, with);
  return domains_.allows(changed);
}

void TargetBuilder::replace(uint32_t slot, uint32_t member, uint32_t with) {
  Places& chain = chains_[slot];
  std::erase(chain, member);
  chain.push_back(with);
  --loads_[member];
  ++loads_[with];
  settled_[slot] = false;
}

std::vector<uint32_t> TargetBuilder::groups_by_rank(uint32_t member) const {
  std::vector<ptrdiff_t> ranks;
  ranks.reserve(preferences_.size());
  for (const std::vector<uint32_t>& list : preferences_) {
    ranks.push_back(std::find(list.begin(), list.end(), member) - list.begin());
  }
  std::vector<uint32_t> groups(preferences_.size());
  std::iota(groups.begin(), groups.end(), 0u);
  std::stable_sort(groups.begin(), groups.end(), [&](uint32_t a, uint32_t b) { return ranks[a] < ranks[b]; });
  return groups;
}

void TargetBuilder::raise_loads() {
  for (uint32_t member = 0; member < loads_.size(); ++member) {
    if (loads_[member] < shares_[member].least) raise(member);
  }
}

// Takes slots that prefer the member, from members above their fair share. Neighbouring slots are taken from the same
// member, so that ranges stay long.
void TargetBuilder::raise(uint32_t member) {
  for (const uint32_t group : groups_by_rank(member)) {
    std::optional<uint32_t> from;
    for (uint32_t slot = group * kSlotsPerGroup; slot < (group + 1) * kSlotsPerGroup; ++slot) {
      if (loads_[member] >= shares_[member].fair_floor) return;
      if (is_in(slot, member)) continue;
      from = giver(slot, member, from);
      if (from) replace(slot, *from, member);
    }
  }
}

// Who of the slot's chain can best be replaced by `taker` and keeps its fair share.
std::optional<uint32_t> TargetBuilder::giver(uint32_t slot, uint32_t taker, std::optional<uint32_t> favourite) const {
  std::optional<uint32_t> best;
  for (const uint32_t member : chains_[slot]) {
    if (loads_[member] <= shares_[member].fair_floor || !can_replace(slot, member, taker)) continue;
    if (member == favourite) return member;
    if (!best || surplus(member) >= surplus(*best)) best = member;
  }
  return best;
}

void TargetBuilder::lower_loads() {
  for (uint32_t member = 0; member < loads_.size(); ++member) {
    if (loads_[member] > shares_[member].greatest) lower(member);
  }
}

// Gives away the slots that prefer the member least, each to the first of its list with room.
void TargetBuilder::lower(uint32_t member) {
  std::vector<uint32_t> groups = groups_by_rank(member);
  std::reverse(groups.begin(), groups.end());
  for (const uint32_t group : groups) {
    for (uint32_t slot = group * kSlotsPerGroup; slot < (group + 1) * kSlotsPerGroup; ++slot) {
      if (loads_[member] <= shares_[member].greatest) return;
      if (!is_in(slot, member)) continue;
      const std::vector<uint32_t>& list = preference(slot);
      const auto taker = std::find_if(list.begin(), list.end(), [&](uint32_t candidate) {
        return surplus(candidate) < 0 && can_replace(slot, member, candidate);
      });
      if (taker != list.end()) replace(slot, member, *taker);
    }
  }
}

void TargetBuilder::shift_rest() {
  const ShiftRules rules = {
      .slots_by_member =
          [&] {
            SlotsByMember slots(loads_.size());
            for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
              for (const uint32_t member : chains_[slot]) slots[member].push_back(slot);
            }
            return slots;
          },
      .takers = [&](uint32_t slot) { return std::span<const uint32_t>(preference(slot)); },
      .can_replace = [&](uint32_t slot, uint32_t member, uint32_t with) { return can_replace(slot, member, with); },
      .replace = [&](uint32_t slot, uint32_t member, uint32_t with) { replace(slot, member, with); },
  };
  shift_into_bounds(shares_, loads_, rules);
}

// Slots that change anyway get the order of preference, so that neighbours with the same members have the same chain.
void TargetBuilder::order_chains() {
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    if (settled_[slot]) continue;
    Places ordered;
    for (const uint32_t member : preference(slot)) {
      if (is_in(slot, member)) ordered.push_back(member);
      if (ordered.size() == chains_[slot].size()) break;
    }
    chains_[slot] = std::move(ordered);
  }
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
  const std::vector<Places> chains = TargetBuilder(members, length).build(remaining(members, in_force));
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
