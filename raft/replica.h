// One server of a Raft group: the pure core (raft/raft.h) joined to its log on disk (raft/log.h) and to a state
// machine. Both the coordinator and the simulator use this; nothing else orders "persist, then send, then apply".
//
// Thread-safety: none; one owner. Time comes in by tick(); the disk is an interface; there is no network here:
// messages are taken out and put in by the owner.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "raft/limits.h"
#include "raft/message.h"
#include "raft/types.h"

namespace chainring::raft {

class Core;

// What the group agrees on. apply() and restore() see the same sequence on every server. Calls come from
// Replica::flush(), never from inside propose(), read() or step(); one restore() may come from Replica::open().
// They may propose and read: that takes effect with the next flush(), which next_tick() then asks for.
class StateMachine {
 public:
  virtual ~StateMachine() = default;
  virtual void apply(const Entry& entry) = 0;  // data entries only, once each, in order of index
  [[nodiscard]] virtual std::string snapshot() const = 0;
  [[nodiscard]] virtual uint64_t snapshot_bytes() const = 0;  // about how long it is; cheap
  [[nodiscard]] virtual Status restore(std::string_view snapshot) = 0;
  // The read asked for with this context may be answered from the state as it is now (6.4, read-index).
  virtual void read_ready(uint64_t context) = 0;
  // The read or proposal round was lost with leadership; ask again at the new leader.
  virtual void read_failed(uint64_t context) = 0;
  // Called on every change of role, term or known leader. `leading` turns true only once the no-op of the new term is
  // committed and applied (so all that earlier leaders committed is in the state).
  virtual void leadership(bool leading, Term term, ServerId leader) = 0;
};

struct ReplicaOptions {
  ServerId id = kNobody;
  Micros heartbeat_us = 0;
  Micros election_us = 0;  // timeouts are drawn from [election_us, 2 * election_us)
  // A snapshot is taken each time that so many entries are applied, at another index by each server of the group
  // (raft/snapshot_schedule.h); 0: only by bytes. A leader hands over before a long one when it can.
  Micros leads_at_least_us = 0;  // before it lets another one lead for the sake of a snapshot
  uint64_t snapshot_entries = 0;
  Limits limits = {};
  uint64_t segment_bytes = kSegmentBytesDefault;
};

class Replica {
 public:
  // Reads what the disk holds; a torn tail is cut off, anything worse is ErrorCode::corrupt.
  // Ownership: disk, random and machine are not owned and outlive the Replica.
  [[nodiscard]] static Result<std::unique_ptr<Replica>> open(const ReplicaOptions& options, Disk& disk, Random& random,
                                                             StateMachine& machine, Micros now);
  ~Replica();

  // Whether the disk holds a group already. founded() == false: only found() may be called.
  [[nodiscard]] bool founded() const;
  // Writes the first configuration, durably: the same one on every founding server (R2).
  [[nodiscard]] Status found(const Configuration& configuration, Micros now);
  // A server that joins an existing group later begins blank: it takes part as whatever the leader's log makes of it.
  [[nodiscard]] Status join_blank(Micros now);

  // The clock of all that follows: call it first in each turn.
  void tick(Micros now);
  [[nodiscard]] Micros next_tick() const;  // when tick() is wanted next

  void step(const Message& message);  // from a peer; ones for another server or from before are ignored

  // Leader only (ErrorCode::unavailable elsewhere, with resource_exhausted when too much is in flight). The index tells
  // apply() which proposal it was; a proposal can still be lost with leadership, then its outcome is unknown.
  // A change of the group is one step (raft/configuration.h); it is unavailable while the last one is not committed, or
  // when a server to be promoted, or most of the voters to be, do not answer or lack much of the log.
  [[nodiscard]] Result<Index> propose(std::string data);
  [[nodiscard]] Result<Index> propose_configuration(const Configuration& configuration);
  // Leader only: confirms by a quorum round begun after this call that nobody else leads (6.4), then calls read_ready.
  [[nodiscard]] Status read(uint64_t context);
  [[nodiscard]] Status transfer_leadership(ServerId to);

  // Persists what is new with one sync (group commit), applies what is committed, and fills messages(). Called once at
  // the end of each turn. An error is a failed disk: the process must end (R2).
  [[nodiscard]] Status flush();
  // To send now; cleared by the call. Loss, duplication and reordering are allowed.
  [[nodiscard]] std::vector<Message> take_messages();

  [[nodiscard]] bool leading() const;  // as leadership() told last
  [[nodiscard]] Term term() const;
  [[nodiscard]] ServerId leader() const;
  [[nodiscard]] Index applied() const;
  [[nodiscard]] Index committed() const;
  [[nodiscard]] const Configuration& configuration() const;

  // A number that heartbeats carry (R25): the time of the lock keyspace. It grows while one leads, and is kept in
  // memory alone. What a later leader set takes the place of what an earlier one did, also of a greater. Whoever is
  // elected knows a note as great as any that quorum_note() has told, unless servers restarted since.
  void set_heartbeat_note(int64_t note);         // leader only, ignored elsewhere; a smaller one is ignored
  [[nodiscard]] int64_t heartbeat_note() const;  // the greatest that was set here or came in a message
  [[nodiscard]] int64_t quorum_note() const;     // leader only (0 elsewhere): known to a majority of the voters

  // To look into, for checkers and status pages; nullptr before the group is founded.
  [[nodiscard]] const Core* core() const;

 private:
  struct State;
  explicit Replica(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace chainring::raft
