// Where commands on the lock keyspace wait at the leader: for the round that confirms that it leads, for their entry to
// be committed, for the time of an expiry to be (R20, R25, R30).
//
// A request is undecided until it is proposed as an entry, or answered without one. Two of one client on one key are
// decided in the order in which they came (LockOrder), and whoever asks is answered from a state that has all writes
// which were proposed before its turn: so what a client sends at once happens in its order (R10).
//
// A numbered write that was answered without an entry changed nothing, so it could be run again, but not behind a later
// write of its client. So its answer goes with the next entry of its sender, and whoever has that entry has it too.
//
// What answers may look at in one turn is bounded, as nodes would lose their leases while it lasted (R13): what finds
// nothing left waits for the next turn, in the order in which it came to it, and a long walk goes on there. A request
// that waits is undecided still. Walks wait for walks alone.
//
// Volatile: a new leader begins with an empty desk. Pure: time and randomness are arguments; the log and whoever gets
// the replies are behind interfaces.
// Thread-safety: none; one owner. State, Log and Sink are not owned and outlive it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "base/transport.h"
#include "coordinator/answers.h"
#include "coordinator/lock_commands.h"
#include "coordinator/lock_order.h"
#include "coordinator/state.h"
#include "protocol/messages.h"
#include "session/clients.h"

namespace chainring::coordinator {

// Whom a reply goes to: a request on a peer's link, or the ticket of a client that is connected here.
struct Origin {
  ConnId link = kNoConn;
  uint64_t request = 0;
  session::Ticket ticket;
  uint32_t attempt = 0;  // of the request on its link
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
  protocol::Sent sent = protocol::Sent::once;
  uint8_t db = 0;
  protocol::RespVersion resp = protocol::RespVersion::resp2;
  const protocol::CommandSpec* spec;
  size_t keys = 0;  // that it names and watches, each as often as it does; set by the desk

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
    // The index. resource_exhausted: not now; invalid_argument: never; else: this coordinator does not lead.
    [[nodiscard]] virtual Result<uint64_t> propose(std::string entry) = 0;
  };

  static constexpr size_t kRequestsMax = 65536;  // at the desk together
  static constexpr size_t kRequestBytesMax = size_t{64} << 20;
  // Replies from the state as it is, in one turn; what comes behind them is sent back, to come again.
  static constexpr size_t kReadBytesPerTurnMax = size_t{128} << 20;
  // Locks that answers may look at in one turn, each answer as one more: as many for requests that name them as for
  // walks. Some milliseconds.
  static constexpr uint64_t kLooksPerTurnMax = 16384;
  // Locks that all walks at the desk have still to look at: some seconds. Beyond it further ones are refused.
  static constexpr uint64_t kLooksOwedMax = uint64_t{1} << 24;
  // Keys of all proposals that are not applied: a leader applies no more in one turn. What is too much is sent back.
  static constexpr size_t kProposedKeysMax = 16384;

  LockDesk(State& state, Log& log, Sink& sink, Random& random)
      : state_(state), log_(log), sink_(sink), random_(random) {}

  // Leadership began: time runs on from the greatest one that this coordinator knows.
  void lead(Millis known_time, Now now);
  // Leadership is lost: everything at the desk is answered, as what it has become. `not_leader` is said of what has no
  // entry in the log; of a numbered write that has one, which the next leader may commit yet, `unsettled`.
  void resign();

  // The turn's reading. Goes on with what waited for it, and proposes to move the time on when locks have expired.
  void tick(Now now);
  [[nodiscard]] Micros next_tick() const;
  [[nodiscard]] Millis time() const { return clock_.at(now_.mono); }

  // Takes a request in: it is refused, proposed, or undecided.
  void submit(LockRequest request);
  // The caller begins a round of reads for all undecided requests that have had none, and comes back with confirmed(),
  // or with lost(), and what this says of them. 0: there are none.
  [[nodiscard]] uint64_t take_round();
  void confirmed(uint64_t round);
  // Nothing that waited for the round was executed, nor what came behind it on its link: their senders keep the order
  // when they send them again.
  void lost(uint64_t round);

  // An entry was applied.
  void applied(uint64_t index, const Applied& applied);

 private:
  struct Proposal {
    Origin origin;
    Incarnation sender = 0;
    uint64_t number = 0;
    protocol::RespVersion resp = protocol::RespVersion::resp2;
    size_t bytes = 0;
    size_t keys = 0;
  };
  // What the answers of a turn may look at, and who waits for the next turn's (R13).
  struct Share {
    uint64_t left = kLooksPerTurnMax;
    std::map<uint64_t, uint64_t> line;  // ids by their place in it

    void take(uint64_t looks) { left -= std::min(left, looks); }
  };
  struct Undecided {
    LockRequest request;
    bool in_turn = false;   // it waits for no earlier one of its client (R10)
    bool deferred = false;  // it has
    uint64_t behind = 0;    // the last entry that was under way when its turn came; 0: none was
    uint64_t looks = 0;     // of a walk, which it owes; 0: it is none
    uint64_t in_line = 0;   // its place in the line of its share; 0: it was never there
    LockWalk walk;
  };
  using UndecidedById = std::map<uint64_t, Undecided>;  // in the order in which they came

  // The error to answer instead of taking it in, or empty.
  [[nodiscard]] std::string refusal(const LockRequest& request) const;
  [[nodiscard]] std::string entry_of(const LockRequest& request) const;
  [[nodiscard]] bool has_run(const LockRequest& request) const;
  [[nodiscard]] Answers::Found noted(const LockRequest& request) const;
  [[nodiscard]] bool is_to_be_proposed(const LockRequest& request) const;
  [[nodiscard]] uint64_t last_proposal() const { return proposals_.empty() ? 0 : proposals_.rbegin()->first; }
  // Whether an entry up to `behind` is still on its way to the state.
  [[nodiscard]] bool is_ahead_of_state(uint64_t behind) const {
    return !proposals_.empty() && proposals_.begin()->first <= behind;
  }

  // Decides a request whose turn has come, or makes it wait for what is missing.
  void advance(uint64_t id, bool time_awaited = false);
  void advance_freed();
  [[nodiscard]] Share& share_of(const Undecided& one) { return one.looks > 0 ? walks_ : lookups_; }
  void line_up(UndecidedById::iterator at);
  void begin_share(Share& share);
  void answer_from_state(UndecidedById::iterator at);
  LockRequest take_out(UndecidedById::iterator at);
  void writes_arrived();
  void time_moved();
  // False when the log does not take it now; it is answered in any case.
  bool propose(LockRequest request);
  void propose_time();
  void answer_unproposed(const LockRequest& request, std::string body);
  [[nodiscard]] std::string read(const LockCommand& command);
  void give_back(const LockRequest& request, protocol::ReplyStatus status);
  void give_back_behind(uint64_t id, ConnId link, protocol::ReplyStatus status);
  void refuse(const LockRequest& request, std::string_view error);
  void finished(size_t bytes);

  State& state_;
  Log& log_;
  Sink& sink_;
  Random& random_;
  Now now_;
  LockClock clock_;
  UndecidedById undecided_;
  LockOrder order_;           // of the undecided
  std::set<uint64_t> freed_;  // whose turn has come, and who are not advanced yet
  uint64_t last_id_ = 0;
  uint64_t in_rounds_ = 0;  // up to here they have had a round
  uint64_t confirmed_ = 0;  // up to here it has confirmed that this coordinator led when they had come
  // Who waits, by what for; some of them may be decided by now.
  std::multimap<uint64_t, uint64_t> awaiting_writes_;              // the entry
  std::multimap<Millis, uint64_t> awaiting_time_;                  // the time to be committed
  Answers noted_;                                                  // what no entry has told yet
  std::map<uint64_t, Proposal> proposals_;                         // by index
  std::map<std::pair<Incarnation, uint64_t>, uint64_t> numbered_;  // writes among them: their index
  uint64_t time_index_ = 0;  // of the entry that moves the time on, while it is not applied; else 0
  Micros time_proposed_at_ = 0;
  size_t requests_ = 0;
  size_t bytes_ = 0;
  size_t read_bytes_ = 0;  // in this turn
  Share lookups_;
  Share walks_;
  uint64_t last_place_ = 0;  // in a line
  uint64_t looks_owed_ = 0;
  size_t proposed_keys_ = 0;
};

}  // namespace chainring::coordinator
