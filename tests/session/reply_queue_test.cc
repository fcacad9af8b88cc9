#include "session/reply_queue.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "base/text.h"

#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

void answer(ReplyQueue& queue, uint64_t place, std::string_view reply, std::string& out) {
  if (queue.is_first(place)) {
    queue.send(place, reply, out);
  } else {
    queue.keep(place, reply);
  }
}

}  // namespace

TEST_CASE("ReplyQueue: replies that come in order leave at once and nothing is kept") {
  ReplyQueue queue;
  std::string out;
  for (int i = 0; i < 100; ++i) {
    const uint64_t place = queue.open(false);
    REQUIRE(queue.pending() == 1);
    queue.send(place, "x", out);
    REQUIRE(queue.waiting_count() == 0);
  }
  CHECK(out == std::string(100, 'x'));
  CHECK(queue.pending() == 0);
}

TEST_CASE("ReplyQueue: whatever the order of completion, replies leave in the order of requests, muted ones never") {
  rc::prop("as a sorted list", [] {
    const auto count = *rc::gen::inRange<size_t>(0, 60);
    const auto muted = *rc::gen::container<std::vector<bool>>(count, rc::gen::arbitrary<bool>());
    std::vector<size_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    for (size_t i = 0; i < count; ++i) std::swap(order[i], order[*rc::gen::inRange<size_t>(i, count)]);

    ReplyQueue queue;
    std::string out, expected;
    for (size_t i = 0; i < count; ++i) {
      RC_ASSERT(queue.open(muted[i]) == i);
      if (!muted[i]) append_text(expected, i, ' ');
    }
    for (const size_t i : order) answer(queue, i, concat(i, ' '), out);
    RC_ASSERT(out == expected);
    RC_ASSERT(queue.pending() == 0u);
    RC_ASSERT(queue.waiting_bytes() == 0u);
    RC_ASSERT(queue.waiting_count() == 0u);
  });
}

TEST_CASE("ReplyQueue: what waits is counted, what is muted is not kept") {
  ReplyQueue queue;
  std::string out;
  const uint64_t first = queue.open(false);
  const uint64_t second = queue.open(false);
  const uint64_t third = queue.open(true);
  queue.keep(second, "12345");
  queue.keep(third, "1234567890");
  CHECK(queue.waiting_bytes() == 5);
  CHECK(queue.pending() == 3);
  queue.send(first, "0", out);
  CHECK(out == "012345");
  CHECK(queue.waiting_bytes() == 0);
}

}  // namespace chainring::session
