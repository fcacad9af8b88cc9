// Commands on the lock keyspace, before they run: which there are, which keys they may have, and how times of the wall
// clock become lengths of time (R23, R25).
//
// Thread-safety: pure functions over the caller's values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "protocol/command.h"
#include "protocol/resp.h"
#include "protocol/transaction.h"

namespace chainring::coordinator {

// Locks are small: a few identifiers and their owner. These bounds keep log entries and snapshots small too.
inline constexpr size_t kLockCommandBytesMax = 1 << 20;  // all arguments of one command or transaction, as they come
inline constexpr size_t kLockValueBytesMax = 64 << 10;   // what one lock holds
inline constexpr size_t kLockKeyBytesMax = 4 << 10;
inline constexpr int64_t kLockTtlMsMax = int64_t{1} << 53;
// What is answered goes into one frame; of a transaction it is also kept by every coordinator, and in snapshots.
inline constexpr size_t kLockReplyBytesMax = size_t{64} << 20;            // to one command
inline constexpr size_t kLockTransactionReplyBytesMax = size_t{1} << 20;  // beyond it: one short error a command

// One command. Lifetime of the views: the caller's.
struct LockCommand {
  const protocol::CommandSpec* spec = nullptr;
  std::span<const std::string_view> args;
  uint8_t db = 0;
  protocol::RespVersion resp = protocol::RespVersion::resp2;

  [[nodiscard]] bool writes() const { return (spec->flags & protocol::kWrite) != 0; }
  [[nodiscard]] std::vector<std::string_view> keys() const;
  // The same with the database of each: COPY may name another one for its destination.
  struct PlacedKey {
    uint8_t db;
    std::string_view key;
  };
  [[nodiscard]] std::vector<PlacedKey> placed_keys() const;
};

// Empty when the coordinators run the command, else the error to answer. Judged when the command comes, and again when
// its entry is applied, where a refusal ends the process: so it rests on nothing that with_durations() changes.
// REQUIRES: the arity fits.
[[nodiscard]] std::string refuse_lock_command(const LockCommand& command, const std::vector<std::string>& prefixes);

// The same for what is queued between MULTI and EXEC. Less may be in a transaction than runs by itself: only what has
// the same outcome on every coordinator, and no reply that is reckoned when it leaves. REQUIRES: the arity fits.
[[nodiscard]] std::string refuse_in_transaction(const LockCommand& command, const std::vector<std::string>& prefixes);
// The whole transaction, by what its commands are and which keys they have. Judged twice, as refuse_lock_command().
[[nodiscard]] std::string refuse_lock_transaction(const protocol::Transaction& transaction,
                                                  const std::vector<std::string>& prefixes);
// The error to answer to what is too long or names too many keys (protocol/lock_keys.h), or empty. Judged when it comes
// and never again, as with_durations() may make it a little longer.
[[nodiscard]] std::string refuse_too_long(const LockCommand& command);
[[nodiscard]] std::string refuse_too_long(const protocol::Transaction& transaction);
// The payload of the transaction as it is proposed: each command with_durations().
[[nodiscard]] std::string with_durations(const protocol::Transaction& transaction, uint8_t db, Millis wall);

// The arguments as they are proposed: EXAT, PXAT, EXPIREAT and PEXPIREAT by the leader's wall clock have become PX and
// PEXPIRE, because the time of the lock keyspace is not the wall clock's (R25). What is malformed stays as it is: the
// engine words the error.
[[nodiscard]] std::vector<std::string> with_durations(const LockCommand& command, Millis wall);

// The condition of a well-formed SET: NX, XX or IFEQ.
struct SetCondition {
  enum class Kind { none, absent, present, equal } kind = Kind::none;
  std::string_view expected;  // of equal
};
[[nodiscard]] SetCondition set_condition(std::span<const std::string_view> args);

// Of LOCK ACQUIRE and LOCK RENEW: milliseconds behind TTL. 0 when malformed, with `error` set.
[[nodiscard]] int64_t lock_ttl_ms(std::span<const std::string_view> args, std::string& error);

}  // namespace chainring::coordinator
