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
