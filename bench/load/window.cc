#include "bench/load/window.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace chainring::load {

// Small values have a bucket each; from 2^kFineBits on, a bucket is 1/64 of a power of two.
size_t Durations::bucket_of(uint64_t micros) {
  constexpr uint64_t kFine = uint64_t{1} << kFineBits;
  if (micros < kFine) return micros;
  const size_t power = static_cast<size_t>(std::bit_width(micros)) - 1 - kFineBits;
  const size_t bucket = ((power + 1) << kFineBits) + ((micros >> power) - kFine);
  return std::min(bucket, (kPowers << kFineBits) - 1);
}

Micros Durations::end_of(size_t bucket) {
  constexpr size_t kFine = size_t{1} << kFineBits;
  if (bucket < kFine) return static_cast<Micros>(bucket);
  const size_t power = (bucket >> kFineBits) - 1;
  const uint64_t start = (kFine + (bucket & (kFine - 1))) << power;
  return static_cast<Micros>(start + (uint64_t{1} << power) - 1);
}

void Durations::add(Micros duration) {
  duration = std::max<Micros>(duration, 0);
  ++counts_[bucket_of(static_cast<uint64_t>(duration))];
  ++count_;
  longest_ = std::max(longest_, duration);
}

Micros Durations::quantile(double share) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen > 0 && seen >= wanted) return std::min(end_of(bucket), longest_);
  }
  return longest_;
}

void Window::begin(Micros now, const std::vector<GroupSpec>& groups) {
  CHECK(groups.size() < kGroupsMax, "whoever asks for groups checks how many");
  began_ = now;
  groups_.assign(1 + groups.size(), {});
  groups_of_.assign(kSlotCount, 1);
  failures_.clear();
  groups_[0].name = "all";
  groups_[0].slots = kSlotCount;
  for (size_t i = 0; i < groups.size(); ++i) {
    GroupFigures& group = groups_[i + 1];
    group.name = groups[i].name;
    const auto bit = static_cast<GroupBits>(1u << (i + 1));
    for (const protocol::SlotRange& range : groups[i].slots) {
      for (uint32_t slot = range.first; slot <= range.last; ++slot) {
        if ((groups_of_[slot] & bit) == 0) ++group.slots;
        groups_of_[slot] |= bit;
      }
    }
  }
  for (GroupFigures& group : groups_) group.last_write = group.began = now;
}

template <class Use>
void Window::each(Slot slot, Use&& use) {
  for (unsigned bits = groups_of_[slot]; bits != 0; bits &= bits - 1) {
    use(groups_[static_cast<size_t>(std::countr_zero(bits))]);
  }
}

void Window::note_done(Slot slot, Kind kind, Micros took, Micros now) {
  each(slot, [&](GroupFigures& group) {
    if (kind == Kind::read) {
      ++group.reads;
      return group.read_times.add(took);
    }
    ++group.writes;
    group.write_times.add(took);
    if (now - group.last_write > group.gap) {
      group.gap = now - group.last_write;
      group.began = group.last_write;
    }
    group.last_write = now;
  });
}

void Window::note_older(Slot slot) {
  each(slot, [](GroupFigures& group) { ++group.older; });
}

void Window::note_failure(Slot slot, std::string_view kind, bool first) {
  if (first) each(slot, [](GroupFigures& group) { ++group.failed; });
  auto at = failures_.find(kind);
  if (at == failures_.end()) {
    at = failures_.try_emplace(failures_.size() + 1 < kFailureKindsMax ? std::string(kind) : "other").first;
  }
  ++at->second;
}

void Window::note_waiting(Slot slot, Kind kind, Micros age) {
  each(slot, [&](GroupFigures& group) { (kind == Kind::read ? group.read_times : group.write_times).add(age); });
}

std::vector<GroupFigures> Window::figures(Micros now) const {
  std::vector<GroupFigures> figures = groups_;
  for (GroupFigures& group : figures) {
    if (now - group.last_write <= group.gap) continue;
    group.gap = now - group.last_write;
    group.began = group.last_write;
  }
  return figures;
}

}  // namespace chainring::load
