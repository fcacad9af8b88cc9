// Requests of this node's clients on the lock keyspace, and their LOCK and RING commands: forwarded to the
// coordinators' leader, as a router does it (docs/conversations.md, "Requests"; R20).
//
// A write has a number of this node's, and keeps it until it is answered or given up: sent again after a link or a
// leader was lost, it runs once. The order of one client's requests is its owner's to keep: a client whose request is
// here is held until it is answered (R10). So those that are here together are of different clients, and go in any
// order.
//
// Pure: bytes and answers go out, replies and the time come in. Thread-safety: none; one owner. The receiver is not
// owned and outlives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/time.h"
#include "protocol/messages.h"
#include "session/clients.h"

namespace chainring::node {

class LockForward {
 public:
  class Receiver {
   public:
    virtual ~Receiver() = default;
    // Once for each request that submit() took; never from inside submit().
    virtual void lock_answered(const session::Ticket& to, std::string_view reply) = 0;
  };
  struct Submission {
    session::Ticket to;
    uint8_t db = 0;
    uint8_t flags = 0;       // of protocol::RequestFlag
    std::string_view bytes;  // one RESP request; copied
    Micros deadline = 0;     // not before those of earlier ones
  };

  // What may wait for answers together.
  static constexpr size_t kRequestsMax = 4096;
  static constexpr size_t kRequestBytesMax = size_t{64} << 20;
  // Between two attempts at a leader that is busy, or at a coordinator that does not lead.
  static constexpr Micros kRetryInterval = 20 * kMicrosPerMilli;

  explicit LockForward(Receiver& receiver) : receiver_(receiver) {}

  // False when too much is here already: nothing was taken.
  [[nodiscard]] bool submit(const Submission& submission);
  // Appends the frames that may be sent now. REQUIRES: `out` is of the link that link_changed() was last told of.
  void send(std::string& out, Micros now);
  // There is another link than before, or none: what was out will not be answered, and is sent again.
  void link_changed();
  // The body of a `reply` frame from the link. False when it cannot be.
  [[nodiscard]] bool on_reply(const protocol::Reply& reply, std::string_view body, Micros now);
  // Gives up what is past its deadline.
  void tick(Micros now);
  // When tick() or send() has something to do although nothing has happened.
  [[nodiscard]] Micros next_tick() const;

  [[nodiscard]] size_t count() const { return requests_.size(); }

 private:
  struct Request {
    session::Ticket to;
    uint8_t db = 0;
    uint8_t flags = 0;
    uint64_t number = 0;  // of a write
    Micros deadline = 0;
    uint32_t attempt = 0;  // under which it was sent last
    bool out = false;
    bool may_have_run = false;  // it was out, and what came of it is not known
    std::string bytes;
  };
  using Requests = std::map<uint64_t, Request>;  // by id, so in order of arrival

  void send_one(std::string& out, uint64_t id, Request& request);
  void wait_again(uint64_t id, Request& request);
  void finish(Requests::iterator at, std::string_view reply);

  Receiver& receiver_;
  Requests requests_;
  std::set<uint64_t> waiting_;  // ids of those that are not out
  std::set<uint64_t> numbers_;  // of writes that are neither answered nor given up
  uint64_t next_id_ = 1;
  uint64_t next_number_ = 1;
  uint32_t attempt_ = 0;  // grows with the first refusal of each: coordinators take nothing of an older one (R10)
  size_t bytes_ = 0;
  bool doubtful_ = false;  // nobody has taken a request since the last refusal: the first one alone goes, as a probe
  Micros retry_at_ = 0;    // not before, while doubtful
};

}  // namespace chainring::node
