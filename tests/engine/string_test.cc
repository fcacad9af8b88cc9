// Strings where the transcripts of Redis 7.0 cannot say: effects, later commands, limits.
#include "engine/entry.h"
#include "engine/float_text.h"
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

TEST_CASE("SET IFEQ: sets only over the value expected") {
  Session session;
  CHECK(session.Line("set k new ifeq old") == "$-1\r\n");
  session.Line("set k old ex 10");
  CHECK(session.Line("set k new ifeq other") == "$-1\r\n");
  CHECK(session.effects.empty());
  CHECK(session.Line("set k new ifeq old") == "+OK\r\n");
  CHECK(session.effect_lines() == "0 set k new\n");
  CHECK(session.Line("set k newer IFEQ old GET") == "$3\r\nnew\r\n");
  CHECK(session.Line("get k") == "$3\r\nnew\r\n");
  CHECK(session.Line("set k newer get px 1000 ifeq new") == "$3\r\nnew\r\n");
  CHECK(session.effect_lines() == "0 set k newer pxat 1000000001000\n");
  session.Line("set n 5");
  CHECK(session.Line("set n 6 ifeq 5 keepttl") == "+OK\r\n");
  for (const std::string_view wrong : {"nx ifeq 6", "ifeq 6 xx", "ifeq", "ifeq 6 ex", "ex 0 ifeq"}) {
    CHECK(session.Line(std::string("set n 7 ").append(wrong)) == "-ERR syntax error\r\n");
  }
  CHECK(session.Line("get n") == "$1\r\n6\r\n");
}

TEST_CASE("DELIFEQ and DELEX: delete only the value expected") {
  Session session;
  CHECK(session.Line("delifeq k v") == ":0\r\n");
  session.Line("set k v");
  CHECK(session.Line("delifeq k w") == ":0\r\n");
  CHECK(session.effects.empty());
  CHECK(session.Line("delifeq k v") == ":1\r\n");
  CHECK(session.effect_lines() == "0 del k\n");
  session.Line("set k 12");
  CHECK(session.Line("delex k ifeq 012") == ":0\r\n");
  CHECK(session.Line("delex k IFEQ 12") == ":1\r\n");
  CHECK(session.Line("delex k") == ":0\r\n");
  session.Line("set k v");
  CHECK(session.Line("delex k") == ":1\r\n");
  session.Line("set k v");
  for (const std::string_view wrong : {"ifeq", "ifne v", "v", "ifeq v w"}) {
    CHECK(session.Line(std::string("delex k ").append(wrong)) == "-ERR syntax error\r\n");
  }
  CHECK(session.Line("exists k") == ":1\r\n");
  session.Line("pexpire k 1");
  session.now += 1;
  CHECK(session.Line("delifeq k v") == ":0\r\n");
  CHECK(session.effect_lines() == "0 del k\n");
}

TEST_CASE("effects carry results and absolute times, and nothing when nothing changed") {
  struct Case {
    std::string_view line;
    std::string_view effects;
  };
  Session session;
  for (const auto& [line, effects] : {
           Case{"set k a nx ex 10", "0 set k a pxat 1000000010000\n"},
           Case{"set k b nx", ""},
           Case{"set k b xx keepttl get", "0 set k b pxat 1000000010000\n"},
           Case{"getset k 5", "0 set k 5\n"},
           Case{"incrby k 10", "0 set k 15\n"},
           Case{"expire k 100", "0 pexpireat k 1000000100000\n"},
           Case{"incr k", "0 set k 16 pxat 1000000100000\n"},
           Case{"incrbyfloat k 0.5", "0 set k 16.5 pxat 1000000100000\n"},
           Case{"expire k 50 gt", ""},
           Case{"append k 77", "0 append k 77\n"},
           Case{"setrange k 0 9", "0 setrange k 0 9\n"},
           Case{"setrange k 0 ", ""},
           Case{"get k", ""},
           Case{"getex k", ""},
           Case{"getex k persist", "0 persist k\n"},
           Case{"getex k persist", ""},
           Case{"getex k px 5", "0 pexpireat k 1000000000005\n"},
           Case{"persist k", "0 persist k\n"},
           Case{"rename k {k}2", "0 rename k {k}2\n"},
           Case{"renamenx {k}2 {k}2", ""},
           Case{"copy {k}2 k", "0 copy {k}2 k db 0 replace\n"},
           Case{"copy {k}2 k", ""},
           Case{"copy {k}2 k db 3", "0 copy {k}2 k db 3 replace\n"},
           Case{"getdel {k}2", "0 del {k}2\n"},
           Case{"getdel {k}2", ""},
           Case{"setex k 7 v", "0 set k v pxat 1000000007000\n"},
           Case{"msetnx k 1 {k}3 2", ""},
           Case{"mset k 1 {k}3 2", "0 set k 1\n0 set {k}3 2\n"},
           Case{"pexpireat k 5", "0 del k\n"},
           Case{"expire k 5", ""},
           Case{"set {k}3 v exat 5", "0 del {k}3\n"},
           Case{"set {k}3 v exat 5", ""},
           Case{"append k 5", "0 set k 5\n"},
           Case{"setrange {k}4 2 x", "0 set {k}4 \n0 setrange {k}4 2 x\n"},
           Case{"del k k {k}4", "0 del k\n0 del {k}4\n"},
       }) {
    INFO(line);
    std::vector<std::string_view> args = words(line);
    if (line.ends_with(' ')) args.emplace_back();
    session.run(args);
    CHECK(session.effect_lines() == effects);
  }
}

TEST_CASE("a key that has expired is removed by an effect before the command's own") {
  Session session;
  session.Line("set k 1 px 100");
  session.now += 99;
  CHECK(session.Line("pttl k") == ":1\r\n");
  session.now += 1;
  CHECK(session.Line("incr k") == ":1\r\n");
  CHECK(session.effect_lines() == "0 del k\n0 set k 1\n");
  session.Line("set k 1 px 100");
  session.now += 100;
  CHECK(session.Line("get k") == "$-1\r\n");
  CHECK(session.effect_lines() == "0 del k\n");
  CHECK(session.Line("get k") == "$-1\r\n");
  CHECK(session.effects.empty());
  CHECK(session.database.statistics().expired == 2);
}

TEST_CASE("a string does not grow beyond the limit") {
  constexpr std::string_view kRefused = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
  Session session;
  session.Line("set k v");
  // More bytes than there are: they are refused for their number, before anything reads them.
  const std::string_view too_many("x", kStringBytesMax);
  CHECK(session.Run({"append", "k", too_many}) == kRefused);
  CHECK(session.Run({"setrange", "k", "1", too_many}) == kRefused);
  CHECK(session.Line("setrange k 536870911 xx") == kRefused);
  CHECK(session.effects.empty());
  CHECK(session.Line("strlen k") == ":1\r\n");
}

TEST_CASE("a key or a value beyond the limit is refused by every command, before anything is changed") {
  constexpr std::string_view kRefused = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
  Session session;
  session.Line("set k v");
  const std::string_view too_long("x", kStringBytesMax + 1);  // never read
  CHECK(session.Run({"set", "k", too_long}) == kRefused);
  CHECK(session.Run({"set", too_long, "v"}) == kRefused);
  CHECK(session.Run({"set", "k", too_long, "get"}) == kRefused);
  CHECK(session.Run({"setnx", "new", too_long}) == kRefused);
  CHECK(session.Run({"setex", "k", "10", too_long}) == kRefused);
  CHECK(session.Run({"psetex", "k", "10", too_long}) == kRefused);
  CHECK(session.Run({"getset", "k", too_long}) == kRefused);
  CHECK(session.Run({"append", "new", too_long}) == kRefused);
  CHECK(session.Run({"mset", "k", "w", "new", too_long}) == kRefused);
  CHECK(session.Run({"msetnx", "a", "w", "new", too_long}) == kRefused);
  CHECK(session.Run({"rename", "k", too_long}) == kRefused);
  CHECK(session.Run({"copy", "k", too_long}) == kRefused);
  CHECK(session.effects.empty());
  CHECK(session.Line("mget k new a") == "*3\r\n$1\r\nv\r\n$-1\r\n$-1\r\n");
}

TEST_CASE("MGET: refuses to answer with more than a reply may have, whatever the values are together") {
  constexpr std::string_view kRefused = "-ERR the reply would be too long; ask for less at once\r\n";
  Session session;
  const std::string value(1000, 'v');
  session.Run({"set", "k", value});
  session.reply_bytes_max = 3 * value.size();
  CHECK(session.Run({"mget", "k", "k"}).size() > 2 * value.size());
  CHECK(session.Run({"mget", "k", "none", "k", "k"}) == kRefused);
}

TEST_CASE("the latest deadline is a deadline") {
  Session session;
  session.Line("set k v");
  CHECK(session.Line("pexpireat k 9223372036854775807") == ":1\r\n");
  CHECK(session.Line("pexpiretime k") == ":9223372036854775806\r\n");
  CHECK(session.Line("set k v pxat 9223372036854775807") == "+OK\r\n");
  CHECK(session.Line("persist k") == ":1\r\n");
}

TEST_CASE("long_double_text: digits as Redis prints them, never an exponent") {
  CHECK(long_double_text(3.0L) == "3");
  CHECK(long_double_text(-0.0L) == "0");
  CHECK(long_double_text(0.1L) == "0.1");
  CHECK(long_double_text(1e20L) == "100000000000000000000");
  CHECK_FALSE(long_double_text(parse_long_double("inf").value()));
  CHECK_FALSE(parse_long_double("nan"));
  CHECK_FALSE(parse_long_double(std::string(5 * 1024, '1')));
  CHECK(long_double_text(parse_long_double("1e4932").value()).value().size() == 4933);
}

}  // namespace
}  // namespace chainring::engine
