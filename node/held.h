// Replies that wait for what they rest on to be committed (R7).
//
// Thread-safety: none; one owner. Ownership: owns the replies.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fifo.h"
#include "base/ids.h"
#include "base/transport.h"
#include "session/clients.h"

namespace chainring::node {

// Where a reply goes: to a request on a peer's link, or to a client connected to this node.
struct Destination {
  ConnId link = kNoConn;   // kNoConn: a client
  uint64_t request = 0;    // of the link
  session::Ticket ticket;  // of the client
  Micros came_at = 0;      // of the link's request: the turn that read it
  bool reads = false;      // of a client: it changes nothing, so that nothing is lost when its reply is
};

class HeldReplies {
 public:
  // What becomes of a held reply.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void release(Slot slot, const Destination& to, std::string_view reply) = 0;
    // The slot left this member before the reply could go.
    virtual void unsettled(Slot slot, const Destination& to) = 0;
    // A reply over several slots: all of them are committed, or were lost on the way.
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

  [[nodiscard]] size_t count() const { return count_; }

 private:
  struct Held {
    Sequence needs = 0;
    uint64_t group = 0;  // of hold_all(); 0 for none
    Destination to;
    std::string reply;
  };
  struct Group {
    size_t waiting = 0;
    std::vector<Slot> settled;
    Destination to;
    std::string reply;
  };
  void insert(Slot slot, Held held);
  void release(Slot slot, const Held& held, Sink& sink);
  void settle_group(uint64_t group, Slot slot, bool committed, Sink& sink);

  std::vector<Fifo<Held>> slots_;  // each by ascending `needs`
  std::unordered_map<uint64_t, Group> groups_;
  uint64_t last_group_ = 0;
  size_t count_ = 0;
};

}  // namespace chainring::node
