#include "protocol/syntax.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {
namespace {

using Type = Argument::Type;

std::vector<Argument> arguments_of(CommandId id) { return parse_syntax(command(id)); }

}  // namespace

TEST_CASE("parse_syntax: the syntax of every row reads back as it was written") {
  for (const CommandSpec& row : command_table()) CHECK(format_syntax(parse_syntax(row)) == row.syntax);
}

TEST_CASE("parse_syntax: SET has options of every form") {
  const std::vector<Argument> set = arguments_of(CommandId::set);
  REQUIRE(set.size() == 5);
  CHECK(set[0].type == Type::key);
  CHECK(set[0].key_spec == 0);
  CHECK(set[1].type == Type::string);
  CHECK(set[2].type == Type::one_of);
  CHECK(set[2].optional);
  REQUIRE(set[2].arguments.size() == 3);
  CHECK(set[2].arguments[0].type == Type::pure_token);
  CHECK(set[2].arguments[0].token == "NX");
  CHECK(set[2].arguments[2].token == "IFEQ");
  CHECK(set[2].arguments[2].type == Type::string);
  CHECK(set[3].type == Type::pure_token);
  CHECK(set[3].optional);
  REQUIRE(set[4].arguments.size() == 5);
  CHECK(set[4].arguments[0].name == "seconds");
  CHECK(set[4].arguments[0].token == "EX");
  CHECK(set[4].arguments[0].type == Type::integer);
  CHECK(set[4].arguments[2].type == Type::unix_time);
}

TEST_CASE("parse_syntax: repetitions") {
  const std::vector<Argument> mget = arguments_of(CommandId::mget);
  REQUIRE(mget.size() == 1);
  CHECK(mget[0].type == Type::key);
  CHECK(mget[0].multiple);
  const std::vector<Argument> mset = arguments_of(CommandId::mset);
  REQUIRE(mset.size() == 1);
  CHECK(mset[0].type == Type::block);
  CHECK(mset[0].multiple);
  CHECK(mset[0].arguments.size() == 2);
  const std::vector<Argument> docs = arguments_of(CommandId::command_docs);
  REQUIRE(docs.size() == 1);
  CHECK(docs[0].multiple);
  CHECK(docs[0].optional);
}

TEST_CASE("parse_syntax: tokens with several values, and with a choice") {
  const std::vector<Argument> hello = arguments_of(CommandId::hello);
  REQUIRE(hello.size() == 1);
  REQUIRE(hello[0].arguments.size() == 3);
  CHECK(hello[0].arguments[1].type == Type::block);
  CHECK(hello[0].arguments[1].token == "AUTH");
  CHECK(hello[0].arguments[1].arguments.size() == 2);
  const std::vector<Argument> list = arguments_of(CommandId::client_list);
  CHECK(list[0].type == Type::one_of);
  CHECK(list[0].token == "TYPE");
  CHECK(list[1].token == "ID");
  CHECK(list[1].multiple);
}

TEST_CASE("parse_syntax: keys know their key specification") {
  const std::vector<Argument> copy = arguments_of(CommandId::copy);
  CHECK(copy[0].key_spec == 0);
  CHECK(copy[1].key_spec == 1);
  const std::vector<Argument> lcs = arguments_of(CommandId::lcs);
  CHECK(lcs[0].key_spec == 0);
  CHECK(lcs[1].key_spec == 0);
  CHECK(arguments_of(CommandId::cluster_keyslot)[0].type == Type::string);  // names a key, touches none
}

}  // namespace chainring::protocol
