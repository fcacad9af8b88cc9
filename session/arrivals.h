// When the requests of one client came whose replies have not left yet: one entry for each turn that brought some, so
// that a pipeline costs no more than a single request.
//
// Thread-safety: none.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/fifo.h"
#include "base/latency.h"
#include "base/time.h"

namespace chainring::session {

class Arrivals {
 public:
  // REQUIRES: places ascend by one from 0, times do not go back.
  void came(uint64_t place, Micros now) {
    if (batches_.empty() || batches_.back().at != now) {
      batches_.push_back({now, place + 1});
    } else {
      batches_.back().end = place + 1;
    }
  }

  // The replies of all places below `head` have left.
  void left(uint64_t head, Micros now, LatencyCounts& durations) {
    while (first_ < head) {
      const Batch& batch = batches_.front();
      const uint64_t end = std::min(batch.end, head);
      durations.add(now - batch.at, end - first_);
      first_ = end;
      if (first_ == batch.end) batches_.pop_front();
    }
  }

 private:
  struct Batch {
    Micros at = 0;
    uint64_t end = 0;  // the place behind its last
  };
  Fifo<Batch> batches_;
  uint64_t first_ = 0;  // the first place whose reply has not left
};

}  // namespace chainring::session
