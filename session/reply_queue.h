// The replies of one client in the order of its requests, while some come sooner than those before them.
//
// A place is opened for each request. The reply of the first open place goes straight to the output; one that comes
// early waits here. Nothing is stored for places that are open and have no reply yet, so a client whose replies come in
// order costs two counters.
//
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/fifo.h"

namespace chainring::session {

class ReplyQueue {
 public:
  // With `muted`, the reply of this place is dropped when its turn comes (CLIENT REPLY).
  uint64_t open(bool muted) {
    if (muted) waiting_at(next_).muted = true;
    return next_++;
  }

  // Requests without a reply, or whose reply waits for an earlier one.
  [[nodiscard]] size_t pending() const { return next_ - head_; }
  // The first place whose reply has not left.
  [[nodiscard]] uint64_t head() const { return head_; }
  [[nodiscard]] size_t waiting_count() const { return waiting_.size(); }
  [[nodiscard]] size_t waiting_bytes() const { return waiting_bytes_; }
  [[nodiscard]] bool is_first(uint64_t place) const { return place == head_; }

  // Keeps a reply that came before its turn. REQUIRES: open, not answered yet, !is_first(place).
  void keep(uint64_t place, std::string_view reply) {
    check_open(place);
    Waiting& waiting = waiting_at(place);
    CHECK(!waiting.answered, "a request is answered once");
    waiting.answered = true;
    if (waiting.muted) return;
    waiting.reply.assign(reply);
    waiting_bytes_ += reply.size();
  }

  // Appends the first reply and all that waited for it. REQUIRES: open, is_first(place).
  void send(uint64_t place, std::string_view reply, std::string& out) {
    check_open(place);
    CHECK(is_first(place), "only the first reply can leave");
    ++head_;
    if (waiting_.empty()) {
      out.append(reply);
      return;
    }
    if (!waiting_.front().muted) out.append(reply);
    waiting_.pop_front();
    while (!waiting_.empty() && waiting_.front().answered) {
      out.append(waiting_.front().reply);
      waiting_bytes_ -= waiting_.front().reply.size();
      waiting_.pop_front();
      ++head_;
    }
  }

 private:
  struct Waiting {
    std::string reply;
    bool answered = false;
    bool muted = false;
  };

  void check_open(uint64_t place) const {
    CHECK(place >= head_, "a request is answered once");
    CHECK(place < next_, "only a request that came is answered");
  }
  Waiting& waiting_at(uint64_t place) {
    const size_t index = place - head_;
    while (waiting_.size() <= index) waiting_.push_back({});
    return waiting_[index];
  }

  uint64_t head_ = 0;      // the first place whose reply has not left
  uint64_t next_ = 0;      // the place of the next request
  Fifo<Waiting> waiting_;  // of the places from head_ on, as far as there is something to keep
  size_t waiting_bytes_ = 0;
};

}  // namespace chainring::session
