#include "coordinator/ranges.h"

namespace chainring::coordinator {

void append_folded(Ranges& ranges, protocol::TableRange range) {
  if (!ranges.empty() && ranges.back().last + 1 == range.first && same_chains(ranges.back(), range)) {
    ranges.back().last = range.last;
  } else {
    ranges.push_back(std::move(range));
  }
}

void append_run(std::vector<IntendedRun>& runs, Slot first, Slot last, const std::vector<MemberId>& chain) {
  if (!runs.empty() && runs.back().last + 1 == first && runs.back().chain == chain) {
    runs.back().last = last;
  } else {
    runs.push_back({first, last, chain});
  }
}

bool contains(const std::vector<MemberId>& chain, MemberId member) {
  return std::find(chain.begin(), chain.end(), member) != chain.end();
}

bool names(const protocol::TableRange& range, MemberId member) {
  return contains(range.chain, member) || contains(range.next_chain, member);
}

}  // namespace chainring::coordinator
