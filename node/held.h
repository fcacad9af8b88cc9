// Replies that wait for what they rest on to be committed (R7).
//
// Thread-safety: none; one owner. Ownership: owns the replies.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "base/transport.h"
#include "session/clients.h"

namespace chainring::node {

// Where a reply goes: to a request on a peer's link, or to a client connected to this node.
struct Destination {
  ConnId link = kNoConn;   // kNoConn: a client
  uint64_t request = 0;    // of the link
  session::Ticket ticket;  // of the client
  Micros came_at = 0;      // the turn that read the request
  bool reads = false;      // of a client: it changes nothing, so that nothing is lost when its reply is
};

class HeldReplies {
 public:
  // What becomes of a held reply.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void release(Slot slot, const Destination& to, std::string_view reply) = 0;
    // The slot left this member before the reply could go, or its client has waited too long. Of a client's reply over
    // several slots, `slot` is one of them.
    virtual void unsettled(Slot slot, const Destination& to) = 0;
    // A reply over several slots: all of them are committed, or were lost on the way. The latter is told to links
    // alone, which ask for the rest again.
    virtual void release_all(const Destination& to, const std::vector<Slot>& settled, std::string_view reply) = 0;
  };

  HeldReplies() : slots_(kSlotCount) {}

  // Holds the reply until `needs` of the slot is committed.
  void hold(Slot slot, Sequence needs, const Destination& to, std::string reply);
  // Holds one reply until each slot's sequence is committed. `at_once` are slots that had nothing to wait for.
  // REQUIRES: !needs.empty().
  void hold_all(std::span<const std::pair<Slot, Sequence>> needs, std::vector<Slot> at_once, const Destination& to,
                std::string reply);

  void committed(Slot slot, Sequence sequence, Sink& sink);
  // The slot has left this member. With `outlived`, what the replies rest on has gone over to the new chain.
  void dropped(Slot slot, bool outlived, Sink& sink);
  // To clients whose requests came no later than `came_by` it is all unsettled now, the oldest first. What becomes of
  // them later is told to nobody. Links have routers behind them, which have deadlines of their own.
  void give_up_clients(Micros came_by, Sink& sink);
  // When the oldest request of a client came whose reply is held; kNever without one.
  [[nodiscard]] Micros oldest_of_clients() const;

  [[nodiscard]] size_t count() const { return count_; }
  [[nodiscard]] size_t bytes() const { return bytes_; }  // that they take, about

 private:
  struct Held {
    uint64_t group = 0;  // of hold_all(); 0 for none
    Destination to;
    std::string reply;
  };
  // By what they need; those that need the same, in the order in which they came. A tree, as a reply that rests on an
  // old record may come behind any number that rest on newer ones.
  using Queue = std::multimap<Sequence, Held>;
  struct Group {
    std::map<Slot, Queue::iterator> waiting;
    std::vector<Slot> settled;
    bool lost = false;  // one of the slots was
    Destination to;
    std::string reply;
  };
  // Of a client's reply.
  struct Place {
    Slot slot = 0;
    Queue::iterator held;  // without a group
    uint64_t group = 0;
  };
  using Age = std::tuple<Micros, session::ClientId, uint64_t>;  // of a client's request

  Queue::iterator insert(Slot slot, Sequence needs, Held held);
  [[nodiscard]] Held take(Slot slot, Queue::iterator at);
  [[nodiscard]] Group take_group(uint64_t group);
  void note_client(const Destination& to, const Place& place);
  void forget_client(const Destination& to);
  void settle(Slot slot, const Held& held, bool survived, Sink& sink);
  void settle_in_group(uint64_t group, Slot slot, bool survived, Sink& sink);

  std::vector<Queue> slots_;
  std::unordered_map<uint64_t, Group> groups_;
  std::map<Age, Place> clients_;
  uint64_t last_group_ = 0;
  size_t count_ = 0;
  size_t bytes_ = 0;
};

}  // namespace chainring::node
