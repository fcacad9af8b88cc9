// client-output-buffer-limit: how many bytes of replies may wait for a client, by the class of the client (redis.conf).
// Thread-safety: pure functions and plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace chainring {

enum class ClientClass : uint8_t { normal, replica, pubsub };
inline constexpr size_t kClientClassCount = 3;

// 0 is no limit.
struct OutputLimit {
  uint64_t hard_bytes = 0;  // at once
  uint64_t soft_bytes = 0;  // for longer than soft_seconds on end
  int64_t soft_seconds = 0;
};

using OutputLimits = std::array<OutputLimit, kClientClassCount>;  // by ClientClass

// Takes "normal 0 0 0 replica 256mb 64mb 60 ..." over into `limits`; classes that it does not name stay as they are.
// The answer says what is wrong, in Redis' words; then nothing is changed.
[[nodiscard]] std::string_view merge_output_limits(std::string_view text, OutputLimits& limits);
// As CONFIG GET tells it.
[[nodiscard]] std::string output_limits_text(const OutputLimits& limits);

}  // namespace chainring
