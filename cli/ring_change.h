// A change of the ring that an operator asks for, and how to see that it has come to its end.
// Thread-safety: value types and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "cli/status_report.h"

namespace chainring::cli {

struct RingChange {
  enum class Kind { add, remove, weight, copies };
  Kind kind = Kind::add;
  std::string name;    // of a node; empty for copies
  int64_t number = 0;  // the weight, or how many copies

  // As the coordinators name it: "add n4", "weight n2 200", "copies 3".
  [[nodiscard]] std::string text() const;
  // As a command takes it: {"ADD", "n4"}.
  [[nodiscard]] std::vector<std::string> words() const;
  friend bool operator==(const RingChange&, const RingChange&) = default;
};

// Whether the ring is as the change wants it. Slots may still be on their way.
[[nodiscard]] bool is_in_effect(const RingChange& change, const StatusReport& report);

// Whether the change, alone or among others, or its undoing, is under way.
[[nodiscard]] bool is_under_way(const RingChange& change, const ReshardReport& report);

// A node of `nodes` that has registered and waits for somebody to add it to the ring; empty when there is none.
[[nodiscard]] std::string idle_node(const StatusReport& report, const std::vector<std::string>& nodes);

// Follows a change that was sent, from what the coordinators report.
class ChangeWatch {
 public:
  enum class Verdict {
    goes_on,
    ended,   // nothing of it is under way any more: is_in_effect() tells whether it was done or undone
    unseen,  // nothing of it was ever seen, for long enough to have been
  };
  ChangeWatch(RingChange change, Micros now) : change_(std::move(change)), since_(now) {}

  [[nodiscard]] const RingChange& change() const { return change_; }
  // `in_effect`: is_in_effect(), asked for only when nothing of the change is under way.
  template <class InEffect>
  [[nodiscard]] Verdict judge(const ReshardReport& report, Micros now, const InEffect& in_effect) {
    if (is_under_way(change_, report)) {
      seen_ = true;
      return Verdict::goes_on;
    }
    if (seen_ || in_effect()) return Verdict::ended;
    return now - since_ < kGraceUs ? Verdict::goes_on : Verdict::unseen;
  }

 private:
  static constexpr Micros kGraceUs = 5 * kMicrosPerSecond;  // a new leader may have to plan first

  RingChange change_;
  Micros since_;
  bool seen_ = false;
};

}  // namespace chainring::cli
