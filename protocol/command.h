// The command table: one declaration for each command. COMMAND, COMMAND DOCS, arity checks, routing, key
// extraction and docs/commands.md all come from it; the engine and the roles attach handlers to its ids.
//
// Rows are in protocol/commands/, one file for each group.
//
// Thread-safety: constant data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace chainring::protocol {

// One for each row, containers ("CLIENT") and subcommands ("CLIENT ID") included; see protocol/command_ids.inc,
// which lists the ids once: get, set, client, client_id ...
enum class CommandId : uint16_t {
#define CHAINRING_COMMAND(id) id,
#include "protocol/command_ids.inc"
#undef CHAINRING_COMMAND
  count_  // not a command
};
inline constexpr size_t kCommandCount = static_cast<size_t>(CommandId::count_);

// Who answers a command at a router (a node answers `session` itself and `slot` for its slots).
enum class Routing : uint8_t {
  session,       // the role that the client is connected to: PING, HELLO, CLIENT, CONFIG, COMMAND ...
  slot,          // the one slot of its keys (CROSSSLOT when they differ)
  split_sum,     // split by slot, integer replies added: DEL UNLINK EXISTS TOUCH
  split_values,  // split by slot, array put together in the keys' order: MGET
  split_ok,      // split by slot, OK when all say OK: MSET
  all_slots,     // to every head with its list of slots, replies merged: DBSIZE KEYS RANDOMKEY FLUSHALL FLUSHDB
  scan,          // SCAN: by its cursor
  coordinator,   // the Raft group's leader: LOCK, RING (lock keys of `slot` and `split_*` commands go there too)
};

// Flags as COMMAND tells them, plus ours. Combined by |.
enum CommandFlag : uint32_t {
  kWrite = 1u << 0,
  kReadonly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kFast = 1u << 4,
  kNoAuth = 1u << 5,  // allowed before AUTH
  kLoading = 1u << 6,
  kStale = 1u << 7,
  kNoScript = 1u << 8,
  kBlocking = 1u << 9,
  kPubSub = 1u << 10,
  kMovableKeys = 1u << 11,
  kContainer = 1u << 12,  // ours: has subcommands, is not run itself
  kNoMulti = 1u << 13,
  kAllowBusy = 1u << 14,
};

struct CommandSpec {
  CommandId id;
  std::string_view name;          // lower case; of a subcommand: "client|id"
  std::string_view syntax;        // arguments as protocol/syntax.h reads them: "key value [NX | XX] [GET] [EX seconds]"
  int arity;                      // Redis': counts the name(s), negative for "at least"
  uint32_t flags;                 // of CommandFlag
  int first_key, last_key, step;  // Redis'; 0 0 0 for none
  Routing routing;
  std::string_view group;  // "string", "generic", "transactions", "connection", "server", "cluster", "lock", "ring"
  std::string_view since;  // version of Redis, or of Chainring for our own
  std::string_view complexity;
  std::string_view summary;
  // ACL categories that do not follow from the flags: "keyspace dangerous".
  std::string_view categories = {};
  // What it does to its keys, as the key specifications of COMMAND INFO say it: "RW access update". Two parts,
  // "RO access; OW update", are of two keys with specifications of their own (COPY, RENAME).
  std::string_view key_use = {};
  std::string_view tips = {};        // COMMAND tips: "request_policy:multi_shard response_policy:agg_sum"
  std::string_view deprecated = {};  // since when and what to use instead: "6.2.0 GET with the PERSIST option"
};

// All rows, sorted by name.
[[nodiscard]] std::span<const CommandSpec> command_table();
[[nodiscard]] const CommandSpec& command(CommandId id);

// The row for a request, case ignored; of "CLIENT ID" the subcommand's. nullptr for an unknown command; the
// container's row when the subcommand is unknown or missing (the caller then answers as Redis does).
// REQUIRES: !args.empty().
[[nodiscard]] const CommandSpec* find_command(std::span<const std::string_view> args);
[[nodiscard]] const CommandSpec* find_command(std::string_view name);  // top level, or "client|id"

[[nodiscard]] bool arity_fits(const CommandSpec& command, size_t arg_count);

// Positions of the keys in args. REQUIRES: arity_fits(). Empty for commands without keys.
void key_positions(const CommandSpec& command, std::span<const std::string_view> args, std::vector<size_t>& out);

}  // namespace chainring::protocol
