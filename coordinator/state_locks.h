// The lock keyspace: a database that Raft replicates, and what makes its keys locks: owners, fencing tokens, a time of
// its own (R25, R26, R28).
//
// A key is a lock from when it appears until it goes; its value is its owner. Each grant, a change from absent to
// present or of the owner, takes the next token; whatever else happens to the key keeps it.
//
// Deterministic: the same commands at the same lock times give the same state and replies on every coordinator. What
// has expired by the time of an entry is gone before its command runs, or is no key of it, so no outcome depends on
// what was looked at. Thread-safety: none; one owner. Ownership: owns keys and values.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "coordinator/answers.h"
#include "coordinator/lock_commands.h"
#include "engine/database.h"
#include "protocol/reply.h"

namespace chainring::coordinator {

inline constexpr uint64_t kLockBytesMax = uint64_t{512} << 20;  // of all locks, as they are counted in a snapshot
inline constexpr uint64_t kLockOverheadBytes = 48;              // of one, beside its key and value
inline constexpr size_t kExpiredPerEntryMax = 2'000;            // about; those of one millisecond go together
inline constexpr size_t kRemovalPlaces = 4096;
inline constexpr int kTokenGenerationShift = 40;  // tokens stay below 2^53 up to generation 8191 (R26)

struct Lock {
  std::string owner;
  uint64_t token = 0;
  uint64_t place = 0;           // grows with every lock that appears; SCAN walks in this order
  Millis granted_at = 0;        // in lock time
  Millis deadline = INT64_MAX;  // in lock time; INT64_MAX: none
  uint64_t changed = 0;         // which of all changes of locks was the last one of this lock
};

// How a read is answered. `now` is the leader's lock time, `wall` its wall clock, both when the reply leaves.
struct ReadContext {
  Millis now = 0;
  Millis wall = 0;
  Random* random = nullptr;  // not owned; RANDOMKEY
};

// KEYS or LOCK LIST under way. It meets the locks in the order of their keys, and others write between its parts: each
// lock that is held all the while is told, once; whatever comes or goes meanwhile may be, too.
struct LockWalk {
  std::string next;   // the key to go on with
  std::string found;  // keys, as bulk strings
  size_t count = 0;   // of them
  protocol::ReplySize size{kLockReplyBytesMax};
};

class LockSpace {
 public:
  explicit LockSpace(uint64_t hash_seed = 0, uint64_t generation = 0);

  [[nodiscard]] Millis time() const { return time_; }
  [[nodiscard]] uint64_t count() const { return locks_.size(); }
  [[nodiscard]] uint64_t last_token() const { return token_; }
  // The earliest time at which a lock expires; INT64_MAX for never.
  [[nodiscard]] Millis earliest_deadline() const { return database_->earliest_deadline(); }

  // Moves the time on, never back, and removes all that has expired by it, in the order of their deadlines. When very
  // many have, time() stays behind, with what the rest is waiting for: they are there a little longer. What is run next
  // runs at the time that was asked for all the same, so that a lock is held for all of the time that it is granted.
  void advance(Millis time);

  // Runs a command that was committed, at the time of its entry: advance() comes first. An MGET that would be answered
  // with more than `reply_bytes_max` is refused. REQUIRES: refuse_lock_command() did not refuse it.
  [[nodiscard]] LockReply run(const LockCommand& command, uint64_t lock_count_max,
                              size_t reply_bytes_max = kLockReplyBytesMax);

  // So a whole transaction that was committed, or answers null when a watched lock has changed since its mark was made.
  // A reply that makes its own longer than kLockTransactionReplyBytesMax is an error instead. From then on reads are
  // not executed any more; writes are. REQUIRES: refuse_lock_transaction() did not refuse it.
  [[nodiscard]] LockReply run(const protocol::Transaction& transaction, protocol::RespVersion resp,
                              uint64_t lock_count_max);

  // Whether the answer at `now` rests on an expiry that is not committed yet: then the time has to be advanced first.
  [[nodiscard]] bool rests_on_expiry(const LockCommand& command, Millis now) const;
  // Whether a write would change nothing as things are: it can be answered like a read (R30).
  [[nodiscard]] bool changes_nothing(const LockCommand& command) const;
  // Whether it can be so at all.
  [[nodiscard]] static bool is_conditional(const LockCommand& command);
  // The keys that a mark, which WATCH was answered, is about; none when it is malformed.
  [[nodiscard]] static std::vector<std::string> watched_keys(std::string_view mark);
  // Answers a read, or a write that changes nothing: with an error when that would take more than kLockReplyBytesMax.
  // Leaves the state as it is.
  // REQUIRES: !rests_on_expiry(command, context.now); of a write, changes_nothing(command).
  [[nodiscard]] std::string read(const LockCommand& command, const ReadContext& context);
  // How many locks KEYS, LOCK LIST, SCAN or RANDOMKEY may look at, 1 at least; 0 for what names its locks.
  [[nodiscard]] uint64_t walk_length(const LockCommand& command) const;
  // Whether a read can be answered in parts.
  [[nodiscard]] static bool is_list(const LockCommand& command);
  // Goes on with one: looks at `left` locks at most and takes them off that. Nothing: there are more to look at. The
  // walk is at its end with the answer. REQUIRES: is_list(command), and of the first part what read() requires.
  [[nodiscard]] std::optional<std::string> list(const LockCommand& command, LockWalk& walk, uint64_t& left) const;

  // nullptr when nobody holds it.
  [[nodiscard]] const Lock* find(uint8_t db, std::string_view key) const;

  void write(ByteWriter& out) const;
  [[nodiscard]] uint64_t snapshot_bytes() const;  // that write() takes at most
  void read(ByteReader& in);

 private:
  using Key = std::pair<uint8_t, std::string>;
  struct KeyLess {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return a.first != b.first ? a.first < b.first : std::string_view(a.second) < std::string_view(b.second);
    }
  };
  using Locks = std::map<Key, Lock, KeyLess>;

  // ---- state_locks.cc
  [[nodiscard]] std::string execute(const LockCommand& command, Millis now, engine::Effects& effects,
                                    size_t reply_bytes_max = kLockReplyBytesMax) const;
  [[nodiscard]] int64_t ask(std::string_view command, uint8_t db, std::string_view key) const;
  [[nodiscard]] Millis deadline(uint8_t db, std::string_view key) const;  // INT64_MAX: none
  [[nodiscard]] std::optional<std::string> value(uint8_t db, std::string_view key) const;
  [[nodiscard]] std::string refuse_growth(const LockCommand& command, uint64_t lock_count_max) const;
  LockReply run_native(const LockCommand& command);
  void remove_expired(const LockCommand& command);
  void remove_if_expired(uint8_t db, std::string_view key);
  void remove(uint8_t db, std::string_view key);
  void take(const engine::Effects& effects);
  void take_expired(const engine::Effects& effects);
  void settle(uint8_t db, std::string_view key);
  void forget(Locks::iterator lock);
  void set(uint8_t db, std::string_view key, std::string_view owner, Millis deadline, engine::Effects& effects);

  // ---- lock_watch.cc
  [[nodiscard]] std::string watch(const LockCommand& command) const;
  [[nodiscard]] bool unchanged(std::string_view mark);
  [[nodiscard]] static size_t removal_place(uint8_t db, std::string_view key);

  // ---- lock_reads.cc
  [[nodiscard]] std::string read_native(const LockCommand& command, Millis now) const;
  [[nodiscard]] std::string scan(const LockCommand& command) const;
  [[nodiscard]] std::string random_key(const LockCommand& command, Random& random) const;
  [[nodiscard]] std::string expire_time(const LockCommand& command, const ReadContext& context) const;

  uint64_t hash_seed_;
  uint64_t generation_;
  Millis time_ = 1;
  Millis now_ = 1;        // of the entry that is applied: time_, or above it; no part of a snapshot
  uint64_t token_ = 0;    // the last one given
  uint64_t place_ = 0;    // the last one given
  uint64_t bytes_ = 0;    // that a snapshot has of the locks
  uint64_t changes_ = 0;  // of all locks, so far
  // Of the locks that are gone, by the hash of their key: the number of the last removal. So a lock that was taken and
  // released between a WATCH and its EXEC is not overlooked; two keys that share a place may make an EXEC null in vain.
  std::vector<uint64_t> removals_;
  Locks locks_;
  std::map<uint64_t, Locks::iterator> by_place_;
  std::array<uint64_t, engine::kDatabaseCount> counts_{};
  std::unique_ptr<engine::Database> database_;
};

}  // namespace chainring::coordinator
