// The table as a list of ranges of slots that share chain and epochs: what the coordinators store and send.
//
// Thread-safety: pure functions over the caller's values.
#pragma once

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/ids.h"
#include "protocol/messages.h"

namespace chainring::coordinator {

// Ascending, without gaps or overlaps, covering all slots; or empty, before the first table.
using Ranges = std::vector<protocol::TableRange>;

[[nodiscard]] inline bool same_chains(const protocol::TableRange& a, const protocol::TableRange& b) {
  return a.epoch == b.epoch && a.next_epoch == b.next_epoch && a.chain == b.chain && a.next_chain == b.next_chain;
}

// Adds a range behind the others, or prolongs the last one when only the slots differ.
void append_folded(Ranges& ranges, protocol::TableRange range);

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

// Whether `member` is in the chain in force or in the intended one.
[[nodiscard]] bool names(const protocol::TableRange& range, MemberId member);
[[nodiscard]] bool contains(const std::vector<MemberId>& chain, MemberId member);
[[nodiscard]] inline uint32_t slot_count(const protocol::TableRange& range) { return range.last - range.first + 1u; }

}  // namespace chainring::coordinator
