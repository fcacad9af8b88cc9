// What a node near its memory limit says to its predecessors, and what a head does that was told so (R11).
#include "tests/node/scene.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::node::test {
namespace {

constexpr std::string_view kOutOfMemory = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

// What acknowledgements of the slot say of memory.
std::vector<bool> said_of(Slot slot, const std::vector<Frame>& frames) {
  std::vector<bool> said;
  for (const Frame& frame : frames) {
    if (frame.type != protocol::FrameType::ack) continue;
    const auto ack = decode<protocol::Ack>(frame.payload);
    REQUIRE(ack);
    for (const protocol::AckItem& item : ack->items) {
      if (item.slot == slot) said.push_back(item.tight);
    }
  }
  return said;
}

}  // namespace

TEST_CASE("Node: says to its predecessors when it is near maxmemory, and when it is not any more (R11)") {
  Middle middle;
  Scene& scene = middle.scene;
  const std::string key(1, 'a');
  const Slot slot = protocol::slot_of(key);
  middle.replicate(1, key, {"set", key, std::string(100'000, 'x')});
  scene.acknowledge(middle.successor, slot, 1);
  CHECK(said_of(slot, scene.frames(middle.head)) == std::vector<bool>{false});
  const uint64_t used = scene.node.store().memory_bytes();

  const auto set_max = [&](uint64_t max) {
    CHECK(scene.say(middle.client, concat("CONFIG SET maxmemory ", max)) == "+OK\r\n");
    return said_of(slot, scene.frames(middle.head));
  };
  CHECK(set_max(used + used / 20).empty());
  CHECK(set_max(used + used / 40) == std::vector<bool>{true});
  CHECK(set_max(used + used / 20).empty());  // so little makes no difference
  CHECK(set_max(used + used / 10) == std::vector<bool>{false});
  CHECK(set_max(used) == std::vector<bool>{true});

  CHECK(said_of(slot, scene.predecessor_and_frames().second) == std::vector<bool>{true});  // that has dialled again
}

TEST_CASE("Node: a head takes no writes that need memory while its successor says that there is none (R11)") {
  Scene scene;
  scene.serve({kSelf, kOther});
  const ConnId successor = scene.successor();
  const ConnId client = scene.client();
  const ConnId router = scene.router();
  const Slot slot = protocol::slot_of("a");
  const auto tell = [&](bool tight, Sequence committed) {
    scene.send(successor, protocol::FrameType::ack, protocol::Ack{{{slot, 1, committed, tight}}});
  };
  tell(true, 0);
  CHECK(scene.say(client, "SET a 1") == kOutOfMemory);
  CHECK(scene.say(client, "SET b 1").empty());  // of another slot; it waits for its commit
  CHECK(scene.say(client, "MULTI") == "");
  scene.acknowledge(successor, protocol::slot_of("b"), 1);
  CHECK(scene.net.take_output(client) == "+OK\r\n+OK\r\n");
  CHECK(scene.say(client, "SET a 1") == "+QUEUED\r\n");
  CHECK(scene.say(client, "EXEC") == concat("-EXECABORT Transaction discarded because of: ", kOutOfMemory.substr(1)));
  scene.ask(router, 1, {"SET", "a", "1"}, 1);
  CHECK(scene.replies(router) == Said{concat("1 0 1 ", kOutOfMemory)});
  CHECK(scene.say(client, "DEL a") == ":0\r\n");
  CHECK(scene.say(client, "GET a") == "$-1\r\n");
  tell(false, 0);
  CHECK(scene.say(client, "SET a 1").empty());
  tell(true, 1);
  CHECK(scene.net.take_output(client) == "+OK\r\n");
  CHECK(scene.say(client, "SET a 2") == kOutOfMemory);
}

}  // namespace chainring::node::test
