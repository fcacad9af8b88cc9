// The table as a list of ranges of slots that share chain and epochs: what the coordinators store and send.
//
// Thread-safety: pure functions over the caller's values.
#pragma once

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/ids.h"
#include "coordinator/entries.h"
#include "protocol/messages.h"

namespace chainring::coordinator {

// Ascending, without gaps or overlaps, covering all slots; or empty, before the first table.
using Ranges = std::vector<protocol::TableRange>;

// Adds a range behind the others, or prolongs the last one when only the slots differ.
void append_folded(Ranges& ranges, protocol::TableRange range);

// Adds slots first..last behind the others, or prolongs the last run when the chain is the same.
void append_run(std::vector<IntendedRun>& runs, Slot first, Slot last, const std::vector<MemberId>& chain);

// Calls change(part, run) for every part of the table that lies in one of the runs, cutting ranges where runs begin and
// end, and folds what has become equal. `runs` have first and last, ascend, and do not overlap.
template <class Run, class Change>
void change_runs(Ranges& ranges, const std::vector<Run>& runs, Change&& change) {
  Ranges changed;
  changed.reserve(ranges.size());
  auto run = runs.begin();
  for (const protocol::TableRange& range : ranges) {
    uint32_t first = range.first;
    while (first <= range.last) {
      while (run != runs.end() && run->last < first) ++run;
      protocol::TableRange part = range;
      part.first = static_cast<Slot>(first);
      if (run != runs.end() && run->first <= first) {
        part.last = std::min(range.last, run->last);
        change(part, *run);
      } else if (run != runs.end() && run->first <= range.last) {
        part.last = static_cast<Slot>(run->first - 1);
      }
      first = uint32_t{part.last} + 1;
      append_folded(changed, std::move(part));
    }
  }
  ranges = std::move(changed);
}

// Calls visit(first, last, range, run) for each part of the table that lies in one of the runs.
template <class Run, class Visit>
void for_each_part(const Ranges& ranges, const std::vector<Run>& runs, Visit&& visit) {
  auto range = ranges.begin();
  for (const Run& run : runs) {
    while (range != ranges.end() && range->last < run.first) ++range;
    for (auto part = range; part != ranges.end() && part->first <= run.last; ++part) {
      visit(std::max(part->first, run.first), std::min(part->last, run.last), *part, run);
    }
  }
}

// The members that hold what the slots hold, or that are to begin them.
[[nodiscard]] inline const std::vector<MemberId>& basis(const protocol::TableRange& range) {
  return range.chain.empty() ? range.next_chain : range.chain;
}
[[nodiscard]] inline uint32_t slot_count(const protocol::TableRange& range) { return range.last - range.first + 1u; }

}  // namespace chainring::coordinator
