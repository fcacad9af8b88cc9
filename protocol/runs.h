// Lists of runs: neighbouring slots that are alike stand in one item with `first` and `last`, in ascending order.
//
// Thread-safety: pure functions over the caller's values.
#pragma once

#include <utility>
#include <vector>

#include "protocol/messages.h"

namespace chainring::protocol {

// Adds a run behind the others, or prolongs the last one when the new one follows it and `alike(last, next)`.
template <class Run, class Alike>
void append_run(std::vector<Run>& runs, Run next, Alike&& alike) {
  if (!runs.empty() && runs.back().last + 1u == next.first && alike(std::as_const(runs.back()), std::as_const(next))) {
    runs.back().last = next.last;
  } else {
    runs.push_back(std::move(next));
  }
}

inline void append_run(std::vector<SlotRange>& runs, SlotRange next) {
  append_run(runs, next, [](const SlotRange&, const SlotRange&) { return true; });
}
inline void append_run(std::vector<LearnedRun>& runs, LearnedRun next) {
  append_run(runs, next, [](const LearnedRun& a, const LearnedRun& b) { return a.epoch == b.epoch; });
}
inline void append_run(std::vector<LearnRun>& runs, LearnRun next) {
  append_run(runs, next, [](const LearnRun& a, const LearnRun& b) { return a.epoch == b.epoch && a.since == b.since; });
}

}  // namespace chainring::protocol
