// Which watched keys have changed, and when: what the head of a slot knows of the keys that somebody has asked it to
// WATCH. It may say that a key has changed which has not, never the other way round.
//
// A key is known by its hash, and "when" by the sequence of its slot. Who watches is not known, so nothing is taken
// back: of very many keys those that were watched longest ago are forgotten, and then count as changed.
//
// Pure. Thread-safety: none; one owner. Keeps at most 2 * kKeysMax keys.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/ids.h"

namespace chainring::node {

class WatchBook {
 public:
  static constexpr size_t kKeysMax = size_t{1} << 17;  // of one generation

  WatchBook() : whole_slots_(kSlotCount) {}

  // From now on all changes of the key are noted. `as_of`: no change of it has a greater sequence yet.
  void watch(Slot slot, uint64_t key_hash, Sequence as_of) {
    // A slot that began anew counts from the beginning: what is noted of its former life says nothing.
    whole_slots_[slot] = std::min(whole_slots_[slot], as_of);
    Sequence last_change = as_of;
    if (const auto known = older_.find(key_hash); known != older_.end()) {
      last_change = std::min(last_change, known->second);
      older_.erase(known);
    }
    if (younger_.size() == kKeysMax && !younger_.contains(key_hash)) {
      older_ = std::exchange(younger_, {});
    }
    const auto [at, added] = younger_.emplace(key_hash, last_change);
    if (!added) at->second = std::min(at->second, last_change);
  }

  // A record changed these keys; none: the whole slot. REQUIRES: called for each record of a slot while its keys are
  // watched here.
  void changed(Slot slot, std::span<const uint64_t> key_hashes, Sequence sequence) {
    if (key_hashes.empty()) whole_slots_[slot] = sequence;
    if (younger_.empty() && older_.empty()) return;
    for (const uint64_t hash : key_hashes) {
      if (const auto at = younger_.find(hash); at != younger_.end()) at->second = sequence;
      if (const auto at = older_.find(hash); at != older_.end()) at->second = sequence;
    }
  }

  // Whether it is certain that the key has not changed since the record `as_of`.
  // REQUIRES: watch(slot, key_hash, as_of) was called, and since then changed() for each record.
  [[nodiscard]] bool unchanged(Slot slot, uint64_t key_hash, Sequence as_of) const {
    if (whole_slots_[slot] > as_of) return false;
    if (const auto at = younger_.find(key_hash); at != younger_.end()) return at->second <= as_of;
    const auto at = older_.find(key_hash);
    return at != older_.end() && at->second <= as_of;
  }

 private:
  using Changes = boost::unordered_flat_map<uint64_t, Sequence>;  // key hash -> sequence of the last change
  Changes younger_;
  Changes older_;                      // the generation before
  std::vector<Sequence> whole_slots_;  // by slot: the last change of all its keys
};

}  // namespace chainring::node
