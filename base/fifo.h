// A queue in one vector: amortised O(1) at both ends that matter, random access. An empty one allocates nothing when it
// is made (std::deque half a kilobyte, which 16384 slots would pay each), and keeps room for kKeptItemsMax items at
// most of what it has held.
//
// Thread-safety: none. References are valid until the next change.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/check.h"

namespace chainring {

template <class T>
class Fifo {
 public:
  static constexpr size_t kKeptItemsMax = 64;

  [[nodiscard]] bool empty() const { return front_ == items_.size(); }
  [[nodiscard]] size_t size() const { return items_.size() - front_; }
  [[nodiscard]] size_t capacity() const { return items_.capacity(); }  // of items, those that were popped included

  void push_back(T item) { items_.push_back(std::move(item)); }

  // REQUIRES: !empty().
  [[nodiscard]] T& front() {
    CHECK(!empty(), "front() of an empty queue");
    return items_[front_];
  }
  [[nodiscard]] T& back() {
    CHECK(!empty(), "back() of an empty queue");
    return items_.back();
  }
  void pop_front() {
    CHECK(!empty(), "pop_front() of an empty queue");
    // Frees what the item owned. Assigning an empty string would leave the old one's buffer where it is.
    [[maybe_unused]] const T popped = std::move(items_[front_++]);
    if (front_ == items_.size()) {
      items_.clear();
      if (items_.capacity() > kKeptItemsMax) items_.shrink_to_fit();
      front_ = 0;
    } else if (front_ >= 32 && front_ * 2 >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<ptrdiff_t>(front_));
      front_ = 0;
    }
  }
  // REQUIRES: index < size() for [], index <= size() for insert().
  [[nodiscard]] T& operator[](size_t index) { return items_[front_ + index]; }
  [[nodiscard]] const T& operator[](size_t index) const { return items_[front_ + index]; }
  void insert(size_t index, T item) {
    items_.insert(items_.begin() + static_cast<ptrdiff_t>(front_ + index), std::move(item));
  }
  void clear() {
    items_.clear();
    items_.shrink_to_fit();
    front_ = 0;
  }

  [[nodiscard]] auto begin() { return items_.begin() + static_cast<ptrdiff_t>(front_); }
  [[nodiscard]] auto end() { return items_.end(); }
  [[nodiscard]] auto begin() const { return items_.begin() + static_cast<ptrdiff_t>(front_); }
  [[nodiscard]] auto end() const { return items_.end(); }

 private:
  std::vector<T> items_;
  size_t front_ = 0;
};

}  // namespace chainring
