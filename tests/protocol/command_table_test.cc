#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/command.h"
#include "protocol/command_docs.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {
namespace {

using Args = std::vector<std::string_view>;

// Lines of testdata/record_redis_commands.py by command, from a server's COMMAND INFO.
using Lines = std::map<std::string, std::string>;

Lines redis_lines() {
  Lines lines;
  std::ifstream file(CHAINRING_TESTDATA "/redis-7.0-commands.txt");
  for (std::string line; std::getline(file, line);) lines[line.substr(0, line.find(' '))] = line;
  return lines;
}

std::string texts(const ReplyValue& list, bool sorted) {
  std::vector<std::string> items;
  for (const ReplyValue& item : list.items) items.push_back(item.text);
  if (sorted) std::sort(items.begin(), items.end());
  std::string out;
  for (const std::string& item : items) append_text(out, out.empty() ? "" : " ", item);
  return out;
}

const ReplyValue& field(const ReplyValue& map, std::string_view name) {
  for (size_t i = 0; i < map.items.size(); i += 2) {
    if (map.items[i].text == name) return map.items[i + 1];
  }
  FAIL("no field " << name);
  return map;
}

void add_line(const ReplyValue& command, Lines& lines) {
  const std::vector<ReplyValue>& parts = command.items;
  REQUIRE(parts.size() == 10);
  const std::string name = parts[0].text;
  std::string line =
      concat(name, ' ', parts[1].integer, " [", texts(parts[2], true), "] ", parts[3].integer, ' ', parts[4].integer,
             ' ', parts[5].integer, " [", texts(parts[6], true), "] [", texts(parts[7], false), ']');
  for (const ReplyValue& spec : parts[8].items) {
    const ReplyValue& begin = field(field(spec, "begin_search"), "spec");
    const ReplyValue& find = field(field(spec, "find_keys"), "spec");
    append_text(line, " [", texts(field(spec, "flags"), false), ", ", field(begin, "index").integer, ", ",
                field(find, "lastkey").integer, ", ", field(find, "keystep").integer, ']');
  }
  lines[name] = line;
  for (const ReplyValue& sub : parts[9].items) add_line(sub, lines);
}

Lines our_lines() {
  std::string out;
  ReplyWriter reply(out, RespVersion::resp3);
  const Args args = {"COMMAND"};
  answer_command(*find_command(args), args, reply);
  ReplyValue value;
  REQUIRE(parse_reply(out, value).state == ReplyExtent::State::ready);
  Lines lines;
  for (const ReplyValue& command : value.items) add_line(command, lines);
  return lines;
}

std::vector<size_t> keys_of(const Args& args) {
  std::vector<size_t> positions;
  key_positions(*find_command(args), args, positions);
  return positions;
}

}  // namespace

TEST_CASE("command_table: says of Redis' commands what Redis says of them") {
  // What Redis 7.2 or Chainring has in another way than the Redis 7.0 that was recorded.
  const std::map<std::string, std::string> known = {
      {"wait",
       "wait 3 [blocking] 0 0 0 [@blocking @connection @slow] "
       "[request_policy:all_shards response_policy:agg_min]"},  // 7.2: allowed in scripts
      {"command|getkeys", "command|getkeys -3 [loading stale] 0 0 0 [@connection @slow] []"},  // 7.2: keyless commands
      {"command|getkeysandflags", "command|getkeysandflags -3 [loading stale] 0 0 0 [@connection @slow] []"},
      {"exec", "exec 1 [loading noscript stale] 0 0 0 [@slow @transaction] []"},  // there is no slow log
  };
  const Lines redis = redis_lines();
  size_t compared = 0;
  for (const auto& [name, line] : our_lines()) {
    const auto expected = redis.find(name);
    if (expected == redis.end()) continue;
    const auto changed = known.find(name);
    CHECK(line == (changed == known.end() ? expected->second : changed->second));
    ++compared;
  }
  CHECK(compared > 100);
}

TEST_CASE("command_table: our own commands are marked by their version") {
  const Lines redis = redis_lines();
  const std::vector<std::string_view> newer = {"client|no-touch", "client|setinfo", "cluster|myshardid", "delex",
                                               "delifeq"};
  for (const CommandSpec& row : command_table()) {
    if (redis.contains(std::string(row.name))) continue;
    INFO(row.name);
    const bool newer_redis = std::find(newer.begin(), newer.end(), row.name) != newer.end();
    CHECK((newer_redis || row.since == "0.1.0"));
  }
}

TEST_CASE("command_table: rows are sorted and consistent") {
  const auto table = command_table();
  REQUIRE(table.size() == kCommandCount);
  for (size_t i = 0; i < table.size(); ++i) {
    const CommandSpec& row = table[i];
    INFO(row.name);
    if (i > 0) CHECK(table[i - 1].name < row.name);
    CHECK(&command(row.id) == &row);
    CHECK(row.arity != 0);
    CHECK((row.first_key == 0) == row.key_use.empty());
    CHECK((row.first_key == 0) == (row.step == 0));
    const bool by_key = row.routing == Routing::slot || row.routing == Routing::split_sum ||
                        row.routing == Routing::split_values || row.routing == Routing::split_ok;
    if (by_key) CHECK(row.first_key > 0);
    if ((row.flags & kContainer) != 0) CHECK(row.name.find('|') == std::string_view::npos);
    CHECK_FALSE(row.summary.empty());
    CHECK(row.summary.back() == '.');
  }
}

TEST_CASE("find_command: by name in any case, of containers the subcommand") {
  CHECK(find_command(Args{"get"})->id == CommandId::get);
  CHECK(find_command(Args{"GeT", "k"})->id == CommandId::get);
  CHECK(find_command(Args{"CLIENT", "ID"})->id == CommandId::client_id);
  CHECK(find_command(Args{"client", "no-EVICT", "on"})->id == CommandId::client_no_evict);
  CHECK(find_command(Args{"CLIENT", "NOSUCH"})->id == CommandId::client);
  CHECK(find_command(Args{"CLIENT"})->id == CommandId::client);
  CHECK(find_command(Args{"COMMAND"})->id == CommandId::command);
  CHECK(find_command(Args{"GET", "ID"})->id == CommandId::get);
  CHECK(find_command(Args{"LOCK", "acquire", "k", "o", "TTL", "1"})->id == CommandId::lock_acquire);
  for (const CommandSpec& row : command_table()) CHECK(find_command(row.name) == &row);
}

TEST_CASE("find_command: what is not there is not found") {
  for (const std::string_view name : {"", "nosuch", "ge", "gett", "client|id", "waitaof", "|", "CLIENT|"}) {
    CHECK(find_command(Args{name}) == nullptr);
  }
  CHECK(find_command(Args{std::string_view("get\0", 4)}) == nullptr);
  CHECK(find_command("client|nosuch") == nullptr);
  CHECK(find_command(Args{"CLIENT", ""})->id == CommandId::client);
  CHECK(find_command(Args{"CLIENT", "ID|"})->id == CommandId::client);
}

TEST_CASE("arity_fits: exactly, or at least") {
  CHECK(arity_fits(command(CommandId::get), 2));
  CHECK_FALSE(arity_fits(command(CommandId::get), 3));
  CHECK_FALSE(arity_fits(command(CommandId::get), 1));
  CHECK(arity_fits(command(CommandId::set), 3));
  CHECK(arity_fits(command(CommandId::set), 7));
  CHECK_FALSE(arity_fits(command(CommandId::set), 2));
}

TEST_CASE("key_positions: first, last and step") {
  CHECK(keys_of({"GET", "a"}) == std::vector<size_t>{1});
  CHECK(keys_of({"SET", "a", "b", "EX", "1"}) == std::vector<size_t>{1});
  CHECK(keys_of({"MGET", "a", "b", "c"}) == std::vector<size_t>{1, 2, 3});
  CHECK(keys_of({"MSET", "a", "1", "b", "2"}) == std::vector<size_t>{1, 3});
  CHECK(keys_of({"RENAME", "a", "b"}) == std::vector<size_t>{1, 2});
  CHECK(keys_of({"OBJECT", "ENCODING", "a"}) == std::vector<size_t>{2});
  CHECK(keys_of({"LOCK", "TOKEN", "a", "owner"}) == std::vector<size_t>{2});
  CHECK(keys_of({"MEMORY", "USAGE", "a", "SAMPLES", "5"}) == std::vector<size_t>{2});
  CHECK(keys_of({"PING"}).empty());
  CHECK(keys_of({"CLUSTER", "KEYSLOT", "a"}).empty());
}

}  // namespace chainring::protocol
