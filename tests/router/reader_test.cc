#include "router/reader.h"

#include <array>
#include <deque>

#include "tests/support/fake_transport.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

constexpr Micros kNow = 1'000'000;

// Three open lanes, each of which owes so many answers.
struct Lanes {
  explicit Lanes(std::array<int, 3> owed) {
    for (size_t i = 0; i < 3; ++i) {
      lanes[i].open_on(transport.connect({"127.0.0.1", 1}));
      for (int n = 0; n < owed[i]; ++n) {
        protocol::Request header;
        lanes[i].send(items.emplace_back(), protocol::FrameType::request, header, {});
      }
    }
  }
  // How often each is chosen, of 3000 times.
  std::array<int, 3> draw(const Lane* but = nullptr, size_t locality = 0) {
    std::array<int, 3> counts{};
    const std::array<Lane*, 3> chain{&lanes[0], &lanes[1], &lanes[2]};
    for (int i = 0; i < 3000; ++i) {
      Lane* const chosen = choose_reader(chain, locality, but, random);
      if (chosen != nullptr) ++counts.at(static_cast<size_t>(chosen - lanes.data()));
    }
    return counts;
  }
  test::FakeTransport transport;
  std::array<Lane, 3> lanes{Lane{transport, 1}, Lane{transport, 2}, Lane{transport, 3}};
  std::deque<Outstanding> items;
  SeededRandom random{7};
};

TEST_CASE("choose_reader: members that owe as much are asked as often, the head no more than others") {
  for (const int count : Lanes({2, 2, 2}).draw()) CHECK(std::abs(count - 1000) < 120);
}

TEST_CASE("choose_reader: of two that are drawn, the one that owes less") {
  const std::array<int, 3> counts = Lanes({3, 1, 2}).draw();
  CHECK(counts[0] == 0);
  CHECK(std::abs(counts[1] - 2000) < 120);
  CHECK(std::abs(counts[2] - 1000) < 120);
}

TEST_CASE("choose_reader: the head, while it owes less than the lesser-loaded of the others and the locality") {
  CHECK(Lanes({4, 1, 1}).draw(nullptr, 4) == std::array<int, 3>{3000, 0, 0});
  const std::array<int, 3> counts = Lanes({5, 1, 1}).draw(nullptr, 4);
  CHECK(counts[0] == 0);
  CHECK(std::abs(counts[1] - 1500) < 120);
  Lanes lanes({0, 1, 1});
  CHECK(lanes.draw(&lanes.lanes[0], 4)[0] == 0);
  CHECK(lanes.lanes[0].close().empty());
  CHECK(lanes.draw(nullptr, 4)[0] == 0);
}

TEST_CASE("choose_reader: not who is closed, silent or excepted, nobody when none is left") {
  Lanes lanes({0, 5, 0});
  CHECK(lanes.lanes[0].close().empty());
  CHECK(lanes.draw() == std::array<int, 3>{0, 0, 3000});
  CHECK(lanes.draw(&lanes.lanes[2]) == std::array<int, 3>{0, 3000, 0});
  CHECK_FALSE(lanes.lanes[1].look(kNow));
  CHECK(lanes.lanes[1].look(kNow + Lane::kSilentAfter));
  CHECK(lanes.draw(&lanes.lanes[2]) == std::array<int, 3>{0, 0, 0});
}

TEST_CASE("Lane.look: silent is who owes answers and gave none for so long, until it gives one") {
  Lanes lanes({1, 0, 0});
  Lane& lane = lanes.lanes[0];
  Lane& idle = lanes.lanes[1];
  CHECK_FALSE(lane.look(kNow));
  CHECK_FALSE(idle.look(kNow));
  CHECK(idle.next_look() == kNever);
  CHECK(lane.next_look() == kNow + Lane::kSilentAfter);
  CHECK_FALSE(lane.look(kNow + Lane::kSilentAfter - 1));
  CHECK(lane.look(kNow + Lane::kSilentAfter));
  CHECK(lane.silent());
  CHECK_FALSE(lane.look(kNow + Lane::kSilentAfter + 1));  // said once, and again after as long
  CHECK(lane.look(kNow + 2 * Lane::kSilentAfter));
  lane.forget(lanes.items[0]);
  CHECK(lane.owed() == 1);  // it still has the work
  CHECK(lane.take(1) == nullptr);
  CHECK(lane.owed() == 0);
  CHECK_FALSE(lane.silent());
  CHECK_FALSE(lane.look(kNow + 9 * Lane::kSilentAfter));
  // Who is asked after a long rest has all the time, too.
  protocol::Request header;
  lane.send(lanes.items[0], protocol::FrameType::request, header, {});
  CHECK_FALSE(lane.look(kNow + 20 * Lane::kSilentAfter));
  CHECK(lane.next_look() == kNow + 21 * Lane::kSilentAfter);
}

}  // namespace
}  // namespace chainring::router
