#include "ring/shift.h"

#include <algorithm>
#include <deque>
#include <optional>

namespace chainring::ring {
namespace {

struct Step {
  uint32_t giver = 0;
  uint32_t slot = 0;
  bool is_source = false;
  bool is_reached = false;
};

class PathSearch {
 public:
  PathSearch(uint32_t member_count, const ShiftRules& rules) : rules_(rules), steps_(member_count) {}

  // Breadth first, from all sources at once. Returns the first sink that is reached.
  template <class IsSource, class IsSink>
  std::optional<uint32_t> find(IsSource is_source, IsSink is_sink) {
    const SlotsByMember slots = rules_.slots_by_member();
    std::deque<uint32_t> queue;
    for (uint32_t member = 0; member < steps_.size(); ++member) {
      steps_[member].is_source = steps_[member].is_reached = is_source(member);
      if (steps_[member].is_source) queue.push_back(member);
    }
    size_t unreached = steps_.size() - queue.size();
    for (; !queue.empty() && unreached > 0; queue.pop_front()) {
      const uint32_t giver = queue.front();
      for (const uint32_t slot : slots[giver]) {
        for (const uint32_t taker : rules_.takers(slot)) {
          if (steps_[taker].is_reached || !rules_.can_replace(slot, giver, taker)) continue;
          steps_[taker] = {.giver = giver, .slot = slot, .is_source = false, .is_reached = true};
          if (is_sink(taker)) return taker;
          queue.push_back(taker);
          --unreached;
        }
        if (unreached == 0) break;
      }
    }
    return std::nullopt;
  }

  // Moves one slot along the path that ends at `sink`. A shortest path has no shortcut, so its steps do not disturb
  // each other's slots when the last is taken first; the check guards against a rule for which that does not hold.
  bool apply(uint32_t sink) {
    for (uint32_t member = sink; !steps_[member].is_source; member = steps_[member].giver) {
      const Step& step = steps_[member];
      if (!rules_.can_replace(step.slot, step.giver, member)) return false;
      rules_.replace(step.slot, step.giver, member);
    }
    return true;
  }

 private:
  const ShiftRules& rules_;
  std::vector<Step> steps_;
};

}  // namespace

void shift_into_bounds(std::span<const Share> shares, const std::vector<uint32_t>& loads, const ShiftRules& rules) {
  const auto over = [&](uint32_t member) { return loads[member] > shares[member].greatest; };
  const auto under = [&](uint32_t member) { return loads[member] < shares[member].least; };
  const auto can_give = [&](uint32_t member) { return loads[member] > shares[member].least; };
  const auto can_take = [&](uint32_t member) { return loads[member] < shares[member].greatest; };

  const auto shift_all = [&](const auto& wrong, const auto& from, const auto& to) {
    for (bool moved = true; moved;) {
      bool any_wrong = false;
      for (uint32_t member = 0; member < shares.size(); ++member) any_wrong = any_wrong || wrong(member);
      if (!any_wrong) return;
      PathSearch search(static_cast<uint32_t>(shares.size()), rules);
      const std::optional<uint32_t> end = search.find(from, to);
      moved = end && search.apply(*end);
    }
  };
  shift_all(over, over, can_take);
  shift_all(under, can_give, under);
}

}  // namespace chainring::ring
