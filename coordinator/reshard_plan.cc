#include "coordinator/reshard_plan.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "coordinator/json.h"
#include "coordinator/mover.h"
#include "ring/placement.h"
#include "ring/table.h"

namespace chainring::coordinator {
namespace {

struct Share {
  std::string name;
  uint32_t weight = 0;
  bool placed = false;
  uint32_t slots_before = 0, slots_after = 0;
  uint32_t heads_before = 0, heads_after = 0;
  uint32_t receives = 0, gives = 0;
};

struct Sums {
  uint32_t moves = 0;  // copies of slots that have to be made
  uint32_t slots = 0;  // whose chain changes
  uint32_t heads = 0;  // whose head changes
  std::map<MemberId, Share> members;
};

Sums sums_of(const RingState& after, const std::vector<ring::Chain>& from, const std::vector<ring::Chain>& to) {
  Sums sums;
  for (const Member& member : after.members()) {
    if (member.gone() || after.superseded(member)) continue;
    Share& share = sums.members[member.listed.id];
    share.name = member.listed.name;
    share.weight = member.listed.weight;
    share.placed = member.in_target();
  }
  const auto share_of = [&](MemberId id) -> Share& { return sums.members[id]; };
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const ring::Chain& old_chain = from[slot];
    const ring::Chain& new_chain = to[slot];
    if (old_chain != new_chain) ++sums.slots;
    if (!old_chain.empty()) ++share_of(old_chain.front()).heads_before;
    if (!new_chain.empty()) ++share_of(new_chain.front()).heads_after;
    if (!old_chain.empty() && !new_chain.empty() && old_chain.front() != new_chain.front()) ++sums.heads;
    for (const MemberId id : old_chain) {
      ++share_of(id).slots_before;
      if (!ring::contains(new_chain, id)) ++share_of(id).gives;
    }
    for (const MemberId id : new_chain) {
      ++share_of(id).slots_after;
      if (ring::contains(old_chain, id)) continue;
      ++share_of(id).receives;
      ++sums.moves;
    }
  }
  std::erase_if(sums.members, [](const auto& entry) {
    const Share& share = entry.second;
    return share.name.empty() || (!share.placed && share.slots_before == 0);
  });
  return sums;
}

// Whoever is below a fair share, by weight, has to get what is missing; nobody can do with less.
uint32_t least_moves(const Sums& sums, uint32_t copies) {
  double weights = 0;
  uint32_t placed = 0;
  for (const auto& [id, share] : sums.members) {
    if (!share.placed) continue;
    weights += share.weight;
    ++placed;
  }
  double least = 0;
  for (const auto& [id, share] : sums.members) {
    if (!share.placed) continue;
    const double fair =
        std::min<double>(kSlotCount, double{kSlotCount} * std::min(copies, placed) * share.weight / weights);
    least += std::max(0.0, std::floor(fair) - share.slots_before);
  }
  return static_cast<uint32_t>(least);
}

}  // namespace

Result<std::string> plan_json(const RingState& ring, const ReshardEntry* wish) {
  if (ring.ranges().empty())
    return Status(ErrorCode::unavailable, "there is no ring yet: nodes have to register first");
  RingState after = ring;
  if (wish != nullptr) {
    if (Status refused = after.check(*wish); !refused.ok()) return refused;
    after.apply(*wish);
  }
  const std::vector<ring::Chain> from = chains_in_force(ring);
  const std::vector<ring::Candidate> candidates = placed_candidates(after);
  const std::vector<ring::Chain> to = candidates.empty() ? from : ring::target_table(candidates, after.copies(), from);
  const Sums sums = sums_of(after, from, to);

  JsonWriter json;
  json.begin_object();
  json.key("moves").number(sums.moves).key("slots").number(sums.slots).key("heads").number(sums.heads);
  json.key("least").number(std::min(sums.moves, least_moves(sums, after.copies())));
  json.key("copies_before").number(ring.copies()).key("copies_after").number(after.copies());
  json.key("members").begin_array();
  for (const auto& [id, share] : sums.members) {
    json.begin_object();
    json.key("name").text(share.name).key("weight").number(share.weight);
    json.key("slots_before").number(share.slots_before).key("slots_after").number(share.slots_after);
    json.key("heads_before").number(share.heads_before).key("heads_after").number(share.heads_after);
    json.key("receives").number(share.receives).key("gives").number(share.gives);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return std::move(json).take();
}

}  // namespace chainring::coordinator
