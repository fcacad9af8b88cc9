// Where commands on the lock keyspace wait at the leader: for the round that confirms that it leads, for their entry to
// be committed, for the time of an expiry to be (R20, R25, R30).
//
// Whoever asks is answered from a state that has all writes which came to the desk before, so a client that sends a
// write and a read at once sees its write (R10).
//
// Volatile: a new leader begins with an empty desk. Pure: time and randomness are arguments; the log and whoever gets
// the replies are behind interfaces.
// Thread-safety: none; one owner. State, Log and Sink are not owned and outlive it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "base/transport.h"
#include "coordinator/lock_commands.h"
#include "coordinator/state.h"
#include "protocol/messages.h"
#include "session/clients.h"

namespace chainring::coordinator {

// Whom a reply goes to: a request on a peer's link, or the ticket of a client that is connected here.
struct Origin {
  ConnId link = kNoConn;
  uint64_t request = 0;
  session::Ticket ticket;
};

// The time of the lock keyspace at the leader (R25): the greatest time that it knew when it began to lead, and what its
// monotonic clock has counted since.
class LockClock {
 public:
  void begin(Millis base, Micros now) {
    base_ = base;
    begun_ = now;
  }
  [[nodiscard]] Millis at(Micros now) const { return base_ + (now - begun_) / kMicrosPerMilli; }
  // The monotonic time at which it will say `time`.
  [[nodiscard]] Micros when(Millis time) const;

 private:
  Millis base_ = 0;
  Micros begun_ = 0;
};

// A command that came whole, or a transaction of several. Owns its arguments.
struct LockRequest {
  LockRequest(Origin from, const protocol::CommandSpec& command, std::span<const std::string_view> arguments);
  // `payload`: protocol/transaction.h.
  LockRequest(Origin from, std::string_view payload);
  LockRequest(LockRequest&&) = default;
  LockRequest& operator=(LockRequest&&) = default;

  Origin origin;
  Incarnation sender = 0;  // 0: nobody who could send it again
  uint64_t number = 0;
  uint64_t answered_below = 0;
  uint8_t db = 0;
  protocol::RespVersion resp = protocol::RespVersion::resp2;
  uint64_t behind = 0;  // the desk's: the last entry that was under way when it came; 0: none was
  const protocol::CommandSpec* spec;

  [[nodiscard]] bool numbered() const { return sender != 0 && number != 0; }
  // REQUIRES: !is_transaction().
  [[nodiscard]] LockCommand command() const { return {spec, views_, db, resp}; }
  [[nodiscard]] bool is_transaction() const { return spec->id == protocol::CommandId::exec; }
  // REQUIRES: is_transaction().
  [[nodiscard]] const std::string& payload() const { return args_.front(); }
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  std::vector<std::string> args_;
  std::vector<std::string_view> views_;  // of args_, whose elements never move
  size_t bytes_ = 0;
};

class LockDesk {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void answer(const Origin& origin, protocol::ReplyStatus status, std::string_view body) = 0;
    // A write whose entry may be committed yet, or never.
    virtual void outcome_unknown(const Origin& origin) = 0;
  };
  class Log {
   public:
    virtual ~Log() = default;
    [[nodiscard]] virtual Result<uint64_t> propose(std::string entry) = 0;  // the index
  };

  static constexpr size_t kRequestsMax = 65536;  // at the desk together
  static constexpr size_t kRequestBytesMax = size_t{64} << 20;

  LockDesk(State& state, Log& log, Sink& sink, Random& random)
      : state_(state), log_(log), sink_(sink), random_(random) {}

  // Leadership began: time runs on from the greatest one that this coordinator knows.
  void lead(Millis known_time, Now now);
  // Leadership is lost: everything at the desk is answered, as what it has become. `not_leader` is said of what has no
  // entry in the log; of a numbered write that has one, which the next leader may commit yet, `unsettled`.
  void resign();

  // The turn's reading. Proposes to move the time on when locks have expired.
  void tick(Now now);
  [[nodiscard]] Micros next_tick() const;
  [[nodiscard]] Millis time() const { return clock_.at(now_.mono); }

  // Takes a request in: it is refused, proposed, or waits for take_waiting().
  void submit(LockRequest request);
  // The requests that wait for a round of reads; the caller begins one and brings them back with confirmed(), or with
  // lost() when the round was.
  [[nodiscard]] std::vector<LockRequest> take_waiting() { return std::exchange(waiting_, {}); }
  void confirmed(std::vector<LockRequest> requests);
  void lost(std::vector<LockRequest> requests);

  // An entry was applied.
  void applied(uint64_t index, const Applied& applied);

 private:
  struct Proposal {
    Origin origin;
    Incarnation sender = 0;
    uint64_t number = 0;
    protocol::RespVersion resp = protocol::RespVersion::resp2;
    size_t bytes = 0;
  };
  struct AwaitingTime {
    LockRequest request;
    Millis time;
  };
  // The error to answer instead of taking it in, or empty.
  [[nodiscard]] std::string refusal(const LockRequest& request) const;
  [[nodiscard]] std::string entry_of(const LockRequest& request) const;
  void settle(LockRequest request);
  // Whether a write that came before it is still on its way to the state.
  [[nodiscard]] bool is_ahead_of_state(const LockRequest& request) const {
    return !proposals_.empty() && proposals_.begin()->first <= request.behind;
  }
  void writes_arrived();
  void give_back(const LockRequest& request);
  void propose(LockRequest request);
  void propose_time();
  void answer_read(const LockRequest& request);
  void refuse(const LockRequest& request, std::string_view error);
  void time_moved();
  void finished(size_t bytes);

  State& state_;
  Log& log_;
  Sink& sink_;
  Random& random_;
  Now now_;
  LockClock clock_;
  std::vector<LockRequest> waiting_;                               // for a round of reads
  std::deque<LockRequest> awaiting_writes_;                        // confirmed, for those that came before
  std::vector<AwaitingTime> awaiting_time_;                        // for an expiry to be committed
  std::map<uint64_t, Proposal> proposals_;                         // by index
  std::map<std::pair<Incarnation, uint64_t>, uint64_t> numbered_;  // writes among them: their index
  uint64_t time_index_ = 0;  // of the entry that moves the time on, while it is not applied; else 0
  Micros time_proposed_at_ = 0;
  size_t requests_ = 0;
  size_t bytes_ = 0;
};

}  // namespace chainring::coordinator
