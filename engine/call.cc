#include "engine/call.h"

#include <charconv>

#include "base/check.h"
#include "base/text.h"

namespace chainring::engine {
namespace {

// A number as an argument of an effect.
class NumberText {
 public:
  explicit NumberText(int64_t value)
      : size_(static_cast<size_t>(std::to_chars(text_.bytes, text_.bytes + sizeof text_.bytes, value).ptr -
                                  text_.bytes)) {}
  [[nodiscard]] std::string_view view() const { return {text_.bytes, size_}; }

 private:
  IntegerText text_;
  size_t size_;
};

}  // namespace

Entry* Call::find(const Key& key) {
  Entry* entry = store.find(key);
  if (entry == nullptr || !entry->expired(context.now)) return entry;
  ++statistics.expired;
  remove(key);
  return nullptr;
}

Entry* Call::find_to_read(const Key& key, Use use) {
  Entry* entry = find(key);
  ++(entry == nullptr ? statistics.misses : statistics.hits);
  if (entry != nullptr && use == Use::touch) store.note_access(entry);
  return entry;
}

bool Call::is_string_or_absent(const Entry* entry) {
  if (entry == nullptr || entry->type() == ValueType::string) return true;
  reply.error(protocol::errors::kWrongType);
  return false;
}

void Call::set(const Key& key, std::string_view text, Millis deadline) {
  if (deadline <= context.now) {
    if (store.find(key) != nullptr) remove(key);
    return;
  }
  store.set(key, text, deadline);
  if (deadline == kNoDeadline) {
    effects.add(key.slot, key.db, {"set", key.text, text});
  } else {
    effects.add(key.slot, key.db, {"set", key.text, text, "pxat", NumberText(deadline).view()});
  }
}

void Call::set_integer(const Key& key, int64_t value, Millis deadline) { set(key, NumberText(value).view(), deadline); }

void Call::set_deadline(const Key& key, Millis deadline) {
  if (deadline <= context.now) return remove(key);
  store.set_deadline(key, deadline);
  if (deadline == kNoDeadline) {
    effects.add(key.slot, key.db, {"persist", key.text});
  } else {
    effects.add(key.slot, key.db, {"pexpireat", key.text, NumberText(deadline).view()});
  }
}

void Call::remove(const Key& key) {
  store.remove(key);
  effects.add(key.slot, key.db, {"del", key.text});
}

void Call::append(const Key& key, std::string_view text) {
  store.overwrite(key, store.find(key)->text_size(), text);
  effects.add(key.slot, key.db, {"append", key.text, text});
}

void Call::overwrite(const Key& key, size_t offset, std::string_view text) {
  store.overwrite(key, offset, text);
  effects.add(key.slot, key.db, {"setrange", key.text, NumberText(static_cast<int64_t>(offset)).view(), text});
}

void Call::rename(const Key& from, const Key& to) {
  store.rename(from, to);
  effects.add(from.slot, from.db, {"rename", from.text, to.text});
}

void Call::copy(const Key& from, const Key& to) {
  store.copy(from, to);
  effects.add(from.slot, from.db, {"copy", from.text, to.text, "db", NumberText(to.db).view(), "replace"});
}

void Call::flush(Slot slot, bool all_databases) {
  const auto holds_keys = [&](uint8_t db) {
    const Keyspace* keys = store.keyspace(slot, db);
    return keys != nullptr && keys->table.size() > 0;
  };
  if (!all_databases) {
    if (!holds_keys(context.db)) return;
    store.clear(slot, context.db);
    return effects.add(slot, context.db, {"flushdb"});
  }
  bool any = false;
  for (uint8_t db = 0; db < kDatabaseCount; ++db) any = any || holds_keys(db);
  store.clear(slot);
  if (any) effects.add(slot, context.db, {"flushall"});
}

bool Call::integer(size_t arg, int64_t& value) {
  const auto parsed = parse_int(args[arg]);
  if (!parsed) {
    reply.error(protocol::errors::kNotInteger);
    return false;
  }
  value = *parsed;
  return true;
}

void Call::invalid_expire() { reply.error(concat(protocol::errors::kInvalidExpire, command.name, "' command")); }

bool Call::option(size_t arg, std::string_view name) const { return equals_ignoring_case(args[arg], name); }

}  // namespace chainring::engine
