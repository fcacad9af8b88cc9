#include "router/merge.h"

#include "base/text.h"
#include "protocol/reply.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

const std::string kUnknown = concat('-', protocol::errors::kOutcomeUnknown, "\r\n");
const std::string kDown = concat('-', protocol::errors::kClusterDown, "\r\n");
constexpr auto kResp2 = protocol::RespVersion::resp2;

TEST_CASE("SplitMerge.values: stand in the order of the keys, of any RESP type") {
  SplitMerge merge(SplitMerge::Kind::values, false, {{2, 0}, {1, 3}});
  merge.add(1, Ending::replied, "*2\r\n$-1\r\n$1\r\nd\r\n");
  CHECK_FALSE(merge.complete());
  merge.add(0, Ending::replied, "*2\r\n$2\r\ncc\r\n_\r\n");
  REQUIRE(merge.complete());
  CHECK(merge.take() == "*4\r\n_\r\n$-1\r\n$2\r\ncc\r\n$1\r\nd\r\n");
}

TEST_CASE("SplitMerge.sum: adds up") {
  SplitMerge merge(SplitMerge::Kind::sum, true, {{0}, {1}, {2}});
  merge.add(0, Ending::replied, ":1\r\n");
  merge.add(1, Ending::replied, ":0\r\n");
  merge.add(2, Ending::replied, ":41\r\n");
  CHECK(merge.take() == ":42\r\n");
}

TEST_CASE("SplitMerge.take: a leg that fails makes the whole reply its error") {
  SplitMerge merge(SplitMerge::Kind::ok, true, {{0}, {1}});
  merge.add(1, Ending::replied, "-OOM no\r\n");
  merge.add(0, Ending::replied, "+OK\r\n");
  CHECK(merge.take() == "-OOM no\r\n");
}

TEST_CASE("SplitMerge.take: a write that ran in part is never called not executed") {
  SplitMerge in_part(SplitMerge::Kind::ok, true, {{0}, {1}});
  in_part.add(0, Ending::not_run, kDown);
  in_part.add(1, Ending::replied, "+OK\r\n");
  CHECK(in_part.take() == kUnknown);

  SplitMerge not_at_all(SplitMerge::Kind::ok, true, {{0}, {1}});
  not_at_all.add(0, Ending::not_run, kDown);
  not_at_all.add(1, Ending::not_run, kDown);
  CHECK(not_at_all.take() == kDown);

  SplitMerge lost(SplitMerge::Kind::ok, true, {{0}, {1}});
  lost.add(0, Ending::unknown, kUnknown);
  lost.add(1, Ending::replied, "+OK\r\n");
  CHECK(lost.take() == kUnknown);

  SplitMerge lost_in_part(SplitMerge::Kind::ok, true, {{0}, {1}});
  lost_in_part.add(0, Ending::not_run, kDown);
  lost_in_part.add(1, Ending::unknown, kUnknown);
  CHECK(lost_in_part.take() == kUnknown);

  SplitMerge of_reads(SplitMerge::Kind::values, false, {{0}, {1}});
  of_reads.add(0, Ending::not_run, kDown);
  of_reads.add(1, Ending::replied, "*1\r\n$1\r\na\r\n");
  CHECK(of_reads.take() == kDown);
}

TEST_CASE("SplitMerge.take: replies that do not fit are an error, not a shifted answer") {
  for (const std::string_view reply : {"*1\r\n$1\r\na\r\n", "*2\r\n$1\r\na\r\n", "+OK\r\n", "", "*x\r\n", "*2"}) {
    SplitMerge merge(SplitMerge::Kind::values, false, {{0, 1}});
    merge.add(0, Ending::replied, reply);
    CHECK(merge.take().starts_with("-ERR "));
  }
}

TEST_CASE("WideMerge: sums, concatenates, says OK") {
  SeededRandom random(1);
  WideMerge sum(WideMerge::Kind::sum, kResp2);
  CHECK(sum.add(":3\r\n", 10, random));
  CHECK(sum.add(":4\r\n", 10, random));
  CHECK(sum.take() == ":7\r\n");

  WideMerge keys(WideMerge::Kind::concat, kResp2);
  CHECK(keys.add("*2\r\n$1\r\na\r\n$1\r\nb\r\n", 10, random));
  CHECK(keys.add("*0\r\n", 10, random));
  CHECK(keys.add("*1\r\n$1\r\nc\r\n", 10, random));
  CHECK(keys.take() == "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
}

TEST_CASE("SplitMerge.values: of more than a reply may have nothing is kept, and the reply is an error") {
  SplitMerge merge(SplitMerge::Kind::values, false, {{0}, {1}, {2}}, 30);
  merge.add(0, Ending::replied, "*1\r\n$6\r\n123456\r\n");
  merge.add(1, Ending::replied, "*1\r\n$6\r\n123456\r\n");
  merge.add(2, Ending::replied, "*1\r\n$-1\r\n");
  REQUIRE(merge.complete());
  CHECK(merge.take() == concat('-', protocol::errors::kReplyTooLong, "\r\n"));
}

TEST_CASE("WideMerge: ends with an error when it becomes longer than a reply may be") {
  SeededRandom random(1);
  WideMerge keys(WideMerge::Kind::concat, kResp2, 15);
  CHECK(keys.add("*1\r\n$1\r\na\r\n", 10, random));
  CHECK(keys.add("*1\r\n$1\r\nb\r\n", 10, random));
  CHECK_FALSE(keys.add("*1\r\n$1\r\nc\r\n", 10, random));
  CHECK(keys.take() == concat('-', protocol::errors::kReplyTooLong, "\r\n"));
}

TEST_CASE("WideMerge: an error is the whole reply") {
  SeededRandom random(1);
  WideMerge sum(WideMerge::Kind::sum, kResp2);
  CHECK(sum.add(":3\r\n", 10, random));
  CHECK_FALSE(sum.add("-ERR no\r\n", 10, random));
  CHECK(sum.take() == "-ERR no\r\n");
  WideMerge odd(WideMerge::Kind::sum, kResp2);
  CHECK_FALSE(odd.add("*0\r\n", 10, random));
  CHECK(odd.take().starts_with("-ERR "));
}

TEST_CASE("WideMerge.choice: never null while somebody has a key, and weighted by slots") {
  SeededRandom random(5);
  int of_the_big = 0;
  for (int i = 0; i < 1000; ++i) {
    WideMerge choice(WideMerge::Kind::choice, kResp2);
    CHECK(choice.add("$-1\r\n", 10'000, random));
    CHECK(choice.add("$3\r\nbig\r\n", 900, random));
    CHECK(choice.add("$5\r\nsmall\r\n", 100, random));
    const std::string chosen = choice.take();
    CHECK(chosen != "$-1\r\n");
    if (chosen == "$3\r\nbig\r\n") ++of_the_big;
  }
  CHECK(of_the_big > 850);
  CHECK(of_the_big < 950);
  CHECK(WideMerge(WideMerge::Kind::choice, kResp2).take() == "$-1\r\n");
  CHECK(WideMerge(WideMerge::Kind::choice, protocol::RespVersion::resp3).take() == "_\r\n");
}

TEST_CASE("NodeFigures: keyspaces add up by database, numbers by name") {
  NodeFigures figures;
  figures.add("keyspace", "db0:keys=1,expires=1,avg_ttl=100\r\ndb3:keys=5,expires=0,avg_ttl=0\r\n");
  figures.add("keyspace", "# Keyspace\r\ndb0:keys=2,expires=3,avg_ttl=200\r\nnonsense\r\ndb:keys=1\r\n");
  REQUIRE(figures.keyspace().size() == 2);
  CHECK(figures.keyspace().at(0).keys == 3);
  CHECK(figures.keyspace().at(0).expires == 4);
  CHECK(figures.keyspace().at(0).ttl_sum == 700);
  CHECK(figures.keyspace().at(3).keys == 5);

  figures.add("memory", "used_memory:10\r\nmaxmemory_policy:noeviction\r\n");
  figures.add("memory", "used_memory:32\r\n");
  REQUIRE(figures.section("memory") != nullptr);
  CHECK(figures.section("memory")->at("used_memory") == 42);
  CHECK(figures.section("memory")->size() == 1);
  CHECK(figures.section("stats") == nullptr);
}

TEST_CASE("text_of_reply: of bulk strings only") {
  CHECK(text_of_reply("$2\r\nab\r\n") == "ab");
  CHECK(text_of_reply("+OK\r\n") == std::nullopt);
  CHECK(text_of_reply("$2\r\na") == std::nullopt);
}

}  // namespace
}  // namespace chainring::router
