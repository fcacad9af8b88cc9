// All keys of a worker: for each slot and each database in use a table and the heap of its deadlines, with what is
// known of them as a whole. Does what it is told: it knows no clock, no replies, no effects, and never judges whether
// a key has expired. Commands change it through engine/call.h, effects through engine/apply.h.
//
// Thread-safety: none. Ownership: of all entries. An Entry pointer is good until its key is next changed.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "engine/database.h"
#include "engine/deadline_heap.h"
#include "engine/entry.h"
#include "engine/slot_minimum.h"
#include "engine/table.h"

namespace chainring::engine {

// A key with what finding it needs, worked out once.
struct Key {
  std::string_view text;
  uint64_t hash;
  Slot slot;
  uint8_t db;
};

// The keys of one slot in one database.
struct Keyspace {
  explicit Keyspace(uint64_t seed) : table(seed) {}
  [[nodiscard]] uint64_t memory_bytes() const { return entry_bytes + table.memory_bytes() + deadlines.memory_bytes(); }

  Table table;
  DeadlineHeap deadlines;
  uint64_t entry_bytes = 0;
};

class Store {
 public:
  explicit Store(uint64_t hash_seed);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // REQUIRES: db < kDatabaseCount.
  [[nodiscard]] Key key(std::string_view text, uint8_t db) const;
  [[nodiscard]] Key key_in(Slot slot, std::string_view text, uint8_t db) const;  // when the slot is known

  [[nodiscard]] Entry* find(const Key& key) const;

  // Makes `text` the key's value, whatever it was; kNoDeadline for none.
  void set(const Key& key, std::string_view text, Millis deadline);
  // REQUIRES of these: the key is there.
  void set_deadline(const Key& key, Millis deadline);
  void overwrite(const Key& key, size_t offset, std::string_view text);  // Entry::with_overwritten
  void remove(const Key& key);
  // `to` gets the value and the deadline of `from`, which goes. REQUIRES: another key of the same slot.
  void rename(const Key& from, const Key& to);
  void copy(const Key& from, const Key& to);

  // The keys are gone at once; of many, memory is given back by free_some().
  void clear(Slot slot);
  void clear(Slot slot, uint8_t db);
  // Gives back memory of some `keys_max` keys that clear() took out. Whether there are more.
  bool free_some(size_t keys_max);

  // nullptr when nothing was ever there.
  [[nodiscard]] Keyspace* keyspace(Slot slot, uint8_t db) const;
  [[nodiscard]] const SlotMinimum& earliest() const { return earliest_; }
  [[nodiscard]] Entry* first_deadline(Slot slot, uint8_t& db) const;
  [[nodiscard]] uint64_t memory_bytes() const { return memory_bytes_ + garbage_bytes_; }

  // The clock that accesses are noted with; the last one seen.
  void set_access_clock(Millis now) { access_seconds_ = static_cast<uint32_t>(now / 1000) & Entry::kAccessSecondsMask; }
  void note_access(Entry* entry) const { entry->set_access_seconds(access_seconds_); }
  [[nodiscard]] uint32_t idle_seconds(const Entry& entry) const {
    return (access_seconds_ - entry.access_seconds()) & Entry::kAccessSecondsMask;
  }

 private:
  struct SlotKeys {
    explicit SlotKeys(uint64_t seed) : first(seed) {}
    Keyspace first;                                                    // database 0
    std::array<std::unique_ptr<Keyspace>, kDatabaseCount - 1> others;  // made on first use
  };
  struct Garbage {
    std::unique_ptr<Table> table;
    uint64_t bytes = 0;
  };
  // Brackets a change of one keyspace and brings the sums up to date behind it.
  class Change;

  [[nodiscard]] Keyspace& keyspace_for_writing(Slot slot, uint8_t db);
  void insert(const Key& key, Entry* entry);
  void update_earliest(Slot slot);

  uint64_t hash_seed_;
  std::vector<std::unique_ptr<SlotKeys>> slots_;
  SlotMinimum earliest_;
  uint64_t memory_bytes_ = 0;    // without garbage_
  std::deque<Garbage> garbage_;  // cleared, not yet freed
  uint64_t garbage_bytes_ = 0;
  uint32_t access_seconds_ = 0;
};

}  // namespace chainring::engine
