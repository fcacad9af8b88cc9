#include "bench/ring/measures.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "ring/domains.h"

namespace chainring::ring {
namespace {

using Index = std::unordered_map<MemberId, uint32_t>;

Index index_of(std::span<const Candidate> members) {
  Index index;
  for (uint32_t i = 0; i < members.size(); ++i) index.emplace(members[i].id, i);
  return index;
}

uint32_t length_of_chains(std::span<const Candidate> members, uint32_t copies) {
  return std::min(copies, static_cast<uint32_t>(members.size()));
}

double ratio(uint32_t load, const Share& share) {
  return share.fair == 0 ? 0 : load * static_cast<double>(kOneSlot) / static_cast<double>(share.fair);
}

bool within(uint32_t load, const Share& share) { return share.least <= load && load <= share.greatest; }

// As many members of the chain as may stand together: they form a matroid, so any order finds them.
uint32_t most_that_may_stay(const Domains& domains, uint32_t copies, const std::vector<uint32_t>& chain) {
  std::vector<uint32_t> kept;
  for (const uint32_t member : chain) {
    kept.push_back(member);
    if (kept.size() > copies || !domains.allows(kept)) kept.pop_back();
  }
  return static_cast<uint32_t>(kept.size());
}

}  // namespace

Loads measure_loads(std::span<const Candidate> members, uint32_t copies, std::span<const Chain> table) {
  const Domains domains(members, length_of_chains(members, copies));
  const Index index = index_of(members);
  std::vector<uint32_t> in_all(members.size());
  std::vector<uint32_t> as_head(members.size());
  for (const Chain& chain : table) {
    for (const MemberId id : chain) ++in_all[index.at(id)];
    if (!chain.empty()) ++as_head[index.at(chain.front())];
  }

  Loads loads;
  for (size_t i = 0; i < members.size(); ++i) {
    const Share& share = domains.shares()[i];
    const Share& head_share = domains.head_shares()[i];
    loads.in_all = std::max(loads.in_all, ratio(in_all[i], share));
    loads.as_head = std::max(loads.as_head, ratio(as_head[i], head_share));
    if (!within(in_all[i], share) || !within(as_head[i], head_share)) ++loads.out_of_bounds;
  }
  return loads;
}

uint32_t copies_made(std::span<const Chain> from, std::span<const Chain> to) {
  uint32_t made = 0;
  for (size_t slot = 0; slot < to.size(); ++slot) {
    for (const MemberId id : to[slot]) {
      if (std::find(from[slot].begin(), from[slot].end(), id) == from[slot].end()) ++made;
    }
  }
  return made;
}

uint32_t least_copies(std::span<const Candidate> members, uint32_t copies, std::span<const Chain> in_force) {
  const uint32_t length = length_of_chains(members, copies);
  const Domains domains(members, length);
  const Index index = index_of(members);
  std::vector<uint32_t> loads(members.size());
  uint32_t lacking_in_chains = 0;
  uint32_t lacking_with_domains = 0;
  for (const Chain& chain : in_force) {
    std::vector<uint32_t> still_there;
    for (const MemberId id : chain) {
      if (const auto found = index.find(id); found != index.end()) still_there.push_back(found->second);
    }
    for (const uint32_t member : still_there) ++loads[member];
    lacking_in_chains += length - std::min(length, static_cast<uint32_t>(still_there.size()));
    lacking_with_domains += length - most_that_may_stay(domains, length, still_there);
  }

  uint32_t below = 0;
  uint32_t above = 0;
  for (size_t i = 0; i < members.size(); ++i) {
    const Share& share = domains.shares()[i];
    below += share.least - std::min(share.least, loads[i]);
    above += loads[i] - std::min(share.greatest, loads[i]);
  }
  // A chain longer than it should be loses members without anybody taking their places.
  const uint64_t places = uint64_t{kSlotCount} * length;
  uint64_t held = 0;
  for (const uint32_t load : loads) held += load;
  const uint64_t kept = held - above;
  const auto to_fill = static_cast<uint32_t>(places - std::min(places, kept));
  return std::max({below, to_fill, lacking_in_chains, lacking_with_domains});
}

double shares_gained(std::span<const Candidate> before, std::span<const Candidate> after, uint32_t copies) {
  const Domains old_domains(before, length_of_chains(before, copies));
  const Domains new_domains(after, length_of_chains(after, copies));
  const Index old_index = index_of(before);
  double gained = 0;
  for (size_t i = 0; i < after.size(); ++i) {
    const auto found = old_index.find(after[i].id);
    const uint64_t had = found == old_index.end() ? 0 : old_domains.shares()[found->second].fair;
    const uint64_t has = new_domains.shares()[i].fair;
    if (has > had) gained += static_cast<double>(has - had) / static_cast<double>(kOneSlot);
  }
  return gained;
}

double load_after_failure(std::span<const Candidate> members, std::span<const Chain> table) {
  const Index index = index_of(members);
  std::vector<uint32_t> heads(members.size());
  std::vector<std::map<uint32_t, uint32_t>> heirs(members.size());
  for (const Chain& chain : table) {
    if (chain.empty()) continue;
    const uint32_t head = index.at(chain.front());
    ++heads[head];
    if (chain.size() > 1) ++heirs[head][index.at(chain[1])];
  }
  const Domains domains(members, 1);
  double worst = 0;
  for (const std::map<uint32_t, uint32_t>& inherited : heirs) {
    for (const auto& [heir, slots] : inherited) {
      worst = std::max(worst, ratio(heads[heir] + slots, domains.head_shares()[heir]));
    }
  }
  return worst;
}

uint32_t range_count(std::span<const Chain> table) {
  uint32_t ranges = table.empty() ? 0 : 1;
  for (size_t slot = 1; slot < table.size(); ++slot) ranges += table[slot] != table[slot - 1] ? 1 : 0;
  return ranges;
}

}  // namespace chainring::ring
