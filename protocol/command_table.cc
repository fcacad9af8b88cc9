#include <algorithm>
#include <array>
#include <bit>

#include "protocol/command.h"

namespace chainring::protocol {
namespace {

constexpr CommandSpec kRows[] = {
#include "protocol/commands/cluster.inc"
#include "protocol/commands/connection.inc"
#include "protocol/commands/generic.inc"
#include "protocol/commands/lock.inc"
#include "protocol/commands/ring.inc"
#include "protocol/commands/server.inc"
#include "protocol/commands/string.inc"
#include "protocol/commands/transactions.inc"
};
static_assert(std::size(kRows) == kCommandCount, "protocol/command_ids.inc and the rows have the same commands");

constexpr std::array<CommandSpec, kCommandCount> sorted_rows() {
  std::array<CommandSpec, kCommandCount> table = std::to_array(kRows);
  std::sort(table.begin(), table.end(), [](const CommandSpec& a, const CommandSpec& b) { return a.name < b.name; });
  return table;
}
constexpr std::array<CommandSpec, kCommandCount> kTable = sorted_rows();

constexpr std::array<uint16_t, kCommandCount> positions_by_id() {
  std::array<uint16_t, kCommandCount> positions{};
  for (uint16_t i = 0; i < kCommandCount; ++i) positions[static_cast<size_t>(kTable[i].id)] = i;
  return positions;
}
constexpr std::array<uint16_t, kCommandCount> kPositionOf = positions_by_id();

constexpr bool each_id_and_name_once() {
  for (uint16_t i = 0; i < kCommandCount; ++i) {
    if (kPositionOf[static_cast<size_t>(kTable[i].id)] != i) return false;
    if (i > 0 && kTable[i - 1].name == kTable[i].name) return false;
  }
  return true;
}
static_assert(each_id_and_name_once());

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// FNV-1a over the name in lower case; of a subcommand, over "container|name", continued from the container's.
constexpr uint32_t kHashBasis = 2166136261u;
constexpr uint32_t hash_more(uint32_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(lower(c))) * 16777619u;
  return hash;
}

// Open addressing with linear probing, built by the compiler; at most a quarter full.
constexpr size_t kHashSlots = std::bit_ceil(kCommandCount * 4);
constexpr uint16_t kEmptySlot = 0xffff;
constexpr size_t bucket_of(uint32_t hash) { return (hash ^ (hash >> 15)) & (kHashSlots - 1); }
constexpr std::array<uint16_t, kHashSlots> make_hash_table() {
  std::array<uint16_t, kHashSlots> slots{};
  slots.fill(kEmptySlot);
  for (uint16_t i = 0; i < kCommandCount; ++i) {
    size_t at = bucket_of(hash_more(kHashBasis, kTable[i].name));
    while (slots[at] != kEmptySlot) at = (at + 1) & (kHashSlots - 1);
    slots[at] = i;
  }
  return slots;
}
constexpr std::array<uint16_t, kHashSlots> kHashTable = make_hash_table();

bool matches(std::string_view lower_name, std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (lower_name[i] != lower(text[i])) return false;
  }
  return true;
}

// The row whose name is container + '|' + name, or just `name` when the container is empty.
const CommandSpec* lookup(uint32_t hash, std::string_view container, std::string_view name) {
  const size_t prefix = container.empty() ? 0 : container.size() + 1;
  for (size_t at = bucket_of(hash); kHashTable[at] != kEmptySlot; at = (at + 1) & (kHashSlots - 1)) {
    const CommandSpec& row = kTable[kHashTable[at]];
    if (row.name.size() != prefix + name.size() || !matches(row.name.substr(prefix), name)) continue;
    if (prefix == 0 || (row.name[container.size()] == '|' && row.name.starts_with(container))) return &row;
  }
  return nullptr;
}

}  // namespace

std::span<const CommandSpec> command_table() { return kTable; }

const CommandSpec& command(CommandId id) { return kTable[kPositionOf[static_cast<size_t>(id)]]; }

const CommandSpec* find_command(std::span<const std::string_view> args) {
  const std::string_view name = args.front();
  const uint32_t hash = hash_more(kHashBasis, name);
  const CommandSpec* found = lookup(hash, {}, name);
  if (found == nullptr || found->name.find('|') != std::string_view::npos) return nullptr;
  if ((found->flags & kContainer) == 0 || args.size() == 1) return found;
  const CommandSpec* sub = lookup(hash_more(hash_more(hash, "|"), args[1]), found->name, args[1]);
  return sub != nullptr ? sub : found;
}

const CommandSpec* find_command(std::string_view name) { return lookup(hash_more(kHashBasis, name), {}, name); }

bool arity_fits(const CommandSpec& command, size_t arg_count) {
  const auto count = static_cast<int64_t>(arg_count);
  return command.arity >= 0 ? count == command.arity : count >= -command.arity;
}

void key_positions(const CommandSpec& command, std::span<const std::string_view> args, std::vector<size_t>& out) {
  out.clear();
  if (command.first_key == 0) return;
  const auto count = static_cast<int64_t>(args.size());
  const int64_t last = command.last_key >= 0 ? command.last_key : count + command.last_key;
  for (int64_t i = command.first_key; i <= last && i < count; i += command.step) out.push_back(static_cast<size_t>(i));
}

}  // namespace chainring::protocol
