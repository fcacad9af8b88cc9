// The deadlines of one table, earliest first: a 4-ary heap in which every entry knows its place, so that changing or
// removing a deadline leaves nothing stale behind.
//
// Thread-safety: none. Ownership: entries are not owned; one that is in the heap must be taken out before
// its address changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/entry.h"

namespace chainring::engine {

class DeadlineHeap {
 public:
  [[nodiscard]] size_t size() const { return items_.size(); }
  [[nodiscard]] Millis earliest() const { return items_.empty() ? kNoDeadline : items_.front().deadline; }
  // The entry with the earliest deadline; nullptr when there is none.
  [[nodiscard]] Entry* first() const { return items_.empty() ? nullptr : items_.front().entry; }
  [[nodiscard]] uint64_t memory_bytes() const { return items_.capacity() * sizeof(Item); }

  // REQUIRES: entry->has_deadline(), and it is not in the heap.
  void add(Entry* entry);
  // REQUIRES: it is in the heap.
  void remove(Entry* entry);
  void clear() { items_ = std::vector<Item>(); }  // gives the room back

 private:
  struct Item {
    Millis deadline;
    Entry* entry;
  };
  void place(size_t index, Item item);
  void sift_up(size_t index, Item item);
  void sift_down(size_t index, Item item);

  std::vector<Item> items_;
};

}  // namespace chainring::engine
