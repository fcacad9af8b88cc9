#include "engine/database.h"

#include <xxhash.h>

#include <algorithm>

#include "base/check.h"
#include "engine/apply.h"
#include "engine/call.h"
#include "engine/copying.h"
#include "engine/dispatch.h"
#include "engine/store.h"
#include "protocol/runs.h"

namespace chainring::engine {
namespace {

static_assert(kStringBytesMax == protocol::kBulkBytesMax, "what a client may say, it may store");
// Of keys that expire() removes at once: they become one record for each slot.
constexpr size_t kExpiredBytesMax = size_t{16} << 20;

// Each part is hashed with its length, so that no two contents are written alike.
uint64_t digest_of(uint8_t db, const Entry& entry) {
  IntegerText scratch;
  const std::string_view value = entry.text(scratch);
  const std::string_view key = entry.key();
  const uint64_t head[] = {db, static_cast<uint64_t>(entry.type()), static_cast<uint64_t>(entry.deadline()), key.size(),
                           value.size()};
  const uint64_t of_key = XXH3_64bits_withSeed(key.data(), key.size(), XXH3_64bits(head, sizeof head));
  return XXH3_64bits_withSeed(value.data(), value.size(), of_key);
}

}  // namespace

struct Database::State {
  explicit State(uint64_t hash_seed) : store(hash_seed) {}
  Store store;
  Statistics statistics;
  Slot expire_from = 0;  // where the next expire() begins: behind the last slot served, so that none waits for ever
};

Database::Database(DatabaseOptions options) : state_(std::make_unique<State>(options.hash_seed)) {}
Database::~Database() = default;

void Database::execute(const protocol::CommandSpec& command, std::span<const std::string_view> args,
                       const ExecContext& context, protocol::ReplyWriter& reply, Effects& effects) {
  const Handler handler = dispatch().find(command.id);
  CHECK(handler != nullptr, "the caller asks runs() first");
  CHECK(context.db < kDatabaseCount, "the caller judges SELECT");
  const auto is_too_long = [](std::string_view arg) { return arg.size() > kStringBytesMax; };
  if (std::any_of(args.begin(), args.end(), is_too_long)) return reply.error(kStringTooLong);
  state_->store.set_access_clock(context.now);
  Call call{command, args, context, reply, state_->store, state_->statistics, effects};
  handler(call);
}

bool Database::runs(protocol::CommandId id) { return dispatch().find(id) != nullptr; }

void Database::note_time(Millis now) { state_->store.set_access_clock(now); }

Status Database::apply(Slot slot, std::string_view effects) { return apply_effects(state_->store, slot, effects); }

size_t Database::expire(std::span<const protocol::SlotRange> slots, Millis now, size_t keys_max, Effects& effects) {
  Store& store = state_->store;
  store.set_access_clock(now);
  size_t removed = 0;
  size_t bytes = 0;
  const auto expire_range = [&](Slot first, Slot last) {
    while (removed < keys_max && bytes < kExpiredBytesMax) {
      const auto due = store.earliest().first_due(first, last, now);
      if (!due) return;
      uint8_t db = 0;
      const Key key = store.key_in(*due, store.first_deadline(*due, db)->key(), 0);
      bytes += key.text.size();
      effects.add(key.slot, db, {"del", key.text});
      store.remove({key.text, key.hash, key.slot, db});
      ++removed;
      ++state_->statistics.expired;
      state_->expire_from = static_cast<Slot>((*due + 1) % kSlotCount);
    }
  };
  const Slot from = state_->expire_from;
  for (const auto& [first, last] : slots) {
    if (last >= from) expire_range(std::max(first, from), last);
  }
  for (const auto& [first, last] : slots) {
    if (first < from) expire_range(first, std::min<Slot>(last, static_cast<Slot>(from - 1)));
  }
  return removed;
}

Millis Database::earliest_deadline() const { return state_->store.earliest().least(); }

uint32_t Database::copy_out(Slot slot, CopyCursor& cursor, size_t bytes_max, std::string& effects) const {
  return engine::copy_out(state_->store, slot, cursor, bytes_max, effects);
}

void Database::copy_effects(Slot slot, CopyCursor& cursor, std::string_view effects, std::string& out) const {
  engine::copy_effects(state_->store, slot, cursor, effects, out);
}

void Database::clear_slot(Slot slot) {
  CHECK(slot < kSlotCount, "a slot of the ring");
  state_->store.clear(slot);
}

bool Database::free_some(size_t keys_max) { return state_->store.free_some(keys_max); }

std::vector<protocol::SlotRange> Database::first_slots(std::span<const protocol::SlotRange> slots, uint8_t db,
                                                       size_t keys_max) const {
  CHECK(db < kDatabaseCount, "the caller judges SELECT");
  std::vector<protocol::SlotRange> first_ones;
  size_t keys = 0;
  for (const auto& [first, last] : slots) {
    for (uint32_t slot = first; slot <= last && slot < kSlotCount; ++slot) {
      const Slot here = static_cast<Slot>(slot);
      if (const Keyspace* keyspace = state_->store.keyspace(here, db)) keys += keyspace->table.size();
      if (keys > keys_max && !first_ones.empty()) return first_ones;
      protocol::append_run(first_ones, {here, here});
    }
  }
  return first_ones;
}

KeyCounts Database::counts(std::span<const protocol::SlotRange> slots, uint8_t db) const {
  CHECK(db < kDatabaseCount, "the caller judges SELECT");
  KeyCounts counts;
  for (const auto& [first, last] : slots) {
    for (uint32_t slot = first; slot <= last && slot < kSlotCount; ++slot) {
      if (const Keyspace* keys = state_->store.keyspace(static_cast<Slot>(slot), db)) {
        counts.keys += keys->table.size();
        counts.expires += keys->deadlines.size();
      }
    }
  }
  return counts;
}

Millis Database::deadline_of(Slot slot, std::string_view key, uint8_t db) const {
  CHECK(db < kDatabaseCount, "the caller judges SELECT");
  const Entry* entry = state_->store.find(state_->store.key_in(slot, key, db));
  return entry == nullptr ? kNoDeadline : entry->deadline();
}

std::vector<std::string_view> Database::keys_in(Slot slot, uint8_t db, size_t keys_max) const {
  CHECK(slot < kSlotCount && db < kDatabaseCount, "a slot of the ring, in a database");
  std::vector<std::string_view> keys;
  const Keyspace* keyspace = state_->store.keyspace(slot, db);
  if (keyspace == nullptr) return keys;
  std::vector<Entry*> found;
  for (uint64_t position = 0; position != Table::kEndPosition && keys.size() < keys_max;) {
    found.clear();
    position = keyspace->table.scan(position, found);
    for (const Entry* entry : found) {
      if (keys.size() < keys_max) keys.push_back(entry->key());
    }
  }
  return keys;
}

size_t Database::walk(Slot slot, CopyCursor& cursor, size_t keys_max,
                      const std::function<void(std::string_view)>& visit) const {
  CHECK(slot < kSlotCount && !cursor.at_end(), "a slot of the ring, and a walk that goes on");
  size_t visited = 0;
  std::vector<Entry*> found;
  while (!cursor.at_end() && visited < keys_max) {
    const Keyspace* keyspace = state_->store.keyspace(slot, cursor.db);
    if (keyspace == nullptr || cursor.position == Table::kEndPosition || keyspace->table.size() == 0) {
      cursor = {static_cast<uint8_t>(cursor.db + 1), 0};
      continue;
    }
    found.clear();
    cursor.position = keyspace->table.scan(cursor.position, found);
    for (const Entry* entry : found) visit(entry->key());
    visited += found.size();
  }
  return visited;
}

uint64_t Database::memory_bytes() const { return state_->store.memory_bytes(); }

uint64_t Database::digest(Slot slot) const {
  CHECK(slot < kSlotCount, "a slot of the ring");
  uint64_t sum = 0;
  std::vector<Entry*> found;
  for (uint8_t db = 0; db < kDatabaseCount; ++db) {
    const Keyspace* keys = state_->store.keyspace(slot, db);
    if (keys == nullptr) continue;
    for (uint64_t position = 0; position != Table::kEndPosition;) {
      found.clear();
      position = keys->table.scan(position, found);
      for (const Entry* entry : found) sum += digest_of(db, *entry);
    }
  }
  return sum;
}

const Database::Statistics& Database::statistics() const { return state_->statistics; }

}  // namespace chainring::engine
