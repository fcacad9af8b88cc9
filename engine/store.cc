#include "engine/store.h"

#include <algorithm>

#include "base/check.h"
#include "protocol/slot.h"

namespace chainring::engine {
namespace {

constexpr size_t kFreedAtOnceMax = 32;  // keys of one table

}  // namespace

// The earliest deadline is looked for in the slot's databases only when that of the changed one moved.
class Store::Change {
 public:
  Change(Store& store, Slot slot, Keyspace& keys)
      : store_(store), slot_(slot), keys_(keys), bytes_(keys.memory_bytes()), earliest_(keys.deadlines.earliest()) {}
  ~Change() {
    store_.memory_bytes_ += keys_.memory_bytes() - bytes_;
    if (keys_.deadlines.earliest() != earliest_) store_.update_earliest(slot_);
  }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  void forget(Entry* entry) {
    keys_.entry_bytes -= entry->memory_bytes();
    if (entry->has_deadline()) keys_.deadlines.remove(entry);
  }
  void learn(Entry* entry) {
    keys_.entry_bytes += entry->memory_bytes();
    if (entry->has_deadline()) keys_.deadlines.add(entry);
  }

 private:
  Store& store_;
  Slot slot_;
  Keyspace& keys_;
  uint64_t bytes_;
  Millis earliest_;
};

Store::Store(uint64_t hash_seed) : hash_seed_(hash_seed), slots_(kSlotCount) {}
Store::~Store() = default;

Key Store::key(std::string_view text, uint8_t db) const { return key_in(protocol::slot_of(text), text, db); }

Key Store::key_in(Slot slot, std::string_view text, uint8_t db) const {
  return {text, hash_key(text, hash_seed_), slot, db};
}

Keyspace* Store::keyspace(Slot slot, uint8_t db) const {
  SlotKeys* keys = slots_[slot].get();
  if (keys == nullptr) return nullptr;
  return db == 0 ? &keys->first : keys->others[db - 1].get();
}

Keyspace& Store::keyspace_for_writing(Slot slot, uint8_t db) {
  CHECK(slot < kSlotCount && db < kDatabaseCount, "slot and database are judged by the caller");
  auto& keys = slots_[slot];
  if (keys == nullptr) {
    keys = std::make_unique<SlotKeys>(hash_seed_);
    memory_bytes_ += sizeof(SlotKeys);
  }
  if (db == 0) return keys->first;
  auto& other = keys->others[db - 1];
  if (other == nullptr) {
    other = std::make_unique<Keyspace>(hash_seed_);
    memory_bytes_ += sizeof(Keyspace);
  }
  return *other;
}

void Store::update_earliest(Slot slot) {
  Millis least = kNoDeadline;
  for (uint8_t db = 0; db < kDatabaseCount; ++db) {
    if (const Keyspace* keys = keyspace(slot, db)) least = std::min(least, keys->deadlines.earliest());
  }
  earliest_.set(slot, least);
}

Entry* Store::first_deadline(Slot slot, uint8_t& db) const {
  Entry* first = nullptr;
  for (uint8_t i = 0; i < kDatabaseCount; ++i) {
    const Keyspace* keys = keyspace(slot, i);
    if (keys == nullptr || keys->deadlines.size() == 0) continue;
    if (first != nullptr && first->deadline() <= keys->deadlines.earliest()) continue;
    first = keys->deadlines.first();
    db = i;
  }
  return first;
}

Entry* Store::find(const Key& key) const {
  const Keyspace* keys = keyspace(key.slot, key.db);
  return keys == nullptr ? nullptr : keys->table.find(key.hash, key.text);
}

void Store::insert(const Key& key, Entry* entry) {
  Keyspace& keys = keyspace_for_writing(key.slot, key.db);
  Change change(*this, key.slot, keys);
  note_access(entry);
  keys.table.insert(key.hash, entry);
  change.learn(entry);
}

void Store::set(const Key& key, std::string_view text, Millis deadline) {
  Entry* old = find(key);
  if (old == nullptr) return insert(key, Entry::make_string(key.text, text, deadline));
  Keyspace& keys = keyspace_for_writing(key.slot, key.db);
  Change change(*this, key.slot, keys);
  change.forget(old);
  Entry* fresh = Entry::with_text(old, text, deadline);
  if (fresh != old) keys.table.replace(key.hash, old, fresh);
  note_access(fresh);
  change.learn(fresh);
}

void Store::set_deadline(const Key& key, Millis deadline) {
  Entry* old = find(key);
  CHECK(old != nullptr, "a key that is there");
  Keyspace& keys = keyspace_for_writing(key.slot, key.db);
  Change change(*this, key.slot, keys);
  change.forget(old);
  Entry* fresh = Entry::with_deadline(old, deadline);
  if (fresh != old) keys.table.replace(key.hash, old, fresh);
  change.learn(fresh);
}

void Store::overwrite(const Key& key, size_t offset, std::string_view text) {
  Entry* old = find(key);
  CHECK(old != nullptr, "a key that is there");
  Keyspace& keys = keyspace_for_writing(key.slot, key.db);
  Change change(*this, key.slot, keys);
  change.forget(old);
  Entry* fresh = Entry::with_overwritten(old, offset, text);
  if (fresh != old) keys.table.replace(key.hash, old, fresh);
  note_access(fresh);
  change.learn(fresh);
}

void Store::remove(const Key& key) {
  Entry* old = find(key);
  CHECK(old != nullptr, "a key that is there");
  Keyspace& keys = keyspace_for_writing(key.slot, key.db);
  Change change(*this, key.slot, keys);
  change.forget(old);
  keys.table.extract(key.hash, old);
  Entry::destroy(old);
}

void Store::rename(const Key& from, const Key& to) {
  CHECK(from.slot == to.slot, "a slot is the unit of ordering");
  if (find(to) != nullptr) remove(to);
  Entry* entry = find(from);
  CHECK(entry != nullptr, "a key that is there");
  {
    Keyspace& keys = keyspace_for_writing(from.slot, from.db);
    Change change(*this, from.slot, keys);
    change.forget(entry);
    keys.table.extract(from.hash, entry);
  }
  insert(to, Entry::with_key(entry, to.text));
}

void Store::copy(const Key& from, const Key& to) {
  CHECK(from.slot == to.slot, "a slot is the unit of ordering");
  const Entry* source = find(from);
  CHECK(source != nullptr, "a key that is there");
  Entry* made = Entry::make_copy(to.text, *source);
  if (find(to) != nullptr) remove(to);
  insert(to, made);
}

void Store::clear(Slot slot, uint8_t db) {
  Keyspace* keys = keyspace(slot, db);
  if (keys == nullptr) return;
  Change change(*this, slot, *keys);
  keys->deadlines.clear();
  if (keys->table.size() > kFreedAtOnceMax) {
    garbage_.push_back({std::make_unique<Table>(hash_seed_), keys->entry_bytes + keys->table.memory_bytes()});
    garbage_bytes_ += garbage_.back().bytes;
    keys->table.move_to(*garbage_.back().table);
  } else {
    keys->table.clear();
  }
  keys->entry_bytes = 0;
}

bool Store::free_some(size_t keys_max) {
  for (size_t freed = 0; freed < keys_max && !garbage_.empty();) {
    Garbage& first = garbage_.front();
    freed += first.table->clear_some(keys_max - freed);
    if (first.table->size() != 0) continue;
    garbage_bytes_ -= first.bytes;
    garbage_.pop_front();
  }
  return !garbage_.empty();
}

void Store::clear(Slot slot) {
  auto& keys = slots_[slot];
  if (keys == nullptr) return;
  for (uint8_t db = 0; db < kDatabaseCount; ++db) clear(slot, db);
  for (const auto& other : keys->others) memory_bytes_ -= other == nullptr ? 0 : sizeof(Keyspace);
  memory_bytes_ -= sizeof(SlotKeys);
  keys.reset();
}

}  // namespace chainring::engine
