// The requests of one place that are not answered yet: their order, their numbers, and whether they wait (R10, R20).
//
// A place is *flowing*: requests leave as they come; or *parked*: they wait. It is parked from the first request that
// did not come to an end (a bounce, a broken link, an answer of an older epoch) until its head has answered a request
// that was sent after that. While parked, and when nothing is out any more, the first request alone is sent, as a
// probe: when it is answered, all others follow in their order.
//
// Pure state: decides nothing about time and sends nothing. One cache line each: requests of a pipeline go to slots all
// over the table.
// Thread-safety: none. Ownership: the requests are the caller's and must stay until they are removed.
#pragma once

#include <cstddef>
#include <cstdint>

#include <boost/intrusive/list.hpp>

#include "router/outstanding.h"

namespace chainring::router {

class alignas(64) SlotQueue {
 public:
  using Requests =
      boost::intrusive::list<Outstanding,
                             boost::intrusive::member_hook<Outstanding, ListHook, &Outstanding::queue_hook>,
                             boost::intrusive::constant_time_size<false>>;

  // At the end of the order; a write gets its number.
  void append(Outstanding& request);
  // Answered or given up: its number will not be sent again. REQUIRES: !request.out().
  void remove(Outstanding& request);

  // Whether a read of the same client before `write` is not answered yet. The write must wait for it: were the link to
  // break now, the read would be run again behind the write, and the client would see its own future (R10). Of a slot
  // with more than kLookBackMax requests it may say so without need, which costs the slot a round trip and no search.
  static constexpr size_t kLookBackMax = 256;
  [[nodiscard]] bool waits_for_read(const Outstanding& write) const;

  // Whether an earlier request of the same client came back and waits to be sent again. An answer to `read` is then not
  // taken: run again behind it, the earlier one could see a later state than this one did.
  [[nodiscard]] bool would_overtake(const Outstanding& read) const;

  // What the frame of a request says, but for its id. Epoch and counters are those of this moment.
  [[nodiscard]] protocol::Request header(Place place, const Outstanding& request) const;

  // What happened to a request. Each keeps out() true to the requests' own state.
  void sent(Outstanding& request);       // REQUIRES: flowing, or a probe
  void came_back(Outstanding& request);  // an answer of any kind, or the link is gone; it waits again
  // Whether this was the first bounce of its attempt: the next one begins.
  bool bounced(const Outstanding& request);
  void answered(const Outstanding& request, Epoch epoch);

  void park() {
    parked_ = true;
    serving_ = false;
  }
  // Parked only until nothing is out: its head serves.
  void drain() {
    parked_ = true;
    serving_ = true;
  }
  void flow() { parked_ = false; }
  [[nodiscard]] bool parked() const { return parked_; }
  [[nodiscard]] bool empty() const { return requests_.empty(); }
  [[nodiscard]] uint32_t out() const { return out_; }
  // Parked, but a request sent under the present attempt was answered: the head serves.
  [[nodiscard]] bool serving() const { return serving_; }

  // The newest epoch known of the slot: a reply of an older one is not to be taken (R5).
  [[nodiscard]] Epoch epoch() const { return epoch_; }
  void learn(Epoch epoch) {
    if (epoch > epoch_) epoch_ = epoch;
  }
  void restart_epochs(Epoch epoch) { epoch_ = epoch; }  // of another generation of the cluster

  [[nodiscard]] uint64_t answered_below() const { return answered_below_; }
  [[nodiscard]] Requests& requests() { return requests_; }
  [[nodiscard]] const Requests& requests() const { return requests_; }

 private:
  Requests requests_;
  uint64_t next_number_ = 1;
  uint64_t answered_below_ = 1;
  Epoch epoch_ = 0;
  uint32_t attempt_ = 0;
  uint32_t out_ = 0;
  uint32_t reads_ = 0;  // of requests_
  bool parked_ = false;
  bool serving_ = false;
};
static_assert(sizeof(SlotQueue) == 64);

}  // namespace chainring::router
