// Slots whose every copy is lost, and an operator's word to serve them again, empty (R18).

#include <algorithm>

#include "base/text.h"
#include "coordinator/state_ring.h"
#include "ring/table.h"

namespace chainring::coordinator {
namespace {

Status refused(std::string why) { return {ErrorCode::invalid_argument, std::move(why)}; }

}  // namespace

bool RingState::lost(const protocol::TableRange& range) const {
  if (stopped_) return false;  // its data was given up in order
  const std::vector<MemberId>& holders = basis(range);
  return std::all_of(holders.begin(), holders.end(), [&](MemberId id) {
    const Member* holder = member(id);
    return holder == nullptr || holder->gone();
  });
}

Status RingState::check(const ServeEmptyEntry& entry) const {
  if (stopped_ || !well_formed(entry.runs, false)) return refused("there are no such slots to serve");
  RingState after = *this;
  for (const MemberId id : entry.gone) {
    Member* const given_up = after.mutable_member(id);
    if (given_up == nullptr) return refused("who was declared gone is not listed any more; look again with RING LOST");
    given_up->listed.state = protocol::MemberState::gone;
  }
  Status refusal;
  for_each_part(
      ranges_, entry.runs, [&](Slot first, Slot last, const protocol::TableRange& range, const IntendedRun& run) {
        const bool changed = std::max(range.epoch, range.next_epoch) > entry.planned_at;
        const bool begun_by_lost =
            std::all_of(run.chain.begin(), run.chain.end(), [&](MemberId id) { return after.member(id)->gone(); });
        if (!changed && !begun_by_lost && after.lost(range)) return;
        refusal = refused(concat("slots ", first, "-", last, " have changed meanwhile; nothing was done, ",
                                 "look again with RING LOST"));
      });
  return refusal;
}

void RingState::apply(const ServeEmptyEntry& entry) {
  if (!check(entry).ok()) return;
  for (const MemberId id : entry.gone) {
    Member* const given_up = mutable_member(id);
    if (given_up->gone()) continue;
    given_up->listed.state = protocol::MemberState::gone;
    if (given_up->placed) ++wishes_;
  }
  intend(entry.runs, true, false);
}

}  // namespace chainring::coordinator
