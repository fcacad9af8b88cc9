// FLUSHALL and FLUSHDB: one numbered write to each slot (R20, R22).
#include <map>
#include <vector>

#include "base/text.h"
#include "protocol/reply.h"
#include "router/flush.h"
#include "tests/router/rig.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

using test::Arrived;
using test::kDown;
using test::key_in;
using test::kUnknown;
using test::Rig;

constexpr std::string_view kOk = "+OK\r\n";

struct Pair {  // two nodes, half of the slots each
  Pair() {
    rig.publish(rig.table({1, 2}));
    client = rig.connect();
  }
  // Answers what arrives until nothing more does, `but` excepted; returns how often each slot was asked.
  std::map<Slot, int> answer_all(Slot but = kSlotCount) {
    std::map<Slot, int> asked;
    for (bool more = true; more;) {
      more = false;
      for (const MemberId node : {1u, 2u}) {
        for (const Arrived& one : rig.requests(node)) {
          REQUIRE(one.args == std::vector<std::string>{"FLUSHALL"});
          ++asked[one.header.slot];
          more = true;
          if (one.header.slot == but) {
            left = one;
          } else {
            rig.reply(node, one.header.id, std::string(kOk));
          }
        }
      }
    }
    return asked;
  }
  Rig rig;
  ConnId client;
  Arrived left;
};

TEST_CASE("Router.FLUSHALL: every slot once, under a number, never the locks, and so many at once") {
  Pair pair;
  pair.rig.request(pair.client, {"FLUSHALL"});
  CHECK(pair.rig.router->outstanding() == Flush::kSlotsOut);
  const std::map<Slot, int> asked = pair.answer_all(5);
  CHECK(asked.size() == kSlotCount);
  CHECK(std::all_of(asked.begin(), asked.end(), [](const auto& one) { return one.second == 1; }));
  CHECK((pair.left.header.flags & protocol::kRequestWrite) != 0);
  CHECK(pair.left.header.number == 1);
  CHECK(pair.rig.requests(kNoMember).empty());
  CHECK(pair.rig.read(pair.client).empty());
  pair.rig.reply(1, pair.left.header.id, std::string(kOk));
  CHECK(pair.rig.read(pair.client) == kOk);
  CHECK(pair.rig.router->outstanding() == 0);
}

TEST_CASE("Router.FLUSHALL: what is lost is sent again with its number, what was answered is not (R20)") {
  Pair pair;
  pair.rig.request(pair.client, {"FLUSHALL"});
  static_cast<void>(pair.answer_all(5));
  pair.rig.break_link(1);
  pair.rig.advance(100);
  const auto again = pair.rig.requests(1);
  REQUIRE(again.size() == 1);
  CHECK(again[0].header.slot == 5);
  CHECK(again[0].header.number == pair.left.header.number);
  pair.rig.reply(1, again[0].header.id, std::string(kOk));
  CHECK(pair.rig.read(pair.client) == kOk);
}

TEST_CASE("Router.FLUSHALL: nothing that its client asks for behind it overtakes it") {
  Pair pair;
  pair.rig.send(pair.client, concat("FLUSHALL\r\nSET ", key_in(0), " 1\r\n"));
  static_cast<void>(pair.answer_all(5));
  pair.rig.advance(2);
  CHECK(pair.rig.requests(1).empty());
  pair.rig.reply(1, pair.left.header.id, std::string(kOk));
  pair.rig.advance(2);
  const auto arrived = pair.rig.requests(1);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].args[0] == "SET");
  pair.rig.reply(1, arrived[0].header.id, std::string(kOk));
  CHECK(pair.rig.read(pair.client) == concat(kOk, kOk));
}

TEST_CASE("Router.FLUSHALL: does not overtake what waits for its slot") {
  Pair pair;
  pair.rig.request(pair.client, {"SET", key_in(0), "1"});
  pair.rig.bounce(1, pair.rig.requests(1)[0].header.id);
  pair.rig.request(pair.client, {"FLUSHALL"});
  CHECK(pair.answer_all().size() == kSlotCount - 1);
  pair.rig.advance(20);
  const auto retried = pair.rig.requests(1);
  REQUIRE(retried.size() == 1);
  CHECK(retried[0].args[0] == "SET");
  pair.rig.reply(1, retried[0].header.id, std::string(kOk));
  CHECK(pair.answer_all().size() == 1);
  CHECK(pair.rig.read(pair.client) == concat(kOk, kOk));
}

TEST_CASE("Router.FLUSHALL: what is not known of every slot is outcome unknown, what never ran is CLUSTERDOWN") {
  Pair pair;
  pair.rig.request(pair.client, {"FLUSHALL"});
  SECTION("some were flushed") { static_cast<void>(pair.answer_all(5)); }
  SECTION("none has answered") {}
  pair.rig.advance(3001);
  CHECK(pair.rig.read(pair.client) == kUnknown);
  CHECK(pair.rig.router->outstanding() == 0);

  Rig unserved;
  const ConnId client = unserved.connect();
  unserved.request(client, {"FLUSHALL"});
  unserved.advance(3001);
  CHECK(unserved.read(client) == kDown);
}

TEST_CASE("Router.FLUSHALL: an error is the reply, and nothing more is asked") {
  Pair pair;
  pair.rig.request(pair.client, {"FLUSHDB", "NOW"});
  size_t asked = 0;
  for (const MemberId node : {1u, 2u}) {
    for (const Arrived& one : pair.rig.requests(node)) {
      ++asked;
      pair.rig.reply(node, one.header.id, "-ERR syntax error\r\n");
    }
  }
  CHECK(asked == Flush::kSlotsOut);
  CHECK(pair.rig.read(pair.client) == "-ERR syntax error\r\n");
}

}  // namespace
}  // namespace chainring::router
