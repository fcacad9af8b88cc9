// Requests to single places: sent on in order, kept until answered, parked while their place is not served, and given
// up at their deadline (R10, R20, R21; docs/conversations.md, "Requests"). Reads that any member may answer go to any
// member, in no order with other clients' requests; when they come back they go to another one, or line up at the head.
//
// Thread-safety: none. Links, the Receiver and the random source are not owned and outlive it.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/intrusive/list.hpp>

#include "base/random.h"
#include "base/time.h"
#include "protocol/messages.h"
#include "ring/table.h"
#include "router/links.h"
#include "router/outstanding.h"
#include "router/retry_timer.h"
#include "router/slot_queue.h"

namespace chainring::router {

// Bytes that may wait to leave on one link before those who send to it are held back.
inline constexpr size_t kLaneBacklogMax = size_t{4} * 1024 * 1024;
// Bytes of answers that may wait here for others. What is beyond is not taken, and asked for again.
inline constexpr size_t kHeldBytesMax = size_t{16} * 1024 * 1024;

class Dispatcher {
 public:
  class Receiver {
   public:
    virtual ~Receiver() = default;
    // Once for each request; never from inside submit().
    virtual void answered(const Recipient& to, Ending ending, std::string_view reply) = 0;
    // Whether all that the client asked before has been answered. May say no without need, which costs a search.
    [[nodiscard]] virtual bool is_next(const Recipient& to) const = 0;
  };

  struct Submission {
    Place place;
    uint8_t db;
    uint8_t flags;           // of protocol::RequestFlag
    std::string_view bytes;  // one RESP request; copied
    Recipient to;
    Micros deadline;
    bool alone = false;  // all earlier requests of the client have been answered
  };

  Dispatcher(Links& links, Receiver& receiver, Random& random);

  // How much reads keep to heads from now on, see choose_reader(). Not at all those of a slot that is hot.
  void set_read_locality(size_t answers) { read_locality_ = answers; }

  void submit(const Submission& submission, Micros now);
  // The member on whose lane too much waits to leave (kNoMember: the leader's), if submit() has met one since the last
  // call.
  [[nodiscard]] std::optional<MemberId> take_crowded() { return std::exchange(crowded_, std::nullopt); }

  void on_reply(Outstanding& request, const protocol::Reply& reply, std::string_view body, Micros now);
  // What was in flight on `lane` will not be answered: its link broke.
  void on_lost(Outstanding& request, const Lane& lane, Micros now);
  // The member owes answers and gives none: what others can answer is asked of them. What it says of that later is
  // ignored. Nothing is lost by asking twice: these are reads.
  void on_silent(Lane& lane, Micros now);
  // Parked requests may find an open door now: a lane opened.
  void on_open(Micros now);
  // After links.use_table(). `anew`: epochs do not go on from the last table, it is another generation's.
  void on_table(const ring::Table& table, bool anew, Micros now);

  // Gives up what is past its deadline and probes the parked places whose wait is over.
  void tick(Micros now);
  [[nodiscard]] Micros next_tick() const;

  [[nodiscard]] size_t parked_bytes() const { return parked_bytes_; }
  [[nodiscard]] size_t parked_places() const { return parked_.size(); }  // counts them
  // Since the start: requests that were taken back to be sent again, and that were given up at their deadline.
  [[nodiscard]] uint64_t retries() const { return retries_; }
  [[nodiscard]] uint64_t timeouts() const { return timeouts_; }
  struct ReadCounts {
    uint64_t at_heads = 0;   // requests that write nothing, sent there
    uint64_t at_others = 0;  // to other members of chains
    uint64_t referred = 0;   // came back because the head has to answer
  };
  [[nodiscard]] const ReadCounts& reads() const { return reads_; }
  [[nodiscard]] size_t outstanding() const { return outstanding_; }
  // Whether requests wait for what is at the other end of this lane. Looks at all that are outstanding.
  [[nodiscard]] bool waits_for(const Lane& lane) const;

 private:
  using ByDeadline =
      boost::intrusive::list<Outstanding,
                             boost::intrusive::member_hook<Outstanding, ListHook, &Outstanding::deadline_hook>,
                             boost::intrusive::constant_time_size<false>>;
  // When a parked place is probed next.
  struct Parking {
    ListHook hook;
    RetryTimer retry;
  };
  using Parked = boost::intrusive::list<Parking, boost::intrusive::member_hook<Parking, ListHook, &Parking::hook>,
                                        boost::intrusive::constant_time_size<false>>;

  [[nodiscard]] Place place_of(const SlotQueue& queue) const { return static_cast<Place>(&queue - queues_.data()); }
  [[nodiscard]] Parking& parking_of(const SlotQueue& queue) { return parking_[place_of(queue)]; }
  [[nodiscard]] SlotQueue& queue_of(const Parking& parking) {
    return queues_[static_cast<size_t>(&parking - parking_.data())];
  }
  Outstanding& keep(const Submission& submission);
  void discard(SlotQueue& queue, Outstanding& request);
  void send(SlotQueue& queue, Outstanding& request, Lane& lane);
  void line_up(SlotQueue& queue, Outstanding& request, Micros now);
  [[nodiscard]] bool roam(SlotQueue& queue, Outstanding& read);
  [[nodiscard]] Lane* reader_for(const SlotQueue& queue, const Outstanding& read, const Lane* but);
  void on_roaming_reply(SlotQueue& queue, Outstanding& read, const protocol::Reply& reply, std::string_view body,
                        Micros now);
  void refer_to_head(SlotQueue& queue, Outstanding& read, Micros now);
  void take_back(SlotQueue& queue, Outstanding& request);
  void follow(SlotQueue& queue, Outstanding& request, Micros now);
  [[nodiscard]] bool take_answer(SlotQueue& queue, Outstanding& request, Epoch epoch, std::string_view reply);
  [[nodiscard]] bool is_early(SlotQueue& queue, Outstanding& read) const;
  [[nodiscard]] std::string let_go(SlotQueue& queue, Outstanding& read);
  enum class Fate : uint8_t { goes_on, in_doubt, deadly };
  [[nodiscard]] Fate fate_of(const Outstanding& request, Micros now) const;
  void look_again(SlotQueue& queue, Micros now);
  void run_again(SlotQueue& queue, Outstanding& request, Micros now);
  void park(SlotQueue& queue, Micros now);
  void unpark(SlotQueue& queue);
  void drain(SlotQueue& queue, Micros now);
  void flow(SlotQueue& queue, Lane& lane, Micros now);
  void go_on(SlotQueue& queue, Micros now);
  void follow_chain(SlotQueue& queue, Micros now);
  void retry_all(Micros now);
  void retry_due(Micros now);
  void finish(SlotQueue& queue, Outstanding& request, Ending ending, std::string_view reply);
  void give_up(Outstanding& request, Micros now);

  Links& links_;
  Receiver& receiver_;
  Random& random_;
  size_t read_locality_ = 0;
  std::vector<SlotQueue> queues_;  // one for each place; never resized, as parking_
  std::vector<Parking> parking_;
  Parked parked_;
  Micros next_retry_ = kNever;  // not after the first retry that is due of those that can be probed
  ByDeadline by_deadline_;
  std::deque<Outstanding> slab_;
  std::vector<Outstanding*> free_;
  std::optional<MemberId> crowded_;
  size_t parked_bytes_ = 0;
  size_t held_bytes_ = 0;
  size_t outstanding_ = 0;
  uint64_t retries_ = 0;
  uint64_t timeouts_ = 0;
  ReadCounts reads_;
  const std::string not_run_reply_;
  const std::string unknown_reply_;
};

}  // namespace chainring::router
