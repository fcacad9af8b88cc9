#include "router/slot_queue.h"

#include <deque>
#include <set>

#include "base/random.h"
#include "router/lane.h"
#include "tests/support/fake_transport.h"

#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

constexpr Place kPlace = 7;

Outstanding& add(SlotQueue& queue, std::deque<Outstanding>& requests, bool write) {
  Outstanding& request = requests.emplace_back();
  request.place = kPlace;
  request.flags = write ? protocol::kRequestWrite : 0;
  queue.append(request);
  return request;
}

TEST_CASE("SlotQueue.append: writes are numbered from one, reads are not") {
  SlotQueue queue;
  std::deque<Outstanding> requests;
  CHECK(add(queue, requests, true).number == 1);
  CHECK(add(queue, requests, false).number == 0);
  CHECK(add(queue, requests, true).number == 2);
  CHECK(queue.answered_below() == 1);
}

TEST_CASE("SlotQueue.remove: answered_below is the lowest unanswered number, whatever the order of answers") {
  SlotQueue queue;
  std::deque<Outstanding> requests;
  Outstanding& first = add(queue, requests, true);
  Outstanding& read = add(queue, requests, false);
  Outstanding& second = add(queue, requests, true);
  Outstanding& third = add(queue, requests, true);
  queue.remove(second);
  CHECK(queue.answered_below() == 1);
  queue.remove(first);
  CHECK(queue.answered_below() == 3);
  queue.remove(read);
  CHECK(queue.answered_below() == 3);
  queue.remove(third);
  CHECK(queue.answered_below() == 4);
  CHECK(queue.empty());
}

TEST_CASE("SlotQueue.remove: answered_below agrees with a set of numbers") {
  rc::prop("any order of arrivals and answers", [](uint64_t seed) {
    SeededRandom random(seed);
    SlotQueue queue;
    std::deque<Outstanding> requests;
    std::vector<Outstanding*> open;
    std::set<uint64_t> unanswered;
    uint64_t writes = 0;
    for (int step = 0; step < 200; ++step) {
      if (open.empty() || random.percent(50)) {
        Outstanding& request = add(queue, requests, random.percent(50));
        open.push_back(&request);
        if (request.is_write()) {
          ++writes;
          unanswered.insert(request.number);
        }
      } else {
        const size_t index = random.below(open.size());
        unanswered.erase(open[index]->number);
        queue.remove(*open[index]);
        open.erase(open.begin() + static_cast<ptrdiff_t>(index));
      }
      RC_ASSERT(queue.answered_below() == (unanswered.empty() ? writes + 1 : *unanswered.begin()));
    }
  });
}

TEST_CASE("SlotQueue.waits_for_read: for reads of the same client, and for want of a search in a long queue") {
  SlotQueue queue;
  std::deque<Outstanding> requests;
  const auto of_client = [&](session::ClientId client, bool write) -> Outstanding& {
    Outstanding& request = add(queue, requests, write);
    request.to.ticket.client = client;
    return request;
  };
  CHECK_FALSE(queue.waits_for_read(of_client(1, true)));
  Outstanding& read = of_client(1, false);
  CHECK_FALSE(queue.waits_for_read(of_client(2, true)));
  CHECK(queue.waits_for_read(of_client(1, true)));
  CHECK_FALSE(queue.waits_for_read(of_client(1, false)));
  queue.remove(read);
  Outstanding& others = of_client(3, false);
  CHECK_FALSE(queue.waits_for_read(of_client(2, true)));
  for (size_t i = 0; i < SlotQueue::kLookBackMax; ++i) of_client(4, true);
  CHECK(queue.waits_for_read(of_client(2, true)));
  queue.remove(others);
  queue.remove(requests[4]);
  CHECK_FALSE(queue.waits_for_read(of_client(2, true)));
}

TEST_CASE("SlotQueue.would_overtake: an earlier request of the same client waits to be sent again") {
  SlotQueue queue;
  std::deque<Outstanding> requests;
  Outstanding& first = add(queue, requests, false);
  Outstanding& second = add(queue, requests, false);
  CHECK_FALSE(queue.would_overtake(second));  // it flows
  queue.park();
  CHECK(queue.would_overtake(second));
  CHECK_FALSE(queue.would_overtake(first));
  first.to.ticket.client = 9;
  CHECK_FALSE(queue.would_overtake(second));
}

TEST_CASE("SlotQueue.bounced: the first bounce of an attempt begins the next one, later ones do not") {
  SlotQueue queue;
  std::deque<Outstanding> requests;
  Outstanding& a = add(queue, requests, true);
  Outstanding& b = add(queue, requests, false);
  queue.sent(a);
  queue.sent(b);
  CHECK(queue.header(kPlace, a).attempt == 0);
  CHECK(queue.bounced(a));
  CHECK_FALSE(queue.bounced(b));
  CHECK(queue.header(kPlace, a).attempt == 1);
}

TEST_CASE("SlotQueue.serving: an answer counts only when it was sent after the last bounce") {
  SlotQueue queue;
  std::deque<Outstanding> requests;
  Outstanding& a = add(queue, requests, true);
  Outstanding& b = add(queue, requests, true);
  queue.sent(a);
  queue.sent(b);
  queue.park();
  CHECK(queue.bounced(b));
  queue.answered(a, 3);  // had run before the head stopped
  CHECK_FALSE(queue.serving());
  CHECK(queue.epoch() == 3);
  queue.came_back(a);
  queue.came_back(b);
  queue.sent(b);
  queue.answered(b, 4);
  CHECK(queue.serving());
  CHECK(queue.epoch() == 4);
}

TEST_CASE("SlotQueue.header: names the slot, or none for the lock keyspace") {
  SlotQueue queue;
  std::deque<Outstanding> requests;
  Outstanding& request = add(queue, requests, true);
  request.db = 3;
  queue.learn(9);
  queue.learn(5);
  const protocol::Request header = queue.header(kPlace, request);
  CHECK(header.slot == kPlace);
  CHECK(header.db == 3);
  CHECK(header.epoch == 9);
  CHECK(header.number == 1);
  CHECK(queue.header(kLockPlace, request).slot == protocol::kNoSlot);
}

// ---- reads that roam

struct TwoLanes {
  test::FakeTransport transport;
  Lane head{transport, 1}, other{transport, 2};
  SlotQueue queue;
  std::deque<Outstanding> requests;

  Outstanding& of_client(session::ClientId client, bool write) {
    Outstanding& request = add(queue, requests, write);
    request.to.ticket.client = client;
    return request;
  }
  void send(Outstanding& request, Lane* lane) {
    request.roams = lane == &other;
    queue.sent(request);
    request.lane = lane;
  }
};

using Kind = SlotQueue::Bond::Kind;

TEST_CASE("SlotQueue.bond: to the nearest unanswered request of the same client") {
  TwoLanes two;
  SlotQueue& queue = two.queue;
  Outstanding& read = two.of_client(1, false);
  CHECK(queue.bond(read).kind == Kind::none);
  two.send(read, &two.other);
  CHECK(queue.bond(two.of_client(2, false)).kind == Kind::none);
  Outstanding& next = two.of_client(1, false);
  CHECK(queue.bond(next).kind == Kind::member);
  CHECK(queue.bond(next).lane == &two.other);
  two.send(next, &two.other);
  Outstanding& write = two.of_client(3, true);
  two.send(write, &two.head);
  Outstanding& behind = two.of_client(3, false);
  CHECK(queue.bond(behind).kind == Kind::head);
  CHECK(queue.bond(two.of_client(3, false)).kind == Kind::waits);  // the one before is not out
  behind.alone = true;
  CHECK(queue.bond(behind).kind == Kind::none);
}

TEST_CASE("SlotQueue.bond: whoever is too far to be searched for may be there") {
  TwoLanes two;
  for (size_t i = 0; i < SlotQueue::kLookBackMax; ++i) two.send(two.of_client(9, false), &two.other);
  CHECK(two.queue.bond(two.of_client(1, false)).kind == Kind::waits);
  CHECK(two.queue.bond(two.of_client(9, false)).kind == Kind::member);
}

TEST_CASE("SlotQueue.must_wait: at the head nothing passes its client's read that roams") {
  TwoLanes two;
  SlotQueue& queue = two.queue;
  two.send(two.of_client(1, false), &two.other);
  CHECK(queue.roaming() == 1);
  CHECK(queue.out() == 0);
  CHECK(queue.must_wait(two.of_client(1, true)));
  CHECK(queue.must_wait(two.of_client(1, false)));
  CHECK_FALSE(queue.must_wait(two.of_client(2, true)));
  CHECK_FALSE(queue.must_wait(two.of_client(3, false)));
  CHECK(queue.first_waiting() == &two.requests[1]);
  two.requests[0].lane = nullptr;
  queue.came_back(two.requests[0]);
  queue.remove(two.requests[0]);
  CHECK(queue.roaming() == 0);
  CHECK_FALSE(queue.must_wait(two.requests[1]));
}

TEST_CASE("SlotQueue.would_overtake: an earlier request of the same client was asked of another member") {
  TwoLanes two;
  Outstanding& first = two.of_client(1, false);
  Outstanding& second = two.of_client(1, false);
  two.send(first, &two.other);
  two.send(second, &two.head);
  CHECK(two.queue.would_overtake(second));
  CHECK_FALSE(two.queue.would_overtake(first));
}

TEST_CASE("SlotQueue.freed_by: a held read is freed by the last of its client's requests before it") {
  TwoLanes two;
  SlotQueue& queue = two.queue;
  Outstanding& first = two.of_client(1, true);
  Outstanding& second = two.of_client(1, true);
  two.send(two.of_client(2, false), &two.head);
  Outstanding& read = two.of_client(1, false);
  Outstanding& next = two.of_client(1, false);
  for (Outstanding* one : {&first, &second, &read, &next}) two.send(*one, &two.head);
  const auto answer = [&](Outstanding& one) {
    one.lane = nullptr;
    queue.came_back(one);
  };
  answer(read);
  queue.hold(read);
  answer(next);
  queue.hold(next);
  CHECK(queue.own_before(read) == &second);
  CHECK(queue.own_before(first) == nullptr);
  CHECK(queue.bond(next).kind == Kind::head);  // a held one is passed over
  CHECK(queue.waits_for_read(two.of_client(1, true)));
  CHECK(queue.freed_by(second) == nullptr);
  answer(second);
  queue.remove(second);
  CHECK(queue.freed_by(first) == &read);
  CHECK_FALSE(read.waits());
  answer(first);
  queue.remove(first);
  CHECK(queue.freed_by(read) == &next);
  queue.let_go(read);
  queue.let_go(next);
  CHECK_FALSE(queue.holds_any());
  CHECK(read.waits());
}

TEST_CASE("SlotQueue.doubtful: after a write was given up, until the head answers what was sent after that") {
  TwoLanes two;
  SlotQueue& queue = two.queue;
  Outstanding& before = two.of_client(1, false);
  two.send(before, &two.head);
  CHECK_FALSE(queue.doubtful());
  queue.doubt();
  CHECK(queue.doubtful());
  queue.answered(before, 1);
  CHECK(queue.doubtful());
  Outstanding& after = two.of_client(1, false);
  two.send(after, &two.head);
  queue.answered(after, 1);
  CHECK_FALSE(queue.doubtful());
}

TEST_CASE("SlotQueue.header: a write that may have run says so, a read need not (R20)") {
  TwoLanes two;
  Outstanding& write = two.of_client(1, true);
  Outstanding& read = two.of_client(2, false);
  CHECK(two.queue.header(kPlace, write).flags == protocol::kRequestWrite);
  write.may_have_run = read.may_have_run = true;
  CHECK(two.queue.header(kPlace, write).flags == (protocol::kRequestWrite | protocol::kRequestAgain));
  CHECK(two.queue.header(kPlace, read).flags == 0);
}

TEST_CASE("SlotQueue.header: a read is for any member only while it roams") {
  TwoLanes two;
  Outstanding& read = two.of_client(1, false);
  read.flags = protocol::kRequestAnyMember | protocol::kRequestResp3;
  CHECK(two.queue.header(kPlace, read).flags == protocol::kRequestResp3);
  two.send(read, &two.other);
  CHECK(two.queue.header(kPlace, read).flags == read.flags);
}

}  // namespace
}  // namespace chainring::router
