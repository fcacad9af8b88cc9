// What a command's handler sees: its arguments, its keys by the clock of this execution, its reply, and the changes it
// can make. Every change goes into the store and into the effects in one step, so that the two cannot disagree; a
// handler may look into the store, and never changes it itself.
//
// Thread-safety: none. Lifetime: one execution.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/database.h"
#include "engine/effects.h"
#include "engine/store.h"
#include "protocol/command.h"
#include "protocol/reply.h"

namespace chainring::engine {

inline constexpr std::string_view kStringTooLong =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";  // as Redis words it

struct Call {
  const protocol::CommandSpec& command;
  std::span<const std::string_view> args;
  const ExecContext& context;
  protocol::ReplyWriter& reply;
  Store& store;
  Database::Statistics& statistics;
  Effects& effects;

  [[nodiscard]] Key key(size_t arg) const { return key(arg, context.db); }
  [[nodiscard]] Key key(size_t arg, uint8_t db) const {
    return context.slot ? store.key_in(*context.slot, args[arg], db) : store.key(args[arg], db);
  }

  // The key's entry, unless it is absent or has expired; one that has expired goes, by an effect of its own (R12).
  // Lifetime: until the key is next changed or looked up.
  [[nodiscard]] Entry* find(const Key& key);
  // The same for commands that read: counts a hit or a miss. `touch`: the read counts as a use of the key.
  enum class Use { touch, leave };
  [[nodiscard]] Entry* find_to_read(const Key& key, Use use = Use::touch);

  // Writes WRONGTYPE and returns false when there is an entry and it is no string.
  [[nodiscard]] bool is_string_or_absent(const Entry* entry);

  // Changes. A deadline that has passed makes each of set() and set_deadline() a removal.
  void set(const Key& key, std::string_view text, Millis deadline);
  void set_integer(const Key& key, int64_t value, Millis deadline);
  void set_deadline(const Key& key, Millis deadline);  // kNoDeadline: PERSIST. REQUIRES: the key is there.
  void remove(const Key& key);                         // REQUIRES: the key is there.
  void append(const Key& key, std::string_view text);  // REQUIRES: a string is there, and the sum fits.
  void overwrite(const Key& key, size_t offset, std::string_view text);  // the same
  void rename(const Key& from, const Key& to);                           // Store::rename
  void copy(const Key& from, const Key& to);                             // replaces
  void flush(Slot slot, bool all_databases);                             // an effect only when something was there

  // Argument `arg` as an integer; when it is none, writes Redis' error and returns false.
  [[nodiscard]] bool integer(size_t arg, int64_t& value);
  void invalid_expire();  // "ERR invalid expire time in 'set' command"
  [[nodiscard]] bool option(size_t arg, std::string_view name) const;
};

}  // namespace chainring::engine
