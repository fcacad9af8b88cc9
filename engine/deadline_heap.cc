#include "engine/deadline_heap.h"

#include "base/check.h"

namespace chainring::engine {
namespace {
constexpr size_t kArity = 4;
constexpr size_t kSpareItemsMin = 64;  // a smaller heap keeps the room that it once needed
}  // namespace

void DeadlineHeap::place(size_t index, Item item) {
  items_[index] = item;
  item.entry->set_heap_index(static_cast<uint32_t>(index));
}

void DeadlineHeap::sift_up(size_t index, Item item) {
  while (index > 0) {
    const size_t parent = (index - 1) / kArity;
    if (items_[parent].deadline <= item.deadline) break;
    place(index, items_[parent]);
    index = parent;
  }
  place(index, item);
}

void DeadlineHeap::sift_down(size_t index, Item item) {
  for (;;) {
    const size_t first_child = index * kArity + 1;
    if (first_child >= items_.size()) break;
    const size_t end = first_child + kArity < items_.size() ? first_child + kArity : items_.size();
    size_t least = first_child;
    for (size_t child = first_child + 1; child < end; ++child) {
      if (items_[child].deadline < items_[least].deadline) least = child;
    }
    if (item.deadline <= items_[least].deadline) break;
    place(index, items_[least]);
    index = least;
  }
  place(index, item);
}

void DeadlineHeap::add(Entry* entry) {
  CHECK(items_.size() < kNotInHeap, "places are 32 bits");
  items_.emplace_back();
  sift_up(items_.size() - 1, Item{entry->deadline(), entry});
}

void DeadlineHeap::remove(Entry* entry) {
  const size_t index = entry->heap_index();
  CHECK(index < items_.size() && items_[index].entry == entry, "every entry with a deadline is in its table's heap");
  entry->set_heap_index(kNotInHeap);
  const Item last = items_.back();
  items_.pop_back();
  if (index < items_.size()) {
    if (index > 0 && last.deadline < items_[(index - 1) / kArity].deadline) {
      sift_up(index, last);
    } else {
      sift_down(index, last);
    }
  }
  if (items_.capacity() > kSpareItemsMin && items_.capacity() / 4 > items_.size()) items_.shrink_to_fit();
}

}  // namespace chainring::engine
