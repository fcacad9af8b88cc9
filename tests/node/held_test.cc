#include "node/held.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::node;

namespace {

struct Sink final : HeldReplies::Sink {
  void release(Slot, const Destination& to, std::string_view reply) override {
    said.push_back(std::to_string(to.request) + ":" + std::string(reply));
  }
  void unsettled(Slot, const Destination& to) override { said.push_back(std::to_string(to.request) + ":unsettled"); }
  void release_all(const Destination& to, const std::vector<Slot>& settled, std::string_view reply) override {
    said.push_back(std::to_string(to.request) + ":" + std::string(reply) + ":" + std::to_string(settled.size()));
  }
  std::vector<std::string> said;
};

Destination to(uint64_t request) { return {1, request, {}}; }
// `name` is what the sink calls it.
Destination to_client(uint64_t name, Micros came_at = 0) { return {kNoConn, name, {name, 0}, came_at}; }
using Said = std::vector<std::string>;

}  // namespace

TEST_CASE("HeldReplies: replies leave when what they rest on is committed, and not before") {
  HeldReplies held;
  Sink sink;
  held.hold(3, 2, to(1), "a");
  held.hold(3, 1, to(2), "b");
  held.hold(4, 1, to(3), "c");
  held.committed(3, 1, sink);
  CHECK(sink.said == Said{"2:b"});
  held.committed(3, 2, sink);
  CHECK(sink.said == Said{"2:b", "1:a"});
  CHECK(held.count() == 1);
}

TEST_CASE("HeldReplies: a slot that goes leaves its requests unsettled") {
  HeldReplies held;
  Sink sink;
  held.hold(3, 2, to(1), "a");
  held.dropped(3, false, sink);
  CHECK(sink.said == Said{"1:unsettled"});
  CHECK(held.count() == 0);
}

TEST_CASE("HeldReplies.bytes: those of what is held (R11)") {
  HeldReplies held;
  Sink sink;
  const std::string long_reply(10'000, 'x');
  held.hold(3, 1, to(1), long_reply);
  held.hold(4, 1, to(2), long_reply);
  const std::pair<Slot, Sequence> needs[] = {{3, 2}, {4, 2}};
  held.hold_all(needs, {}, to(3), long_reply);
  CHECK(held.bytes() > 30'000);
  CHECK(held.bytes() < 31'000);
  held.committed(3, 1, sink);
  CHECK(held.bytes() < 21'000);
  held.committed(3, 2, sink);
  held.dropped(4, false, sink);
  CHECK(held.bytes() == 0);
}

TEST_CASE("HeldReplies: a reply over several slots waits for the last and names those that are settled") {
  HeldReplies held;
  Sink sink;
  const std::pair<Slot, Sequence> needs[] = {{3, 1}, {4, 1}};
  held.hold_all(needs, {9}, to(1), "ok");
  held.committed(3, 1, sink);
  CHECK(sink.said.empty());
  held.dropped(4, false, sink);
  CHECK(sink.said == Said{"1:ok:2"});  // slots 3 and 9; slot 4 was lost on the way
}

TEST_CASE("HeldReplies: a client is told nothing of several slots when one of them was lost (R7)") {
  HeldReplies held;
  Sink sink;
  const std::pair<Slot, Sequence> needs[] = {{3, 1}, {4, 1}, {5, 1}};
  held.hold_all(needs, {9}, to_client(1), "ok");
  held.committed(3, 1, sink);
  SECTION("whatever becomes of the others") {
    held.dropped(4, false, sink);
    CHECK(sink.said.empty());
    held.committed(5, 1, sink);
    CHECK(sink.said == Said{"1:unsettled"});
  }
  SECTION("and is told of it when what left has gone over to the new chain") {
    held.dropped(4, true, sink);
    held.dropped(5, true, sink);
    CHECK(sink.said == Said{"1:ok:4"});
  }
  CHECK(held.count() == 0);
  CHECK(held.oldest_of_clients() == kNever);
}

TEST_CASE("HeldReplies: clients are given up by when they asked, and hear nothing of it later") {
  HeldReplies held;
  Sink sink;
  held.hold(3, 1, to_client(1, 20), "a");
  held.hold(3, 1, to_client(2, 10), "b");  // it has waited to be executed
  held.hold(3, 1, to(3), "c");
  const std::pair<Slot, Sequence> needs[] = {{3, 1}, {4, 1}};
  held.hold_all(needs, {}, to_client(4, 15), "d");
  CHECK(held.oldest_of_clients() == 10);
  held.give_up_clients(9, sink);
  CHECK(sink.said.empty());
  held.give_up_clients(15, sink);
  CHECK(sink.said == Said{"2:unsettled", "4:unsettled"});
  CHECK(held.oldest_of_clients() == 20);
  CHECK(held.count() == 2);
  sink.said.clear();
  held.committed(4, 1, sink);
  held.committed(3, 1, sink);
  CHECK(sink.said == Said{"1:a", "3:c"});
  CHECK(held.oldest_of_clients() == kNever);
}

TEST_CASE("HeldReplies: what rests on an old record is put before any number that rest on newer ones") {
  constexpr uint64_t kMany = 100'000;  // a walk past all of them for each would take minutes
  HeldReplies held;
  Sink sink;
  for (uint64_t i = 0; i < kMany; ++i) held.hold(3, 2, to(2), "new");
  for (uint64_t i = 0; i < kMany; ++i) held.hold(3, 1, to(1), "old");
  held.committed(3, 1, sink);
  CHECK(sink.said == Said(kMany, "1:old"));
  held.committed(3, 2, sink);
  CHECK(sink.said.size() == 2 * kMany);
  CHECK(sink.said.back() == "2:new");
}
