#include "engine/copying.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <set>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/text.h"

namespace chainring::engine {
namespace {

void add_effect(std::string& out, uint8_t db, std::initializer_list<std::string_view> args) {
  ByteWriter writer(out);
  writer(db);
  writer.varint(args.size());
  for (const std::string_view arg : args) writer(arg);
}

// The effects that make the key what it is, whatever it was.
void add_whole_key(std::string& out, uint8_t db, const Entry& entry) {
  CHECK(entry.type() == ValueType::string, "strings are all that there is");
  IntegerText scratch;
  const std::string_view text = entry.text(scratch);
  const std::string_view first = text.substr(0, kCopyPieceBytes);
  if (entry.has_deadline()) {
    add_effect(out, db, {"set", entry.key(), first, "pxat", concat(entry.deadline())});
  } else {
    add_effect(out, db, {"set", entry.key(), first});
  }
  for (size_t at = first.size(); at < text.size(); at += kCopyPieceBytes) {
    add_effect(out, db, {"append", entry.key(), text.substr(at, kCopyPieceBytes)});
  }
}

// Removes a key that the copy may or may not have: a removal alone demands that it is there.
void add_removal(std::string& out, uint8_t db, std::string_view key) {
  add_effect(out, db, {"set", key, ""});
  add_effect(out, db, {"del", key});
}

// One effect taken apart, and the keys that it touches.
struct Touching {
  uint8_t db = 0;
  std::vector<std::string_view> args;
  std::string_view bytes;  // as it was
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

Touching parse_one(ByteReader& reader) {
  Touching one;
  const std::string_view from = reader.rest();
  reader(one.db);
  one.args.resize(reader.varint());
  for (std::string_view& arg : one.args) reader(arg);
  CHECK(!reader.failed() && !one.args.empty(), "effects are made by this program");
  one.bytes = from.substr(0, from.size() - reader.rest().size());
  one.whole_slot = one.args[0] == "flushall" || one.args[0] == "flushdb";
  if (!one.whole_slot) one.keys = keys_of(one.db, one.args);
  return one;
}

std::vector<Touching> parse(std::string_view effects) {
  std::vector<Touching> parsed;
  for (ByteReader reader(effects); !reader.complete();) parsed.push_back(parse_one(reader));
  return parsed;
}

bool passed(const Store& store, Slot slot, const CopyCursor& cursor, uint8_t db, std::string_view key) {
  if (db != cursor.db) return db < cursor.db;
  const uint64_t position = store.key_in(slot, key, db).hash >> (64 - Table::kPositionBits);
  return position < cursor.position;
}

}  // namespace

uint32_t copy_out(const Store& store, Slot slot, CopyCursor& cursor, size_t bytes_max, std::string& effects) {
  CHECK(!cursor.at_end(), "the walk goes on until its end");
  const size_t enough = effects.size() + bytes_max;
  uint32_t keys = 0;
  std::vector<Entry*> found;
  while (!cursor.at_end() && effects.size() < enough) {
    const Keyspace* keyspace = store.keyspace(slot, cursor.db);
    if (keyspace == nullptr || cursor.position == Table::kEndPosition || keyspace->table.size() == 0) {
      cursor = {static_cast<uint8_t>(cursor.db + 1), 0};
      continue;
    }
    found.clear();
    cursor.position = keyspace->table.scan(cursor.position, found);
    for (const Entry* entry : found) add_whole_key(effects, cursor.db, *entry);
    keys += static_cast<uint32_t>(found.size());
  }
  return keys;
}

// Effects of one key each are passed on as they are. Where one takes its value from another key, which the copy may not
// have yet, the record is told by what all its keys have become.
void copy_effects(const Store& store, Slot slot, const CopyCursor& cursor, std::string_view effects, std::string& out) {
  const std::vector<Touching> parsed = parse(effects);
  const bool by_outcome = std::any_of(parsed.begin(), parsed.end(), [](const Touching& one) {
    return one.args[0] == "rename" || one.args[0] == "copy";
  });
  std::set<std::pair<uint8_t, std::string_view>> touched;
  for (const Touching& one : parsed) {
    if (one.whole_slot) {
      out.append(one.bytes);
      continue;
    }
    for (const auto& [db, key] : one.keys) {
      if (!passed(store, slot, cursor, db, key)) continue;
      if (by_outcome) {
        touched.emplace(db, key);
      } else {
        out.append(one.bytes);
      }
    }
  }
  for (const auto& [db, key] : touched) {
    if (const Entry* entry = store.find(store.key_in(slot, key, db))) {
      add_whole_key(out, db, *entry);
    } else {
      add_removal(out, db, key);
    }
  }
}

size_t whole_effects(std::string_view effects, size_t bytes_max) {
  size_t taken = 0;
  for (ByteReader reader(effects); !reader.complete();) {
    const size_t next = taken + parse_one(reader).bytes.size();
    if (taken != 0 && next > bytes_max) break;
    taken = next;
  }
  return taken;
}

}  // namespace chainring::engine
