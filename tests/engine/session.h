// A conversation with one Database, as a client would have it: Run({"set", "k", "v"}) returns the RESP text.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "engine/database.h"
#include "engine/effects.h"
#include "protocol/command.h"
#include "protocol/reply.h"

namespace chainring::engine {

inline constexpr protocol::SlotRange kAllSlots[] = {{0, kSlotCount - 1}};

class Session {
 public:
  explicit Session(uint64_t seed = 1) : random(seed) {}

  // REQUIRES: a command that the engine runs, or one that fails before it runs.
  std::string run(std::span<const std::string_view> args);
  std::string Run(std::initializer_list<std::string_view> args) {
    return run(std::span<const std::string_view>(args.begin(), args.size()));
  }
  // The words of `line`, separated by single spaces.
  std::string Line(std::string_view line);

  // What the last command did, one effect in a line: "db name arg arg", by slots in order of first touch.
  [[nodiscard]] std::string effect_lines() const;

  Database database{DatabaseOptions{.hash_seed = 7}};
  SeededRandom random;
  Millis now = 1'000'000'000'000;
  uint8_t db = 0;
  std::vector<protocol::SlotRange> slots{kAllSlots[0]};
  protocol::RespVersion version = protocol::RespVersion::resp2;
  size_t reply_bytes_max = protocol::kReplyBytesMax;
  Effects effects;  // of the last command
};

// The same for the effects of one slot.
[[nodiscard]] std::string effect_lines(std::string_view bytes);
[[nodiscard]] std::vector<std::string_view> words(std::string_view line);

}  // namespace chainring::engine
