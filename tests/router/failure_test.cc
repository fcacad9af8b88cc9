// Requests to one place each, while nodes stop, links break and tables change (R5, R10, R20, R21).
#include <set>
#include <vector>

#include "base/text.h"
#include "protocol/reply.h"
#include "tests/router/rig.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

using protocol::ReplyStatus;
using test::Arrived;
using test::kDown;
using test::key_in;
using test::kUnknown;
using test::Rig;

const std::string kKey = key_in(0);
const std::string kOther = key_in(1);

std::vector<std::string> values_of(const std::vector<Arrived>& arrived) {
  std::vector<std::string> values;
  for (const Arrived& one : arrived) values.push_back(one.args.back());
  return values;
}

struct Served {
  explicit Served(const test::RigOptions& options = {}) : rig(options) {
    rig.publish(rig.table({1}));
    client = rig.connect();
  }
  Rig rig;
  ConnId client;
};

TEST_CASE("Router: requests that come before the first table wait for it") {
  Rig rig;
  const ConnId client = rig.connect();
  rig.request(client, {"SET", kKey, "1"});
  rig.advance(500);
  rig.publish(rig.table({1}));
  const auto arrived = rig.requests(1);
  REQUIRE(arrived.size() == 1);
  rig.reply(1, arrived[0].header.id, "+OK\r\n");
  CHECK(rig.read(client) == "+OK\r\n");
}

TEST_CASE("Router: a bounce parks the slot, the first request is sent again alone, the others follow its answer") {
  Served served;
  Rig& rig = served.rig;
  for (const std::string_view value : {"a", "b", "c"}) rig.request(served.client, {"SET", kKey, value});
  const auto first = rig.requests(1);
  REQUIRE(first.size() == 3);
  rig.bounce(1, first[0].header.id);
  rig.request(served.client, {"SET", kKey, "d"});  // must not overtake
  rig.bounce(1, first[1].header.id);
  rig.advance(100);
  CHECK(rig.requests(1).empty());  // the reply to c is not there yet
  rig.bounce(1, first[2].header.id);
  const auto probe = rig.requests(1);
  REQUIRE(values_of(probe) == std::vector<std::string>{"a"});
  CHECK(probe[0].header.number == first[0].header.number);
  CHECK(probe[0].header.attempt == first[0].header.attempt + 1);
  rig.reply(1, probe[0].header.id, "+a\r\n");
  const auto rest = rig.requests(1);
  REQUIRE(values_of(rest) == std::vector<std::string>{"b", "c", "d"});
  for (size_t i = 0; i < rest.size(); ++i) {
    CHECK(rest[i].header.number == i + 2);
    CHECK(rest[i].header.attempt == probe[0].header.attempt);
  }
  for (const Arrived& one : rest) rig.reply(1, one.header.id, concat('+', one.args.back(), "\r\n"));
  CHECK(rig.read(served.client) == "+a\r\n+b\r\n+c\r\n+d\r\n");
}

TEST_CASE("Router: each bounce begins an attempt of its own and a longer wait, up to 50 ms") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"INCR", kKey});
  auto arrived = rig.requests(1);
  std::vector<Micros> waits;
  for (uint32_t attempt = 0; attempt < 6; ++attempt) {
    REQUIRE(arrived.size() == 1);
    CHECK(arrived[0].header.attempt == attempt);
    CHECK(arrived[0].header.number == 1);
    rig.bounce(1, arrived[0].header.id);
    const Micros begun = rig.now();
    do {
      rig.advance(1);
      arrived = rig.requests(1);
    } while (arrived.empty());
    waits.push_back((rig.now() - begun) / kMicrosPerMilli);
  }
  CHECK(waits == std::vector<Micros>{5, 10, 20, 40, 50, 50});
}

TEST_CASE("Router: a waiting slot delays no other") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"SET", kKey, "1"});
  rig.bounce(1, rig.requests(1)[0].header.id);
  const ConnId other = rig.connect();
  rig.request(other, {"GET", kOther});
  const auto arrived = rig.requests(1);
  REQUIRE(arrived.size() == 1);
  rig.reply(1, arrived[0].header.id, "$-1\r\n");
  CHECK(rig.read(other) == "$-1\r\n");
}

TEST_CASE("Router: a new table sends parked requests to the new head at once") {
  Served served;
  Rig& rig = served.rig;
  rig.publish(rig.table({1, 2}));
  rig.request(served.client, {"SET", kKey, "1"});
  rig.bounce(1, rig.requests(1)[0].header.id);
  rig.publish(rig.table({2}, 2));
  const auto arrived = rig.requests(2);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].header.epoch == 2);
  CHECK(arrived[0].header.number == 1);
}

TEST_CASE("Router: what is out on a broken link goes to the new head, reads too, in the order of each slot") {
  Served served;
  Rig& rig = served.rig;
  auto table = rig.table({1});
  table.members.push_back(rig.table({2}).members[0]);
  table.ranges[0].chain = {1, 2};
  rig.publish(table);
  rig.request(served.client, {"SET", kKey, "a"});
  rig.request(served.client, {"GET", kKey});
  rig.request(served.client, {"SET", kOther, "x"});
  rig.request(served.client, {"SET", kKey, "b"});
  const auto before = rig.requests(1);
  REQUIRE(before.size() == 3);  // the last write waits for the read before it
  rig.accept_links(false);
  rig.break_link(1);
  rig.request(served.client, {"SET", kKey, "c"});
  table.ranges[0].chain = {2};
  table.ranges[0].epoch = 2;
  rig.publish(table);
  std::vector<Arrived> of_key;
  std::vector<Arrived> of_other;
  for (auto arrived = rig.requests(2); !arrived.empty(); arrived = rig.requests(2)) {
    for (const Arrived& one : arrived) {
      (one.args[1] == kKey ? of_key : of_other).push_back(one);
      rig.reply(2, one.header.id, concat('+', one.args.back(), "\r\n"), 2);
    }
  }
  CHECK(values_of(of_key) == std::vector<std::string>{"a", kKey, "b", "c"});
  CHECK(values_of(of_other) == std::vector<std::string>{"x"});
  CHECK(of_key[0].header.number == 1);
  CHECK(of_key[2].header.number == 2);
  CHECK(of_key[3].header.number == 3);
  CHECK(rig.read(served.client) == concat("+a\r\n+", kKey, "\r\n+x\r\n+b\r\n+c\r\n"));
}

TEST_CASE("Router: a write waits for its client's read of the slot, and for nobody else's (R10)") {
  Served served;
  Rig& rig = served.rig;
  const ConnId other = rig.connect();
  rig.request(served.client, {"GET", kKey});
  rig.request(other, {"SET", kKey, "x"});
  CHECK(rig.requests(1).size() == 2);
  rig.request(served.client, {"SET", kKey, "a"});
  rig.request(served.client, {"GET", kKey});
  rig.request(served.client, {"SET", kOther, "b"});
  const auto before = rig.requests(1);
  REQUIRE(before.size() == 1);
  CHECK(before[0].args[1] == kOther);
  rig.reply(1, 1, "$-1\r\n", 1);
  CHECK(rig.requests(1).empty());  // the place is drained first, so that nothing is overtaken
  rig.reply(1, 2, "+OK\r\n", 1);
  const auto after = rig.requests(1);
  REQUIRE(after.size() == 2);
  CHECK(after[0].args[2] == "a");
  CHECK(after[1].args[0] == "GET");
}

TEST_CASE("Router: a link that breaks is dialled again, and its requests sent again with their numbers") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"INCR", kKey});
  rig.bounce(1, rig.requests(1).at(0).header.id);
  rig.advance(100);
  const auto first = rig.requests(1);
  REQUIRE(first.size() == 1);
  CHECK(first[0].header.flags == protocol::kRequestWrite);  // it was only bounced
  rig.break_link(1);
  rig.advance(100);
  const auto arrived = rig.requests(1);
  REQUIRE(arrived.size() == 1);
  CHECK(arrived[0].header.number == 1);
  CHECK(arrived[0].header.flags == (protocol::kRequestWrite | protocol::kRequestAgain));  // it may have run
  rig.reply(1, arrived[0].header.id, ":1\r\n");
  CHECK(rig.read(served.client) == ":1\r\n");
}

TEST_CASE("Router: a head that says nothing is left when the table names another, and its late reply is ignored") {
  Served served;
  Rig& rig = served.rig;
  rig.publish(rig.table({1, 2}));
  rig.request(served.client, {"INCR", kKey});
  const auto stuck = rig.requests(1);
  auto table = rig.table({2, 1}, 2);
  rig.publish(table);
  const auto arrived = rig.requests(2);
  REQUIRE(arrived.size() == 1);
  rig.reply(1, stuck[0].header.id, ":99\r\n", 1);
  CHECK(rig.read(served.client).empty());
  rig.reply(2, arrived[0].header.id, ":1\r\n", 2);
  CHECK(rig.read(served.client) == ":1\r\n");
}

// Two members, of whom the second serves, and links that are watched.
struct Watched {
  explicit Watched(std::vector<MemberId> others = {1}) {
    rig.lease = 300 * kMicrosPerMilli;
    auto table = rig.table({2});
    for (const MemberId id : others) {
      table.members.insert(table.members.end() - 1, rig.table({id}).members[0]);
      table.ranges[0].chain.push_back(id);
    }
    rig.publish(table);
    client = rig.connect();
    rig.advance(200);
  }
  // Whom it has accused since the last call.
  std::set<MemberId> accused() {
    std::set<MemberId> accused;
    for (const auto& subscription : rig.subscriptions()) {
      accused.insert(subscription.accused.begin(), subscription.accused.end());
    }
    return accused;
  }
  // A client waits while neither the leader nor these members are heard for so long. Then all may be reached again.
  void cut_off(const std::vector<MemberId>& members, Millis length) {
    rig.request(client, {"SET", kKey, "a"});
    rig.accept_links(false);
    rig.leader_answers = false;
    for (const MemberId member : members) rig.stop_reading(member);
    rig.advance(length);
    static_cast<void>(accused());
    rig.accept_links(true);
    rig.leader_answers = true;
  }
  Rig rig;
  ConnId client = kNoConn;
};

TEST_CASE("Router: a member that it cannot reach is reached through another, and nobody is accused (R19)") {
  Watched watched;
  Rig& rig = watched.rig;
  rig.request(watched.client, {"SET", kKey, "a"});
  rig.request(watched.client, {"INCR", kKey});
  auto arrived = rig.requests(2);
  REQUIRE(arrived.size() == 2);
  rig.cut(2);
  rig.advance(500);
  CHECK(rig.carrier(2) == Rig::kNodePort + 1);
  CHECK(watched.accused().empty());
  std::vector<uint64_t> numbers;
  for (arrived = rig.requests(2); !arrived.empty(); arrived = rig.requests(2)) {
    for (const Arrived& one : arrived) {
      numbers.push_back(one.header.number);
      rig.reply(2, one.header.id, concat('+', one.args[0], "\r\n"));
    }
  }
  CHECK(numbers == std::vector<uint64_t>{1, 2});
  CHECK(rig.read(watched.client) == "+SET\r\n+INCR\r\n");
  rig.advance(1000);
  CHECK(watched.accused().empty());
}

TEST_CASE("Router: a member that it reaches on no way is accused, as long as it owes something (R19)") {
  Watched watched;
  Rig& rig = watched.rig;
  rig.cut(2);
  rig.stop_reading(1);
  rig.cut(1);
  rig.advance(2000);
  CHECK(watched.accused().empty());
  rig.request(watched.client, {"SET", kKey, "a"});
  rig.advance(100);
  CHECK(watched.accused() == std::set<MemberId>{2});
}

TEST_CASE("Router: who was cut off from everybody accuses nobody for that, and dials at once (R19)") {
  const Millis cut_off_for = GENERATE(range<Millis>(1500, 2500, 100));
  Watched watched;
  Rig& rig = watched.rig;
  watched.cut_off({1, 2}, cut_off_for);
  SECTION("whom it reaches") {
    while (rig.link(1) == kNoConn && rig.link(2) == kNoConn && rig.leader() == kNoConn) rig.advance(1);
    rig.advance(2);
    CHECK(rig.link(1) != kNoConn);
    CHECK(rig.link(2) != kNoConn);
  }
  SECTION("whom it does not reach yet") {
    rig.cut(1);
    rig.cut(2);
    while (rig.leader() == kNoConn) rig.advance(1);
    rig.advance(500);  // less than two leases
    CHECK(watched.accused().empty());
    if (cut_off_for > 2000) return;  // the request's time is over before
    rig.advance(300);
    CHECK(watched.accused() == std::set<MemberId>{2});
  }
}

TEST_CASE("Router: who was cut off together with a node accuses nobody for that, and dials the others at once (R19)") {
  const Millis cut_off_for = GENERATE(range<Millis>(1500, 2500, 100));
  Watched watched;
  Rig& rig = watched.rig;
  watched.cut_off({2}, cut_off_for);
  CHECK(rig.link(1) != kNoConn);
  SECTION("whom it reaches") {
    while (rig.leader() == kNoConn) rig.advance(1);
    rig.advance(50);
    CHECK(rig.link(2) != kNoConn);
  }
  SECTION("whom it does not reach yet") {
    rig.cut(2);
    rig.stop_reading(1);
    while (rig.leader() == kNoConn) rig.advance(1);
    rig.advance(500);  // less than two leases
    CHECK(watched.accused().empty());
  }
}

TEST_CASE("Router: who is gone is not dialled, although slots that stand still are its (R1, R18)") {
  Watched watched;
  Rig& rig = watched.rig;
  auto table = rig.table({2, 1}, 2);
  auto again = table.members[1];  // 2 has begun again at its address, as 3
  again.id = 3;
  again.incarnation += 1'000'000;
  table.members[1].state = protocol::MemberState::gone;
  table.members.push_back(again);
  table.ranges[1].chain = {1, 3};
  rig.restart(2);
  rig.break_link(2);
  rig.publish(table);
  rig.advance(300);
  const size_t dials = rig.transport.dials().size();
  rig.advance(1000);
  CHECK(rig.transport.dials().size() == dials);
  rig.request(watched.client, {"SET", key_in(9000), "a"});
  CHECK(rig.requests(1).size() == 1);
  CHECK(rig.link(2) != kNoConn);
}

TEST_CASE("Router: who hangs up or refuses is dialled directly, not through others") {
  Watched watched;
  Rig& rig = watched.rig;
  rig.break_link(2);
  rig.advance(200);
  CHECK(rig.carrier(2) == Rig::kNodePort + 2);
}

TEST_CASE("Router: another incarnation at the address of a member gets none of its requests") {
  Served served;
  Rig& rig = served.rig;
  rig.restart(1);
  rig.break_link(1);
  rig.request(served.client, {"INCR", kKey});
  rig.advance(500);
  CHECK(rig.requests(1).empty());
  auto table = rig.table({9}, 2);
  table.members[0].port = Rig::kNodePort + 1;
  table.members[0].incarnation = 1'001'001;
  rig.publish(table);
  rig.advance(100);
  CHECK(rig.requests(1).size() == 1);
}

TEST_CASE("Router: a reply of an older epoch than it knows is dropped and the request sent again") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"SET", kKey, "a"});
  const auto first = rig.requests(1);
  rig.publish(rig.table({1}, 4));
  rig.reply(1, first[0].header.id, "+stale\r\n", 3);
  CHECK(rig.read(served.client).empty());
  const auto again = rig.requests(1);
  REQUIRE(again.size() == 1);
  CHECK(again[0].header.number == first[0].header.number);
  CHECK(again[0].header.epoch == 4);
  rig.reply(1, again[0].header.id, "+OK\r\n", 4);
  CHECK(rig.read(served.client) == "+OK\r\n");
}

TEST_CASE("Router: learns a newer epoch from a reply") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"SET", kKey, "a"});
  rig.request(served.client, {"SET", kKey, "b"});
  const auto first = rig.requests(1);
  rig.reply(1, first[0].header.id, "+a\r\n", 7);
  rig.reply(1, first[1].header.id, "+stale\r\n", 6);
  const auto again = rig.requests(1);
  REQUIRE(again.size() == 1);
  CHECK(again[0].header.epoch == 7);
  rig.reply(1, again[0].header.id, "+b\r\n", 7);
  CHECK(rig.read(served.client) == "+a\r\n+b\r\n");
}

TEST_CASE("Router: an unsettled write is sent again with its number") {
  Served served;
  Rig& rig = served.rig;
  rig.publish(rig.table({1, 2}));
  rig.request(served.client, {"INCR", kKey});
  const auto first = rig.requests(1);
  rig.reply(1, first[0].header.id, {}, 1, ReplyStatus::unsettled);
  rig.publish(rig.table({2}, 2));
  const auto again = rig.requests(2);
  REQUIRE(again.size() == 1);
  CHECK(again[0].header.number == 1);
  rig.reply(2, again[0].header.id, ":1\r\n", 2);
  CHECK(rig.read(served.client) == ":1\r\n");
}

TEST_CASE("Router: what had run before the head stopped does not let the parked requests go") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"SET", kKey, "a"});
  rig.request(served.client, {"SET", kKey, "b"});
  const auto first = rig.requests(1);
  rig.bounce(1, first[1].header.id);
  rig.reply(1, first[0].header.id, "+a\r\n");  // was held until committed
  CHECK(rig.read(served.client) == "+a\r\n");
  CHECK(rig.requests(1).empty());
  rig.advance(5);
  CHECK(values_of(rig.requests(1)) == std::vector<std::string>{"b"});
}

// ---- the end of patience

TEST_CASE("Router: a request under which two members lapsed is not tried at a third (R13)") {
  const auto [deadly, reply] = GENERATE(table<std::vector<std::string_view>, std::string>({
      {{"SET", kKey, "1"}, kUnknown},
      {{"GETDEL", kKey}, kUnknown},
      {{"GET", kKey}, kDown},
  }));
  Rig rig;
  rig.publish(rig.chain_table({1, 2, 3}));
  rig.accept_links(false);
  const ConnId client = rig.connect();
  rig.request(client, deadly);
  std::vector<MemberId> live = {1, 2, 3};
  const auto asked = [&] {
    const auto at = std::find_if(live.begin(), live.end(), [&](MemberId id) { return !rig.requests(id).empty(); });
    return at == live.end() ? kNoMember : *at;
  };
  const auto lapse = [&] { rig.publish(rig.chain_table(live, static_cast<Epoch>(5 - live.size()))); };
  MemberId at = asked();
  for (int i = 0; i < 2; ++i) {
    REQUIRE(at != kNoMember);
    rig.break_link(at);
    std::erase(live, at);
    at = asked();  // a read may be asked of another one at once
    if (at != kNoMember) continue;
    lapse();
    at = asked();
  }
  CHECK(at == kNoMember);
  lapse();
  rig.advance(100);
  CHECK(asked() == kNoMember);
  CHECK(rig.read(client) == reply);
  rig.request(client, {"SET", kKey, "2"});  // the next one is served
  CHECK(asked() != kNoMember);
}

TEST_CASE("Router: what two members were set aside with, silent, waits until they have lapsed or speak (R13)") {
  Rig rig;
  rig.lease = 300 * kMicrosPerMilli;
  rig.publish(rig.chain_table({1, 2, 3}));
  const ConnId client = rig.connect();
  rig.advance(200);
  rig.request(client, {"SET", kKey, "1"});
  for (const MemberId head : {1u, 2u}) {
    CHECK(values_of(rig.requests(head)) == std::vector<std::string>{"1"});
    rig.stop_reading(head);
    rig.accept_links(false);
    rig.advance(200);
    rig.publish(rig.chain_table({head + 1, head == 1 ? 3u : 1u, head}, head + 1));  // all have leases
  }
  rig.advance(50);
  CHECK(rig.requests(3).empty());
  SECTION("they have lapsed") {
    rig.publish(rig.chain_table({3}, 4));
    CHECK(rig.requests(3).empty());
    CHECK(rig.read(client) == kUnknown);
  }
  SECTION("they have not, and are not heard: it is the links that are cut") {
    rig.advance(1000);
    CHECK(values_of(rig.requests(3)) == std::vector<std::string>{"1"});
    CHECK(rig.read(client).empty());
  }
}

TEST_CASE("Router: who hands over a slot has not lapsed, and is tried again") {
  Rig rig;
  rig.publish(rig.chain_table({1, 2, 3}));
  const ConnId client = rig.connect();
  rig.request(client, {"SET", kKey, "1"});
  for (const MemberId head : {1u, 2u, 3u, 1u}) {
    CHECK(values_of(rig.requests(head)) == std::vector<std::string>{"1"});
    rig.publish(rig.chain_table({head % 3 + 1, head, (head + 1) % 3 + 1}, head + 1));
  }
  CHECK(rig.read(client).empty());
}

TEST_CASE("Router: a request that was never sent is CLUSTERDOWN at its deadline, write or read") {
  Rig rig;
  const ConnId client = rig.connect();
  rig.request(client, {"SET", kKey, "1"});
  rig.request(client, {"GET", kKey});
  rig.advance(2999);
  CHECK(rig.read(client).empty());
  rig.advance(1);
  CHECK(rig.read(client) == kDown + kDown);
  CHECK(rig.router->outstanding() == 0);
}

TEST_CASE("Router: a write that was only bounced is CLUSTERDOWN") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"SET", kKey, "1"});
  const Micros deadline = rig.now() + 3'000 * kMicrosPerMilli;
  for (auto arrived = rig.requests(1); rig.now() < deadline; arrived = rig.requests(1)) {
    for (const Arrived& one : arrived) rig.bounce(1, one.header.id);
    rig.advance(1);
  }
  CHECK(rig.read(served.client) == kDown);
}

TEST_CASE("Router: a write that was sent and neither answered nor bounced is outcome unknown, a read is CLUSTERDOWN") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"SET", kKey, "1"});
  rig.request(served.client, {"GET", kKey});
  rig.advance(3000);
  CHECK(rig.read(served.client) == kUnknown + kDown);
}

TEST_CASE("Router: a write that was lost once stays outcome unknown, however often it is bounced then") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"SET", kKey, "1"});
  rig.break_link(1);
  const Micros deadline = rig.now() + 3'000 * kMicrosPerMilli;
  size_t bounces = 0;
  while (rig.now() < deadline) {
    for (const Arrived& one : rig.requests(1)) {
      rig.bounce(1, one.header.id);
      ++bounces;
    }
    rig.advance(1);
  }
  CHECK(bounces > 10);
  CHECK(rig.read(served.client) == kUnknown);
}

TEST_CASE("Router: a request given up is below answered_below, and its late reply is ignored") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"INCR", kKey});
  const auto lost = rig.requests(1);
  rig.advance(3000);
  CHECK(rig.read(served.client) == kUnknown);
  rig.request(served.client, {"INCR", kKey});
  const auto next = rig.requests(1);
  REQUIRE(next.size() == 1);
  CHECK(next[0].header.number == 2);
  CHECK(next[0].header.answered_below == 2);
  rig.reply(1, lost[0].header.id, ":1\r\n");
  CHECK(rig.read(served.client).empty());
  rig.reply(1, next[0].header.id, ":2\r\n");
  CHECK(rig.read(served.client) == ":2\r\n");
}

TEST_CASE("Router: after the parked requests of a slot were given up, the next one is sent under a new attempt") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"INCR", kKey});
  rig.bounce(1, rig.requests(1)[0].header.id);
  rig.publish(rig.table({kNoMember}, 2));  // nobody serves
  rig.advance(3000);
  CHECK(rig.read(served.client) == kDown);
  rig.publish(rig.table({1}, 3));
  rig.request(served.client, {"INCR", kKey});
  rig.advance(100);
  const auto next = rig.requests(1);
  REQUIRE(next.size() == 1);
  CHECK(next[0].header.attempt >= 1);
}

TEST_CASE("Router: expired is outcome unknown") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"INCR", kKey});
  rig.reply(1, rig.requests(1)[0].header.id, {}, 1, ReplyStatus::expired);
  CHECK(rig.read(served.client) == kUnknown);
}

TEST_CASE("Router: the request timeout is the setting's, also when it is changed") {
  Served served({.settings = {{Setting::request_timeout_ms, "1000"}}});
  Rig& rig = served.rig;
  rig.request(served.client, {"GET", kKey});
  rig.advance(1000);
  CHECK(rig.read(served.client) == kDown);
  rig.request(served.client, {"CONFIG", "SET", "request-timeout-ms", "200"});
  CHECK(rig.read(served.client) == "+OK\r\n");
  rig.request(served.client, {"GET", kKey});
  rig.advance(200);
  CHECK(rig.read(served.client) == kDown);
}

TEST_CASE("Router: requests of clients that are gone are carried out and their replies dropped") {
  Served served;
  Rig& rig = served.rig;
  rig.request(served.client, {"SET", kKey, "1"});
  rig.transport.disconnect(served.client);
  rig.turn();
  rig.reply(1, rig.requests(1)[0].header.id, "+OK\r\n");
  CHECK(rig.router->outstanding() == 0);
}

}  // namespace
}  // namespace chainring::router
