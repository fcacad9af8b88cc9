// KEYS over more keys than one turn may walk over (R13).
#include "tests/node/scene.h"

#include <catch2/catch.hpp>

using namespace chainring;
using namespace chainring::node::test;

namespace {

constexpr size_t kKeysOfSlot = node::Store::kKeysPerSlice * 5 / 8;  // two slots hold more than a slice

// This node alone, with so many keys in each of two slots.
struct ManyKeys {
  ManyKeys() {
    scene.serve({kSelf});
    client = scene.client();
    for (const std::string_view tag : {"a", "b"}) {
      std::string request = concat("*", 2 * kKeysOfSlot + 1, "\r\n$4\r\nMSET\r\n");
      for (size_t i = 0; i < kKeysOfSlot; ++i) {
        const std::string key = concat("{", tag, "}", 10000 + i);
        append_text(request, "$", key.size(), "\r\n", key, "\r\n$1\r\nv\r\n");
      }
      scene.net.receive(client, request);
      scene.turn();
      REQUIRE(scene.net.take_output(client) == "+OK\r\n");
    }
  }
  Scene scene;
  ConnId client;
};

const std::string kAllOfThem = concat("*", 2 * kKeysOfSlot, "\r\n");

}  // namespace

TEST_CASE("Node clients: KEYS of more than a turn can walk over takes several, and others are served between them") {
  ManyKeys many;
  CHECK(many.scene.say(many.client, "KEYS *\r\nGET {a}10000").empty());
  CHECK(many.scene.node.next_wake() <= many.scene.now.mono);
  const ConnId other = many.scene.client();
  many.scene.net.receive(other, "GET {b}10000\r\n");
  many.scene.turn();
  CHECK(many.scene.net.take_output(other) == "$1\r\nv\r\n");
  many.scene.turn();
  const std::string reply = many.scene.net.take_output(many.client);
  CHECK(reply.substr(0, kAllOfThem.size()) == kAllOfThem);
  CHECK(reply.ends_with("$1\r\nv\r\n"));  // of the GET behind it
  CHECK(many.scene.say(many.client, "KEYS {a}10000").empty());
  many.scene.turn();
  CHECK(many.scene.net.take_output(many.client) == "*1\r\n$8\r\n{a}10000\r\n");
}

TEST_CASE("Node clients: KEYS waits for a lease that ran out in the midst of it, as long as requests do") {
  ManyKeys many;
  many.scene.advance(99 * kSecond);
  CHECK(many.scene.say(many.client, "KEYS *").empty());
  SECTION("and goes on with it") {
    many.scene.advance(2 * kSecond);
    CHECK(many.scene.net.take_output(many.client).empty());
    many.scene.relink();
    many.scene.lease();
    many.scene.turn();
    CHECK(many.scene.net.take_output(many.client).starts_with(kAllOfThem));
  }
  SECTION("and is refused without") {
    many.scene.advance(4 * kSecond);
    CHECK(many.scene.net.take_output(many.client).starts_with("-TRYAGAIN "));
  }
}

TEST_CASE("Node: answers a router's KEYS for as many slots as it can walk over in a turn, and says which") {
  ManyKeys many;
  const ConnId router = many.scene.router();
  const auto ask = [&](std::vector<protocol::SlotRange> slots) {
    std::string command;
    const std::string_view words[] = {"KEYS", "*"};
    protocol::append_request(command, words);
    many.scene.send(router, protocol::FrameType::slots_request, protocol::SlotsRequest{9, 0, 0, std::move(slots)},
                    command);
    const auto frames = many.scene.frames(router);
    REQUIRE(frames.size() == 1);
    ByteReader reader(frames[0].payload);
    protocol::SlotsReply reply;
    reader(reply);
    CHECK(reader.rest().starts_with(concat("*", kKeysOfSlot, "\r\n")));
    return reply.answered;
  };
  const Slot second = std::max(protocol::slot_of("a"), protocol::slot_of("b"));
  CHECK(ask({{0, kSlotCount - 1}}) == std::vector<protocol::SlotRange>{{0, static_cast<Slot>(second - 1)}});
  CHECK(ask({{second, kSlotCount - 1}}) == std::vector<protocol::SlotRange>{{second, kSlotCount - 1}});
}

TEST_CASE("KeysWalk: ends with an error, or when it has found more than a reply may have") {
  node::KeysWalk walk({}, "*", 0, {{0, 100}, {200, 300}}, 0);
  walk.add("*1\r\n$1\r\na\r\n", 100);
  CHECK_FALSE(walk.ended());
  SECTION("an error of a slice") {
    walk.add("-ERR no\r\n", 250);
    CHECK(walk.ended());
    CHECK(walk.reply() == "-ERR no\r\n");
  }
  SECTION("slices that are too long together") {
    const std::string_view slice("*1\r\n", protocol::kReplyBytesMax);  // more bytes than there are: refused unread
    walk.add(slice, 250);
    CHECK(walk.ended());
    CHECK(walk.reply() == concat("-", protocol::errors::kReplyTooLong, "\r\n"));
  }
  SECTION("or with the last slot") {
    walk.add("*0\r\n", 300);
    CHECK(walk.ended());
    CHECK(walk.reply() == "*1\r\n$1\r\na\r\n");
  }
}
