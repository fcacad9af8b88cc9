#include "coordinator/state_locks.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "protocol/reply.h"
#include "protocol/resp.h"

namespace chainring::coordinator {
namespace {

using protocol::CommandId;
using protocol::ReplyWriter;

constexpr protocol::SlotRange kAllSlots[] = {{0, kSlotCount - 1}};

uint64_t counted_bytes(std::string_view key, std::string_view owner) {
  return key.size() + owner.size() + kLockOverheadBytes;
}

}  // namespace

LockSpace::LockSpace(uint64_t hash_seed, uint64_t generation)
    : hash_seed_(hash_seed),
      generation_(generation),
      token_(generation << kTokenGenerationShift),
      removals_(kRemovalPlaces),
      database_(std::make_unique<engine::Database>(engine::DatabaseOptions{hash_seed})) {}

const Lock* LockSpace::find(uint8_t db, std::string_view key) const {
  const auto at = locks_.find(std::pair(db, key));
  return at == locks_.end() ? nullptr : &at->second;
}

std::string LockSpace::execute(const LockCommand& command, Millis now, engine::Effects& effects,
                               size_t reply_bytes_max) const {
  engine::ExecContext context;
  context.now = now;
  context.db = command.db;
  context.reply_bytes_max = reply_bytes_max;
  std::string out;
  ReplyWriter writer(out, command.resp);
  database_->execute(*command.spec, command.args, context, writer, effects);
  return out;
}

int64_t LockSpace::ask(std::string_view name, uint8_t db, std::string_view key) const {
  const std::string_view args[] = {name, key};
  engine::Effects effects;
  const std::string reply =
      execute({protocol::find_command(name), args, db, protocol::RespVersion::resp2}, now_, effects);
  CHECK(reply.starts_with(':') && effects.empty(), "it was asked for a number");
  return parse_int(std::string_view(reply).substr(1, reply.size() - 3)).value_or(0);
}

Millis LockSpace::deadline(uint8_t db, std::string_view key) const {
  const int64_t when = ask("pexpiretime", db, key);
  return when < 0 ? INT64_MAX : when;
}

std::optional<std::string> LockSpace::value(uint8_t db, std::string_view key) const {
  const std::string_view args[] = {"get", key};
  engine::Effects effects;
  const std::string reply =
      execute({&protocol::command(CommandId::get), args, db, protocol::RespVersion::resp2}, now_, effects);
  protocol::ReplyValue parsed;
  CHECK(protocol::parse_reply(reply, parsed).state == protocol::ReplyExtent::State::ready, "the engine writes RESP");
  if (parsed.kind == protocol::ReplyValue::Kind::null) return std::nullopt;
  return std::move(parsed.text);
}

void LockSpace::advance(Millis time) {
  now_ = std::max(time_, time);
  size_t removed = 0;
  for (Millis due = earliest_deadline(); due <= time; due = earliest_deadline()) {
    if (removed >= kExpiredPerEntryMax) {
      time_ = std::max(time_, due - 1);
      return;
    }
    engine::Effects effects;
    while (earliest_deadline() <= due) {  // all of this time, however many the engine takes at once
      const size_t gone = database_->expire(kAllSlots, due, SIZE_MAX, effects);
      CHECK(gone > 0, "the engine's earliest deadline is exact; where the time stops depends on it");
      removed += gone;
    }
    take_expired(effects);
  }
  time_ = std::max(time_, time);
}

// Where the engine begins to look for what has expired is no part of the replicated state, so neither is its order.
void LockSpace::take_expired(const engine::Effects& effects) {
  std::vector<Key> gone;
  for (const engine::Effects::OfSlot& of_slot : effects.slots()) {
    engine::for_each_effect(of_slot.bytes,
                            [&](uint8_t db, const std::vector<std::string_view>& args, std::string_view) {
                              CHECK(args.size() == 2, "expiry removes single keys");
                              gone.emplace_back(db, args[1]);
                            });
  }
  std::sort(gone.begin(), gone.end());
  for (const Key& key : gone) {
    if (const auto known = locks_.find(key); known != locks_.end()) forget(known);
  }
}

// What the engine changed becomes what is known of the locks.
void LockSpace::take(const engine::Effects& effects) {
  const auto take_one = [&](uint8_t db, const std::vector<std::string_view>& args, std::string_view) {
    CHECK(args.size() >= 2, "the engine's effects on keys name the key");
    if (args[0] == "del") {
      if (const auto known = locks_.find(std::pair(db, args[1])); known != locks_.end()) forget(known);
      return;
    }
    settle(db, args[1]);
    if (args[0] == "rename") settle(db, args[2]);
    if (args[0] == "copy") settle(static_cast<uint8_t>(parse_uint(args[4]).value_or(db)), args[2]);
  };
  for (const engine::Effects::OfSlot& of_slot : effects.slots()) engine::for_each_effect(of_slot.bytes, take_one);
}

void LockSpace::settle(uint8_t db, std::string_view key) {
  const std::optional<std::string> owner = value(db, key);
  const auto known = locks_.find(std::pair(db, key));
  if (!owner) {
    if (known != locks_.end()) forget(known);
    return;
  }
  if (known == locks_.end()) {
    const auto added =
        locks_.emplace(Key(db, key), Lock{*owner, ++token_, ++place_, now_, deadline(db, key), ++changes_}).first;
    by_place_.emplace(place_, added);
    ++counts_[db];
    bytes_ += counted_bytes(key, *owner);
    return;
  }
  known->second.deadline = deadline(db, key);
  known->second.changed = ++changes_;
  if (known->second.owner != *owner) {
    bytes_ += owner->size();
    bytes_ -= known->second.owner.size();
    known->second.owner = *owner;
    known->second.token = ++token_;
    known->second.granted_at = now_;
  }
}

void LockSpace::forget(Locks::iterator lock) {
  removals_[removal_place(lock->first.first, lock->first.second)] = ++changes_;
  by_place_.erase(lock->second.place);
  --counts_[lock->first.first];
  bytes_ -= counted_bytes(lock->first.second, lock->second.owner);
  locks_.erase(lock);
}

// Bounds are judged by what is counted here, the same on every coordinator (R28).
std::string LockSpace::refuse_growth(const LockCommand& command, uint64_t lock_count_max) const {
  const CommandId id = command.spec->id;
  if ((command.spec->flags & protocol::kDenyOom) == 0 && id != CommandId::lock_acquire) return {};
  uint64_t added = 0;
  for (const auto& [db, key] : command.placed_keys()) added += find(db, key) == nullptr ? 1 : 0;
  uint64_t bytes = added * kLockOverheadBytes;
  for (const std::string_view arg : command.args) {
    if (arg.size() > kLockValueBytesMax) return concat("ERR a lock may hold at most ", kLockValueBytesMax, " bytes");
    bytes += arg.size();
  }
  if (added > 0 && locks_.size() + added > lock_count_max) {
    return concat("OOM command not allowed: lock-count-max (", lock_count_max, ") locks exist");
  }
  if (bytes_ + bytes > kLockBytesMax) {
    return concat("OOM command not allowed: the locks hold ", kLockBytesMax, " bytes in all");
  }
  const Lock* lock = command.args.size() > 1 ? find(command.db, command.args[1]) : nullptr;
  uint64_t size = lock == nullptr ? 0 : lock->owner.size();
  if (id == CommandId::append) size += command.args[2].size();
  if (id == CommandId::setrange) {
    const uint64_t offset = parse_uint(command.args[2]).value_or(0);
    size = std::min<uint64_t>(offset, kLockValueBytesMax) + command.args[3].size();
  }
  if (size > kLockValueBytesMax) return concat("ERR a lock may hold at most ", kLockValueBytesMax, " bytes");
  return {};
}

LockReply LockSpace::run(const LockCommand& command, uint64_t lock_count_max, size_t reply_bytes_max) {
  remove_expired(command);
  if (std::string refusal = refuse_growth(command, lock_count_max); !refusal.empty()) {
    return {protocol::error_reply(refusal), 0, 0};
  }
  switch (command.spec->id) {
    case CommandId::lock_acquire:
    case CommandId::lock_renew:
    case CommandId::lock_release:
      return run_native(command);
    default:
      break;
  }
  engine::Effects effects;
  LockReply reply{execute(command, now_, effects, reply_bytes_max), 0, 0};
  take(effects);
  return reply;
}

// While the time stays behind there are locks that have expired.
void LockSpace::remove_expired(const LockCommand& command) {
  if (time_ == now_) return;
  for (const std::string_view key : command.keys()) remove_if_expired(command.db, key);
}

void LockSpace::remove_if_expired(uint8_t db, std::string_view key) {
  if (const Lock* lock = find(db, key); lock != nullptr && lock->deadline <= now_) remove(db, key);
}

void LockSpace::remove(uint8_t db, std::string_view key) {
  const std::string_view del[] = {"del", key};
  engine::Effects effects;
  (void)execute({&protocol::command(CommandId::del), del, db, protocol::RespVersion::resp2}, now_, effects);
  take(effects);
}

LockReply LockSpace::run_native(const LockCommand& command) {
  LockReply reply;
  ReplyWriter writer(reply.resp, command.resp);
  const std::string_view key = command.args[2], owner = command.args[3];
  const Lock* lock = find(command.db, key);
  const bool held_by_owner = lock != nullptr && lock->owner == owner;
  if (command.spec->id == CommandId::lock_release) {
    writer.integer(held_by_owner ? 1 : 0);
    if (held_by_owner) remove(command.db, key);
  } else {
    std::string error;
    const int64_t ttl_ms = lock_ttl_ms(command.args, error);
    if (ttl_ms == 0) {
      writer.error(error);
    } else if (held_by_owner || (lock == nullptr && command.spec->id == CommandId::lock_acquire)) {
      engine::Effects effects;
      set(command.db, key, owner, now_ + ttl_ms, effects);
      take(effects);
      return {{}, find(command.db, key)->token, now_ + ttl_ms};
    } else {
      writer.null();
    }
  }
  return reply;
}

void LockSpace::set(uint8_t db, std::string_view key, std::string_view owner, Millis deadline,
                    engine::Effects& effects) {
  std::vector<std::string_view> args = {"set", key, owner};
  const std::string when = std::to_string(deadline);
  if (deadline != INT64_MAX) args.insert(args.end(), {"pxat", when});
  const std::string reply =
      execute({&protocol::command(CommandId::set), args, db, protocol::RespVersion::resp2}, now_, effects);
  CHECK(reply == "+OK\r\n", "SET without a condition succeeds");
}

void LockSpace::write(ByteWriter& out) const {
  out(hash_seed_, generation_, time_, token_, place_, changes_);
  for (const uint64_t removal : removals_) out.varint(removal);
  out.varint(locks_.size());
  for (const auto& [key, lock] : locks_) {
    out(key.first, key.second, lock.owner, lock.token, lock.place, lock.granted_at, lock.deadline, lock.changed);
  }
}

uint64_t LockSpace::snapshot_bytes() const {
  constexpr uint64_t kNumbers = 8;  // beside the removals
  return (kNumbers + kRemovalPlaces) * sizeof(uint64_t) + bytes_;
}

void LockSpace::read(ByteReader& in) {
  uint64_t hash_seed = 0, generation = 0;
  in(hash_seed, generation);
  *this = LockSpace(hash_seed, generation);
  in(time_, token_, place_, changes_);
  now_ = time_;
  for (uint64_t& removal : removals_) removal = in.varint();
  for (uint64_t left = in.varint(); left > 0 && !in.failed(); --left) {
    Key key;
    Lock lock;
    in(key.first, key.second, lock.owner, lock.token, lock.place, lock.granted_at, lock.deadline, lock.changed);
    if (in.failed() || key.first >= engine::kDatabaseCount || lock.deadline <= time_) return in.fail();
    engine::Effects effects;
    set(key.first, key.second, lock.owner, lock.deadline, effects);
    ++counts_[key.first];
    bytes_ += counted_bytes(key.second, lock.owner);
    const uint64_t place = lock.place;
    const auto [at, added] = locks_.emplace(std::move(key), std::move(lock));
    if (!added || !by_place_.emplace(place, at).second) return in.fail();
  }
}

}  // namespace chainring::coordinator
