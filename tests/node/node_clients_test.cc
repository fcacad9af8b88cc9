// Clients that are connected to a node itself: MOVED, waiting through changes, reads at any member, lock keys, CLUSTER.
#include "tests/node/scene.h"

#include <catch2/catch.hpp>

using namespace chainring;
using namespace chainring::node::test;

namespace {

constexpr std::string_view kMovedA = "-MOVED 15495 127.0.0.1:7402\r\n";
const std::string kUnknown = protocol::error_reply(protocol::errors::kOutcomeUnknown);

bool is_try_again(std::string_view reply) { return reply.starts_with("-TRYAGAIN "); }

// The requests that the node has forwarded to the leader: "id number command".
std::vector<std::string> forwarded(Scene& scene) {
  std::vector<std::string> found;
  for (const Frame& frame : scene.frames(scene.coordinator)) {
    if (frame.type != protocol::FrameType::request) continue;
    protocol::Request header;
    std::string_view body;
    REQUIRE(protocol::split_payload(frame.payload, header, body));
    protocol::RequestParser parser;
    REQUIRE(parser.parse(body) == protocol::RequestParser::State::ready);
    std::string text = concat(header.id, " ", header.number);
    for (const std::string_view arg : parser.args()) append_text(text, ' ', arg);
    found.push_back(text);
  }
  return found;
}

void leader_answers(Scene& scene, uint64_t id, std::string_view body,
                    protocol::ReplyStatus status = protocol::ReplyStatus::done) {
  scene.send(scene.coordinator, protocol::FrameType::reply, protocol::Reply{id, 0, status}, body);
}

}  // namespace

TEST_CASE("Node clients: MOVED names the head, CROSSSLOT comes before it") {
  Scene scene;
  scene.serve({kOther});
  const ConnId client = scene.client();
  CHECK(scene.say(client, "GET a") == kMovedA);
  CHECK(scene.say(client, "MGET a b") == "-CROSSSLOT Keys in request don't hash to the same slot\r\n");
  CHECK(scene.say(client, "MGET a lock:a") == "-CROSSSLOT Keys in request don't hash to the same slot\r\n");
  CHECK(scene.say(client, "SELECT 3") == "+OK\r\n");
  CHECK(scene.say(client, "SET a 1") == kMovedA);
}

TEST_CASE("Node clients: CLUSTERDOWN when nobody heads the slot and nobody is about to") {
  Scene scene;
  const ConnId client = scene.client();
  CHECK(scene.say(client, "GET a").starts_with("-CLUSTERDOWN "));
  scene.table(3, {});
  CHECK(scene.say(client, "GET a").starts_with("-CLUSTERDOWN "));
  scene.other_state = protocol::MemberState::gone;
  scene.table(4, {kOther});
  CHECK(scene.say(client, "GET a").starts_with("-CLUSTERDOWN "));
}

TEST_CASE("Node clients: while the chain changes requests wait, and run in their order when it serves (R10)") {
  Scene scene;
  scene.serve({kSelf, kOther});
  const ConnId client = scene.client();
  const ConnId other = scene.client();
  scene.table(1, {kSelf, kOther}, 2, {kSelf});
  scene.net.receive(client, "SET a 1\r\nAPPEND a 2\r\nPING\r\n");
  CHECK(scene.say(client, "GET a").empty());
  CHECK(scene.say(other, "PING") == "+PONG\r\n");
  scene.table(2, {kSelf});
  scene.turn();
  CHECK(scene.net.take_output(client) == "+OK\r\n:2\r\n+PONG\r\n$2\r\n12\r\n");
}

TEST_CASE("Node clients: nothing of a client overtakes its request that waits (R10)") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  scene.turn();
  scene.now.mono += 101 * kSecond;  // the lease has run out
  scene.net.receive(client, "SET a 1\r\n");
  scene.turn();
  scene.relink();
  std::string grant;
  protocol::append_frame(grant, protocol::FrameType::grant,
                         protocol::Grant{kSelf, scene.now.mono, kSecond, scene.now.wall, 1}, {});
  scene.net.receive(scene.coordinator, grant);
  scene.net.receive(client, "SET a 2\r\n");  // in one turn with the lease, before what waits is looked at
  scene.turn();
  scene.turn();
  CHECK(scene.net.take_output(client) == "+OK\r\n+OK\r\n");
  CHECK(scene.say(client, "GET a") == "$1\r\n2\r\n");
}

TEST_CASE("Node clients: what waited is MOVED as soon as another member heads the slot") {
  Scene scene;
  scene.serve({kSelf, kOther});
  const ConnId client = scene.client();
  scene.table(1, {kSelf, kOther}, 2, {kOther, kSelf});
  CHECK(scene.say(client, "SET a 1").empty());
  scene.table(2, {kOther, kSelf});
  CHECK(scene.net.take_output(client) == kMovedA);
}

TEST_CASE("Node clients: what waits too long is told to try again, and was not run") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  scene.table(1, {kSelf}, 2, {kSelf, kOther});
  CHECK(scene.say(client, "SET a 1").empty());
  CHECK(scene.node.next_wake() <= scene.now.mono + 3 * kSecond);
  scene.advance(3 * kSecond - 1);
  CHECK(scene.net.take_output(client).empty());
  scene.advance(1);
  CHECK(is_try_again(scene.net.take_output(client)));
  scene.relink();
  scene.table(1, {kSelf}, 3, {kSelf});
  scene.table(3, {kSelf});
  CHECK(scene.say(client, "GET a") == "$-1\r\n");
}

TEST_CASE("Node clients: a head whose lease has run out lets its clients wait for the next one (R5)") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  scene.advance(101 * kSecond);
  CHECK(scene.say(client, "SET a 1").empty());
  const ConnId counter = scene.client();
  CHECK(scene.say(counter, "DBSIZE").empty());
  scene.relink();
  scene.lease();
  scene.turn();
  CHECK(scene.net.take_output(client) == "+OK\r\n");
  CHECK(scene.net.take_output(counter) == ":1\r\n");
}

TEST_CASE("Node clients: a lease that comes in the turn of the request finds it") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  scene.turn();
  scene.now.mono += 101 * kSecond;
  std::string grant;
  protocol::append_frame(grant, protocol::FrameType::grant,
                         protocol::Grant{kSelf, scene.now.mono, kSecond, scene.now.wall, 1}, {});
  scene.net.receive(client, "SET a 1\r\n");
  scene.net.receive(scene.coordinator, grant);
  scene.turn();
  scene.turn();
  CHECK(scene.net.take_output(client) == "+OK\r\n");
}

TEST_CASE("Node clients: a head that has failed is waited for until another follows it") {
  Scene scene;
  scene.serve({kOther, kSelf});
  const ConnId client = scene.client();
  scene.other_state = protocol::MemberState::absent;
  scene.table(1, {kOther, kSelf});
  CHECK(scene.say(client, "SET a 1").empty());
  scene.table(1, {kOther, kSelf}, 2, {kSelf});
  scene.table(2, {kSelf});
  CHECK(scene.net.take_output(client) == "+OK\r\n");
}

TEST_CASE("Node clients: what a client that has gone asked for is not run any more") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  scene.table(1, {kSelf}, 2, {kSelf});
  CHECK(scene.say(client, "SET a 1").empty());
  scene.net.disconnect(client);
  scene.turn();
  scene.table(2, {kSelf});
  const ConnId next = scene.client();
  CHECK(scene.say(next, "GET a") == "$-1\r\n");
}

// ---- reads at any member
// -------------------------------------------------------------------------------------------------------

TEST_CASE("Node clients: reads are answered by any member, clean keys at once, dirty ones when committed") {
  Middle middle;
  Scene& scene = middle.scene;
  CHECK(scene.say(middle.client, "GET a") == "$-1\r\n");
  middle.replicate(1, "a", {"set", "a", "1"});
  CHECK(scene.say(middle.client, "GET a").empty());
  const ConnId other = scene.client();
  CHECK(scene.say(other, "EXISTS {a}b") == ":0\r\n");
  scene.acknowledge(middle.successor, protocol::slot_of("a"), 1);
  CHECK(scene.net.take_output(middle.client) == "$1\r\n1\r\n");
  CHECK(scene.say(middle.client, "SET a 2") == kMovedA);
}

TEST_CASE("Node clients: a member knows how long keys are idle that it only received") {
  Middle middle;
  Scene& scene = middle.scene;
  scene.advance(kSecond);
  middle.replicate(1, "a", {"set", "a", "1"});
  scene.acknowledge(middle.successor, protocol::slot_of("a"), 1);
  scene.advance(7 * kSecond);
  CHECK(scene.say(middle.client, "OBJECT IDLETIME a") == ":7\r\n");
}

TEST_CASE("Node clients: a member's read needs a lease, and a chain that is active") {
  Middle middle;
  Scene& scene = middle.scene;
  scene.table(1, {kOther, kSelf, kThird}, 2, {kOther, kThird});
  CHECK(scene.say(middle.client, "GET a").empty());
  scene.table(2, {kOther, kThird});
  CHECK(scene.net.take_output(middle.client) == kMovedA);
  Middle lapsed;
  lapsed.scene.advance(101 * kSecond);
  CHECK(lapsed.scene.say(lapsed.client, "GET a") == kMovedA);
}

TEST_CASE("Node clients: only the head judges that a key has expired, or is about to (R12)") {
  Middle middle;
  Scene& scene = middle.scene;
  middle.replicate(1, "a", {"set", "a", "1", "pxat", concat(scene.now.wall + 1000)});
  scene.acknowledge(middle.successor, protocol::slot_of("a"), 1);
  CHECK(scene.say(middle.client, "GET a") == "$1\r\n1\r\n");
  scene.advance(979'000);
  CHECK(scene.say(middle.client, "GET a") == "$1\r\n1\r\n");
  scene.advance(1'000);  // within drift-margin-ms of the deadline
  CHECK(scene.say(middle.client, "GET a") == kMovedA);
  scene.advance(kSecond);
  CHECK(scene.say(middle.client, "GET a") == kMovedA);
}

TEST_CASE("Node clients: SCAN walks what this node heads, and ends there (R22)") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  CHECK(scene.say(client, "SET a 1") == "+OK\r\n");
  CHECK(scene.say(client, "SCAN 0 COUNT 100") == "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n");
  CHECK(scene.say(client, "SCAN 4611686018427387904") == "*2\r\n$1\r\n0\r\n*0\r\n");
  Scene idle;
  idle.serve({kOther});
  CHECK(idle.say(idle.client(), "SCAN 7") == "*2\r\n$1\r\n0\r\n*0\r\n");
}

TEST_CASE("Node clients: a read whose slot leaves is answered when all that was executed here has gone over") {
  Middle middle(50 * kMicrosPerMilli);
  Scene& scene = middle.scene;
  middle.replicate(1, "a", {"set", "a", "1"});
  CHECK(scene.say(middle.client, "GET a").empty());
  scene.table(1, {kOther, kSelf, kThird}, 2, {kOther});
  SECTION("it has stopped under its lease, so it was waited for") {
    scene.table(2, {kOther});
    CHECK(scene.net.take_output(middle.client) == "$1\r\n1\r\n");
  }
  SECTION("its lease ran out, so it was not: the read can be tried again") {
    scene.advance(60 * kMicrosPerMilli);
    scene.lease();
    CHECK(scene.net.take_output(middle.client).empty());
    scene.table(2, {kOther});
    CHECK(is_try_again(scene.net.take_output(middle.client)));
  }
}

// ---- replies that are held ------------------------------------------------------------------------------------------

TEST_CASE("Node clients: a FLUSHALL that may have been lost is not acknowledged (R7)") {
  Scene scene;
  scene.serve({kSelf, kOther}, 50 * kMicrosPerMilli);
  const ConnId client = scene.client();
  const ConnId successor = scene.successor();
  scene.say(client, "SET a 1");
  scene.acknowledge(successor, protocol::slot_of("a"), 1);
  REQUIRE(scene.net.take_output(client) == "+OK\r\n");
  CHECK(scene.say(client, "FLUSHALL").empty());
  scene.table(1, {kSelf, kOther}, 2, {kOther});
  scene.advance(60 * kMicrosPerMilli);  // nobody waits for it any longer
  scene.lease();
  CHECK(scene.net.take_output(client).empty());
  scene.table(2, {kOther});
  CHECK(scene.net.take_output(client) == kUnknown);
}

TEST_CASE("Node clients: a FLUSHALL waits for slots that are between two chains") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  REQUIRE(scene.say(client, "SET a 1") == "+OK\r\n");
  scene.table(1, {kSelf}, 2, {kSelf, kOther});
  CHECK(scene.say(scene.client(), "DBSIZE") == ":0\r\n");  // a sum promises nothing
  CHECK(scene.say(client, "FLUSHALL").empty());
  scene.table(1, {kSelf}, 3, {kSelf});  // withdrawn
  CHECK(scene.net.take_output(client).empty());
  scene.table(3, {kSelf});
  CHECK(scene.net.take_output(client) == "+OK\r\n");
  CHECK(scene.say(client, "GET a") == "$-1\r\n");
}

TEST_CASE("Node clients: a FLUSHALL of what has just been deleted waits for the deletion (R7)") {
  Scene scene;
  scene.serve({kSelf, kOther});
  const ConnId successor = scene.successor();
  const ConnId client = scene.client();
  const ConnId other = scene.client();
  scene.say(client, "SET a 1");
  scene.acknowledge(successor, protocol::slot_of("a"), 1);
  REQUIRE(scene.net.take_output(client) == "+OK\r\n");
  CHECK(scene.say(client, "DEL a").empty());
  CHECK(scene.say(other, "FLUSHALL").empty());
  CHECK(scene.say(scene.client(), "DBSIZE") == ":0\r\n");  // a sum promises nothing
  scene.acknowledge(successor, protocol::slot_of("a"), 2);
  CHECK(scene.net.take_output(client) == ":1\r\n");
  CHECK(scene.net.take_output(other) == "+OK\r\n");
}

TEST_CASE("Node clients: what was executed and is not committed in time is answered, in the client's order") {
  Scene scene;
  scene.serve({kSelf, kOther});
  const ConnId client = scene.client();
  const ConnId other = scene.client();
  scene.net.receive(client, "SET a 1\r\nGET a\r\nGET b\r\n");
  CHECK(scene.say(other, "MULTI\r\nSET c 1\r\nEXEC") == "+OK\r\n+QUEUED\r\n");
  CHECK(scene.node.next_wake() <= scene.now.mono + 3 * kSecond);
  scene.pass(3 * kSecond - 1);
  CHECK(scene.net.take_output(client).empty());
  CHECK(scene.node.next_wake() <= scene.now.mono + 1);
  scene.pass(1);
  const std::string said = scene.net.take_output(client);
  CHECK(said.starts_with(concat(kUnknown, "-TRYAGAIN ")));
  CHECK(said.ends_with("\r\n$-1\r\n"));
  CHECK(scene.net.take_output(other) == kUnknown);
  CHECK(scene.node.store().held() == 0);

  scene.table(1, {kSelf, kOther}, 2, {kSelf});
  scene.table(2, {kSelf});  // it is committed after all
  CHECK(scene.net.take_output(client).empty());
  CHECK(scene.say(client, "GET a") == "$1\r\n1\r\n");
}

TEST_CASE("Node clients: a reply is held no longer than its request had to wait at the door before") {
  Scene scene;
  scene.serve({kSelf, kOther});
  const ConnId client = scene.client();
  const ConnId later = scene.client();
  scene.table(1, {kSelf, kOther}, 2, {kSelf, kOther});
  CHECK(scene.say(client, "SET a 1").empty());
  scene.pass(2 * kSecond);
  scene.table(2, {kSelf, kOther});
  CHECK(scene.say(later, "SET b 1").empty());
  scene.pass(kSecond - 1);
  CHECK(scene.net.take_output(client).empty());
  scene.pass(1);
  CHECK(scene.net.take_output(client) == kUnknown);
  CHECK(scene.net.take_output(later).empty());
  scene.pass(2 * kSecond);
  CHECK(scene.net.take_output(later) == kUnknown);
}

// ---- locks ----------------------------------------------------------------------------------------------------------

TEST_CASE("Node clients: lock keys, LOCK and RING go to the leader, whoever heads their slots") {
  Scene scene;
  scene.serve({kOther});
  const ConnId client = scene.client();
  forwarded(scene);
  CHECK(scene.say(client, "SET lock:x me NX PX 1000").empty());
  CHECK(forwarded(scene) == Said{"1 1 SET lock:x me NX PX 1000"});
  leader_answers(scene, 1, "+OK\r\n");
  CHECK(scene.net.take_output(client) == "+OK\r\n");
  scene.say(client, "LOCK TOKEN lock:x me");
  CHECK(forwarded(scene) == Said{"2 0 LOCK TOKEN lock:x me"});
  leader_answers(scene, 2, ":7\r\n");
  CHECK(scene.net.take_output(client) == ":7\r\n");
  scene.say(client, "RING STATUS");
  CHECK(forwarded(scene) == Said{"3 0 RING STATUS"});
}

TEST_CASE("Node clients: nothing of a client overtakes its request to the leader (R10)") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  forwarded(scene);
  scene.net.receive(client, "SET lock:x me\r\nGET lock:x\r\nSET a 1\r\n");
  scene.turn();
  CHECK(forwarded(scene) == Said{"1 1 SET lock:x me"});
  leader_answers(scene, 1, "+OK\r\n");
  CHECK(forwarded(scene) == Said{"2 0 GET lock:x"});
  leader_answers(scene, 2, "$2\r\nme\r\n");
  scene.turn();
  CHECK(scene.net.take_output(client) == "+OK\r\n$2\r\nme\r\n+OK\r\n");
}

TEST_CASE("Node clients: a lock write is sent to the next leader with its number (R20)") {
  Scene scene;
  scene.serve({kSelf});
  const ConnId client = scene.client();
  forwarded(scene);
  scene.say(client, "SET lock:x me NX");
  CHECK(forwarded(scene) == Said{"1 1 SET lock:x me NX"});
  leader_answers(scene, 1, "127.0.0.1:7302", protocol::ReplyStatus::not_leader);
  scene.turn();
  REQUIRE(scene.net.dials().back().address.port == 7302);
  scene.relink();
  CHECK(forwarded(scene) == Said{"1 1 SET lock:x me NX"});
  leader_answers(scene, 1, "+OK\r\n");
  CHECK(scene.net.take_output(client) == "+OK\r\n");
}

// ---- CLUSTER --------------------------------------------------------------------------------------------------------

TEST_CASE("Node clients: CLUSTER tells the table and the keys of a slot") {
  Scene scene;
  scene.serve({kSelf, kOther});
  const ConnId client = scene.client();
  const std::string my_id = scene.say(client, "CLUSTER MYID");
  CHECK(my_id.starts_with("$40\r\n"));
  const std::string id = my_id.substr(5, 40);
  CHECK(scene.say(client, "CLUSTER NODES").find(id + " 127.0.0.1:7401@7401 myself,master") != std::string::npos);
  CHECK(scene.say(client, "CLUSTER SLOTS").starts_with("*2\r\n*4\r\n:0\r\n:0\r\n*4\r\n$9\r\n127.0.0.1\r\n:7401\r\n"));
  CHECK(scene.say(client, "CLUSTER SHARDS").starts_with("*2\r\n*4\r\n$5\r\nslots\r\n"));
  CHECK(scene.say(client, "CLUSTER INFO").find("cluster_state:ok") != std::string::npos);
  CHECK(scene.say(client, "CLUSTER KEYSLOT a") == ":15495\r\n");
  CHECK(scene.say(client, "CLUSTER LINKS") == "*0\r\n");
  CHECK(scene.say(client, concat("CLUSTER REPLICAS ", id)) == "*0\r\n");
  CHECK(scene.say(client, concat("CLUSTER COUNT-FAILURE-REPORTS ", id)) == ":0\r\n");
  CHECK(scene.say(client, "CLUSTER SLAVES x") == "-ERR Unknown node x\r\n");
  scene.say(client, "SET a 1");
  CHECK(scene.say(client, "CLUSTER COUNTKEYSINSLOT 15495").empty());  // behind the reply that waits for the tail
  scene.acknowledge(scene.successor(), 15495, 1);
  CHECK(scene.net.take_output(client) == "+OK\r\n:1\r\n");
  CHECK(scene.say(client, "CLUSTER GETKEYSINSLOT 15495 10") == "*1\r\n$1\r\na\r\n");
  CHECK(scene.say(client, "CLUSTER GETKEYSINSLOT 15495 0") == "*0\r\n");
  CHECK(scene.say(client, "CLUSTER GETKEYSINSLOT 16384 1") == "-ERR Invalid slot or number of keys\r\n");
  CHECK(scene.say(client, "CLUSTER GETKEYSINSLOT 1 -1") == "-ERR Invalid slot or number of keys\r\n");
  CHECK(scene.say(client, "CLUSTER COUNTKEYSINSLOT 16384") == "-ERR Invalid slot\r\n");
  CHECK(scene.say(client, "CLUSTER COUNTKEYSINSLOT x") == "-ERR value is not an integer or out of range\r\n");
}

TEST_CASE("Node clients: a pipeline waits when the replies that are held for it are too long (R11)") {
  Scene scene;
  scene.serve({kSelf, kOther});
  const ConnId successor = scene.successor();
  const ConnId client = scene.client();
  constexpr size_t kValueBytes = size_t{8} << 20;
  std::string requests;
  const std::string value(kValueBytes, 'x');
  const std::string_view words[] = {"SET", "big", value};
  protocol::append_request(requests, words);
  for (int i = 0; i < 20; ++i) requests += "GET big\r\n";
  scene.net.receive(client, requests);
  scene.turn();
  CHECK(scene.node.store().held() == 9);  // the one that passes the bound of 64 MiB is the last
  scene.acknowledge(successor, protocol::slot_of("big"), 1);
  size_t bytes = 0;
  for (int turns = 0; turns < 30 && bytes < 20 * kValueBytes; ++turns) {
    bytes += scene.net.take_output(client).size();
    scene.turn();
  }
  CHECK(bytes == 5 + 20 * (kValueBytes + 12));
}
