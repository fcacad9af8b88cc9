// What clients saw in a stretch of time: when writes were acknowledged, how long requests took, which met an error. It
// is summed up for groups of slots when it is over, because only then it is known which slots it was about.
//
// Thread-safety: none. Times are those of the turns of an event loop.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "protocol/messages.h"

namespace chainring::load {

inline constexpr size_t kGroupsMax = 8;
inline constexpr size_t kFailureKindsMax = 32;        // what is more is counted together
inline constexpr size_t kSightingsMax = 100'000'000;  // of 12 bytes; ten minutes at 160,000 a second

// How long things took, to 1.6 %, in bounded memory.
class Durations {
 public:
  void add(Micros duration);
  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] Micros longest() const { return longest_; }
  // That which `share` of all did not exceed, as near as was kept, and never above longest(); 0 of none.
  // REQUIRES: 0 <= share <= 1.
  [[nodiscard]] Micros quantile(double share) const;

 private:
  static constexpr size_t kFineBits = 6;  // 64 steps in each power of two
  static constexpr size_t kPowers = 34;   // durations above 4.7 hours count as that
  [[nodiscard]] static size_t bucket_of(uint64_t micros);
  [[nodiscard]] static Micros end_of(size_t bucket);

  std::array<uint64_t, kPowers << kFineBits> counts_{};
  uint64_t count_ = 0;
  Micros longest_ = 0;
};

struct Group {
  std::string name;
  std::vector<protocol::SlotRange> slots;
};

struct GroupFigures {
  uint64_t slots = 0;
  uint64_t writes = 0;  // acknowledged
  uint64_t reads = 0;   // answered
  uint64_t failed = 0;  // operations that met an error, whatever became of them
  uint64_t older = 0;   // reads of a value older than one that had been acknowledged before they began
  Micros gap = 0;       // the longest time without an acknowledged write in any of the slots
  Micros gap_began = 0;
  Durations write_times;
  Durations read_times;
};

enum class Kind : uint8_t { write, read };

// An operation that is not answered yet: counts as one that took `age`, since nobody knows how long it will take.
struct Waiting {
  Slot slot = 0;
  Kind kind = Kind::write;
  Micros age = 0;
};

class Window {
 public:
  explicit Window(Micros now) { begin(now); }

  // Forgets everything and begins anew.
  void begin(Micros now);
  [[nodiscard]] Micros began() const { return began_; }
  // Until when all that happened is kept: `now`, unless it was too much.
  [[nodiscard]] Micros kept_until(Micros now) const { return std::min(now, full_at_); }

  // An operation was answered well. `took` counts from when it was due. REQUIRES: now does not go back.
  void note_done(Slot slot, Kind kind, Micros took, Micros now);
  void note_older(Slot slot, Micros now);
  // An attempt failed; `first` tells that it is the first of its operation.
  void note_failure(Slot slot, std::string_view kind, bool first, Micros now);

  // The time since a write was last acknowledged in any of these slots, or since the window began.
  [[nodiscard]] Micros quiet(std::span<const protocol::SlotRange> slots, Micros now) const;
  // The figures of a group up to now: a gap that has not ended counts as long as it is. Takes time in proportion to
  // what happened.
  [[nodiscard]] GroupFigures figures(const Group& group, std::span<const Waiting> waiting, Micros now) const;
  // Attempts that failed, by kind.
  [[nodiscard]] const std::map<std::string, uint64_t, std::less<>>& failures() const { return failures_; }

 private:
  enum class What : uint16_t { write, read, failed, older };
  struct Sighting {
    uint32_t at;    // since the window began, in kAtUnit
    uint32_t took;  // microseconds
    Slot slot;
    What what;
  };
  static constexpr Micros kAtUnit = 10;

  void note(Slot slot, What what, Micros took, Micros now);

  Micros began_ = 0;
  Micros full_at_ = kNever;
  std::deque<Sighting> sightings_;  // in order of time; no vector, which would stand still to grow
  std::vector<Micros> last_write_;  // by slot
  std::map<std::string, uint64_t, std::less<>> failures_;
};

}  // namespace chainring::load
