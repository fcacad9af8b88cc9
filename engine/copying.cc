#include "engine/copying.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "engine/effects.h"

namespace chainring::engine {
namespace {

using LongKey = CopyCursor::LongKey;

void add_value(std::string& out, uint8_t db, const Entry& entry, std::string_view text) {
  if (entry.has_deadline()) {
    append_effect(out, db, {"set", entry.key(), text, "pxat", concat(entry.deadline())});
  } else {
    append_effect(out, db, {"set", entry.key(), text});
  }
}

void add_piece(std::string& out, uint8_t db, std::string_view key, size_t at, std::string_view piece) {
  append_effect(out, db, {"setrange", key, concat(at), piece});
}

// The effects that make the key what it is, whatever it was. Of a long string it is the first piece, and the walk goes
// on with it, unless that is over or in the midst of another one.
void add_key(std::string& out, uint8_t db, const Entry& entry, CopyCursor& cursor) {
  CHECK(entry.type() == ValueType::string, "strings are all that there is");
  IntegerText scratch;
  const std::string_view text = entry.text(scratch);
  add_value(out, db, entry, text.substr(0, cursor.piece_bytes));
  if (text.size() <= cursor.piece_bytes) return;
  if (!cursor.open && cursor.db != CopyCursor::kEnd) {
    cursor.open = LongKey{db, std::string(entry.key()), cursor.piece_bytes};
    return;
  }
  for (size_t at = cursor.piece_bytes; at < text.size(); at += cursor.piece_bytes) {
    add_piece(out, db, entry.key(), at, text.substr(at, cursor.piece_bytes));
  }
}

// Removes a key that the copy may or may not have: a removal alone demands that it is there.
void add_removal(std::string& out, uint8_t db, std::string_view key) {
  append_effect(out, db, {"set", key, ""});
  append_effect(out, db, {"del", key});
}

// One effect taken apart, and the keys that it touches.
struct Touching {
  uint8_t db = 0;
  std::string_view name;
  std::string_view bytes;  // all of it
  std::vector<std::pair<uint8_t, std::string_view>> keys;
  bool whole_slot = false;
};

std::vector<std::pair<uint8_t, std::string_view>> keys_of(uint8_t db, const std::vector<std::string_view>& args) {
  if (args[0] == "rename") return {{db, args[1]}, {db, args[2]}};
  if (args[0] == "copy") {
    const auto to = parse_uint(args[4]);
    CHECK(to.has_value() && *to < kDatabaseCount, "effects are made by this program");
    return {{static_cast<uint8_t>(*to), args[2]}};  // the first key stays as it was
  }
  return {{db, args[1]}};
}

std::vector<Touching> parse(std::string_view effects) {
  std::vector<Touching> parsed;
  for_each_effect(effects, [&](uint8_t db, const std::vector<std::string_view>& args, std::string_view bytes) {
    Touching one{db, args[0], bytes, {}, args[0] == "flushall" || args[0] == "flushdb"};
    if (!one.whole_slot) one.keys = keys_of(db, args);
    parsed.push_back(std::move(one));
  });
  return parsed;
}

bool passed(const Store& store, Slot slot, const CopyCursor& cursor, uint8_t db, std::string_view key) {
  if (db != cursor.db) return db < cursor.db;
  const uint64_t position = store.key_in(slot, key, db).hash >> (64 - Table::kPositionBits);
  return position < cursor.position;
}

bool is(const LongKey& one, uint8_t db, std::string_view key) { return one.db == db && one.key == key; }

bool is_ahead(const CopyCursor& cursor, uint8_t db, std::string_view key) {
  return std::any_of(cursor.ahead.begin(), cursor.ahead.end(), [&](const LongKey& one) { return is(one, db, key); });
}

// What the copy has of a key.
enum class Known { nothing, a_part, all };
Known known(const Store& store, Slot slot, const CopyCursor& cursor, uint8_t db, std::string_view key) {
  if (cursor.open && is(*cursor.open, db, key)) return Known::a_part;
  return is_ahead(cursor, db, key) || passed(store, slot, cursor, db, key) ? Known::all : Known::nothing;
}

// The copy has now all of the long string that was on its way: the walk must not send it again, and must not forget
// what is written to it, before it has passed it.
void close_open(const Store& store, Slot slot, CopyCursor& cursor) {
  LongKey done = *std::exchange(cursor.open, std::nullopt);
  if (!passed(store, slot, cursor, done.db, done.key)) cursor.ahead.push_back(std::move(done));
}

void send_next_piece(const Store& store, Slot slot, CopyCursor& cursor, std::string& out) {
  LongKey& open = *cursor.open;
  const Entry* entry = store.find(store.key_in(slot, open.key, open.db));
  CHECK(entry != nullptr, "the cursor is told of removals");
  IntegerText scratch;
  const std::string_view text = entry->text(scratch);
  const std::string_view piece = text.substr(std::min(open.sent, text.size()), cursor.piece_bytes);
  if (!piece.empty()) add_piece(out, open.db, open.key, open.sent, piece);
  open.sent += piece.size();
  if (open.sent >= text.size()) close_open(store, slot, cursor);
}

// One effect of a record on the string of which the copy has a part.
void tell_of_open(const Store& store, Slot slot, CopyCursor& cursor, const Touching& one, std::string& out) {
  if (one.name == "append") return;  // comes with the pieces
  out.append(one.bytes);
  if (one.name == "set" || one.name == "del") close_open(store, slot, cursor);
}

void flush_long_keys(CopyCursor& cursor, const Touching& one) {
  const auto is_flushed = [&](const LongKey& key) { return one.name == "flushall" || key.db == one.db; };
  if (cursor.open && is_flushed(*cursor.open)) cursor.open.reset();
  std::erase_if(cursor.ahead, is_flushed);
}

}  // namespace

uint32_t copy_out(const Store& store, Slot slot, CopyCursor& cursor, size_t bytes_max, std::string& effects) {
  CHECK(!cursor.at_end(), "the walk goes on until its end");
  const size_t enough = effects.size() + bytes_max;
  uint32_t keys = 0;
  std::vector<Entry*> found;
  while (!cursor.at_end() && effects.size() < enough) {
    if (cursor.open) {
      send_next_piece(store, slot, cursor, effects);
      continue;
    }
    const Keyspace* keyspace = store.keyspace(slot, cursor.db);
    if (keyspace == nullptr || cursor.position == Table::kEndPosition || keyspace->table.size() == 0) {
      ++cursor.db;
      cursor.position = 0;
      cursor.ahead.clear();
      continue;
    }
    found.clear();
    const uint64_t next = keyspace->table.scan(cursor.position, found);
    std::erase_if(found, [&](const Entry* entry) { return is_ahead(cursor, cursor.db, entry->key()); });
    // A long one first and alone: the bucket is passed when all of it has been sent.
    const auto long_one = std::find_if(found.begin(), found.end(),
                                       [&](const Entry* entry) { return entry->text_size() > cursor.piece_bytes; });
    if (long_one != found.end()) {
      add_key(effects, cursor.db, **long_one, cursor);
      ++keys;
      continue;
    }
    for (const Entry* entry : found) add_key(effects, cursor.db, *entry, cursor);
    keys += static_cast<uint32_t>(found.size());
    cursor.position = next;
    std::erase_if(cursor.ahead, [&](const LongKey& one) { return passed(store, slot, cursor, one.db, one.key); });
  }
  return keys;
}

// Effects of one key each are passed on as they are. Where one takes its value from another key, which the copy may not
// have yet, the record is told by what all its keys have become.
void copy_effects(const Store& store, Slot slot, CopyCursor& cursor, std::string_view effects, std::string& out) {
  const std::vector<Touching> parsed = parse(effects);
  const bool by_outcome = std::any_of(parsed.begin(), parsed.end(),
                                      [](const Touching& one) { return one.name == "rename" || one.name == "copy"; });
  std::set<std::pair<uint8_t, std::string_view>> touched;
  for (const Touching& one : parsed) {
    if (one.whole_slot) {
      out.append(one.bytes);
      flush_long_keys(cursor, one);
      continue;
    }
    for (const auto& [db, key] : one.keys) {
      const Known has = known(store, slot, cursor, db, key);
      if (has == Known::nothing) continue;
      if (by_outcome) {
        touched.emplace(db, key);
      } else if (has == Known::a_part) {
        tell_of_open(store, slot, cursor, one, out);
      } else {
        out.append(one.bytes);
      }
    }
  }
  for (const auto& [db, key] : touched) {
    if (known(store, slot, cursor, db, key) == Known::a_part) close_open(store, slot, cursor);
    if (const Entry* entry = store.find(store.key_in(slot, key, db))) {
      add_key(out, db, *entry, cursor);
    } else {
      add_removal(out, db, key);
    }
  }
}

size_t whole_effects(std::string_view effects, size_t bytes_max) {
  size_t taken = 0;
  bool full = false;
  for_each_effect(effects, [&](uint8_t, const auto&, std::string_view bytes) {
    full = full || (taken != 0 && taken + bytes.size() > bytes_max);
    if (!full) taken += bytes.size();
  });
  return taken;
}

}  // namespace chainring::engine
