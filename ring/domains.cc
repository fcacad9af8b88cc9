#include "ring/domains.h"

#include <algorithm>
#include <map>
#include <string>

#include "base/check.h"

namespace chainring::ring {
namespace {

constexpr uint64_t kAllSlots = kSlotCount * kOneSlot;
constexpr uint64_t kRoundingError = kOneSlot >> 10;  // far above what filling up leaves over, far below a slot
constexpr uint64_t kTolerancePercent = 3;

Share share_of(uint64_t fair) {
  const uint64_t nearest = (fair + kOneSlot / 2) / kOneSlot * kOneSlot;
  const uint64_t off = fair > nearest ? fair - nearest : nearest - fair;
  if (off <= kRoundingError) fair = nearest;

  const uint64_t tolerance = std::max(kOneSlot, fair / 100 * kTolerancePercent);
  const uint64_t least = fair > tolerance ? fair - tolerance : 0;
  const auto floor = [](uint64_t share) { return static_cast<uint32_t>(share / kOneSlot); };
  const auto ceil = [](uint64_t share) { return static_cast<uint32_t>((share + kOneSlot - 1) / kOneSlot); };
  return {.fair = fair,
          .fair_floor = floor(fair),
          .fair_ceil = ceil(fair),
          .least = ceil(least),
          .greatest = std::min(floor(fair + tolerance), kSlotCount)};
}

uint64_t times(uint64_t factor, uint64_t weight, uint64_t most) {
  const auto product = static_cast<unsigned __int128>(factor) * weight;
  return product < most ? static_cast<uint64_t>(product) : most;
}

}  // namespace

Domains::Domains(std::span<const Candidate> members, uint32_t copies) : copies_(copies) {
  CHECK(copies >= 1, "a chain has at least one member");
  CHECK(copies <= members.size(), "a chain cannot be longer than there are members");
  build_tree(members);
  share_out(0, copies * kAllSlots);
  require_saturated(0);

  uint64_t weights = 0;
  for (const Candidate& member : members) weights += member.weight;
  for (size_t i = 0; i < members.size(); ++i) {
    shares_.push_back(share_of(nodes_[ancestors_[i][kMember]].share));
    const auto heads = static_cast<unsigned __int128>(kAllSlots) * members[i].weight / weights;
    head_shares_.push_back(share_of(static_cast<uint64_t>(heads)));
  }
}

void Domains::build_tree(std::span<const Candidate> members) {
  nodes_.emplace_back();
  std::map<std::string, uint32_t> zones;
  // A host is one machine, whatever its members say: its zone is that of the first of them.
  std::map<std::string, std::pair<uint32_t, uint32_t>> hosts;  // to the node of its zone and its own
  const auto add_child = [&](uint32_t parent) {
    const auto node = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back();
    nodes_[parent].children.push_back(node);
    return node;
  };
  for (const Candidate& member : members) {
    auto host = hosts.find(member.host);
    if (host == hosts.end()) {
      auto zone = zones.find(member.zone);
      if (zone == zones.end()) zone = zones.emplace(member.zone, add_child(0)).first;
      host = hosts.emplace(member.host, std::pair(zone->second, add_child(zone->second))).first;
    }
    const auto [zone_node, host_node] = host->second;
    const uint32_t node = add_child(host_node);
    nodes_[node].weight = member.weight;
    ancestors_.push_back({0, zone_node, host_node, node});
  }
  bound_domains(static_cast<uint32_t>(zones.size()), static_cast<uint32_t>(hosts.size()));
}

void Domains::bound_domains(uint32_t zone_count, uint32_t host_count) {
  distinct_zones_ = zone_count >= copies_;
  distinct_hosts_ = host_count >= copies_;
  nodes_[0].slot_least = nodes_[0].slot_most = copies_;
  for (const auto& [root, zone, host, member] : ancestors_) {
    nodes_[zone].slot_least = distinct_zones_ ? 0 : 1;
    nodes_[zone].slot_most = distinct_zones_ ? 1 : copies_;
    nodes_[host].slot_least = distinct_hosts_ ? 0 : 1;
    nodes_[host].slot_most = distinct_hosts_ ? 1 : copies_;
    nodes_[member].slot_most = 1;
  }
}

// What the domain takes when each member takes `per_weight` times its weight, within all bounds.
uint64_t Domains::wanted(uint32_t node, uint64_t per_weight) const {
  const Node& domain = nodes_[node];
  uint64_t sum = times(per_weight, domain.weight, kAllSlots);
  for (const uint32_t child : domain.children) sum += wanted(child, per_weight);
  return std::clamp(sum, domain.slot_least * kAllSlots, domain.slot_most * kAllSlots);
}

void Domains::share_out(uint32_t node, uint64_t share) {
  nodes_[node].share = share;
  const std::vector<uint32_t>& children = nodes_[node].children;
  const auto all_wanted = [&](uint64_t per_weight) {
    uint64_t sum = 0;
    for (const uint32_t child : children) sum += wanted(child, per_weight);
    return sum;
  };
  uint64_t low = 0;  // the greatest level that does not hand out more than there is lies in [low, high)
  uint64_t high = kAllSlots + 1;
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (all_wanted(middle) <= share ? low : high) = middle;
  }
  for (const uint32_t child : children) share_out(child, wanted(child, low));
}

// A domain whose share is every slot is in every chain: without that the others could be left with slots that they
// would have to head beyond their weight.
void Domains::require_saturated(uint32_t node) {
  Node& domain = nodes_[node];
  if (node != 0 && domain.share + kRoundingError >= kAllSlots) domain.slot_least = 1;
  for (const uint32_t child : domain.children) {
    require_saturated(child);
    domain.children_need += nodes_[child].needs;
  }
  domain.needs = std::max(node == 0 ? 0 : domain.slot_least, domain.children_need);
}

// The places that the chain still has to give to members below `node`, which is at `level`.
uint32_t Domains::missing_in(uint32_t node, int level, std::span<const uint32_t> chain) const {
  uint32_t missing = nodes_[node].children_need;
  if (missing == 0) return 0;  // so for every member, which has no parts
  for (size_t i = 0; i < chain.size(); ++i) {
    if (ancestors_[chain[i]][level] != node) continue;
    const uint32_t child = ancestors_[chain[i]][level + 1];
    const bool counted = std::any_of(chain.begin(), chain.begin() + static_cast<ptrdiff_t>(i),
                                     [&](uint32_t earlier) { return ancestors_[earlier][level + 1] == child; });
    if (!counted) missing -= nodes_[child].needs - missing_in(child, level + 1, chain);
  }
  return missing;
}

bool Domains::allows(std::span<const uint32_t> chain) const {
  for (size_t i = 0; i < chain.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const auto& a = ancestors_[chain[i]];
      const auto& b = ancestors_[chain[j]];
      if (distinct_zones_ && a[kZone] == b[kZone]) return false;
      if (distinct_hosts_ && a[kHost] == b[kHost]) return false;
    }
  }
  return missing_in(0, kRoot, chain) + chain.size() <= copies_;
}

}  // namespace chainring::ring
