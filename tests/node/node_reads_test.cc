// Reads that routers send to any member of a chain (R5, R7, R10, R12).
#include "tests/node/scene.h"

#include <catch2/catch.hpp>

using namespace chainring;
using namespace chainring::node::test;

TEST_CASE("Node reads: a member answers routers' reads, clean keys at once, dirty ones when committed (R7)") {
  Middle middle;
  Scene& scene = middle.scene;
  const ConnId router = scene.router();
  middle.replicate(1, "{t}a", {"set", "{t}a", "1"});
  scene.ask_any(router, 1, {"GET", "{t}a"});
  scene.ask_any(router, 2, {"GET", "{t}b"});
  CHECK(scene.replies(router) == Said{"2 0 1 $-1\r\n"});
  scene.acknowledge(middle.successor, protocol::slot_of("{t}a"), 1);
  CHECK(scene.replies(router) == Said{"1 0 1 $1\r\n1\r\n"});
  CHECK(scene.node.store().member_reads() == 2);
}

TEST_CASE("Node reads: the head answers them too, in no order with what it has bounced (R10)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf});
  scene.ask(router, 1, {"SET", "a", "1"}, 1, 1, 0, 2);  // of an epoch to come
  scene.ask(router, 2, {"GET", "a"});
  scene.ask_any(router, 3, {"GET", "a"});
  CHECK(scene.replies(router) == Said{"1 1 1 ", "2 1 1 ", "3 0 1 $-1\r\n"});
  scene.ask(router, 4, {"GET", "a"});
  CHECK(scene.replies(router) == Said{"4 1 1 "});  // the one for any member has let nothing pass
}

TEST_CASE("Node reads: who cannot answer sends the read to the head, and bounces nothing else for it (R5)") {
  Middle middle;
  Scene& scene = middle.scene;
  const ConnId router = scene.router();
  SECTION("its table is older") {
    scene.ask_any(router, 1, {"GET", "a"}, 2);
    CHECK(scene.replies(router) == Said{"1 5 1 "});
    scene.ask_any(router, 2, {"GET", "a"}, 1);
    CHECK(scene.replies(router) == Said{"2 0 1 $-1\r\n"});
  }
  SECTION("it has promised the next epoch") {
    scene.table(1, {kOther, kSelf, kThird}, 2, {kSelf, kThird});
    scene.ask_any(router, 1, {"GET", "a"}, 1);
    CHECK(scene.replies(router) == Said{"1 5 1 "});
    scene.table(2, {kSelf, kThird});
    scene.ask(router, 2, {"SET", "a", "1"}, 1, 0, 0, 2);  // as the head, under the first attempt
    scene.acknowledge(middle.successor, protocol::slot_of("a"), 1, 2);
    CHECK(scene.replies(router) == Said{"2 0 2 +OK\r\n"});
  }
  SECTION("its lease is over") {
    scene.advance(101 * kSecond);
    scene.ask_any(router, 1, {"GET", "a"});
    CHECK(scene.replies(router) == Said{"1 5 1 "});
  }
  SECTION("it is not in the chain any more") {
    scene.table(1, {kOther, kSelf, kThird}, 2, {kOther, kThird});
    scene.table(2, {kOther, kThird});
    scene.ask_any(router, 1, {"GET", "a"});
    const Said said = scene.replies(router);
    REQUIRE(said.size() == 1);
    CHECK(said[0].starts_with("1 5 "));
  }
}

TEST_CASE("Node reads: a key that is about to expire is the head's to judge (R12)") {
  Middle middle;
  Scene& scene = middle.scene;
  const ConnId router = scene.router();
  middle.replicate(1, "a", {"set", "a", "1", "pxat", concat(scene.now.wall + 1000)});
  scene.acknowledge(middle.successor, protocol::slot_of("a"), 1);
  scene.ask_any(router, 1, {"GET", "a"});
  scene.advance(980'000);  // within drift-margin-ms of the deadline
  scene.ask_any(router, 2, {"GET", "a"});
  CHECK(scene.replies(router) == Said{"1 0 1 $1\r\n1\r\n", "2 5 1 "});
}

TEST_CASE("Node reads: whatever the flags say, a member that is not the head runs nothing that writes") {
  Middle middle;
  Scene& scene = middle.scene;
  const ConnId router = scene.router();
  scene.ask_any(router, 1, {"SET", "a", "1"});
  scene.ask_any(router, 2, {"GET", "a"}, 0, protocol::kRequestWrite);
  scene.ask_any(router, 3, {"WATCH", "a"});
  const Said said = scene.replies(router);
  REQUIRE(said.size() == 3);
  CHECK(said[0] == "1 5 1 ");
  CHECK(said[1] == "2 1 1 ");
  CHECK(said[2] == "3 5 1 ");
  CHECK(scene.node.store().chains().applied(protocol::slot_of("a")) == 0);
}

TEST_CASE("Node reads: a held one whose slot goes away unheard is unsettled, to be asked again (R20)") {
  Middle middle;
  Scene& scene = middle.scene;
  const ConnId router = scene.router();
  middle.replicate(1, "a", {"set", "a", "1"});
  scene.ask_any(router, 1, {"GET", "a"});
  scene.table(1, {kOther, kSelf, kThird}, 2, {kOther});
  scene.advance(101 * kSecond);
  scene.relink();
  scene.lease();
  scene.table(2, {kOther});
  const Said said = scene.replies(router);
  REQUIRE(said.size() == 1);
  CHECK(said[0].starts_with("1 4 "));
}
