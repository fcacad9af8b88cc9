#include "coordinator/lock_commands.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "coordinator/state_locks.h"
#include "engine/database.h"
#include "protocol/lock_keys.h"
#include "protocol/reply.h"

namespace chainring::coordinator {
namespace {

using protocol::CommandId;

constexpr int64_t kMillisPerSecond = 1000;

// Options of SET and GETEX that take a value, beside IFEQ.
struct ExpireOption {
  std::string_view name;
  int64_t unit_ms;
  bool absolute;
};
constexpr ExpireOption kExpireOptions[] = {
    {"ex", kMillisPerSecond, false}, {"px", 1, false}, {"exat", kMillisPerSecond, true}, {"pxat", 1, true}};

const ExpireOption* expire_option(std::string_view arg) {
  for (const ExpireOption& option : kExpireOptions) {
    if (equals_ignoring_case(arg, option.name)) return &option;
  }
  return nullptr;
}

size_t bytes_of(std::span<const std::string_view> args) {
  size_t bytes = 0;
  for (const std::string_view arg : args) bytes += arg.size();
  return bytes;
}

// Where COPY writes: the last number behind DB. What is malformed copies nothing.
uint8_t destination_db(const LockCommand& copy) {
  uint8_t db = copy.db;
  for (size_t i = 3; i + 1 < copy.args.size(); ++i) {
    if (!equals_ignoring_case(copy.args[i], "db")) continue;
    const int64_t named = parse_int(copy.args[++i]).value_or(-1);
    if (named >= 0 && named < engine::kDatabaseCount) db = static_cast<uint8_t>(named);
  }
  return db;
}

size_t count_keys(const protocol::Transaction& transaction) {
  size_t keys = 0;
  for (const std::string& mark : transaction.marks) keys += LockSpace::watched_keys(mark).size();
  for (const protocol::QueuedCommand& queued : transaction.commands) {
    keys += LockCommand{queued.spec, queued.args, queued.db}.keys().size();
  }
  return keys;
}

bool runs_without_keys(CommandId id) {
  return id == CommandId::dbsize || id == CommandId::keys || id == CommandId::randomkey || id == CommandId::scan ||
         id == CommandId::lock_list;
}

bool runs_on_locks(const protocol::CommandSpec& spec) {
  switch (spec.id) {
    case CommandId::lock_acquire:
    case CommandId::lock_renew:
    case CommandId::lock_release:
    case CommandId::lock_token:
    case CommandId::lock_info:
    case CommandId::watch:
      return true;
    case CommandId::lcs:  // its cost is the product of two lengths, and nobody compares locks
      return false;
    default:
      return runs_without_keys(spec.id) || (spec.first_key != 0 && engine::Database::runs(spec.id));
  }
}

// What is left until a time of the wall clock. Nothing that has passed already becomes less than `least`.
std::string duration_until(std::string_view text, int64_t unit_ms, Millis wall, int64_t least) {
  const std::optional<int64_t> when = parse_int(text);
  int64_t ms = 0;
  if (!when || __builtin_mul_overflow(*when, unit_ms, &ms) || __builtin_sub_overflow(ms, wall, &ms)) return {};
  return std::to_string(std::max(ms, least));
}

void shorten_options(std::vector<std::string>& args, size_t from, Millis wall) {
  for (size_t i = from; i + 1 < args.size(); ++i) {
    const ExpireOption* option = expire_option(args[i]);
    if (option != nullptr && option->absolute && parse_int(args[i + 1]).value_or(0) > 0) {
      // SET refuses 0; a deadline that has passed becomes the shortest one.
      if (std::string left = duration_until(args[i + 1], option->unit_ms, wall, 1); !left.empty()) {
        args[i] = "PX";
        args[i + 1] = std::move(left);
      }
    }
    if (option != nullptr || equals_ignoring_case(args[i], "ifeq")) ++i;
  }
}

void shorten_expireat(std::vector<std::string>& args, int64_t unit_ms, Millis wall) {
  if (std::string left = duration_until(args[2], unit_ms, wall, INT64_MIN); !left.empty()) {
    args[0] = "PEXPIRE";
    args[2] = std::move(left);
  }
}

}  // namespace

std::vector<std::string_view> LockCommand::keys() const {
  std::vector<size_t> positions;
  protocol::key_positions(*spec, args, positions);
  std::vector<std::string_view> keys;
  keys.reserve(positions.size());
  for (const size_t position : positions) keys.push_back(args[position]);
  return keys;
}

std::vector<LockCommand::PlacedKey> LockCommand::placed_keys() const {
  std::vector<PlacedKey> placed;
  for (const std::string_view key : keys()) placed.push_back({db, key});
  if (spec->id == CommandId::copy) placed.back().db = destination_db(*this);
  return placed;
}

std::string refuse_lock_command(const LockCommand& command, const std::vector<std::string>& prefixes) {
  if (!runs_on_locks(*command.spec)) {
    return concat("ERR '", command.spec->name, "' does not run on lock keys, which the coordinators keep");
  }
  const std::vector<std::string_view> keys = command.keys();
  if (keys.empty() && !runs_without_keys(command.spec->id)) return std::string(protocol::errors::kSyntax);
  for (const std::string_view key : keys) {
    if (!protocol::is_lock_key(key, prefixes)) {
      return concat("ERR '", key.substr(0, 128), "' is not a lock key: it begins with none of the lock-prefixes. ",
                    "Coordinators keep lock keys alone; routers serve all keys");
    }
    if (key.size() > kLockKeyBytesMax) return concat("ERR a lock key may have at most ", kLockKeyBytesMax, " bytes");
  }
  return {};
}

std::string refuse_in_transaction(const LockCommand& command, const std::vector<std::string>& prefixes) {
  const protocol::CommandSpec& spec = *command.spec;
  const bool of_engine = spec.first_key != 0 && engine::Database::runs(spec.id);
  if (!of_engine || spec.name.starts_with("object") || spec.name.starts_with("memory") ||
      spec.id == CommandId::expiretime || spec.id == CommandId::pexpiretime) {
    return concat("ERR '", spec.name, "' cannot be part of a transaction on lock keys");
  }
  return refuse_lock_command(command, prefixes);
}

std::string refuse_lock_transaction(const protocol::Transaction& transaction,
                                    const std::vector<std::string>& prefixes) {
  for (const protocol::QueuedCommand& queued : transaction.commands) {
    const LockCommand command{queued.spec, queued.args, queued.db};
    if (std::string refusal = refuse_in_transaction(command, prefixes); !refusal.empty()) return refusal;
    if (queued.db >= engine::kDatabaseCount) return std::string(protocol::errors::kDbIndex);
  }
  return {};
}

std::string refuse_too_long(const LockCommand& command) {
  if (command.keys().size() > protocol::kLockKeysMax) return protocol::too_many_lock_keys();
  if (bytes_of(command.args) <= kLockCommandBytesMax) return {};
  return concat("ERR a command on lock keys may have at most ", kLockCommandBytesMax, " bytes");
}

std::string refuse_too_long(const protocol::Transaction& transaction) {
  size_t bytes = 0;
  for (const std::string& mark : transaction.marks) bytes += mark.size();
  for (const protocol::QueuedCommand& queued : transaction.commands) bytes += bytes_of(queued.args);
  if (bytes <= kLockCommandBytesMax) {
    return count_keys(transaction) > protocol::kLockKeysMax ? protocol::too_many_lock_keys() : std::string();
  }
  return concat("ERR a transaction on lock keys may have at most ", kLockCommandBytesMax, " bytes");
}

std::string with_durations(const protocol::Transaction& transaction, uint8_t db, Millis wall) {
  protocol::TransactionHead head;
  head.marks = transaction.marks;
  std::string commands;
  for (const protocol::QueuedCommand& queued : transaction.commands) {
    if (queued.db != db) head.databases.push_back({head.commands, db = queued.db});
    ++head.commands;
    const std::vector<std::string> args = with_durations(LockCommand{queued.spec, queued.args, queued.db}, wall);
    protocol::append_request(commands, std::vector<std::string_view>(args.begin(), args.end()));
  }
  return encode(head) + commands;
}

std::vector<std::string> with_durations(const LockCommand& command, Millis wall) {
  std::vector<std::string> args(command.args.begin(), command.args.end());
  switch (command.spec->id) {
    case CommandId::set:
      shorten_options(args, 3, wall);
      break;
    case CommandId::getex:
      shorten_options(args, 2, wall);
      break;
    case CommandId::expireat:
      shorten_expireat(args, kMillisPerSecond, wall);
      break;
    case CommandId::pexpireat:
      shorten_expireat(args, 1, wall);
      break;
    default:
      break;
  }
  return args;
}

SetCondition set_condition(std::span<const std::string_view> args) {
  SetCondition condition;
  for (size_t i = 3; i < args.size(); ++i) {
    const bool has_value = i + 1 < args.size();
    if (equals_ignoring_case(args[i], "nx")) {
      condition.kind = SetCondition::Kind::absent;
    } else if (equals_ignoring_case(args[i], "xx")) {
      condition.kind = SetCondition::Kind::present;
    } else if (equals_ignoring_case(args[i], "ifeq") && has_value) {
      condition = {SetCondition::Kind::equal, args[++i]};
    } else if (expire_option(args[i]) != nullptr && has_value) {
      ++i;
    }
  }
  return condition;
}

int64_t lock_ttl_ms(std::span<const std::string_view> args, std::string& error) {
  if (!equals_ignoring_case(args[4], "ttl")) {
    error = protocol::errors::kSyntax;
    return 0;
  }
  const std::optional<int64_t> ttl = parse_int(args[5]);
  if (ttl && *ttl > 0 && *ttl <= kLockTtlMsMax) return *ttl;
  error = concat("ERR TTL must be a number of milliseconds from 1 to ", kLockTtlMsMax);
  return 0;
}

}  // namespace chainring::coordinator
