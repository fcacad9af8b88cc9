#include "protocol/transaction.h"

#include <string>

#include "base/bytes.h"
#include "protocol/resp.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {
namespace {

std::string payload(TransactionHead head, std::initializer_list<std::initializer_list<std::string_view>> commands) {
  head.commands = static_cast<uint32_t>(commands.size());
  std::string bytes = encode(head);
  for (const auto& args : commands) append_request(bytes, std::vector<std::string_view>(args));
  return bytes;
}

}  // namespace

TEST_CASE("parse_transaction: commands, their databases and the marks") {
  TransactionHead head;
  head.marks = {"one", "two"};
  head.databases = {{1, 7}, {2, 3}};
  const std::string bytes = payload(head, {{"get", "a"}, {"SET", "b", "$1\r\nx"}, {"del", "a", "b"}, {"get", "b"}});
  const auto transaction = parse_transaction(bytes, 5);
  REQUIRE(transaction.ok());
  CHECK(transaction->marks == head.marks);
  REQUIRE(transaction->commands.size() == 4);
  CHECK(transaction->commands[0].spec->id == CommandId::get);
  CHECK(transaction->commands[1].args == std::vector<std::string_view>{"SET", "b", "$1\r\nx"});
  std::vector<int> databases;
  for (const QueuedCommand& command : transaction->commands) databases.push_back(command.db);
  CHECK(databases == std::vector<int>{5, 7, 3, 3});
  CHECK((transaction->flags() & kWrite) != 0);
}

TEST_CASE("parse_transaction: what is malformed is refused") {
  const std::string good = payload({}, {{"get", "a"}, {"get", "b"}});
  REQUIRE(parse_transaction(good, 0).ok());
  for (size_t size = 0; size < good.size(); ++size) CHECK_FALSE(parse_transaction(good.substr(0, size), 0).ok());
  CHECK_FALSE(parse_transaction(good + "x", 0).ok());
  CHECK_FALSE(parse_transaction(good + "*1\r\n$4\r\nping\r\n", 0).ok());
  CHECK_FALSE(parse_transaction(payload({}, {{"nonsense"}}), 0).ok());
  CHECK_FALSE(parse_transaction(payload({}, {{"get"}}), 0).ok());
  CHECK_FALSE(parse_transaction(payload({}, {{}}), 0).ok());

  TransactionHead inline_head;
  inline_head.commands = 1;
  CHECK_FALSE(parse_transaction(encode(inline_head) + "get a\r\n", 0).ok());
  TransactionHead long_head;
  long_head.commands = kTransactionCommandsMax + 1;
  CHECK_FALSE(parse_transaction(encode(long_head), 0).ok());
}

}  // namespace chainring::protocol
