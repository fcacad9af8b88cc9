// A node among its coordinator, routers and members: leases, records, barriers, requests of routers.
#include "tests/node/scene.h"

#include <catch2/catch.hpp>

using namespace chainring;
using namespace chainring::node::test;

namespace {

// What a router is answered to an INCR, which may be one that it sends again.
struct Increments {
  Scene& scene;
  auto operator()(ConnId conn, uint64_t number, bool again) const {
    protocol::Request request;
    request.number = number;
    request.flags = protocol::kRequestWrite | (again ? protocol::kRequestAgain : 0);
    scene.ask(conn, 1, {"INCR", "n"}, request);
    return scene.replies(conn);
  }
};

// GETs of the key `big` with the ids from `first` up to `end`, all in one batch.
void get_big(Scene& scene, ConnId router, uint64_t first, uint64_t end) {
  std::string requests;
  std::string command;
  const std::string_view words[] = {"GET", "big"};
  protocol::append_request(command, words);
  for (uint64_t id = first; id < end; ++id) {
    protocol::Request request;
    request.id = id;
    request.slot = protocol::slot_of("big");
    protocol::append_frame(requests, protocol::FrameType::request, request, command);
  }
  scene.net.receive(router, requests);
  scene.turn();
}

}  // namespace

TEST_CASE("Node: serves its slots under a lease, and bounces when the lease is over (R5)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf});
  scene.ask(router, 1, {"SET", "a", "1"}, 1);
  scene.ask(router, 2, {"GET", "a"});
  CHECK(scene.replies(router) == Said{"1 0 1 +OK\r\n", "2 0 1 $1\r\n1\r\n"});
  scene.lease(kSecond / 2);
  scene.advance(101 * kSecond);
  scene.ask(router, 3, {"GET", "a"});
  CHECK(scene.replies(router) == Said{"3 1 1 "});
}

TEST_CASE("Node: the lease runs from the moment that its heartbeat was sent (R4)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.table(0, {}, 1, {kSelf});
  scene.table(1, {kSelf});
  const Micros sent = scene.now.mono;
  scene.advance(200'000);
  scene.send(scene.coordinator, protocol::FrameType::grant, protocol::Grant{kSelf, sent, 250'000, scene.now.wall, 1});
  scene.ask(router, 1, {"GET", "a"});
  CHECK(scene.replies(router) == Said{"1 0 1 $-1\r\n"});
  scene.advance(60'000);
  scene.ask(router, 2, {"GET", "a"}, 0, 1);
  CHECK(scene.replies(router) == Said{"2 1 1 "});
}

TEST_CASE("Node: a lease of an earlier generation of its cluster is none (R31)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.table(0, {}, 1, {kSelf});
  scene.table(1, {kSelf});
  scene.send(scene.coordinator, protocol::FrameType::grant,
             protocol::Grant{kSelf, scene.now.mono, kSecond, scene.now.wall, 0});
  scene.ask(router, 1, {"GET", "a"});
  CHECK(scene.replies(router) == Said{"1 1 1 "});
  CHECK_FALSE(scene.node.lease().valid(scene.now.mono));
}

TEST_CASE("Node: RING TABLE tells the newest table that was obeyed, and the lease, without a coordinator (R31)") {
  Scene scene;
  scene.serve({kSelf, kOther});
  scene.table(1, {kSelf, kOther}, 2, {kSelf});
  scene.net.disconnect(scene.coordinator);
  scene.advance(0);
  const ConnId client = scene.client();
  const auto stated = [&] {
    const std::string reply = scene.say(client, "RING TABLE");
    const size_t begin = reply.find("\r\n") + 2;
    return decode<protocol::TableStatement>(reply.substr(begin, reply.size() - begin - 2));
  };
  const auto now = stated();
  REQUIRE(now);
  CHECK(now->name == "n1");
  CHECK(now->table.cluster_id == kCluster);
  CHECK(now->table.version == scene.node.table().version());
  CHECK(now->table.ranges == scene.node.table().message().ranges);
  CHECK(now->lease_us == 100 * kSecond);
  CHECK(now->lease_left_us == 100 * kSecond);
  scene.advance(200 * kSecond);
  CHECK(stated()->lease_left_us == 0);
}

TEST_CASE("Node: a write's reply waits for the tail, a read of another key does not (R7)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf, kOther});
  const ConnId successor = scene.successor();
  scene.ask(router, 1, {"SET", "{t}a", "1"}, 1);
  scene.ask(router, 2, {"GET", "{t}a"});
  scene.ask(router, 3, {"GET", "{t}b"});
  CHECK(scene.replies(router) == Said{"3 0 1 $-1\r\n"});
  scene.acknowledge(successor, protocol::slot_of("{t}a"), 1);
  CHECK(scene.replies(router) == Said{"1 0 1 +OK\r\n", "2 0 1 $1\r\n1\r\n"});
}

TEST_CASE("Node: a refused condition waits for what refused it (R7)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf, kOther});
  const ConnId successor = scene.successor();
  scene.ask(router, 1, {"SET", "a", "1", "NX"}, 1);
  scene.ask(router, 2, {"SET", "a", "2", "NX"}, 2);
  CHECK(scene.replies(router).empty());
  scene.acknowledge(successor, protocol::slot_of("a"), 1);
  CHECK(scene.replies(router) == Said{"1 0 1 +OK\r\n", "2 0 1 $-1\r\n"});
}

TEST_CASE("Node: a write that comes twice runs once and is answered twice (R20)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf});
  scene.ask(router, 1, {"INCR", "n"}, 1);
  scene.ask(router, 2, {"INCR", "n"}, 1);
  CHECK(scene.replies(router) == Said{"1 0 1 :1\r\n", "2 0 1 :1\r\n"});
  scene.ask(router, 3, {"INCR", "n"}, 2, 1, 2);
  scene.ask(router, 4, {"INCR", "n"}, 1, 1, 1);
  CHECK(scene.replies(router) == Said{"3 0 1 :2\r\n", "4 3 1 "});
}

TEST_CASE("Node: a write that may have run is not run again when its sender was forgotten (R20)") {
  Scene scene;
  scene.serve({kSelf});
  const Increments increment{scene};
  ConnId router = scene.router();
  CHECK(increment(router, 1, true) == Said{"1 0 1 :1\r\n"});  // it had never come
  for (size_t i = 0; i < node::SenderLog::kSendersMax; ++i) increment(scene.router(concat(10 + i)), 1, false);
  router = scene.router();
  CHECK(increment(router, 1, true) == Said{"1 3 1 "});
  CHECK(increment(router, 2, false) == Said{"1 0 1 :66\r\n"});
  CHECK(increment(router, 1, true) == Said{"1 3 1 "});
  CHECK(increment(router, 2, true) == Said{"1 0 1 :66\r\n"});
}

TEST_CASE("Node: senders of which nothing was heard for long stand in nobody's way, and take no room (R11, R20)") {
  Scene scene;
  scene.serve({kSelf}, 2 * node::SenderLog::kSenderSilence);
  const Increments increment{scene};
  for (size_t i = 0; i <= node::SenderLog::kSendersMax; ++i) increment(scene.router(concat(10 + i)), 1, false);
  CHECK(increment(scene.router(), 1, true) == Said{"1 3 1 "});  // it may be one that was forgotten
  const size_t full = scene.node.store().chains().remembered_bytes();
  scene.advance(node::SenderLog::kSenderSilence);
  CHECK(increment(scene.router(), 1, true) == Said{"1 0 1 :66\r\n"});
  for (int i = 0; i < 300; ++i) scene.advance(kSecond / 10);
  CHECK(scene.node.store().chains().remembered_bytes() < full / 10);
  CHECK(increment(scene.router(), 1, true) == Said{"1 0 1 :66\r\n"});
}

TEST_CASE("Node: a router's link that was not read for long is closed, and what came by it does not run (R20)") {
  constexpr Micros kLong = 180 * kSecond;
  Scene scene;
  scene.serve({kSelf}, 10 * kLong);
  ConnId router = scene.router();
  const ConnId member = scene.predecessor();
  scene.ask(router, 1, {"INCR", "n"}, 1);
  scene.net.take_output(router);
  scene.now.mono += kLong;  // it stands still
  scene.ask(router, 2, {"INCR", "n"}, 2);
  CHECK(scene.replies(router) == Said{"2 0 1 :2\r\n"});
  scene.now.mono += kLong + 1;
  scene.ask(router, 3, {"INCR", "n"}, 3);
  CHECK(scene.net.state(router) == FakeTransport::State::closed);
  router = scene.router();
  scene.ask(router, 1, {"INCR", "n"}, 3);
  CHECK(scene.replies(router) == Said{"1 0 1 :3\r\n"});
  scene.send(member, protocol::FrameType::ping, protocol::Ping{});
  CHECK(scene.net.state(member) == FakeTransport::State::open);  // chains have numbers and epochs
}

TEST_CASE("Node: a FLUSHALL of a slot that comes twice runs once (R20)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf});
  scene.ask(router, 1, {"SET", "a", "1"}, 1);
  const auto flush = [&](uint64_t id) {
    protocol::Request request;
    request.id = id;
    request.slot = protocol::slot_of("a");
    request.number = 2;
    std::string command;
    const std::string_view words[] = {"FLUSHALL"};
    protocol::append_request(command, words);
    scene.send(router, protocol::FrameType::request, request, command);
  };
  flush(2);
  scene.ask(router, 3, {"GET", "a"});
  scene.ask(router, 4, {"SET", "a", "2"}, 3);
  flush(5);
  scene.ask(router, 6, {"GET", "a"});
  const auto replies = scene.replies(router);
  REQUIRE(replies.size() == 6);
  CHECK(replies[1].ends_with("+OK\r\n"));
  CHECK(replies[2].ends_with("$-1\r\n"));
  CHECK(replies[4].ends_with("+OK\r\n"));
  CHECK(replies[5].ends_with("$1\r\n2\r\n"));
}

TEST_CASE("Node: what comes behind a bounced request of its slot does not overtake it (R10)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.ask(router, 1, {"SET", "a", "1"}, 1, 1);
  CHECK(scene.replies(router) == Said{"1 1 0 "});
  scene.serve({kSelf});
  scene.ask(router, 2, {"SET", "a", "2"}, 2, 1);
  scene.ask(router, 3, {"SET", "a", "1"}, 1, 2);
  scene.ask(router, 4, {"SET", "a", "2"}, 2, 2);
  scene.ask(router, 5, {"GET", "a"}, 0, 2);
  CHECK(scene.replies(router) == Said{"2 1 1 ", "3 0 1 +OK\r\n", "4 0 1 +OK\r\n", "5 0 1 $1\r\n2\r\n"});
}

TEST_CASE("Node: bounces what is asked under an epoch that it does not know yet") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf});
  scene.ask(router, 1, {"GET", "a"}, 0, 1, 0, 2);
  CHECK(scene.replies(router) == Said{"1 1 1 "});
}

TEST_CASE("Node: says that it stopped, and answers nothing of the old epoch (R15)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf, kOther});
  scene.successor();
  scene.ask(router, 1, {"SET", "a", "1"}, 1);
  scene.frames(scene.coordinator);
  scene.table(1, {kSelf, kOther}, 2, {kSelf});
  scene.ask(router, 2, {"GET", "b"});
  CHECK(scene.replies(router) == Said{"2 1 1 "});
  bool stated = false;
  for (const Frame& frame : scene.frames(scene.coordinator)) {
    if (frame.type != protocol::FrameType::stopped) continue;
    const auto statement = decode<protocol::Stopped>(frame.payload);
    REQUIRE(statement);
    CHECK(statement->member == kSelf);
    CHECK(statement->epoch == 2);
    REQUIRE(statement->runs.size() == 1);
    CHECK(statement->runs[0].applied.at(protocol::slot_of("a")) == 1);
    stated = true;
  }
  CHECK(stated);
  scene.table(2, {kSelf});
  CHECK(scene.replies(router) == Said{"1 0 2 +OK\r\n"});  // committed by the activation, in the new epoch
}

TEST_CASE("Node: what ran before the slot went away in order is answered when the new chain has it (R20)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf, kOther});
  scene.successor();
  scene.ask(router, 1, {"SET", "a", "1"}, 1);
  scene.table(1, {kSelf, kOther}, 2, {kOther});
  CHECK(scene.replies(router).empty());
  scene.table(2, {kOther});
  CHECK(scene.replies(router) == Said{"1 0 2 +OK\r\n"});
}

TEST_CASE("Node: a request that ran where the slot has gone away unheard is unsettled (R20)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.table(0, {}, 1, {kSelf, kOther});
  scene.table(1, {kSelf, kOther});
  scene.lease(50 * kMicrosPerMilli);
  scene.successor();
  scene.ask(router, 1, {"SET", "a", "1"}, 1);
  scene.table(1, {kSelf, kOther}, 2, {kOther});
  // Its lease ends: nobody has to wait any longer for what it says of the slot.
  scene.now.mono += 60 * kMicrosPerMilli;
  scene.turn();
  scene.lease();
  scene.table(2, {kOther});
  const Said said = scene.replies(router);
  REQUIRE(said.size() == 1);
  CHECK(said[0].starts_with("1 4 "));
}

TEST_CASE("Node: a link that was dialled again silences the old one") {
  Scene scene;
  const ConnId old = scene.router();
  const ConnId fresh = scene.router();
  CHECK(scene.net.state(old) == FakeTransport::State::closed);
  scene.serve({kSelf});
  scene.ask(fresh, 1, {"SET", "a", "1"}, 1);
  CHECK(scene.replies(fresh) == Said{"1 0 1 +OK\r\n"});
}

TEST_CASE("Node: a cluster-wide command is answered for the slots that are headed, and says which (R22)") {
  const bool heads = GENERATE(true, false);
  Scene scene;
  const ConnId router = scene.router();
  scene.serve(heads ? std::vector<MemberId>{kSelf} : std::vector<MemberId>{kOther, kSelf});
  if (heads) scene.ask(router, 1, {"SET", "a", "1"}, 1);
  scene.replies(router);
  std::string command;
  const std::string_view words[] = {"DBSIZE"};
  protocol::append_request(command, words);
  scene.send(router, protocol::FrameType::slots_request, protocol::SlotsRequest{9, 0, 0, {{0, kSlotCount - 1}}},
             command);
  const auto frames = scene.frames(router);
  REQUIRE(frames.size() == 1);
  ByteReader reader(frames[0].payload);
  protocol::SlotsReply reply;
  reader(reply);
  CHECK(reply.id == 9);
  CHECK(reply.answered.size() == (heads ? 1 : 0));
  if (!heads) return;
  CHECK(reply.answered == std::vector<protocol::SlotRange>{{0, kSlotCount - 1}});
  CHECK(reader.rest() == ":1\r\n");
}

TEST_CASE("Node: refuses peers of another cluster, and clients get MOVED for slots headed elsewhere") {
  Scene scene;
  scene.serve({kOther});
  const ConnId stranger = scene.net.accept("x:1");
  scene.net.receive(stranger,
                    "*7\r\n$4\r\nPEER\r\n$1\r\n6\r\n$2\r\n78\r\n$6\r\nrouter\r\n$2\r\nr9\r\n$1\r\n9\r\n$0\r\n\r\n");
  scene.turn();
  CHECK(scene.net.take_output(stranger).starts_with("-ERR peer refused: this is cluster 77, you said 78"));
  const ConnId client = scene.net.accept("y:1");
  scene.net.receive(client, "GET a\r\n");
  scene.turn();
  CHECK(scene.net.take_output(client) == "-MOVED 15495 127.0.0.1:7402\r\n");
}

TEST_CASE("Node: a key whose time is over is removed by a record of its own (R12)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf, kOther});
  const ConnId successor = scene.successor();
  scene.ask(router, 1, {"SET", "a", "1", "PX", "1000"}, 1);
  scene.acknowledge(successor, protocol::slot_of("a"), 1);
  scene.replies(router);
  scene.frames(successor);
  scene.advance(2 * kSecond);
  const auto frames = scene.frames(successor);
  REQUIRE(frames.size() == 1);
  const auto records = decode<protocol::Records>(frames[0].payload);
  REQUIRE(records);
  REQUIRE(records->records.size() == 1);
  CHECK(records->records[0].sequence == 2);
  CHECK(records->records[0].sender == 0);
  CHECK(records->records[0].effects.find("del") != std::string_view::npos);
}

TEST_CASE("Node: a router that does not take its replies is not read, and goes on when it does (R11)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf});
  scene.ask(router, 1, {"SET", "big", std::string(1 << 20, 'x')}, 1);
  scene.replies(router);
  get_big(scene, router, 2, 12);
  CHECK_FALSE(scene.net.reading(router));
  size_t answered = scene.replies(router).size();
  CHECK(answered == 4);  // the one that passes the bound of 4 MiB is the last
  for (int turns = 0; turns < 10 && answered < 10; ++turns) {
    scene.turn();
    answered += scene.replies(router).size();
  }
  CHECK(answered == 10);
  scene.turn();
  CHECK(scene.net.reading(router));
}

TEST_CASE("Node: a router's link that is never read to its end, as it is always busy, is not closed for that") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf}, 1000 * kSecond);
  scene.ask(router, 1, {"SET", "big", std::string(1 << 20, 'x')}, 1);
  scene.replies(router);
  uint64_t next = 2;
  const auto get = [&](uint64_t count) {
    get_big(scene, router, next, next + count);
    next += count;
  };
  get(20);
  for (int i = 0; i < 40; ++i) {
    get(4);  // as many as are answered until too much waits to leave
    CHECK_FALSE(scene.net.reading(router));
    scene.net.take_output(router);
    scene.advance(10 * kSecond);
  }
  CHECK(scene.net.state(router) == FakeTransport::State::open);
}

TEST_CASE("Node: what a router sent is not run when it has not taken its replies for long (R20)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf}, 1000 * kSecond);
  scene.ask(router, 1, {"SET", "big", std::string(1 << 20, 'x')}, 1);
  scene.replies(router);
  get_big(scene, router, 2, 200);
  REQUIRE_FALSE(scene.net.reading(router));
  scene.ask(router, 201, {"SET", "big", "what came late"}, 2);
  for (int i = 0; i < 20; ++i) {  // it takes some, and more is always left unread
    scene.advance(10 * kSecond);
    scene.net.take_output(router);
  }
  scene.turn();
  CHECK(scene.net.state(router) == FakeTransport::State::closed);
  CHECK(scene.say(scene.client(), "STRLEN big") == ":1048576\r\n");
}

TEST_CASE("Node: replies that wait are bounded, also those to one batch of requests (R11)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf, kOther});
  const ConnId successor = scene.successor();
  constexpr size_t kValueBytes = size_t{8} << 20;
  scene.ask(router, 1, {"SET", "big", std::string(kValueBytes, 'x')}, 1);
  get_big(scene, router, 2, 22);
  CHECK_FALSE(scene.net.reading(router));
  CHECK(scene.node.store().held() == 9);  // the one that passes the bound of 64 MiB is the last
  CHECK(scene.node.store().memory_bytes() > 10 * kValueBytes);
  scene.acknowledge(successor, protocol::slot_of("big"), 1);
  CHECK(scene.node.store().held_bytes() == 0);
  size_t answered = 0;
  for (int turns = 0; turns < 30 && answered < 21; ++turns) {
    answered += scene.frames(router).size();
    scene.turn();
  }
  CHECK(answered == 21);
}

TEST_CASE("Node: what retries need counts against maxmemory (R11)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf});
  scene.ask(router, 1, {"SET", "a", std::string(10'000, 'x')}, 1);
  const uint64_t before = scene.node.store().memory_bytes();
  scene.ask(router, 2, {"GETEX", "a", "EX", "100"}, 2, 1, 2);
  CHECK(scene.node.store().memory_bytes() > before + 10'000);
  const ConnId client = scene.client();
  CHECK(scene.say(client, "INFO memory").find(concat("used_memory:", scene.node.store().memory_bytes())) !=
        std::string::npos);
  CHECK(scene.say(client, concat("CONFIG SET maxmemory ", before + 5'000)) == "+OK\r\n");
  CHECK(scene.say(client, "SET a 1").starts_with("-OOM "));
  scene.ask(router, 3, {"DEL", "{a}none"}, 3, 1, 3);  // says that the answer has come
  CHECK(scene.say(client, "SET a 1") == "+OK\r\n");
}

TEST_CASE("Node: accuses a successor that is silent for a lease while it owes an acknowledgement (R19)") {
  Scene scene;
  scene.serve({kSelf, kOther});
  const ConnId router = scene.router();
  const ConnId successor = scene.successor();
  const auto accused = [&] {
    std::vector<MemberId> found;
    for (const Frame& frame : scene.frames(scene.coordinator)) {
      if (frame.type == protocol::FrameType::heartbeat) found = decode<protocol::Heartbeat>(frame.payload)->accused;
    }
    return found;
  };
  scene.pass(kSecond);
  CHECK(accused().empty());  // nothing is owed, and it is dialled anew
  CHECK(scene.net.state(successor) == FakeTransport::State::closed);
  scene.ask(router, 1, {"SET", "k", "v"}, 1);
  scene.pass(100'000);
  CHECK(accused() == std::vector<MemberId>{kOther});

  const ConnId again = scene.successor();
  scene.pass(100'000);
  CHECK(accused().empty());  // it has been heard
  CHECK(scene.net.state(again) == FakeTransport::State::open);
}

TEST_CASE("Node: carries a router's link to a member of its table, and to nobody else (R19)") {
  Scene scene;
  scene.serve({kSelf, kOther});
  const auto ask = [&](std::string_view to) {
    const ConnId conn = scene.net.accept("router:1");
    std::string said;
    const std::vector<std::string_view> args{"PEER", "6", "77", "router", "r1", "abc", "", to};
    protocol::append_request(said, args);
    scene.net.receive(conn, said);
    scene.turn();
    return conn;
  };
  const ConnId direct = scene.router();
  const auto& other = *scene.node.table().member(kOther);
  const ConnId near = ask(concat(other.host, ':', other.port));
  const ConnId far = scene.net.dials().back().conn;
  CHECK(scene.net.dials().back().address == Address{other.host, other.port});
  scene.net.establish(far);
  scene.turn();
  CHECK(scene.net.take_output(far).starts_with("*7\r\n$4\r\nPEER\r\n"));
  scene.net.receive(far, "+PEER 6 77 node n2 52\r\n");
  scene.turn();
  CHECK(scene.net.take_output(near) == "+PEER 6 77 node n2 52\r\n");
  CHECK(scene.net.state(direct) == FakeTransport::State::open);  // it is the same router's, and another link

  const ConnId refused = ask("127.0.0.1:9999");
  CHECK(scene.net.take_output(refused).starts_with("-ERR peer refused: who is to be reached"));
}

TEST_CASE("Node: ends when it has lost its place, so that another incarnation can begin (R1)") {
  Scene scene;
  scene.serve({kSelf, kOther});
  scene.self_state = protocol::MemberState::absent;
  scene.table(2, {kOther});
  CHECK_FALSE(scene.node.finished());
  scene.self_state = protocol::MemberState::gone;
  scene.table(3, {kOther});
  REQUIRE(scene.node.finished());
  CHECK(scene.node.outcome().code() == ErrorCode::unavailable);
}

TEST_CASE("Node: waits to be registered") {
  Scene scene;
  scene.self_state = protocol::MemberState::gone;  // as good as not listed
  scene.table(1, {kOther});
  CHECK_FALSE(scene.node.finished());
}

TEST_CASE("Node: ends in order when it has lost its place while it was asked to end") {
  Scene scene;
  scene.serve({kSelf, kOther});
  scene.node.request_stop(scene.now);
  scene.turn();
  REQUIRE_FALSE(scene.node.finished());
  scene.self_state = protocol::MemberState::gone;
  scene.table(1, {kSelf, kOther});
  scene.turn();
  CHECK(scene.node.finished());
  CHECK(scene.node.outcome().ok());
}

TEST_CASE("Node: answers a ping at once") {
  Scene scene;
  const ConnId router = scene.router();
  scene.send(router, protocol::FrameType::ping, protocol::Ping{});
  const std::vector<Frame> frames = scene.frames(router);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].type == protocol::FrameType::pong);
}

TEST_CASE("Node: a request whose reply would fit no frame is answered by an error, and the next one is served") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf});
  const std::string value(1 << 20, 'v');
  scene.ask(router, 1, {"SET", "k", value}, 1);
  std::vector<std::string_view> mget(1 + 1100, "k");
  mget[0] = "MGET";
  scene.ask(router, 2, mget);
  scene.ask(router, 3, {"STRLEN", "k"});
  CHECK(scene.replies(router) ==
        Said{"1 0 1 +OK\r\n", concat("2 0 1 -", protocol::errors::kReplyTooLong, "\r\n"), "3 0 1 :1048576\r\n"});
}

TEST_CASE("Node: a write whose reply was too long to be kept is not run again, and its router is told so (R20)") {
  Scene scene;
  const ConnId router = scene.router();
  scene.serve({kSelf});
  const std::string value(node::SenderLog::kRepliesBytesMax + 1, 'v');
  scene.ask(router, 1, {"SET", "k", value}, 1);
  scene.ask(router, 2, {"SET", "k", "2", "GET"}, 2);
  CHECK(scene.replies(router).back().size() > value.size());
  scene.ask(router, 3, {"SET", "k", "3"}, 3);
  scene.ask(router, 4, {"SET", "k", "2", "GET"}, 2);
  scene.ask(router, 5, {"GET", "k"});
  CHECK(scene.replies(router) == Said{"3 0 1 +OK\r\n", "4 3 1 ", "5 0 1 $1\r\n3\r\n"});
}
