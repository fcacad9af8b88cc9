// Commands about all keys of the slots given.
#include <algorithm>
#include <charconv>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "engine/cursor.h"
#include "engine/dispatch.h"
#include "protocol/glob.h"

namespace chainring::engine {
namespace {

using protocol::CommandId;

constexpr uint64_t kScanCountMax = 65536;

// Visits the keyspaces of context.db that may hold keys, in the order of the ranges given.
template <class Visit>
void for_each_keyspace(const Call& call, Visit&& visit) {
  for (const auto& [first, last] : call.context.slots) {
    for (uint32_t slot = first; slot <= last && slot < kSlotCount; ++slot) {
      if (Keyspace* keys = call.store.keyspace(static_cast<Slot>(slot), call.context.db)) {
        visit(static_cast<Slot>(slot), *keys);
      }
    }
  }
}

bool matches_all(std::string_view pattern) { return pattern == "*"; }

void keys(Call& call) {
  const std::string_view pattern = call.args[1];
  std::vector<std::string_view> matching;
  std::vector<Entry*> found;
  for_each_keyspace(call, [&](Slot, const Keyspace& keyspace) {
    for (uint64_t position = 0; position != Table::kEndPosition;) {
      found.clear();
      position = keyspace.table.scan(position, found);
      for (const Entry* entry : found) {
        if (entry->expired(call.context.now)) continue;
        if (matches_all(pattern) || protocol::glob_match(pattern, entry->key())) matching.push_back(entry->key());
      }
    }
  });
  protocol::ReplySize size(call.context.reply_bytes_max);
  for (const std::string_view key : matching) size.add_bulk(key.size());
  if (!size.fits()) return call.reply.error(protocol::errors::kReplyTooLong);
  call.reply.array(matching.size());
  for (const std::string_view key : matching) call.reply.bulk(key);
}

struct ScanOptions {
  Cursor cursor;
  int64_t count = 10;
  std::string_view pattern = "*";
  std::string_view type;  // empty: of any type
};

// Redis reads it by strtoul; we ask for digits only.
bool parse_cursor(Call& call, Cursor& cursor) {
  const std::string_view text = call.args[1];
  uint64_t packed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), packed);
  if (error != std::errc{} || end != text.data() + text.size()) {
    call.reply.error("ERR invalid cursor");
    return false;
  }
  cursor = Cursor::unpack(packed);
  return true;
}

bool parse_scan_options(Call& call, ScanOptions& options) {
  if (!parse_cursor(call, options.cursor)) return false;
  for (size_t i = 2; i < call.args.size(); i += 2) {
    const bool has_value = i + 1 < call.args.size();
    if (call.option(i, "count") && has_value) {
      if (!call.integer(i + 1, options.count)) return false;
      if (options.count >= 1) continue;
    } else if (call.option(i, "match") && has_value) {
      options.pattern = call.args[i + 1];
      continue;
    } else if (call.option(i, "type") && has_value) {
      options.type = call.args[i + 1];
      continue;
    }
    call.reply.error(protocol::errors::kSyntax);
    return false;
  }
  return true;
}

bool wanted(const Call& call, const ScanOptions& options, const Entry& entry) {
  if (entry.expired(call.context.now)) return false;
  if (!options.type.empty() && !equals_ignoring_case(options.type, type_name(entry.type()))) return false;
  return matches_all(options.pattern) || protocol::glob_match(options.pattern, entry.key());
}

// Walks the slot from the cursor on until `count` keys were looked at or the slot ends, which moves it to the next.
void scan_slot(const Call& call, Cursor& cursor, uint64_t count, std::vector<Entry*>& looked_at) {
  const Keyspace* keyspace = call.store.keyspace(cursor.slot, call.context.db);
  while (keyspace != nullptr && looked_at.size() < count) {
    cursor.position = keyspace->table.scan(cursor.position, looked_at);
    if (cursor.position == Table::kEndPosition) keyspace = nullptr;
  }
  if (keyspace == nullptr) cursor = {static_cast<Slot>(cursor.slot + 1), 0};
}

void scan(Call& call) {
  ScanOptions options;
  if (!parse_scan_options(call, options)) return;
  Cursor cursor = options.cursor;
  // COUNT is a hint; a member that is busy for long would lose its lease (R13).
  const auto count = std::min(static_cast<uint64_t>(options.count), kScanCountMax);
  std::vector<Entry*> looked_at;
  for (const auto& [first, last] : call.context.slots) {
    if (first > cursor.slot) cursor = {first, 0};
    while (cursor.slot <= last && cursor.slot < kSlotCount && looked_at.size() < count) {
      scan_slot(call, cursor, count, looked_at);
    }
    if (looked_at.size() >= count) break;
  }
  std::erase_if(looked_at, [&](const Entry* entry) { return !wanted(call, options, *entry); });
  protocol::ReplySize size(call.context.reply_bytes_max);
  for (const Entry* entry : looked_at) size.add_bulk(entry->key().size());
  if (!size.fits()) return call.reply.error(protocol::errors::kReplyTooLong);
  call.reply.array(2);
  const bool ends =
      call.context.scan_ends && (call.context.slots.empty() || cursor.slot > call.context.slots.back().last);
  call.reply.bulk_integer(ends ? 0 : static_cast<int64_t>(cursor.pack()));
  call.reply.array(looked_at.size());
  for (const Entry* entry : looked_at) call.reply.bulk(entry->key());
}

void dbsize(Call& call) {
  uint64_t size = 0;
  for_each_keyspace(call, [&](Slot, const Keyspace& keyspace) { size += keyspace.table.size(); });
  call.reply.integer(static_cast<int64_t>(size));
}

// The `index`-th of all keys lies in the keyspace that is returned.
const Keyspace* keyspace_of_index(const Call& call, uint64_t index) {
  const Keyspace* found = nullptr;
  for_each_keyspace(call, [&](Slot, const Keyspace& keyspace) {
    if (found != nullptr) return;
    if (index < keyspace.table.size()) found = &keyspace;
    index -= std::min(index, keyspace.table.size());
  });
  return found;
}

const Entry* first_live(const Call& call) {
  const Entry* live = nullptr;
  std::vector<Entry*> found;
  for_each_keyspace(call, [&](Slot, const Keyspace& keyspace) {
    for (uint64_t position = 0; live == nullptr && position != Table::kEndPosition;) {
      found.clear();
      position = keyspace.table.scan(position, found);
      for (const Entry* entry : found) {
        if (!entry->expired(call.context.now)) live = entry;
      }
    }
  });
  return live;
}

void randomkey(Call& call) {
  constexpr int kTriesMax = 100;  // while expired keys come up; then any live one will do
  CHECK(call.context.random != nullptr, "RANDOMKEY needs a source");
  uint64_t size = 0;
  for_each_keyspace(call, [&](Slot, const Keyspace& keyspace) { size += keyspace.table.size(); });
  for (int tries = 0; size > 0 && tries < kTriesMax; ++tries) {
    const Keyspace* keyspace = keyspace_of_index(call, call.context.random->below(size));
    const Entry* entry = keyspace->table.random(*call.context.random);
    if (!entry->expired(call.context.now)) return call.reply.bulk(entry->key());
  }
  const Entry* live = first_live(call);
  if (live == nullptr) return call.reply.null();
  call.reply.bulk(live->key());
}

void flush(Call& call, bool all_databases) {
  const bool known =
      call.args.size() == 1 || (call.args.size() == 2 && (call.option(1, "async") || call.option(1, "sync")));
  if (!known) return call.reply.error(protocol::errors::kSyntax);
  for (const auto& [first, last] : call.context.slots) {
    for (uint32_t slot = first; slot <= last && slot < kSlotCount; ++slot) {
      call.flush(static_cast<Slot>(slot), all_databases);
    }
  }
  call.reply.ok();
}
void flushall(Call& call) { flush(call, true); }
void flushdb(Call& call) { flush(call, false); }

}  // namespace

void register_keyspace_commands(Dispatch& dispatch) {
  dispatch.add(CommandId::dbsize, dbsize);
  dispatch.add(CommandId::flushall, flushall);
  dispatch.add(CommandId::flushdb, flushdb);
  dispatch.add(CommandId::keys, keys);
  dispatch.add(CommandId::randomkey, randomkey);
  dispatch.add(CommandId::scan, scan);
}

}  // namespace chainring::engine
