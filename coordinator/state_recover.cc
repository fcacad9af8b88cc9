// The first state of the next generation, after all coordinators of the last one were lost (R31).

#include <algorithm>
#include <set>
#include <utility>

#include "coordinator/state_ring.h"
#include "ring/table.h"

namespace chainring::coordinator {

using protocol::MemberState;

// Every slot passes a barrier from the chain that held it to the same chain: nothing of the last generation is obeyed
// any more, whoever knows of it, and nothing that was acknowledged is lost. Who does not come is left out when a lease
// has passed, as ever.
void RingState::apply(const RecoverEntry& entry) {
  if (founded() || entry.found.cluster_id == 0 || entry.table.ranges.empty()) return;
  apply(entry.found);
  rules_ = entry.table.rules;
  // Above all that the last generation has given, also what none of those who were asked has heard of.
  version_ = epochs_ = generation_ << kGenerationShift;
  for (const protocol::TableMember& listed : entry.table.members) {
    Member& member = members_.emplace_back();
    member.listed = listed;
    member.weighed = true;  // the weights in force stay
    next_member_ = std::max(next_member_, listed.id + 1);
  }
  std::sort(members_.begin(), members_.end(),
            [](const Member& a, const Member& b) { return a.listed.id < b.listed.id; });
  ranges_ = entry.table.ranges;
  std::set<MemberId> wanted;
  std::vector<IntendedRun> runs;
  for (protocol::TableRange& range : ranges_) {
    wanted.insert(range.chain.begin(), range.chain.end());
    wanted.insert(range.next_chain.begin(), range.next_chain.end());
    wanted.insert(range.goal.begin(), range.goal.end());
    append_run(runs, range.first, range.last, basis(range));
    range.goal.clear();
  }
  // A node that has come back as another incarnation has the place of the one before, also when the chains still name
  // both.
  for (Member& member : members_) {
    const auto holds_its_place = [&](const Member& same) {
      return same.listed.name == member.listed.name && same.listed.state != MemberState::leaving &&
             wanted.contains(same.listed.id);
    };
    const bool goes = member.gone() || member.listed.state == MemberState::leaving || superseded(member);
    member.placed = !goes && std::any_of(members_.begin(), members_.end(), holds_its_place);
  }
  intend(runs, false, false);
  ++wishes_;  // where slots belong is reckoned anew
}

}  // namespace chainring::coordinator
