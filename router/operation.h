// A client's request that takes more than one request to answer. Split commands, cluster-wide commands, SCAN and INFO
// derive from it; the Router owns them and tells them what happens.
//
// Thread-safety: none. Ownership: owns its SlotsCalls; Services outlive it.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/time.h"
#include "protocol/reply.h"
#include "ring/table.h"
#include "router/dispatcher.h"
#include "router/links.h"
#include "router/retry_timer.h"
#include "session/clients.h"

namespace chainring::router {

// What operations work with; the Router's.
struct Services {
  Links& links;
  Dispatcher& dispatcher;
  const ring::Table& table;
  Random& random;
  session::Clients& clients;
};

class Operation {
 public:
  Operation(Services& services, const session::ClientRequest& request, Micros deadline)
      : services_(services),
        ticket_(request.ticket),
        db_(request.db),
        resp_(request.resp),
        deadline_(deadline),
        alone_(request.alone) {}
  virtual ~Operation();  // forgets its calls
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  virtual void start(Micros now) = 0;
  // A leg has ended; each that was submitted does, once.
  void end_leg(uint32_t leg, Ending ending, std::string_view reply, Micros now);
  // A call was answered, for the slots that the reply names; or its link broke.
  void answer_call(SlotsCall& call, const protocol::SlotsReply& reply, std::string_view body, Micros now);
  void lose_call(SlotsCall& call, Micros now);
  // The table has changed or a lane has opened. REQUIRES: !finished().
  void retry(Micros now);
  // next_tick() has come. REQUIRES: !finished().
  void tick(Micros now);
  [[nodiscard]] Micros next_tick() const { return answered_ ? kNever : next_attempt(); }

  [[nodiscard]] bool answered() const { return answered_; }
  // It has been answered, and no leg is out that would be told to it.
  [[nodiscard]] bool finished() const { return answered_ && open_legs_ == 0; }

  [[nodiscard]] session::ClientId client() const { return ticket_.client; }
  // Whether what the client asks for behind it must not be begun before it has been answered.
  [[nodiscard]] virtual bool blocks_client() const { return false; }

  // Where its owner keeps it.
  size_t index = 0;
  bool wide = false;

 protected:
  // What derived classes do; none is called once the client has been answered.
  virtual void leg_ended(uint32_t, Ending, std::string_view, Micros) {}
  virtual void call_answered(SlotsCall&, const protocol::SlotsReply&, std::string_view, Micros) {}
  virtual void call_lost(SlotsCall&, Micros) {}
  virtual void try_again(Micros) {}  // after a change of the table or the links
  virtual void time_passed(Micros) {}
  [[nodiscard]] virtual Micros next_attempt() const { return kNever; }

  // Answers the client; its calls are forgotten. REQUIRES: !answered().
  void answer(std::string_view reply);
  void answer_error(std::string_view text);

  // A request of its own to one place, under its deadline.
  enum class Leg : uint8_t { write, read, read_anywhere };  // of any member, see Dispatcher
  void submit_leg(uint32_t leg, Place place, Leg kind, std::string_view bytes, Micros now);
  // A call to one head, of a command that writes nothing. REQUIRES: lane.open().
  void send_call(Lane& lane, uint32_t tag, std::vector<protocol::SlotRange> slots, std::string_view bytes);
  [[nodiscard]] std::deque<SlotsCall>& calls() { return calls_; }  // also those that are not out any more
  void forget_calls();

  Services& services_;
  const session::Ticket ticket_;
  const uint8_t db_;
  const protocol::RespVersion resp_;
  const Micros deadline_;
  const bool alone_;  // its client's earlier requests were answered before it began

 private:
  [[nodiscard]] uint8_t flags(bool write) const;

  std::deque<SlotsCall> calls_;  // their addresses stay
  uint32_t open_legs_ = 0;
  bool answered_ = false;
};

// `args` as the bytes of a request.
[[nodiscard]] std::string request_bytes(std::span<const std::string_view> args);

}  // namespace chainring::router
