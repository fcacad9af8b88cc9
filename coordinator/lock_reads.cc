// Answers from the lock keyspace that change nothing.

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "base/text.h"
#include "coordinator/state_locks.h"
#include "engine/cursor.h"
#include "protocol/glob.h"
#include "protocol/reply.h"

namespace chainring::coordinator {
namespace {

using protocol::CommandId;
using protocol::ReplyWriter;

constexpr int64_t kMillisPerSecond = 1000;
constexpr int64_t kScanCountMax = 10'000;

// Cursors of the lock keyspace: slot kCursorSlotBeyond, and the place of the lock to go on with.
constexpr uint64_t kCursorPositionMask = engine::Table::kEndPosition - 1;
uint64_t pack_cursor(uint64_t place) {
  return engine::Cursor{engine::kCursorSlotBeyond, place & kCursorPositionMask}.pack();
}

struct ScanOptions {
  uint64_t from = 0;
  int64_t count = 10;
  std::string_view pattern = "*";
  std::string_view type;
};

// An error text, or empty.
std::string_view parse_scan(std::span<const std::string_view> args, ScanOptions& options) {
  const std::string_view cursor = args[1];
  uint64_t packed = 0;
  const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), packed);
  if (error != std::errc{} || end != cursor.data() + cursor.size()) return "ERR invalid cursor";
  options.from = packed & kCursorPositionMask;
  for (size_t i = 2; i < args.size(); i += 2) {
    if (i + 1 == args.size()) return protocol::errors::kSyntax;
    if (equals_ignoring_case(args[i], "count")) {
      const std::optional<int64_t> count = parse_int(args[i + 1]);
      if (!count) return protocol::errors::kNotInteger;
      if (*count < 1) return protocol::errors::kSyntax;
      options.count = std::min(*count, kScanCountMax);
    } else if (equals_ignoring_case(args[i], "match")) {
      options.pattern = args[i + 1];
    } else if (equals_ignoring_case(args[i], "type")) {
      options.type = args[i + 1];
    } else {
      return protocol::errors::kSyntax;
    }
  }
  return {};
}

// Of KEYS and LOCK LIST; nothing when the latter is malformed.
std::optional<std::string_view> list_pattern(const LockCommand& command) {
  if (command.spec->id == CommandId::keys) return command.args[1];
  if (command.args.size() == 2) return "*";
  if (command.args.size() != 4 || !equals_ignoring_case(command.args[2], "match")) return std::nullopt;
  return command.args[3];
}

}  // namespace

bool LockSpace::rests_on_expiry(const LockCommand& command, Millis now) const {
  if (earliest_deadline() > now) return false;
  const std::vector<std::string_view> keys = command.keys();
  return keys.empty() || std::any_of(keys.begin(), keys.end(), [&](std::string_view key) {
           const Lock* lock = find(command.db, key);
           return lock != nullptr && lock->deadline <= now;
         });
}

bool LockSpace::changes_nothing(const LockCommand& command) const {
  const auto lock_at = [&](size_t position) { return find(command.db, command.args[position]); };
  const auto holds = [&](const Lock* lock, std::string_view owner) { return lock != nullptr && lock->owner == owner; };
  switch (command.spec->id) {
    case CommandId::set: {
      const SetCondition condition = set_condition(command.args);
      if (condition.kind == SetCondition::Kind::absent) return lock_at(1) != nullptr;
      if (condition.kind == SetCondition::Kind::present) return lock_at(1) == nullptr;
      return condition.kind == SetCondition::Kind::equal && !holds(lock_at(1), condition.expected);
    }
    case CommandId::setnx:
      return lock_at(1) != nullptr;
    case CommandId::delifeq:
      return !holds(lock_at(1), command.args[2]);
    case CommandId::lock_acquire:
      return lock_at(2) != nullptr && !holds(lock_at(2), command.args[3]);
    case CommandId::lock_renew:
    case CommandId::lock_release:
      return !holds(lock_at(2), command.args[3]);
    default:
      return false;
  }
}

bool LockSpace::is_conditional(const LockCommand& command) {
  switch (command.spec->id) {
    case CommandId::set:
      return set_condition(command.args).kind != SetCondition::Kind::none;
    case CommandId::setnx:
    case CommandId::delifeq:
    case CommandId::lock_acquire:
    case CommandId::lock_renew:
    case CommandId::lock_release:
      return true;
    default:
      return false;
  }
}

std::string LockSpace::read(const LockCommand& command, const ReadContext& context) {
  switch (command.spec->id) {
    case CommandId::lock_acquire:
    case CommandId::lock_renew:
    case CommandId::lock_release:
      return run_native(command).resp;
    case CommandId::lock_token:
    case CommandId::lock_info:
      return read_native(command, context.now);
    case CommandId::watch:
      return watch(command);
    case CommandId::lock_list:
    case CommandId::keys: {
      LockWalk walk;
      uint64_t all = locks_.size();
      return list(command, walk, all).value();
    }
    case CommandId::scan:
      return scan(command);
    case CommandId::randomkey:
      return random_key(command, *context.random);
    case CommandId::dbsize: {
      std::string out;
      ReplyWriter(out, command.resp).integer(static_cast<int64_t>(counts_[command.db]));
      return out;
    }
    case CommandId::expiretime:
    case CommandId::pexpiretime:
      return expire_time(command, context);
    default:
      break;
  }
  engine::Effects effects;
  std::string out = execute(command, std::max(time_, context.now), effects);
  CHECK(effects.empty(), "a read leaves the state as it is");
  return out;
}

std::string LockSpace::read_native(const LockCommand& command, Millis now) const {
  std::string out;
  ReplyWriter writer(out, command.resp);
  const Lock* lock = find(command.db, command.args[2]);
  if (command.spec->id == CommandId::lock_token) {
    if (lock != nullptr && lock->owner == command.args[3]) {
      writer.integer(static_cast<int64_t>(lock->token));
    } else {
      writer.null();
    }
    return out;
  }
  if (lock == nullptr) {
    writer.null();
    return out;
  }
  writer.map(4);
  writer.bulk("owner");
  writer.bulk(lock->owner);
  writer.bulk("token");
  writer.integer(static_cast<int64_t>(lock->token));
  writer.bulk("ttl_ms");
  writer.integer(lock->deadline == INT64_MAX ? -1 : lock->deadline - now);
  writer.bulk("held_ms");
  writer.integer(std::max<Millis>(0, now - lock->granted_at));
  return out;
}

bool LockSpace::is_list(const LockCommand& command) {
  return command.spec->id == CommandId::keys || command.spec->id == CommandId::lock_list;
}

uint64_t LockSpace::walk_length(const LockCommand& command) const {
  ScanOptions options;
  switch (command.spec->id) {
    case CommandId::keys:
    case CommandId::lock_list:
      return std::max<uint64_t>(counts_[command.db], 1);
    case CommandId::scan:
      if (!parse_scan(command.args, options).empty()) return 1;
      return std::clamp<uint64_t>(count(), 1, static_cast<uint64_t>(options.count));
    case CommandId::randomkey:
      return std::clamp<uint64_t>(count(), 1, kScanCountMax);
    default:
      return 0;
  }
}

std::optional<std::string> LockSpace::list(const LockCommand& command, LockWalk& walk, uint64_t& left) const {
  std::string out;
  ReplyWriter writer(out, command.resp);
  const std::optional<std::string_view> pattern = list_pattern(command);
  if (!pattern) {
    writer.error(protocol::errors::kSyntax);
    return out;
  }
  ReplyWriter found(walk.found, command.resp);
  for (auto at = locks_.lower_bound(std::pair(command.db, std::string_view(walk.next)));
       at != locks_.end() && at->first.first == command.db && walk.size.fits(); ++at, --left) {
    const std::string& key = at->first.second;
    if (left == 0) {
      walk.next = key;
      return std::nullopt;
    }
    if (!protocol::glob_match(*pattern, key)) continue;
    ++walk.count;
    walk.size.add_bulk(key.size());
    found.bulk(key);
  }
  if (!walk.size.fits()) {
    writer.error(protocol::errors::kReplyTooLong);
    return out;
  }
  writer.array(walk.count);
  return out.append(walk.found);
}

// Locks are met in the order of their places, which they keep while they are held: so none that is held during the
// whole walk is missed, whoever leads meanwhile.
std::string LockSpace::scan(const LockCommand& command) const {
  std::string out;
  ReplyWriter writer(out, command.resp);
  ScanOptions options;
  if (const std::string_view error = parse_scan(command.args, options); !error.empty()) {
    writer.error(error);
    return out;
  }
  std::vector<std::string_view> keys;
  auto at = by_place_.lower_bound(options.from);
  for (; at != by_place_.end() && options.count > 0; ++at, --options.count) {
    const Key& key = at->second->first;
    if (key.first != command.db || !protocol::glob_match(options.pattern, key.second)) continue;
    if (!options.type.empty() && !equals_ignoring_case(options.type, "string")) continue;
    keys.push_back(key.second);
  }
  writer.array(2);
  writer.bulk(at == by_place_.end() ? "0" : std::to_string(pack_cursor(at->first)));
  writer.array(keys.size());
  for (const std::string_view key : keys) writer.bulk(key);
  return out;
}

std::string LockSpace::random_key(const LockCommand& command, Random& random) const {
  std::string out;
  ReplyWriter writer(out, command.resp);
  const uint64_t count = counts_[command.db];
  if (count == 0) {
    writer.null();
    return out;
  }
  auto at = locks_.lower_bound(std::pair(command.db, std::string_view()));
  std::advance(at, static_cast<ptrdiff_t>(random.below(std::min<uint64_t>(count, kScanCountMax))));
  writer.bulk(at->first.second);
  return out;
}

// Told by the wall clock, as the client expects it.
std::string LockSpace::expire_time(const LockCommand& command, const ReadContext& context) const {
  std::string out;
  ReplyWriter writer(out, command.resp);
  const Lock* lock = find(command.db, command.args[1]);
  if (lock == nullptr) {
    writer.integer(-2);
  } else if (lock->deadline == INT64_MAX) {
    writer.integer(-1);
  } else {
    const Millis when = context.wall + (lock->deadline - context.now);
    const bool seconds = command.spec->id == CommandId::expiretime;
    writer.integer(seconds ? (when + kMillisPerSecond / 2) / kMillisPerSecond : when);
  }
  return out;
}

}  // namespace chainring::coordinator
