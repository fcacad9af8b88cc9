#include "coordinator/ranges.h"

#include <utility>

#include "protocol/runs.h"
#include "ring/table.h"

namespace chainring::coordinator {

void append_folded(Ranges& ranges, protocol::TableRange range) {
  protocol::append_run(ranges, std::move(range), ring::same_chains);
}

void append_run(std::vector<IntendedRun>& runs, Slot first, Slot last, const std::vector<MemberId>& chain) {
  protocol::append_run(runs, IntendedRun{first, last, chain},
                       [](const IntendedRun& a, const IntendedRun& b) { return a.chain == b.chain; });
}

}  // namespace chainring::coordinator
