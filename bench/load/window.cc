#include "bench/load/window.h"

#include <algorithm>
#include <bit>
#include <cmath>

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

void Window::begin(Micros now) {
  began_ = now;
  full_at_ = kNever;
  sightings_.clear();
  last_write_.assign(kSlotCount, now);
  failures_.clear();
}

void Window::note(Slot slot, What what, Micros took, Micros now) {
  const Micros at = (now - began_) / kAtUnit;
  if (sightings_.size() >= kSightingsMax || at > UINT32_MAX) full_at_ = std::min(full_at_, now);
  if (full_at_ != kNever) return;
  sightings_.push_back(
      {static_cast<uint32_t>(at), static_cast<uint32_t>(std::clamp<Micros>(took, 0, UINT32_MAX)), slot, what});
}

void Window::note_done(Slot slot, Kind kind, Micros took, Micros now) {
  note(slot, kind == Kind::write ? What::write : What::read, took, now);
  if (kind == Kind::write) last_write_[slot] = now;
}

void Window::note_older(Slot slot, Micros now) { note(slot, What::older, 0, now); }

void Window::note_failure(Slot slot, std::string_view kind, bool first, Micros now) {
  if (first) note(slot, What::failed, 0, now);
  auto at = failures_.find(kind);
  if (at == failures_.end()) {
    at = failures_.try_emplace(failures_.size() + 1 < kFailureKindsMax ? std::string(kind) : "other").first;
  }
  ++at->second;
}

Micros Window::quiet(std::span<const protocol::SlotRange> slots, Micros now) const {
  Micros last = began_;
  for (const protocol::SlotRange& range : slots) {
    last = std::max(last, *std::max_element(last_write_.begin() + range.first, last_write_.begin() + range.last + 1));
  }
  return now - last;
}

GroupFigures Window::figures(const Group& group, std::span<const Waiting> waiting, Micros now) const {
  GroupFigures figures;
  std::vector<bool> in_group(kSlotCount);
  for (const protocol::SlotRange& range : group.slots) {
    for (uint32_t slot = range.first; slot <= range.last; ++slot) in_group[slot] = true;
  }
  figures.slots = static_cast<uint64_t>(std::count(in_group.begin(), in_group.end(), true));
  Micros last_write = 0;
  const auto end_gap = [&](Micros at) {
    if (at - last_write > figures.gap) {
      figures.gap = at - last_write;
      figures.gap_began = last_write;
    }
    last_write = at;
  };
  for (const Sighting& sighting : sightings_) {
    if (!in_group[sighting.slot]) continue;
    switch (sighting.what) {
      case What::write:
        ++figures.writes;
        figures.write_times.add(sighting.took);
        end_gap(sighting.at * kAtUnit);
        break;
      case What::read:
        ++figures.reads;
        figures.read_times.add(sighting.took);
        break;
      case What::failed:
        ++figures.failed;
        break;
      case What::older:
        ++figures.older;
        break;
    }
  }
  end_gap(kept_until(now) - began_);
  for (const Waiting& one : waiting) {
    if (in_group[one.slot]) (one.kind == Kind::read ? figures.read_times : figures.write_times).add(one.age);
  }
  return figures;
}

}  // namespace chainring::load
