// What clients saw in a stretch of time, for groups of slots: how long no write was acknowledged, how long requests
// took, how many met an error.
//
// Thread-safety: none. Times are those of the turns of an event loop.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "protocol/messages.h"

namespace chainring::load {

inline constexpr size_t kGroupsMax = 8;         // with the one of all slots
inline constexpr size_t kFailureKindsMax = 32;  // what is more is counted together

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

struct GroupSpec {
  std::string name;
  std::vector<protocol::SlotRange> slots;
};

struct GroupFigures {
  std::string name;
  uint64_t slots = 0;
  uint64_t writes = 0;    // acknowledged
  uint64_t reads = 0;     // answered
  uint64_t failed = 0;    // operations that met an error, whatever became of them
  uint64_t older = 0;     // reads of a value older than one that had been acknowledged before they began
  Micros began = 0;       // of the time without an acknowledged write that has lasted longest
  Micros gap = 0;         // how long that was
  Micros last_write = 0;  // when one was last acknowledged
  Durations write_times;
  Durations read_times;
};

enum class Kind : uint8_t { write, read };

class Window {
 public:
  explicit Window(Micros now) { begin(now, {}); }

  // Forgets everything and begins anew. The group "all" is always there. REQUIRES: fewer than kGroupsMax groups.
  void begin(Micros now, const std::vector<GroupSpec>& groups);
  [[nodiscard]] Micros began() const { return began_; }

  // An operation was answered well. `took` counts from when it was due.
  void note_done(Slot slot, Kind kind, Micros took, Micros now);
  void note_older(Slot slot);
  // An attempt failed; `first` tells that it is the first of its operation.
  void note_failure(Slot slot, std::string_view kind, bool first);
  // An operation is not answered yet: counts as one that took `age`, where nothing says how long it will take.
  void note_waiting(Slot slot, Kind kind, Micros age);

  // The figures up to now: a gap that has not ended counts as long as it is.
  [[nodiscard]] std::vector<GroupFigures> figures(Micros now) const;
  // Attempts that failed, by kind.
  [[nodiscard]] const std::map<std::string, uint64_t, std::less<>>& failures() const { return failures_; }

 private:
  using GroupBits = uint8_t;
  static_assert(kGroupsMax <= 8 * sizeof(GroupBits));
  template <class Use>
  void each(Slot slot, Use&& use);

  Micros began_ = 0;
  std::vector<GroupFigures> groups_;
  std::vector<GroupBits> groups_of_;  // by slot
  std::map<std::string, uint64_t, std::less<>> failures_;
};

}  // namespace chainring::load
