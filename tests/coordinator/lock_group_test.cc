// Locks in a whole group: they outlive leaders, keep their time, and are granted once (R20, R25, R26, R30).

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "base/text.h"
#include "raft/raft.h"
#include "tests/coordinator/direct_client.h"
#include "tests/coordinator/group.h"
#include "tests/coordinator/lock_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

constexpr Micros kSecond = kMicrosPerSecond;

struct Locking : Group {
  explicit Locking(const Options& options = {}) : Group(options) {
    start_coordinators();
    REQUIRE(has_leader());
  }
  void kill_leader() {
    const size_t index = leader_index();
    kill(index);
    REQUIRE(has_leader());
    start(index);
  }
};

// A link as a router has it, which sends what the test says and keeps what is answered.
class FrameClient final : public Process {
 public:
  FrameClient(uint16_t to, Transport& transport, Random& random)
      : identity_{0, session::PeerRole::router, "frames", random.next() | 1, "secret"},
        link_(transport, random, {"127.0.0.1", to}) {}

  static FrameClient& connect(sim::World& world, uint16_t to) {
    static uint16_t port = 21'000;  // nobody dials it; hosts of a world have one each
    const sim::HostId host = world.add_host(
        "frames", ++port,
        [to](Transport& transport, Random& random, Log&) {
          return std::make_unique<FrameClient>(to, transport, random);
        },
        0);
    world.start(host);
    return *dynamic_cast<FrameClient*>(world.process(host));
  }
  [[nodiscard]] bool up() const { return link_.up(); }
  // Returns the id that its reply has.
  uint64_t send(std::string_view line, uint64_t number, uint32_t attempt, uint8_t flags = 0) {
    const std::vector<std::string> owned = words(line);
    std::string command;
    protocol::append_request(command, std::vector<std::string_view>(owned.begin(), owned.end()));
    protocol::Request request;
    request.id = ++last_request_;
    request.flags = protocol::kRequestWrite | flags;
    request.number = number;
    request.attempt = attempt;
    link_.send(protocol::FrameType::request, request, command);
    return request.id;
  }
  // As a router that has the table of this version.
  void subscribe(TableVersion has) {
    protocol::Subscribe said;
    said.incarnation = identity_.incarnation;
    said.version = has;
    link_.send(protocol::FrameType::subscribe, said, {});
  }
  [[nodiscard]] size_t tables() const { return tables_; }  // that came
  // "status body", or empty.
  std::string reply(uint64_t id) { return replies_[id]; }

  [[nodiscard]] Status start(Now now) override {
    now_ = now.mono;
    link_.tick(now_, identity_);
    return {};
  }
  void turn(Now now, std::span<const NetEvent> events) override {
    now_ = now.mono;
    for (const NetEvent& event : events) {
      if (event.conn != link_.conn()) continue;
      (void)link_.on_event(event, now_, identity_);
      (void)link_.frames(now_, [&](const protocol::Frame& frame) { on_frame(frame); });
    }
    link_.tick(now_, identity_);
  }
  [[nodiscard]] Micros next_wake() const override { return now_ + kMicrosPerMilli; }
  void request_stop(Now) override {}
  [[nodiscard]] bool finished() const override { return false; }
  [[nodiscard]] Status outcome() const override { return {}; }

 private:
  void on_frame(const protocol::Frame& frame) {
    protocol::Reply reply;
    std::string_view body;
    if (frame.type == protocol::FrameType::table) ++tables_;
    if (frame.type != protocol::FrameType::reply || !protocol::split_payload(frame.payload, reply, body)) return;
    const bool has_body = reply.status == protocol::ReplyStatus::done;
    replies_[reply.id] = concat(static_cast<int>(reply.status), " ", has_body ? body : std::string_view());
  }

  session::PeerIdentity identity_;
  session::PeerLink link_;
  Micros now_ = 0;
  uint64_t last_request_ = 0;
  size_t tables_ = 0;
  std::map<uint64_t, std::string> replies_;
};

uint64_t token_of(std::string_view reply) {
  protocol::ReplyValue value;
  REQUIRE(protocol::parse_reply(reply, value).state == protocol::ReplyExtent::State::ready);
  REQUIRE(value.items.size() == 2);
  return static_cast<uint64_t>(value.items[0].integer);
}

TEST_CASE("Locks in a group: the death of the leader leaves a lock held, and its time runs on") {
  Locking group;
  const uint64_t token = token_of(group.ask("LOCK ACQUIRE lock:a me TTL 4000"));
  const Micros taken = group.world.now();
  group.pass(2 * kSecond);  // without an entry: only heartbeats tell the others how late it is
  group.kill_leader();
  REQUIRE(group.ask("LOCK ACQUIRE lock:a you TTL 1000") == "$-1\r\n");
  REQUIRE(group.ask("LOCK TOKEN lock:a me") == concat(":", token, "\r\n"));
  REQUIRE(group.within(10 * kSecond, [&] { return group.ask("SET lock:a you NX PX 1000") == "+OK\r\n"; }));
  const Micros held = group.world.now() - taken;
  REQUIRE(held >= 4 * kSecond - 10 * kMicrosPerMilli);
  REQUIRE(held <= 4 * kSecond + 1500 * kMicrosPerMilli);  // only the time without a leader was not counted
}

TEST_CASE("Locks in a group: no change of leader makes a lock shorter") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 6));
  CAPTURE(seed);
  Locking group({.seed = seed});
  group.ask("SET lock:a me NX PX 3000");
  const Micros taken = group.world.now() - 50 * kMicrosPerMilli;  // when it was asked for, at the latest
  for (int i = 0; i < 4; ++i) {
    group.pass(300 * kMicrosPerMilli);
    group.kill_leader();
    const std::string reply = group.ask("PTTL lock:a");
    const Micros elapsed = group.world.now() - taken;
    CAPTURE(reply, elapsed);
    REQUIRE(std::stoll(reply.substr(1)) * kMicrosPerMilli >= 3 * kSecond - elapsed - 10 * kMicrosPerMilli);
  }
}

TEST_CASE("Locks in a group: a restart of everybody keeps locks, their time stood still meanwhile") {
  Locking group;
  group.ask("SET lock:a me NX PX 3000");
  group.pass(kSecond);
  for (size_t i = 0; i < 3; ++i) group.kill(i);
  group.pass(60 * kSecond);
  group.start_coordinators();
  REQUIRE(group.has_leader());
  REQUIRE(group.ask("GET lock:a") == "$2\r\nme\r\n");
  REQUIRE(group.within(5 * kSecond, [&] { return group.ask("EXISTS lock:a") == ":0\r\n"; }));
}

TEST_CASE("Locks in a group: writes that are sent again run once, whoever leads (R20)") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 9));
  CAPTURE(seed);
  Locking group({.seed = seed});
  FakeRouter& router = group.router();
  router.forget_answers = seed % 2 == 0;
  std::vector<size_t> calls;
  SeededRandom random(seed);
  for (int i = 0; i < 60; ++i) {
    calls.push_back(router.call("INCR lock:n"));
    group.pass(static_cast<Micros>(random.below(20'000)));
    if (random.percent(15)) router.send_again();
    if (i % 20 == 10) group.kill_leader();
  }
  REQUIRE(group.within(10 * kSecond, [&] {
    return std::all_of(calls.begin(), calls.end(), [&](size_t call) { return router.calls(call).reply.has_value(); });
  }));
  std::set<std::string> replies;
  for (const size_t call : calls) replies.insert(*router.calls(call).reply);
  REQUIRE(replies.size() == calls.size());
  REQUIRE(group.ask("GET lock:n") == "$2\r\n60\r\n");
}

TEST_CASE(
    "Locks in a group: a release that changed nothing does not undo the grant behind it, whoever leads (R10, R20)") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 9));
  CAPTURE(seed);
  Locking group({.seed = seed});
  FakeRouter& router = group.router();
  router.forget_answers = seed % 2 == 0;
  struct Pair {
    size_t release, acquire;
  };
  std::vector<Pair> pairs;
  SeededRandom random(seed);
  for (int i = 0; i < 60; ++i) {
    pairs.push_back({router.call(concat("LOCK RELEASE lock:", i, " me")),
                     router.call(concat("LOCK ACQUIRE lock:", i, " me TTL 600000"))});
    group.pass(static_cast<Micros>(random.below(20'000)));
    if (random.percent(30)) router.send_again();
    if (i % 20 == 10) group.kill_leader();
  }
  REQUIRE(group.within(10 * kSecond, [&] {
    return std::all_of(pairs.begin(), pairs.end(), [&](const Pair& pair) {
      return router.calls(pair.release).reply && router.calls(pair.acquire).reply;
    });
  }));
  for (size_t i = 0; i < pairs.size(); ++i) {
    CAPTURE(i);
    REQUIRE(*router.calls(pairs[i].release).reply == ":0\r\n");
    const uint64_t token = token_of(*router.calls(pairs[i].acquire).reply);
    REQUIRE(group.ask(concat("LOCK TOKEN lock:", i, " me")) == concat(":", token, "\r\n"));
  }
}

TEST_CASE(
    "Locks in a group: a client that sends at once what changes nothing and what does gets it in its order (R10)") {
  Locking group;
  group.ask("SET lock:a other");
  DirectClient& client = DirectClient::connect(group.world, group.coordinator(group.leader_index())->port());
  REQUIRE(client.ask(group.world, "PING") == "+PONG\r\n");
  client.send("SET lock:a me NX\r\nGET lock:a\r\nDEL lock:a\r\nSET lock:a me NX\r\nGET lock:a");
  const std::string expected = "$-1\r\n$5\r\nother\r\n:1\r\n+OK\r\n$2\r\nme\r\n";
  REQUIRE(group.within(kSecond, [&] { return client.received().size() >= expected.size(); }));
  REQUIRE(client.received() == expected);
}

TEST_CASE("Coordinator: what comes behind a request that was sent back does not overtake it (R10)") {
  Group group({.coordinators = 3});
  group.start_coordinators();
  std::vector<FrameClient*> links;
  for (uint16_t i = 0; i < 3; ++i) links.push_back(&FrameClient::connect(group.world, static_cast<uint16_t>(7301 + i)));
  REQUIRE(group.within(kSecond, [&] {
    return std::all_of(links.begin(), links.end(), [](const FrameClient* link) { return link->up(); });
  }));
  REQUIRE(group.leader() == nullptr);  // nobody leads yet
  for (FrameClient* link : links) link->send("SET lock:a first", 1, 0);
  REQUIRE(group.within(kSecond, [&] { return links[0]->reply(1) == "2 "; }));
  REQUIRE(group.has_leader());
  FrameClient& link = *links[group.leader_index()];
  REQUIRE(link.reply(1) == "2 ");  // not_leader
  const uint64_t behind = link.send("SET lock:a second", 2, 0);
  REQUIRE(group.within(kSecond, [&] { return link.reply(behind) == "1 "; }));  // bounced
  const uint64_t again = link.send("SET lock:a first", 1, 1), next = link.send("SET lock:a second", 2, 1);
  REQUIRE(group.within(kSecond, [&] { return !link.reply(next).empty(); }));
  REQUIRE(link.reply(again) == "0 +OK\r\n");
  REQUIRE(link.reply(next) == "0 +OK\r\n");
  REQUIRE(group.ask("GET lock:a") == "$6\r\nsecond\r\n");
}

TEST_CASE("Coordinator: a table that does not arrive is sent again less and less often, and at once on another link") {
  Group group({.coordinators = 1});
  group.start_coordinators();
  REQUIRE(group.has_leader());
  FrameClient& link = FrameClient::connect(group.world, 7301);
  REQUIRE(group.within(kSecond, [&] { return link.up(); }));
  const Micros heartbeat = 100 * kMicrosPerMilli;
  for (int i = 0; i < 60; ++i) {
    link.subscribe(0);
    group.pass(heartbeat);
  }
  REQUIRE(link.tables() > 4);  // it may have been lost on the way, so it is tried
  REQUIRE(link.tables() < 10);
  FrameClient& another = FrameClient::connect(group.world, 7301);
  REQUIRE(group.within(kSecond, [&] { return another.up(); }));
  another.subscribe(0);
  group.pass(heartbeat / 2);
  REQUIRE(another.tables() == 1);
}

TEST_CASE("Coordinator: a write that says that it may have run is not run again when its sender was forgotten (R20)") {
  Group group({.coordinators = 1});
  group.start_coordinators();
  REQUIRE(group.has_leader());
  FrameClient& link = FrameClient::connect(group.world, 7301);
  REQUIRE(group.within(kSecond, [&] { return link.up(); }));
  const uint64_t first = link.send("SET lock:a me NX", 1, 0);
  REQUIRE(group.within(kSecond, [&] { return link.reply(first) == "0 +OK\r\n"; }));
  std::vector<FrameClient*> others(Answers::kSendersMax);
  for (FrameClient*& other : others) other = &FrameClient::connect(group.world, 7301);
  const auto all = [&](auto&& holds) { return std::all_of(others.begin(), others.end(), holds); };
  REQUIRE(group.within(kSecond, [&] { return all([](FrameClient* other) { return other->up(); }); }));
  for (FrameClient* other : others) other->send("INCR lock:n", 1, 0);
  REQUIRE(group.within(kSecond, [&] { return all([](FrameClient* other) { return !other->reply(1).empty(); }); }));
  const uint64_t again = link.send("SET lock:a me NX", 1, 0, protocol::kRequestAgain);
  REQUIRE(group.within(kSecond, [&] { return link.reply(again) == "3 "; }));  // expired
  const uint64_t next = link.send("LOCK RELEASE lock:a me", 2, 0, protocol::kRequestAgain);
  REQUIRE(group.within(kSecond, [&] { return link.reply(next) == "0 :1\r\n"; }));
}

TEST_CASE("Locks in a group: tokens grow over changes of leader (R26)") {
  Locking group;
  uint64_t last = 0;
  for (int i = 0; i < 4; ++i) {
    const uint64_t token = token_of(group.ask(concat("LOCK ACQUIRE lock:", i, " me TTL 60000")));
    REQUIRE(token > last);
    last = token;
    group.kill_leader();
  }
  REQUIRE(group.ask("LOCK LIST").starts_with("*4"));
}

TEST_CASE("Locks in a group: polling for a lock that is held leaves no entry in the log (R30)") {
  Locking group;
  group.ask("SET lock:a me NX PX 60000");
  const raft::Index before = group.leader()->replica()->applied();
  for (int i = 0; i < 20; ++i) REQUIRE(group.ask("SET lock:a you NX PX 60000") == "$-1\r\n");
  REQUIRE(group.leader()->replica()->applied() == before);
}

TEST_CASE("Locks in a group: a leader that was deposed answers nothing") {
  Locking group;
  group.ask("SET lock:a old");
  const size_t deposed = group.leader_index();
  DirectClient& client = DirectClient::connect(group.world, group.coordinator(deposed)->port());
  REQUIRE(client.ask(group.world, "GET lock:a") == "$3\r\nold\r\n");
  for (size_t i = 0; i < 3; ++i) {
    if (i == deposed) continue;
    group.world.cut(group.host(i), group.host(deposed), true);
    group.world.cut(group.host(deposed), group.host(i), true);
  }
  client.send("GET lock:a");
  REQUIRE(group.within(2 * kSecond, [&] { return group.leader() != nullptr && group.leader_index() != deposed; }));
  // It learns by silence that it leads no more, and then says so.
  REQUIRE(group.within(2 * kSecond, [&] { return !client.received().empty(); }));
  REQUIRE(client.received().starts_with("-NOTLEADER"));
}

TEST_CASE("Locks in a group: all coordinators hold the same after it is over") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 4));
  CAPTURE(seed);
  Locking group({.seed = seed, .settings = {{Setting::snapshot_entries, "100"}}});
  FakeRouter& router = group.router();
  SeededRandom random(seed);
  for (int i = 0; i < 600; ++i) {
    router.call(concat("LOCK ACQUIRE lock:", random.below(20), " o", random.below(5), " TTL ", 1 + random.below(500)));
    if (i % 10 == 0) group.pass(static_cast<Micros>(random.below(30'000)));
    if (i % 200 == 100) group.kill_leader();
  }
  const bool quiet = group.within(10 * kSecond, [&] {
    return group.leader()->replica()->applied() > 200 && group.leader()->state().locks().count() == 0;
  });
  REQUIRE(quiet);
  group.pass(kSecond);
  for (size_t i = 0; i < 3; ++i) {
    REQUIRE(group.coordinator(i)->replica()->applied() == group.leader()->replica()->applied());
    REQUIRE(group.coordinator(i)->state().snapshot() == group.leader()->state().snapshot());
  }
}

TEST_CASE("Locks in a group: with so many that a snapshot is long, who leads hands over before it takes one") {
  Locking group({.settings = {{Setting::snapshot_entries, "300"}}});
  const std::string owner(60'000, 'o');
  for (int i = 0; i < 40; ++i) REQUIRE(group.ask(concat("SET lock:", i, " ", owner)) == "+OK\r\n");
  FakeNode& node = group.node("n1");
  REQUIRE(group.within(2 * kSecond, [&] { return node.has_lease(group.world.now()); }));
  std::array<raft::Index, 3> taken{};
  std::set<size_t> leaders;
  size_t snapshots = 0;
  while (snapshots < 7) {
    REQUIRE(group.ask("SET lock:often me") == "+OK\r\n");
    group.pass(40 * kMicrosPerMilli);  // leaderships are not to be too short
    REQUIRE(node.has_lease(group.world.now()));
    for (size_t i = 0; i < 3; ++i) {
      const raft::Index newest = group.coordinator(i)->replica()->core()->log().snapshot().index;
      if (newest == std::exchange(taken[i], newest)) continue;
      ++snapshots;
      REQUIRE_FALSE(group.coordinator(i)->leads());
    }
    if (group.leader() != nullptr) leaders.insert(group.leader_index());
    REQUIRE(group.coordinator(0)->replica()->applied() < 1'500);
  }
  REQUIRE(leaders.size() == 3);
}

TEST_CASE("Locks in a group: no snapshot ends a leadership before a dead node is found") {
  Locking group({.settings = {{Setting::snapshot_entries, "300"}}});
  const std::string owner(60'000, 'o');
  for (int i = 0; i < 40; ++i) REQUIRE(group.ask(concat("SET lock:", i, " ", owner)) == "+OK\r\n");
  const auto write = [&](Micros pause) {
    REQUIRE(group.ask("SET lock:often me") == "+OK\r\n");
    group.pass(pause);
    REQUIRE(group.within(kSecond, [&] { return group.leader() != nullptr; }));
    return group.leader()->replica()->term();
  };
  const raft::Term term = group.leader()->replica()->term();
  REQUIRE(group.within(60 * kSecond, [&] { return write(40 * kMicrosPerMilli) != term; }));
  const raft::Term next = group.leader()->replica()->term();
  for (int i = 0; i < 500; ++i) REQUIRE(write(kMicrosPerMilli) == next);
}

TEST_CASE("Clients of a coordinator: what it is, who leads, and what it refuses") {
  Locking group;
  group.pass(kSecond);
  const size_t leader = group.leader_index();
  DirectClient& at_leader = DirectClient::connect(group.world, group.coordinator(leader)->port());
  DirectClient& elsewhere = DirectClient::connect(group.world, group.coordinator((leader + 1) % 3)->port());
  REQUIRE(at_leader.ask(group.world, "PING") == "+PONG\r\n");
  REQUIRE(at_leader.ask(group.world, "INFO chainring").find("chainring_coordinator_state:leader") != std::string::npos);
  REQUIRE(elsewhere.ask(group.world, "INFO chainring").find("chainring_coordinator_state:follower") !=
          std::string::npos);
  REQUIRE(at_leader.ask(group.world, "LOCK ACQUIRE lock:a me TTL 500").starts_with("*2\r\n"));
  REQUIRE(elsewhere.ask(group.world, "GET lock:a") ==
          concat("-NOTLEADER this coordinator does not lead; ask 127.0.0.1:", 7301 + leader, "\r\n"));
  REQUIRE(at_leader.ask(group.world, "GET cache").starts_with("-ERR 'cache' is not a lock key"));
  REQUIRE(at_leader.ask(group.world, "FLUSHALL").starts_with("-ERR"));
  REQUIRE(at_leader.ask(group.world, "RING NONSENSE").starts_with("-ERR unknown subcommand"));
  REQUIRE(at_leader.ask(group.world, "LOCK NONSENSE").starts_with("-ERR unknown subcommand"));
  REQUIRE(at_leader.ask(group.world, "SELECT 3") == "+OK\r\n");
  REQUIRE(at_leader.ask(group.world, "GET lock:a") == "$-1\r\n");
}

}  // namespace
}  // namespace chainring::coordinator
