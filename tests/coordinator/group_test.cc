// A whole group: founding, leases, fail-over with a change of leader in the midst of it, an orderly stop (R1, R2, R4,
// R14, R18, R32).

#include <algorithm>

#include "base/text.h"
#include "ring/table.h"
#include "tests/coordinator/group.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

constexpr Micros kSecond = kMicrosPerSecond;
constexpr Micros kLease = 450 * kMicrosPerMilli, kMargin = 20 * kMicrosPerMilli;

// Three coordinators and three nodes that serve.
struct Serving : Group {
  explicit Serving(const Options& options = {}) : Group(options) {
    start_coordinators();
    for (const char* name : {"n1", "n2", "n3"}) node(name);
    REQUIRE(within(5 * kSecond, [&] { return all_served(); }));
  }
};

TEST_CASE("Group: founds itself once, whatever the order of starting") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 6));
  CAPTURE(seed);
  Group group({.seed = seed});
  group.start(seed % 3);
  group.pass(kSecond);
  REQUIRE(group.leader() == nullptr);
  group.start((seed + 1) % 3);
  group.pass(kSecond);
  REQUIRE(group.leader() == nullptr);
  group.start((seed + 2) % 3);
  REQUIRE(group.has_leader());
  group.pass(kSecond);
  const uint64_t cluster = group.leader()->state().ring().cluster_id();
  REQUIRE(cluster != 0);
  for (size_t i = 0; i < 3; ++i) REQUIRE(group.coordinator(i)->state().ring().cluster_id() == cluster);
  for (size_t i = 0; i < 3; ++i) group.kill(i);
  group.start(0);
  group.start(1);
  REQUIRE(group.has_leader());
  REQUIRE(group.leader()->state().ring().cluster_id() == cluster);
}

TEST_CASE("Group: a crash at any moment of the founding does not found twice") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 40));
  CAPTURE(seed);
  Group group({.seed = seed});
  group.start_coordinators();  // which makes the identities
  group.disk(seed % 3).cut_power_after(seed / 3);
  group.pass(kSecond / 2);
  group.kill(seed % 3);
  group.start(seed % 3);
  REQUIRE(group.within(5 * kSecond, [&] {
    uint64_t cluster = 0;
    for (size_t i = 0; i < 3; ++i) {
      const uint64_t own = group.coordinator(i)->state().ring().cluster_id();
      if (own == 0 || (cluster != 0 && cluster != own)) return false;
      cluster = own;
    }
    return true;
  }));
}

TEST_CASE("Group: one whose disk was lost does not vote (R2)") {
  Group group({});
  group.start_coordinators();
  REQUIRE(group.has_leader());
  group.pass(kSecond);
  group.kill(2);
  group.replace_disk(2);
  group.start(2);
  group.pass(kSecond);
  REQUIRE(group.leader() != nullptr);
  // With one of the two others gone there is no majority left: the blank one counts for nobody.
  group.kill(group.leader_index());
  group.pass(3 * kSecond);
  REQUIRE(group.leader() == nullptr);
}

TEST_CASE("Group: a single coordinator is a group") {
  Group group({.coordinators = 1});
  group.start_coordinators();
  REQUIRE(group.has_leader());
  REQUIRE(group.ask("LOCK ACQUIRE lock:a me TTL 1000").starts_with("*2\r\n:1099511627777"));
}

TEST_CASE("Group: the first table, leases that are renewed, and nothing changes while nothing happens") {
  Serving group;
  const TableVersion version = group.leader()->state().ring().version();
  group.pass(2 * kSecond);
  REQUIRE(group.leader()->state().ring().version() == version);
  REQUIRE(group.all_served());
  REQUIRE(group.chain_of(0).size() == 3);
  REQUIRE(group.running("n1").grants() > 15);
}

TEST_CASE("Group: chains go on without a node that died, its next life is another member that learns its slots (R1)") {
  Serving group;
  const MemberId first = group.running("n2").self();
  group.kill_node("n2");
  REQUIRE(group.within(kSecond, [&] { return group.chain_of(0).size() == 2 && group.all_served(); }));
  FakeNode& again = group.node("n2");
  REQUIRE(group.within(2 * kSecond, [&] { return again.self() != kNoMember; }));
  REQUIRE(again.self() != first);
  group.pass(kSecond);
  REQUIRE(group.chain_of(0).size() == 2);
  const RingState& ring = group.leader()->state().ring();
  REQUIRE(ring.member(again.self())->listed.state == protocol::MemberState::joining);
  REQUIRE(ring.range_of(0).goal.size() == 3);
  REQUIRE(ring.member(first)->gone());
  REQUIRE(group.all_served());
}

TEST_CASE("Group: a node that restarts within its lease is not waited for longer, and not mistaken for itself") {
  Serving group;
  group.kill_node("n1");
  FakeNode& again = group.node("n1");
  group.pass(kLease / 2);
  REQUIRE_FALSE(group.all_served());  // the old incarnation's lease has to run out
  REQUIRE(group.within(kSecond, [&] { return group.all_served(); }));
  for (const protocol::TableRange& range : group.leader()->state().ring().ranges()) {
    REQUIRE_FALSE(ring::contains(range.chain, again.self()));
  }
}

TEST_CASE("Group: the survivors are levelled before the new chain serves (R15)") {
  Serving group;
  const std::vector<std::string> chain = group.chain_of(77);
  group.running(chain[0]).hold(77, 9);
  group.running(chain[1]).hold(77, 7);
  group.running(chain[2]).hold(77, 5);
  group.kill_node(chain[0]);
  REQUIRE(group.within(kSecond, [&] { return group.all_served(); }));
  REQUIRE_FALSE(group.running(chain[1]).levels().empty());
  REQUIRE(group.running(chain[2]).applied(77) == 7);
}

TEST_CASE("Group: a node that does not stop is waited for until its lease is over, and not a moment less (R4)") {
  Serving group;
  const std::vector<std::string> chain = group.chain_of(0);
  // The tail dies; the head hears of the change and says nothing.
  group.running(chain[0]).mute = true;
  group.kill_node(chain[2]);
  while (group.chain_of(0) == chain) {
    const bool may_serve = group.running(chain[0]).has_lease(group.world.local_now(group.node_host(chain[0])).mono);
    group.pass(kMicrosPerMilli);
    if (group.chain_of(0) != chain) REQUIRE_FALSE(may_serve);
  }
  REQUIRE(group.chain_of(0) == std::vector<std::string>{chain[1]});
}

TEST_CASE("Group: two in a row, and the last one stays (R18)") {
  Serving group;
  group.kill_node("n1");
  REQUIRE(group.within(kSecond, [&] { return group.all_served(); }));
  group.kill_node("n3");
  REQUIRE(group.within(kSecond, [&] { return group.all_served(); }));
  REQUIRE(group.chain_of(0) == std::vector<std::string>{"n2"});
  group.world.pause(group.node_host("n2"), kSecond);
  group.pass(kSecond / 2);
  REQUIRE(group.chain_of(0) == std::vector<std::string>{"n2"});
  REQUIRE(group.within(2 * kSecond, [&] { return group.all_served(); }));
}

TEST_CASE("Group: all nodes are cut off together and come back together, no chain is the shorter for it") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 8));
  CAPTURE(seed);
  Serving group({.seed = seed});
  for (const char* name : {"n1", "n2", "n3"}) group.world.pause(group.node_host(name), 2 * kSecond);
  group.pass(kSecond);
  REQUIRE_FALSE(group.all_served());
  REQUIRE(group.within(3 * kSecond, [&] { return group.all_served(); }));
  group.pass(kSecond);
  REQUIRE(group.chain_of(0).size() == 3);
}

TEST_CASE("Group: the leader dies in the midst of a change, the next one finishes it (R14)") {
  const Micros moment = GENERATE(range<Micros>(0, 20)) * 5 * kMicrosPerMilli + kLease - 30 * kMicrosPerMilli;
  CAPTURE(moment);
  Serving group;
  const std::vector<std::string> chain = group.chain_of(5);
  group.running(chain[1]).hold(5, 4);
  group.kill_node(chain[0]);
  group.pass(moment);
  group.kill(group.leader_index());
  REQUIRE(group.within(3 * kSecond, [&] { return group.all_served() && group.leader() != nullptr; }));
  REQUIRE(group.chain_of(5).size() == 2);
  REQUIRE(group.running(chain[2]).applied(5) == 4);
}

TEST_CASE("Group: a new leader counts nobody as lapsed before a whole lease (R4)") {
  Serving group;
  group.kill_node("n1");
  group.pass(kLease - 50 * kMicrosPerMilli);
  group.kill(group.leader_index());
  REQUIRE(group.has_leader());
  const Micros led_at = group.world.now();
  for (const Member& member : group.leader()->state().ring().members()) {
    const Micros now = group.world.local_now(group.host(group.leader_index())).mono;
    REQUIRE(group.leader()->leases().ends(member.listed.id) >= now + kLease);
  }
  REQUIRE(group.within(2 * kSecond, [&] { return group.all_served(); }));
  REQUIRE(group.world.now() - led_at >= kLease + kMargin - 2 * kMicrosPerMilli);
}

TEST_CASE("Group: RING STATUS tells which leases a new leader only assumes") {
  Serving group;
  REQUIRE(group.ask("RING STATUS JSON").find("\"renewed\":false") == std::string::npos);
  group.kill_node("n1");
  group.kill(group.leader_index());
  REQUIRE(group.has_leader());
  const auto count = [&](std::string_view part) {
    const std::string json = group.ask("RING STATUS JSON");
    size_t found = 0;
    for (size_t at = json.find(part); at != std::string::npos; at = json.find(part, at + 1)) ++found;
    return found;
  };
  REQUIRE(group.within(kLease, [&] { return count("\"renewed\":true") == 2; }));
  REQUIRE(count("\"renewed\":false") == 1);
}

TEST_CASE("Group: a leader that is cut off with a head grants it nothing that the next leader overlooks (R4)") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 21));
  CAPTURE(seed);
  Serving group({.seed = seed});
  const size_t old = group.leader_index();
  const std::string head = group.chain_of(0)[0];
  const std::vector<HostId> minority = {group.host(old), group.node_host(head)};
  for (HostId here : minority) {
    for (HostId there = 0; there < 6; ++there) {
      if (there == minority[0] || there == minority[1]) continue;
      group.world.cut(here, there, true);
      group.world.cut(there, here, true);
    }
  }
  group.pass(10 * kMicrosPerMilli);  // what was under way arrives
  const uint64_t grants = group.running(head).grants();
  const auto serves = [&](const std::string& name) {
    return group.running(name).serves(0, group.world.local_now(group.node_host(name)).mono);
  };
  bool moved = false;
  for (int step = 0; step < 3000; ++step) {
    group.pass(kMicrosPerMilli);
    const int servers = serves("n1") + serves("n2") + serves("n3");
    REQUIRE(servers <= 1);
    moved = moved || (servers == 1 && !serves(head));
  }
  REQUIRE(moved);
  REQUIRE(group.running(head).grants() == grants);
  REQUIRE(group.leader_index() != old);
}

void cut_both_ways(Group& group, HostId a, HostId b) {
  group.world.cut(a, b, true);
  group.world.cut(b, a, true);
}

TEST_CASE("Group: a node whose link to the leader is cut goes on with leases and tables through a follower (R4, R19)") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 11));
  CAPTURE(seed);
  Serving group({.seed = seed});
  FakeNode& node = group.running("n1");
  cut_both_ways(group, group.node_host("n1"), group.host(group.leader_index()));
  REQUIRE(group.within(kSecond, [&] { return node.goes_round(); }));
  REQUIRE(group.within(5 * kSecond, [&] { return group.all_served() && group.chain_of(0).size() == 3; }));
  const uint64_t grants = node.grants();
  group.pass(2 * kSecond);
  REQUIRE(node.goes_round());
  REQUIRE(node.grants() > grants + 15);
  group.kill_node("n2");
  REQUIRE(group.within(2 * kSecond, [&] { return group.all_served() && group.chain_of(0).size() == 2; }));
  REQUIRE(node.table().version() == group.leader()->state().ring().version());
  group.world.heal_all();
  group.pass(session::PeerLink::kRoundLasts);
  REQUIRE_FALSE(node.goes_round());
  REQUIRE(group.all_served());
}

TEST_CASE("Group: a router whose link to the leader is cut has tables, locks and a hearing through a follower (R19)") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 11));
  CAPTURE(seed);
  Serving group({.seed = seed});
  REQUIRE(group.ask("SET lock:a me NX") == "+OK\r\n");
  FakeRouter& router = group.router();
  const size_t old = group.leader_index();
  cut_both_ways(group, group.router_host(), group.host(old));
  REQUIRE(group.within(2 * kSecond, [&] { return router.goes_round(); }));
  REQUIRE(group.ask("GET lock:a") == "$2\r\nme\r\n");
  const MemberId accused = group.running("n2").self();
  router.accused = {accused};
  REQUIRE(group.within(2 * kSecond, [&] { return group.all_served() && group.chain_of(0).size() == 2; }));
  REQUIRE(group.within(kSecond, [&] {
    const auto& ranges = router.table().ranges;
    return std::none_of(ranges.begin(), ranges.end(), [&](const auto& range) { return ring::names(range, accused); });
  }));
  REQUIRE(group.leader_index() == old);
}

TEST_CASE("Group: who goes round is carried by a coordinator, and to a coordinator of the group alone") {
  Serving group;
  class Stranger final : public Process {
   public:
    Stranger(Address to, Transport& transport, Random& random) : link(transport, random, {"127.0.0.1", 7301}) {
      link.redial({"127.0.0.1", 7301}, 0);
      link.redial(std::move(to), 0, {"127.0.0.1", 7301});
    }
    [[nodiscard]] Status start(Now now) override {
      link.tick(now.mono, self);
      return {};
    }
    void turn(Now now, std::span<const NetEvent> events) override {
      for (const NetEvent& event : events) {
        if (event.conn != link.conn()) continue;
        link.on_event(event, now.mono, self);
        if (trouble.empty()) trouble = link.trouble();
      }
    }
    [[nodiscard]] Micros next_wake() const override { return kNever; }
    void request_stop(Now) override {}
    [[nodiscard]] bool finished() const override { return false; }
    [[nodiscard]] Status outcome() const override { return {}; }
    session::PeerIdentity self{0, session::PeerRole::router, "r9", 99, "secret"};
    session::PeerLink link;
    std::string trouble;
  };
  const auto dial = [&](uint16_t to, uint16_t port) {
    const HostId host = group.world.add_host(
        concat("stranger", port), port,
        [to](Transport& transport, Random& random, Log&) {
          return std::make_unique<Stranger>(Address{"127.0.0.1", to}, transport, random);
        },
        0);
    group.world.start(host);
    group.pass(100 * kMicrosPerMilli);
    return dynamic_cast<Stranger*>(group.world.process(host));
  };
  const Stranger* carried = dial(7302, 9001);
  REQUIRE(carried->link.up());
  REQUIRE(carried->link.theirs().id == "c2");
  const Stranger* refused = dial(7401, 9002);
  REQUIRE_FALSE(refused->link.up());
  REQUIRE(refused->trouble == "refused: ERR peer refused: who is to be reached is not of this cluster");
}

TEST_CASE("Group: after an orderly stop it begins with empty slots at new epochs, and with the locks (R32)") {
  Serving group;
  group.ask("SET lock:kept me");
  Epoch before = 0;
  for (const auto& range : group.leader()->state().ring().ranges()) before = std::max(before, range.epoch);
  REQUIRE(group.ask("RING SHUTDOWN") == "+OK\r\n");
  for (const char* name : {"n1", "n2", "n3"}) group.kill_node(name);
  for (size_t i = 0; i < 3; ++i) group.kill(i);
  group.pass(kSecond);
  group.start_coordinators();
  for (const char* name : {"n1", "n2", "n3"}) group.node(name);
  REQUIRE(group.within(4 * kSecond, [&] { return group.all_served(); }));
  for (const auto& range : group.leader()->state().ring().ranges()) {
    REQUIRE(range.epoch > before);
    REQUIRE(range.chain.size() == 3);
  }
  REQUIRE(group.ask("GET lock:kept") == "$2\r\nme\r\n");
}

TEST_CASE("Group: an orderly stop that does not happen lapses, one of which the last node is ending does not (R32)") {
  Serving group;
  const auto stopped = [&] { return group.leader()->state().ring().stopped(); };
  REQUIRE(group.ask("RING SHUTDOWN") == "+OK\r\n");
  group.pass(OrderlyStop::kLapsesAfter - kSecond);
  REQUIRE(stopped());
  group.pass(2 * kSecond);
  REQUIRE_FALSE(stopped());
  group.kill_node("n2");
  REQUIRE(group.within(kSecond, [&] { return group.chain_of(0).size() == 2 && group.all_served(); }));

  REQUIRE(group.ask("RING SHUTDOWN") == "+OK\r\n");
  group.kill_node("n1");
  group.pass(OrderlyStop::kLapsesAfter - kSecond);
  group.kill_node("n3");
  group.pass(2 * OrderlyStop::kLapsesAfter);
  REQUIRE(stopped());
}

TEST_CASE("Group: who goes on long after the last node ended in an orderly stop serves what they held together (R32)") {
  Serving group;
  REQUIRE(group.ask("RING SHUTDOWN") == "+OK\r\n");
  group.pass(20 * kSecond);
  group.kill_node("n1");
  group.pass(OrderlyStop::kLapsesAfter - kSecond);
  REQUIRE(group.leader()->state().ring().stopped());
  REQUIRE(group.chain_of(0).size() == 3);
  REQUIRE(group.within(4 * kSecond, [&] { return group.chain_of(0).size() == 2 && group.all_served(); }));
  for (const MemberId id : group.leader()->state().ring().range_of(0).chain) {
    REQUIRE(id <= group.leader()->state().ring().stopped_before());  // nobody began anew
  }
}

// A cluster that was stopped in order while n1 was asleep and about to be out of the ring; its other nodes are back.
struct StoppedAsleep : Serving {
  explicit StoppedAsleep(Micros asleep) {
    REQUIRE(ask("RING PAUSE") == "+OK\r\n");
    REQUIRE(ask("RING REMOVE n1") == "+OK\r\n");
    REQUIRE(ask("RING SHUTDOWN") == "+OK\r\n");
    pass(kSecond / 10);
    began_at = world.now();
    world.pause(node_host("n1"), asleep);
    for (const char* name : {"n2", "n3"}) kill_node(name);
    pass(kSecond);
    for (const char* name : {"n2", "n3"}) node(name);
  }
  bool begun_again() { return !leader()->state().ring().stopped(); }
  bool sleeper_has_lease() { return running("n1").has_lease(world.local_now(node_host("n1")).mono); }
  Micros began_at = 0;
};

TEST_CASE("Group: nobody from before an orderly stop is granted a lease while slots are about to begin anew (R32)") {
  StoppedAsleep measured(10 * kSecond);
  REQUIRE(measured.within(5 * kSecond, [&] { return measured.begun_again(); }));
  // It wakes up, and asks for its lease, at about the time at which the others begin.
  const Micros before = GENERATE(range<Micros>(0, 40)) * 100;
  CAPTURE(before);
  StoppedAsleep group(measured.world.now() - measured.began_at - before);
  REQUIRE_FALSE(group.within(2 * kSecond, [&] { return group.begun_again() && group.sleeper_has_lease(); }));
  REQUIRE(group.begun_again() != group.sleeper_has_lease());  // when it was quick enough, they wait for it
}

TEST_CASE(
    "Group: without an orderly stop, lost slots wait for a word, or begin empty when that was said before (R18)") {
  const bool empty = GENERATE(false, true);
  Serving group({.settings = {{Setting::on_loss, empty ? "empty" : "wait"}}});
  for (const char* name : {"n1", "n2", "n3"}) group.kill_node(name);
  for (const char* name : {"n1", "n2", "n3"}) group.node(name);
  group.pass(3 * kSecond);
  REQUIRE(group.all_served() == empty);
  if (!empty) REQUIRE(group.ask("RING STATUS JSON").find("\"lost\":16384") != std::string::npos);
}

TEST_CASE("Group: lost slots are served empty by an operator's word, and who comes back late serves nothing (R18)") {
  Serving group;
  const Epoch before = group.leader()->state().ring().last_epoch();
  for (const char* name : {"n1", "n2", "n3"}) group.world.pause(group.node_host(name), 10 * kSecond);
  group.pass(2 * kSecond);
  group.node("n4");
  REQUIRE(group.within(kSecond, [&] { return group.ask("RING ADD n4") == "+OK\r\n"; }));
  group.pass(kSecond);
  REQUIRE_FALSE(group.all_served());
  REQUIRE(group.ask("RING SERVE-EMPTY 0-16383").find("is only absent") != std::string::npos);
  REQUIRE(group.ask("RING SERVE-EMPTY 0-16383 GONE n1 n2 n3") == ":16384\r\n");
  REQUIRE(group.within(kSecond, [&] { return group.all_served(); }));
  REQUIRE(group.leader()->state().ring().range_of(0).epoch > before);
  REQUIRE(group.chain_of(0) == std::vector<std::string>{"n4"});

  // They wake up, to a grant that was on its way when they fell asleep; it is over, and there is no other.
  for (int i = 0; i < 120; ++i) {
    group.pass(kSecond / 10);
    for (const char* name : {"n1", "n2", "n3"}) {
      REQUIRE_FALSE(group.running(name).has_lease(group.world.local_now(group.node_host(name)).mono));
    }
  }
  REQUIRE(group.chain_of(0) == std::vector<std::string>{"n4"});
  // The word was for what was lost then.
  group.kill_node("n4");
  group.node("n4");
  group.pass(3 * kSecond);
  REQUIRE(group.ask("RING STATUS JSON").find("\"lost\":16384") != std::string::npos);
}

TEST_CASE("Group: nobody is granted a lease while the entry that gives it up is on its way (R18)") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 25));
  CAPTURE(seed);
  Serving group({.seed = seed});
  for (const char* name : {"n1", "n2", "n3"}) group.world.pause(group.node_host(name), 3 * kSecond);
  const Micros awake = group.world.now() + 3 * kSecond;
  group.pass(2 * kSecond);
  group.node("n4");
  REQUIRE(group.within(kSecond / 2, [&] { return group.ask("RING ADD n4") == "+OK\r\n"; }));
  // They wake up and ask for their leases in the same moments.
  group.world.run_until(awake - kMicrosPerMilli + static_cast<Micros>(seed) * 100);
  const std::string answer = group.ask("RING SERVE-EMPTY 0-16383 GONE n1 n2 n3");
  if (!answer.starts_with(":")) return;  // they were quicker
  for (const char* name : {"n1", "n2", "n3"}) {
    REQUIRE_FALSE(group.running(name).has_lease(group.world.local_now(group.node_host(name)).mono));
  }
  REQUIRE(group.within(kSecond, [&] { return group.all_served(); }));
}

TEST_CASE("Group: a disk that fails ends the process (R2)") {
  Serving group;
  const size_t index = group.leader_index();
  group.disk(index).fail_sync_after(0);
  const size_t call = group.router().call("SET lock:a me");
  REQUIRE(group.within(kSecond, [&] { return !group.world.running(group.host(index)); }));
  REQUIRE(group.within(5 * kSecond, [&] { return group.router().calls(call).reply.has_value(); }));
}

TEST_CASE("Group: RING STATUS tells what there is") {
  Serving group;
  const std::string json = group.ask("RING STATUS JSON");
  for (const char* part : {"\"served\":16384", "\"changing\":0", "\"name\":\"n3\"", "\"state\":\"leader\"",
                           "\"state\":\"follower\"", "\"routers\":[{\"name\":\"r1\"", "\"copies\":3"}) {
    CAPTURE(part, json);
    REQUIRE(json.find(part) != std::string::npos);
  }
  REQUIRE(group.ask("RING STATUS").find("16384 served") != std::string::npos);
  REQUIRE(group.ask("RING HELP").starts_with("*"));
  REQUIRE(group.ask("RING STATUS XML").starts_with("-ERR syntax"));
}

}  // namespace
}  // namespace chainring::coordinator
