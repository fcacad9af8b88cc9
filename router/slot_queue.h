// The requests of one place that are not answered yet: their order, their numbers, and whether they wait (R10, R20).
//
// A place is *flowing*: requests leave as they come; or *parked*: they wait. It is parked from the first request that
// did not come to an end (a bounce, a broken link, an answer of an older epoch) until its head has answered a request
// that was sent after that. While parked, and when nothing is out any more, the first request alone is sent, as a
// probe: when it is answered, all others follow in their order.
//
// Reads may *roam*: they are out at any member of the chain, also while the place is parked, and stand in no order with
// other clients' requests. Those of one client are tied to each other and to what else it asks, see bond().
//
// An answer to a read is *held* while an earlier request of its client is not answered. Should that one come back and
// be sent again, so is the read: what was read before it would else seem to have been read after it.
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
  // Answered or given up: its number will not be sent again. REQUIRES: !request.out(), !request.held.
  void remove(Outstanding& request);

  // Whether a read of the same client before `write` is not answered yet, or its answer is held. The write must wait
  // for it: were the link to break now, the read would be run again behind the write, and the client would see its own
  // future (R10). Of a slot with more than kLookBackMax requests it may say so without need, which costs the slot a
  // round trip and no search.
  static constexpr size_t kLookBackMax = 256;
  [[nodiscard]] bool waits_for_read(const Outstanding& write) const;

  // What the nearest earlier request of the same client that is neither answered nor held asks of this one (R10).
  struct Bond {
    enum class Kind : uint8_t {
      none,    // there is none: a read may go to any member
      head,    // it is out at the head: this goes there, too
      member,  // it is a read that roams: so may this, to the same `lane`, and must not go anywhere else before
      waits,   // it waits to be sent (again), or is too far to be searched for
    };
    Kind kind = Kind::none;
    Lane* lane = nullptr;
  };
  [[nodiscard]] Bond bond(const Outstanding& request) const;

  // Whether `request` must not be sent to the head now, although the place flows.
  [[nodiscard]] bool must_wait(const Outstanding& request) const;

  // Whether an earlier request of the same client came back and waits to be sent again, or has been asked of another
  // member. An answer of the head to `read` is then not taken: the earlier one could see a later state than this one
  // did.
  [[nodiscard]] bool would_overtake(const Outstanding& read) const;

  // The nearest earlier request of the same client, held ones included; nullptr for none.
  [[nodiscard]] Outstanding* own_before(Outstanding& request);
  static constexpr uint16_t kHeldMax = 4096;
  [[nodiscard]] bool can_hold() const { return held_ < kHeldMax; }
  void hold(Outstanding& read);  // REQUIRES: can_hold(), own_before(read), and that it came back
  // The held read whose answer may be given once `request` is removed; nullptr for none.
  [[nodiscard]] Outstanding* freed_by(Outstanding& request);
  void let_go(Outstanding& read);  // it is to be removed, or waits to be sent again. REQUIRES: read.held
  [[nodiscard]] bool holds_any() const { return held_ > 0; }

  // What the frame of a request says, but for its id. Epoch and counters are those of this moment.
  [[nodiscard]] protocol::Request header(Place place, const Outstanding& request) const;

  // What happened to a request. Each keeps out() true to the requests' own state.
  void sent(Outstanding& request);  // REQUIRES: it roams, or the place is flowing, or it is a probe
  void came_back(
      Outstanding& request);  // an answer of any kind, or the link is gone; it waits again, and roams no more
  // Whether this was the first bounce of its attempt: the next one begins.
  bool bounced(const Outstanding& request);
  void answered(const Outstanding& request, Epoch epoch);

  // A write was given up without an answer. It may still be on its way to the head, and is refused there only behind
  // something that was sent later and says so (R20). Until such a thing is answered the outcome is in doubt, and no
  // read is to be asked of others: it could miss what is about to happen.
  void doubt() { ++doubts_; }
  [[nodiscard]] bool doubtful() const { return doubts_ != settled_doubts_; }

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
  [[nodiscard]] uint32_t out() const { return out_; }  // in the order of the head
  [[nodiscard]] uint32_t roaming() const { return roaming_; }
  [[nodiscard]] Outstanding* first_waiting();  // nullptr when all are out
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
  uint32_t roaming_ = 0;
  uint32_t reads_ = 0;  // of requests_
  uint16_t doubts_ = 0;
  uint16_t settled_doubts_ = 0;
  uint16_t held_ = 0;
  bool parked_ = false;
  bool serving_ = false;
};
static_assert(sizeof(SlotQueue) == 64);

}  // namespace chainring::router
