// Who has said with its acknowledgements that it, or somebody behind it in the slot's chain, is near its memory limit
// (R11). What was said under another epoch than the one in force counts for nothing.
//
// Pure. Thread-safety: none; one owner. Limits: one entry for each slot and member behind it that has said so: its
// successor, or at the tail its learners.
#pragma once

#include <iterator>
#include <map>
#include <utility>

#include "base/ids.h"

namespace chainring::node {

class TightMembers {
 public:
  // The newest word of a member. It may be of an epoch that is not in force here yet; what comes late, of an earlier
  // one than its last, is not taken.
  void heard(Slot slot, MemberId member, Epoch epoch, bool tight) {
    const auto at = said_.find({slot, member});
    if (at != said_.end() && at->second > epoch) return;
    if (tight) {
      said_[{slot, member}] = epoch;
    } else if (at != said_.end()) {
      said_.erase(at);
    }
  }

  [[nodiscard]] bool any(Slot slot, Epoch epoch) const {
    for (auto at = first_of(slot); at != said_.end() && at->first.first == slot; ++at) {
      if (at->second == epoch) return true;
    }
    return false;
  }
  [[nodiscard]] bool empty() const { return said_.empty(); }

  // Forgets what was said of the slot, but for what `keeps(member, epoch)` says.
  template <class Keeps>
  void retain(Slot slot, Keeps&& keeps) {
    for (auto at = first_of(slot); at != said_.end() && at->first.first == slot;) {
      at = keeps(at->first.second, at->second) ? std::next(at) : said_.erase(at);
    }
  }
  // Forgets all that the member has said, and calls lost(slot) for each slot of which it was something.
  template <class Lost>
  void forget(MemberId member, Lost&& lost) {
    for (auto at = said_.begin(); at != said_.end();) {
      if (at->first.second != member) {
        ++at;
        continue;
      }
      const Slot slot = at->first.first;
      at = said_.erase(at);
      lost(slot);
    }
  }

 private:
  using Words = std::map<std::pair<Slot, MemberId>, Epoch>;
  [[nodiscard]] Words::const_iterator first_of(Slot slot) const { return said_.lower_bound({slot, kNoMember}); }

  Words said_;
};

}  // namespace chainring::node
