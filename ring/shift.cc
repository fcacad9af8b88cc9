#include "ring/shift.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace chainring::ring {
namespace {

// One member of a path and how the path came to it.
struct Reached {
  bool is_reached = false;
  bool is_source = false;
  uint32_t giver = 0;
  size_t slot_index = 0;  // of the giver's slots: the one that moves next
};

struct Replacement {
  uint32_t slot;
  uint32_t giver;
  uint32_t taker;
};

class PathSearch {
 public:
  explicit PathSearch(Assignment& assignment)
      : assignment_(assignment), slots_(assignment.loads().size()), reached_(assignment.loads().size()) {
    for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
      for (const uint32_t member : assignment.bearers(slot)) slots_[member].push_back(slot);
    }
  }

  // Breadth first, from all sources at once. Returns the first sink that is reached.
  template <class IsSource, class IsSink>
  std::optional<uint32_t> find(IsSource is_source, IsSink is_sink);

  [[nodiscard]] uint32_t source_of(uint32_t member) const {
    while (!reached_[member].is_source) member = reached_[member].giver;
    return member;
  }

  // Moves one slot along the path that ends at `sink`; when called again, other slots on the same path. Returns whether
  // the path had one more.
  bool move_one(uint32_t sink);

 private:
  // The next slot that `taker` can have from its giver on the path.
  std::optional<Replacement> next_replacement(uint32_t taker);

  Assignment& assignment_;
  std::vector<std::vector<uint32_t>> slots_;  // by member: those that it bears
  std::vector<Reached> reached_;
};

template <class IsSource, class IsSink>
std::optional<uint32_t> PathSearch::find(IsSource is_source, IsSink is_sink) {
  std::deque<uint32_t> queue;
  for (uint32_t member = 0; member < reached_.size(); ++member) {
    reached_[member].is_source = reached_[member].is_reached = is_source(member);
    if (reached_[member].is_source) queue.push_back(member);
  }
  size_t unreached = reached_.size() - queue.size();
  for (; !queue.empty(); queue.pop_front()) {
    const uint32_t giver = queue.front();
    for (size_t i = 0; i < slots_[giver].size() && unreached > 0; ++i) {
      const uint32_t slot = slots_[giver][i];
      for (const uint32_t taker : assignment_.takers(slot)) {
        if (reached_[taker].is_reached || !assignment_.can_replace(slot, giver, taker)) continue;
        reached_[taker] = {.is_reached = true, .is_source = false, .giver = giver, .slot_index = i};
        if (is_sink(taker)) return taker;
        queue.push_back(taker);
        --unreached;
      }
    }
  }
  return std::nullopt;
}

std::optional<Replacement> PathSearch::next_replacement(uint32_t taker) {
  Reached& step = reached_[taker];
  const std::vector<uint32_t>& slots = slots_[step.giver];
  for (; step.slot_index < slots.size(); ++step.slot_index) {
    const uint32_t slot = slots[step.slot_index];
    const std::span<const uint32_t> takers = assignment_.takers(slot);
    const bool may_ask = std::find(takers.begin(), takers.end(), taker) != takers.end();
    if (may_ask && assignment_.can_replace(slot, step.giver, taker)) return Replacement{slot, step.giver, taker};
  }
  return std::nullopt;
}

// All steps are looked up before the first is taken, each in a slot of its own, so that none can spoil another's.
bool PathSearch::move_one(uint32_t sink) {
  std::vector<Replacement> steps;
  for (uint32_t taker = sink; !reached_[taker].is_source;) {
    const std::optional<Replacement> step = next_replacement(taker);
    if (!step) return false;
    ++reached_[taker].slot_index;
    const auto same_slot = [&](const Replacement& other) { return other.slot == step->slot; };
    if (std::any_of(steps.begin(), steps.end(), same_slot)) continue;
    steps.push_back(*step);
    taker = step->giver;
  }
  for (const Replacement& step : steps) assignment_.replace(step.slot, step.giver, step.taker);
  return true;
}

}  // namespace

void shift_into_bounds(Assignment& assignment) {
  const std::vector<Share>& shares = assignment.shares();
  const std::vector<uint32_t>& loads = assignment.loads();
  const auto over = [&](uint32_t member) { return loads[member] > shares[member].greatest; };
  const auto under = [&](uint32_t member) { return loads[member] < shares[member].least; };
  const auto can_give = [&](uint32_t member) { return loads[member] > shares[member].least; };
  const auto can_take = [&](uint32_t member) { return loads[member] < shares[member].greatest; };

  const auto shift_all = [&](const auto& is_wrong, const auto& is_source, const auto& is_sink) {
    for (bool moved = true; moved;) {
      moved = false;
      bool any_wrong = false;
      for (uint32_t member = 0; member < shares.size(); ++member) any_wrong = any_wrong || is_wrong(member);
      if (!any_wrong) return;
      PathSearch search(assignment);
      const std::optional<uint32_t> sink = search.find(is_source, is_sink);
      if (!sink) return;
      const uint32_t source = search.source_of(*sink);
      while (is_source(source) && is_sink(*sink) && search.move_one(*sink)) moved = true;
    }
  };
  shift_all(over, over, can_take);
  shift_all(under, can_give, under);
}

}  // namespace chainring::ring
