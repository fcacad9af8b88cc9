#include "tests/engine/session.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::engine {
namespace {

TEST_CASE("SET and GET: a value comes back, as number, short and long text") {
  Session session;
  for (const std::string value : {"", "0", "-17", "007", "short", "9223372036854775808"}) {
    CHECK(session.Run({"set", "k", value}) == "+OK\r\n");
    CHECK(session.effect_lines() == "0 set k " + value + "\n");
    CHECK(session.Run({"get", "k"}) == "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n");
    CHECK(session.effects.empty());
  }
  const std::string large(100'000, 'x');
  session.Run({"set", "k", large});
  CHECK(session.Run({"get", "k"}) == "$100000\r\n" + large + "\r\n");
}

TEST_CASE("SET: options decide, and effects carry only the result") {
  Session session;
  CHECK(session.Line("set k a nx ex 10") == "+OK\r\n");
  CHECK(session.effect_lines() == "0 set k a pxat 1000000010000\n");
  CHECK(session.Line("set k b nx") == "$-1\r\n");
  CHECK(session.effects.empty());
  CHECK(session.Line("set k b xx keepttl get") == "$1\r\na\r\n");
  CHECK(session.effect_lines() == "0 set k b pxat 1000000010000\n");
  CHECK(session.Line("set k c ifeq a") == "$-1\r\n");
  CHECK(session.Line("set k c ifeq b") == "+OK\r\n");
  CHECK(session.effect_lines() == "0 set k c\n");
  CHECK(session.Line("set k d ifeq a get") == "$1\r\nc\r\n");
  CHECK(session.Line("get k") == "$1\r\nc\r\n");
  CHECK(session.Line("set absent d ifeq a") == "$-1\r\n");
  CHECK(session.Line("set k d nx ifeq a") == "-ERR syntax error\r\n");
  CHECK(session.Line("set k d pxat 5") == "+OK\r\n");
  CHECK(session.effect_lines() == "0 del k\n");
}

TEST_CASE("a key that has expired is removed by an effect before the command's own") {
  Session session;
  session.Line("set k 1 px 100");
  session.now += 99;
  CHECK(session.Line("pttl k") == ":1\r\n");
  session.now += 1;
  CHECK(session.Line("incr k") == ":1\r\n");
  CHECK(session.effect_lines() == "0 del k\n0 set k 1\n");
}

}  // namespace
}  // namespace chainring::engine
