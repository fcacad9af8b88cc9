// The database: 16 numbered databases over 16384 slots, with a table of keys for each slot and database in use.
// Deterministic: time and randomness come in as arguments. Knows no network and no replication.
//
// Thread-safety: none; one worker owns it. Ownership: owns all keys and values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "engine/copying_cursor.h"
#include "engine/effects.h"
#include "protocol/command.h"
#include "protocol/messages.h"
#include "protocol/reply.h"

namespace chainring::engine {

inline constexpr uint8_t kDatabaseCount = 16;

// What a command needs besides its arguments.
struct ExecContext {
  Millis now = 0;            // wall time of this execution; never less than at an earlier execution on the same slots
  Random* random = nullptr;  // not owned; RANDOMKEY
  uint8_t db = 0;
  // The slot of the command's keys, when the caller has found it by the placement rules; else it is found by Redis'
  // rule.
  std::optional<Slot> slot;
  // For commands of Routing::all_slots and `scan`: the slots to answer for, ascending; others find theirs by key.
  // What SCAN answers when these slots end is in engine/cursor.h.
  std::span<const protocol::SlotRange> slots;
  bool scan_ends = false;  // SCAN answers 0 when these slots end: nobody goes on with another member's
  size_t reply_bytes_max = protocol::kReplyBytesMax;  // MGET, KEYS and SCAN refuse to answer with more
};

struct DatabaseOptions {
  uint64_t hash_seed = 0;  // the cluster's, so that SCAN positions mean the same on every member (R22)
};

// Sums over slots, for INFO and DBSIZE.
struct KeyCounts {
  uint64_t keys = 0;
  uint64_t expires = 0;
};

class Database {
 public:
  explicit Database(DatabaseOptions options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs one command: writes its reply and adds what it changed to `effects` (nothing added: nothing changed).
  // Changes are in the database when this returns. A key that has expired by context.now is treated as absent; a
  // command that meets one removes it and adds a DEL before its own effects. Arguments that are longer than a string
  // may be are refused. Each argument is part of one effect at most, and a key of three: it is removed, made, written.
  // REQUIRES: the command is one that runs in the engine (runs()), arity_fits(), context.db < kDatabaseCount.
  void execute(const protocol::CommandSpec& command, std::span<const std::string_view> args, const ExecContext& context,
               protocol::ReplyWriter& reply, Effects& effects);

  // Whether the engine has a handler for the command.
  [[nodiscard]] static bool runs(protocol::CommandId id);

  // The clock of accesses, for a member that only applies: execute() and expire() bring their own time.
  void note_time(Millis now);

  // Applies the effects of one record for `slot`, as made by execute() on another member (R9). An error means that
  // they are malformed or do not fit the state: the member's copy of the slot is not to be trusted any more.
  [[nodiscard]] Status apply(Slot slot, std::string_view effects);

  // Removes up to `keys_max` keys of the given slots that have expired by `now`, and adds a DEL for each to `effects`.
  // Finds them by deadline, not by sampling alone; returns how many were removed. Ends early when the keys were very
  // long, never before the first. The head of a slot calls this (R12).
  size_t expire(std::span<const protocol::SlotRange> slots, Millis now, size_t keys_max, Effects& effects);
  // The earliest deadline of any key in any slot; INT64_MAX when no key has one. May be earlier than true after DEL.
  [[nodiscard]] Millis earliest_deadline() const;

  // For copying a slot to another member while it is written to; see engine/copying.h.
  [[nodiscard]] uint32_t copy_out(Slot slot, CopyCursor& cursor, size_t bytes_max, std::string& effects) const;
  void copy_effects(Slot slot, CopyCursor& cursor, std::string_view effects, std::string& out) const;

  // Forgets everything in the slot, in all databases, without effects: it is not this member's any more.
  void clear_slot(Slot slot);
  // Memory of slots and databases that were cleared comes back by this, some `keys_max` keys at a time, so that nobody
  // waits for it. Whether there is more. Until then memory_bytes() counts it.
  bool free_some(size_t keys_max);

  // When the key expires; INT64_MAX for never, and for a key that is not there. REQUIRES: db < kDatabaseCount.
  [[nodiscard]] Millis deadline_of(Slot slot, std::string_view key, uint8_t db) const;
  // Up to `keys_max` keys of a slot, in the order of their hashes. Lifetime: until the slot is next changed.
  // REQUIRES: slot < kSlotCount, db < kDatabaseCount.
  [[nodiscard]] std::vector<std::string_view> keys_in(Slot slot, uint8_t db, size_t keys_max) const;

  // Calls `visit` for keys of the slot, in all databases, from the cursor on, until about `keys_max` were visited or
  // the cursor is at the end. Every key that is there all the time is visited. Returns how many were. REQUIRES: slot <
  // kSlotCount, !cursor.at_end().
  size_t walk(Slot slot, CopyCursor& cursor, size_t keys_max, const std::function<void(std::string_view)>& visit) const;

  // As many of the first of these slots as hold up to `keys_max` keys of the database together, one at least: what can
  // be walked over in one turn. REQUIRES: the slots ascend, db < kDatabaseCount.
  [[nodiscard]] std::vector<protocol::SlotRange> first_slots(std::span<const protocol::SlotRange> slots, uint8_t db,
                                                             size_t keys_max) const;
  [[nodiscard]] KeyCounts counts(std::span<const protocol::SlotRange> slots, uint8_t db) const;
  [[nodiscard]] uint64_t memory_bytes() const;  // of keys, values and tables, by our own count
  // Of all keys, values, types and deadlines of the slot, whatever the order of insertion.
  [[nodiscard]] uint64_t digest(Slot slot) const;

  // Statistics for INFO, since construction.
  struct Statistics {
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t expired = 0;
  };
  [[nodiscard]] const Statistics& statistics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace chainring::engine
