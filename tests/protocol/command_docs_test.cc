#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "protocol/command_docs.h"
#include "protocol/resp.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {
namespace {

using Args = std::vector<std::string_view>;
using Kind = ReplyValue::Kind;

std::string answer_bytes(const Args& args, RespVersion version) {
  std::string out;
  ReplyWriter reply(out, version);
  const CommandSpec* command = find_command(args);
  REQUIRE(command != nullptr);
  REQUIRE(arity_fits(*command, args.size()));
  answer_command(*command, args, reply);
  return out;
}

ReplyValue answer(const Args& args, RespVersion version = RespVersion::resp3) {
  const std::string out = answer_bytes(args, version);
  ReplyValue value;
  const ReplyExtent extent = parse_reply(out, value);
  CHECK(extent.state == ReplyExtent::State::ready);
  CHECK(extent.size == out.size());
  return value;
}

std::vector<std::string> names(const ReplyValue& list) {
  std::vector<std::string> out;
  for (const ReplyValue& item : list.items) out.push_back(item.text);
  return out;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("COMMAND: every answer is one well-formed reply in both versions") {
  const auto count = static_cast<size_t>(answer({"COMMAND", "COUNT"}).integer);
  CHECK(count > 50);
  for (const RespVersion version : {RespVersion::resp2, RespVersion::resp3}) {
    CHECK(answer({"COMMAND"}, version).items.size() == count);
    CHECK(answer({"COMMAND", "INFO"}, version).items.size() == count);
    CHECK(answer({"COMMAND", "DOCS"}, version).items.size() == 2 * count);
    CHECK(answer({"COMMAND", "LIST"}, version).items.size() == count);
    answer({"COMMAND", "HELP"}, version);
  }
}

TEST_CASE("COMMAND INFO: GET, byte for byte") {
  CHECK(answer_bytes({"COMMAND", "INFO", "GET"}, RespVersion::resp2) ==
        "*1\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
        "*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n"
        "$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n"
        "$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n"
        "*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n");
}

TEST_CASE("COMMAND INFO: unknown names are null, subcommands have a name of their own") {
  const ReplyValue info = answer({"COMMAND", "INFO", "nosuch", "object|freq"});
  REQUIRE(info.items.size() == 2);
  CHECK(info.items[0].kind == Kind::null);
  CHECK(info.items[1].items[0].text == "object|freq");
  CHECK(answer_bytes({"COMMAND", "INFO", "nosuch"}, RespVersion::resp2) == "*1\r\n*-1\r\n");
}

TEST_CASE("COMMAND DOCS: arguments, deprecation and subcommands") {
  CHECK(answer_bytes({"COMMAND", "DOCS", "getset"}, RespVersion::resp3) ==
        "%1\r\n$6\r\ngetset\r\n%8\r\n$7\r\nsummary\r\n$52\r\nSets the string of a key and returns the one before.\r\n"
        "$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n"
        "$9\r\ndoc_flags\r\n~1\r\n+deprecated\r\n$16\r\ndeprecated_since\r\n$5\r\n6.2.0\r\n"
        "$11\r\nreplaced_by\r\n$23\r\nSET with the GET option\r\n$9\r\narguments\r\n*2\r\n"
        "%3\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n$14\r\nkey_spec_index\r\n:0\r\n"
        "%2\r\n$4\r\nname\r\n$5\r\nvalue\r\n$4\r\ntype\r\n$6\r\nstring\r\n");
  const ReplyValue object = answer({"COMMAND", "DOCS", "nosuch", "object"});
  REQUIRE(object.items.size() == 2);
  const ReplyValue& docs = object.items[1];
  CHECK(docs.items[docs.items.size() - 2].text == "subcommands");
  CHECK(docs.items.back().items[0].text == "object|encoding");
}

TEST_CASE("COMMAND LIST: by pattern, by category, by module") {
  CHECK(names(answer({"COMMAND", "LIST", "FILTERBY", "PATTERN", "OBJECT|*"})) ==
        Strings{"object|encoding", "object|freq", "object|help", "object|idletime", "object|refcount"});
  CHECK(names(answer({"COMMAND", "LIST", "filterby", "aclcat", "BLOCKING"})) == Strings{"wait"});
  CHECK(answer({"COMMAND", "LIST", "FILTERBY", "MODULE", "json"}).items.empty());
  CHECK(answer({"COMMAND", "LIST", "FILTERBY", "ACLCAT", "nosuch"}).items.empty());
  CHECK(answer({"COMMAND", "LIST", "FILTERBY", "x", "y"}).text == "ERR syntax error");
  CHECK(answer({"COMMAND", "LIST", "x"}).text == "ERR syntax error");
}

TEST_CASE("COMMAND: names and patterns without end are refused") {
  for (const std::string_view subcommand : {"INFO", "DOCS"}) {
    Args args(2 + 1024, "get");
    args[0] = "COMMAND";
    args[1] = subcommand;
    CHECK(answer(args).kind != Kind::error);
    args.push_back("get");
    CHECK(answer(args).text == "ERR at most 1024 command names at once");
  }
  const std::string pattern(1025, '*');
  CHECK(answer({"COMMAND", "LIST", "FILTERBY", "PATTERN", pattern}).text == "ERR syntax error");
}

TEST_CASE("COMMAND GETKEYS: keys, and what happens to them") {
  CHECK(names(answer({"COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"})) == Strings{"a", "b"});
  CHECK(names(answer({"COMMAND", "GETKEYS", "OBJECT", "FREQ", "a"})) == Strings{"a"});
  CHECK(answer_bytes({"COMMAND", "GETKEYSANDFLAGS", "COPY", "a", "b"}, RespVersion::resp2) ==
        "*2\r\n*2\r\n$1\r\na\r\n*2\r\n+RO\r\n+access\r\n*2\r\n$1\r\nb\r\n*2\r\n+OW\r\n+update\r\n");
  CHECK(answer_bytes({"COMMAND", "GETKEYSANDFLAGS", "MSET", "a", "1", "b", "2"}, RespVersion::resp2) ==
        "*2\r\n*2\r\n$1\r\na\r\n*2\r\n+OW\r\n+update\r\n*2\r\n$1\r\nb\r\n*2\r\n+OW\r\n+update\r\n");
  CHECK(answer({"COMMAND", "GETKEYS", "nosuch", "a"}).text == "ERR Invalid command specified");
  CHECK(answer({"COMMAND", "GETKEYS", "OBJECT", "nosuch", "a"}).text == "ERR Invalid command specified");
  CHECK(answer({"COMMAND", "GETKEYS", "PING"}).text == "ERR The command has no key arguments");
  CHECK(answer({"COMMAND", "GETKEYS", "GET"}).text == "ERR Invalid number of arguments specified for command");
}

TEST_CASE("COMMAND: an unknown subcommand") {
  CHECK(answer({"COMMAND", "nosuch"}).text == "ERR unknown subcommand 'nosuch'. Try COMMAND HELP.");
}

TEST_CASE("answer_help: lists every container's subcommands") {
  for (const CommandSpec& row : command_table()) {
    if ((row.flags & kContainer) == 0) continue;
    std::string out;
    ReplyWriter reply(out, RespVersion::resp2);
    answer_help(row, reply);
    ReplyValue value;
    REQUIRE(parse_reply(out, value).size == out.size());
    CHECK(value.items.size() >= 3);
    CHECK(value.items.size() % 2 == 1);
  }
}

TEST_CASE("docs/commands.md: is what the table says (write_commands_markdown writes it anew)") {
  std::ifstream file(CHAINRING_DOCS "/commands.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  CHECK(text == commands_markdown());
}

}  // namespace chainring::protocol
