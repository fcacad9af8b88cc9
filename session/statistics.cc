#include "session/statistics.h"

#include <algorithm>
#include <numeric>

namespace chainring::session {
namespace {

constexpr Micros kSampleInterval = 100 * kMicrosPerMilli;
constexpr size_t kErrorCodeBytesMax = 32;

}  // namespace

void CommandRate::sample(uint64_t commands, Micros now) {
  const Micros passed = now - last_at_;
  if (passed < kSampleInterval) return;
  // A counter that was reset meanwhile has counted from 0.
  const uint64_t more = commands >= last_commands_ ? commands - last_commands_ : commands;
  const auto rate = static_cast<int64_t>(more * kMicrosPerSecond / static_cast<uint64_t>(passed));
  // After a rest one reading stands for all the samples that were not taken.
  const auto count = std::min(static_cast<size_t>(passed / kSampleInterval), kSamples);
  for (size_t i = 0; i < count; ++i) {
    samples_[next_] = rate;
    next_ = (next_ + 1) % kSamples;
  }
  last_commands_ = commands;
  last_at_ = now;
}

int64_t CommandRate::per_second() const {
  return std::accumulate(samples_.begin(), samples_.end(), int64_t{0}) / static_cast<int64_t>(kSamples);
}

void RecentPeak::see(uint64_t value, Micros now) {
  const int64_t second = now / kMicrosPerSecond;
  Slot& slot = slots_[static_cast<size_t>(second) % kSlots];
  slot = {second, slot.second == second ? std::max(slot.value, value) : value};
}

uint64_t RecentPeak::peak(Micros now) const {
  const int64_t oldest = now / kMicrosPerSecond - static_cast<int64_t>(kSlots) + 1;
  uint64_t peak = 0;
  for (const Slot& slot : slots_) {
    if (slot.second >= oldest) peak = std::max(peak, slot.value);
  }
  return peak;
}

void Counters::count_error(std::string_view reply) {
  ++error_replies;
  reply.remove_prefix(1);
  const std::string_view code =
      reply.substr(0, std::min({reply.find_first_of(" \r"), reply.size(), kErrorCodeBytesMax}));
  const auto known = errors_.find(code);
  if (known != errors_.end()) {
    ++known->second;
  } else if (errors_.size() < kErrorCodesMax) {
    errors_.emplace(code, 1);
  }
}

}  // namespace chainring::session
