#include "tests/sim/history_file.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::sim;

TEST_CASE("add_line: operations, grants and complaints are read as they were written") {
  Histories histories;
  REQUIRE(add_line("op 3 17 set_ifeq key:1 v3.17 v2.9 1000 2500 returned 1", histories).ok());
  REQUIRE(add_line("op 4 18 getdel key:1 - - 1100 - unknown -", histories).ok());
  REQUIRE(add_line("op 4 19 set_px brief:1 v4.19 - 1200 1300 returned - 200000 1400000", histories).ok());
  REQUIRE(add_line("order count:1 7 6 2600", histories).ok());
  REQUIRE(add_line("grant lock:a c3.1 1099511627777 10 20 500000 -", histories).ok());
  REQUIRE(add_line("complaint half of a transaction: 1 2", histories).ok());

  const std::vector<Operation>& operations = histories.by_key.at("key:1");
  REQUIRE(operations.size() == 2);
  CHECK(operations[0].client == 3);
  CHECK(operations[0].place == 17);
  CHECK(operations[0].kind == Operation::Kind::set_ifeq);
  CHECK(operations[0].argument == "v3.17");
  CHECK(operations[0].compare == "v2.9");
  CHECK(operations[0].called == 1000);
  CHECK(operations[0].returned == 2500);
  CHECK(operations[0].outcome == Operation::Outcome::returned);
  CHECK(operations[0].result == "1");
  CHECK(operations[1].kind == Operation::Kind::getdel);
  CHECK(operations[1].argument.empty());
  CHECK(operations[1].returned == kNever);
  CHECK(operations[1].outcome == Operation::Outcome::unknown);
  CHECK_FALSE(operations[1].result);

  const Operation& brief = histories.by_key.at("brief:1").at(0);
  CHECK(brief.kind == Operation::Kind::set_px);
  CHECK(brief.ttl_least == 200000);
  CHECK(brief.ttl_most == 1400000);

  REQUIRE(histories.ordered_reads.at("count:1").size() == 1);
  CHECK(histories.ordered_reads.at("count:1")[0].first == 7);
  CHECK(histories.ordered_reads.at("count:1")[0].second == 6);
  CHECK(histories.ordered_reads.at("count:1")[0].returned == 2600);

  REQUIRE(histories.grants.size() == 1);
  CHECK(histories.grants[0].key == "lock:a");
  CHECK(histories.grants[0].owner == "c3.1");
  CHECK(histories.grants[0].token == 1099511627777);
  CHECK(histories.grants[0].ttl == 500000);
  CHECK(histories.grants[0].given_back == kNever);
  CHECK(histories.complaints == std::vector<std::string>{"half of a transaction: 1 2"});
}

TEST_CASE("add_line: what is no line of a history is refused, and named") {
  Histories histories;
  for (const char* line :
       {"", "op", "op 1 2 get k - - 1 2 returned", "op 1 2 swap k - - 1 2 returned x",
        "op 1 2 get k - - one 2 returned x", "op 1 2 get k - - 1 2 perhaps x", "op 1 2 set_px k v - 1 2 returned -",
        "op 1 2 set k v - 1 2 returned - 3 4", "order count:1 7 6", "order count:1 7 x 9",
        "grant lock:a x token 1 2 3 4", "OP 1 2 get k - - 1 2 returned x"}) {
    const Status status = add_line(line, histories);
    CHECK_FALSE(status.ok());
    CHECK(status.message() == std::string("no line of a history: ") + line);
  }
  CHECK(histories.by_key.empty());
  CHECK(histories.ordered_reads.empty());
  CHECK(histories.grants.empty());
}
