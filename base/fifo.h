// A queue in one vector: amortised O(1) at both ends that matter, no allocation while empty, random access.
// (std::deque allocates half a kilobyte when it is made, which 16384 slots would pay each.)
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
  [[nodiscard]] bool empty() const { return front_ == items_.size(); }
  [[nodiscard]] size_t size() const { return items_.size() - front_; }

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
