// Staying in touch with the Raft group's leader.
#include "session/coordinator_link.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/messages.h"
#include "tests/session/rig.h"
#include "tests/support/fake_transport.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

using protocol::FrameType;

// Three coordinators that the test plays: each is up or down, and names a leader.
struct Group {
  explicit Group(uint64_t seed = 1) : random(seed), link(transport, random, log, configured()) {}

  static Settings configured() {
    Settings settings(kNodeRole);
    const Status taken = settings.set(Setting::coordinators, "c1=10.0.0.1:7301,c2=10.0.0.2:7301,c3=10.0.0.3:7301");
    CHECK(taken.ok());
    return settings;
  }
  static std::vector<protocol::CoordinatorAddress> listed(const std::vector<Address>& addresses) {
    std::vector<protocol::CoordinatorAddress> coordinators;
    for (const Address& address : addresses) coordinators.push_back({"c", address.host, address.port});
    return coordinators;
  }

  static std::vector<Address> addresses() { return {{"10.0.0.1", 7301}, {"10.0.0.2", 7301}, {"10.0.0.3", 7301}}; }

  // Lets `time` pass in steps of a millisecond, with coordinators that answer at once.
  void run(Micros time) {
    for (const Micros end = now + time; now < end; now += kMicrosPerMilli) {
      link.tick(now, ours);
      play_coordinator();
      deliver();
    }
  }
  void deliver() {
    for (const NetEvent& event : transport.take_events()) {
      if (!link.owns(event.conn)) continue;
      link.on_event(event, now, ours);
      link.frames(now, [&](const protocol::Frame& frame) { frames.push_back(frame.type); });
    }
  }
  // The present connection's other end.
  void play_coordinator() {
    const ConnId conn = link.link().conn();
    if (conn == kNoConn) return;
    const Address at = link.link().address();
    const Address dialled = transport.dials().back().address;  // who carries the bytes, if somebody does
    const bool is_up = std::find(down.begin(), down.end(), dialled) == down.end();
    if (std::find(silent.begin(), silent.end(), dialled) != silent.end()) return;
    if (transport.state(conn) == test::FakeTransport::State::dialling) {
      if (!is_up) return transport.refuse(conn);
      transport.establish(conn);
      return;
    }
    if (!is_up) return transport.disconnect(conn);
    if (!transport.take_output(conn).empty()) {
      if (!refusal.empty()) return transport.receive(conn, refusal);
      transport.receive(conn, peer_welcome({0xc1, PeerRole::coordinator, "c", 0x33, ""}));
    }
    if (!link.up()) return;
    std::string frame;
    if (at == leader) {
      protocol::append_frame(frame, FrameType::grant, protocol::Grant{.generation = generation}, {});
    } else {
      protocol::append_frame(frame, FrameType::not_leader, protocol::NotLeader{named.host, named.port, heard}, {});
    }
    transport.receive(conn, frame);
  }
  [[nodiscard]] Address at() { return link.link().address(); }
  [[nodiscard]] bool leads() { return link.up() && at() == leader; }

  test::FakeTransport transport;
  SeededRandom random;
  PeerIdentity ours{0, PeerRole::node, "n1", 0x11, ""};
  ListedLog log;
  uint64_t generation = 1;  // of who leads
  std::string refusal;      // what coordinators answer instead of a welcome
  CoordinatorLink link;
  Micros now = 1000;
  Address leader;               // who grants
  Address named;                // whom the others name
  bool heard = false;           // they hear whom they name
  std::vector<Address> down;    // refuse connections
  std::vector<Address> silent;  // do not even refuse
  std::vector<FrameType> frames;
};

const Address kFirst = Group::addresses()[0];
const Address kSecond = Group::addresses()[1];
const Address kThird = Group::addresses()[2];

}  // namespace

TEST_CASE("CoordinatorLink: finds the leader by whoever it asks first") {
  const uint64_t seed = GENERATE(range(1, 11));
  INFO("seed " << seed);
  Group group(seed);
  group.leader = group.named = kThird;
  group.run(20 * kMicrosPerMilli);
  CHECK(group.leads());
  CHECK(group.transport.dials().size() <= 2);
  CHECK(std::count(group.frames.begin(), group.frames.end(), FrameType::not_leader) == 0);  // handled, not handed on
  CHECK(std::count(group.frames.begin(), group.frames.end(), FrameType::grant) > 0);
}

TEST_CASE("CoordinatorLink: a leader that dies is left at once, its successor found when it is elected") {
  const uint64_t seed = GENERATE(range(1, 11));
  INFO("seed " << seed);
  Group group(seed);
  group.leader = group.named = kFirst;
  group.run(20 * kMicrosPerMilli);
  REQUIRE(group.leads());
  group.down = {kFirst};
  group.leader = {};  // the followers go on naming the dead one until they have elected another
  const size_t before = group.transport.dials().size();
  group.run(200 * kMicrosPerMilli);
  CHECK(group.link.up());
  CHECK(group.transport.dials().size() - before <= 4);
  group.leader = group.named = kSecond;
  group.run(20 * kMicrosPerMilli);
  CHECK(group.leads());
}

TEST_CASE("CoordinatorLink: while nobody knows a leader it stays for a while and then asks another") {
  Group group;
  group.run(250 * kMicrosPerMilli);
  const Address first = group.at();
  CHECK(group.link.up());
  CHECK(group.transport.dials().size() == 1);
  group.run(150 * kMicrosPerMilli);
  CHECK(group.at() != first);
  CHECK(group.link.next_tick() != kNever);
  group.run(5 * kMicrosPerSecond);
  CHECK(group.transport.dials().size() < 25);
  group.leader = group.named = kThird;
  group.run(600 * kMicrosPerMilli);
  CHECK(group.leads());
}

TEST_CASE("CoordinatorLink: a group that is gone is dialled with growing waits, and found soon when it is back") {
  const uint64_t seed = GENERATE(range(uint64_t{1}, uint64_t{20}));
  Group group(seed);
  group.down = Group::addresses();
  group.run(10 * kMicrosPerSecond);
  CHECK(group.transport.dials().size() > 10);
  CHECK(group.transport.dials().size() < 180);
  group.down.clear();
  group.leader = group.named = kSecond;
  group.run(260 * kMicrosPerMilli);  // two dials, well before a new leader counts nodes as lapsed
  CHECK(group.leads());
}

TEST_CASE("CoordinatorLink: two that name each other are not asked without end") {
  Group group;
  group.run(20 * kMicrosPerMilli);
  for (int i = 0; i < 10'000; ++i) {
    group.named = group.at() == kFirst ? kSecond : kFirst;
    group.run(kMicrosPerMilli);
  }
  CHECK(group.transport.dials().size() < 180);
}

TEST_CASE("CoordinatorLink.suspect: a silent leader is left for the next") {
  Group group;
  group.leader = group.named = kFirst;
  group.run(20 * kMicrosPerMilli);
  REQUIRE(group.leads());
  group.link.suspect(group.now);
  CHECK_FALSE(group.link.up());
  group.leader = group.named = kThird;
  group.run(20 * kMicrosPerMilli);
  CHECK(group.leads());
}

TEST_CASE("CoordinatorLink: a leader that says nothing is reached through a follower that hears it (R19)") {
  const uint64_t seed = GENERATE(range(1, 11));
  INFO("seed " << seed);
  Group group(seed);
  group.leader = group.named = kFirst;
  group.heard = true;
  group.run(20 * kMicrosPerMilli);
  REQUIRE(group.leads());
  group.silent = {kFirst};
  group.link.suspect(group.now);
  group.run(20 * kMicrosPerMilli);
  CHECK(group.leads());
  CHECK(group.link.link().goes_round());
  CHECK(group.transport.dials().back().address != kFirst);

  SECTION("and directly again when that can be") {
    group.silent = {};
    group.run(PeerLink::kRoundLasts + 20 * kMicrosPerMilli);
    CHECK(group.leads());
    CHECK_FALSE(group.link.link().goes_round());
  }
  SECTION("and its successor directly") {
    group.leader = group.named = kSecond;
    group.link.redirect(kSecond, group.now);
    group.run(20 * kMicrosPerMilli);
    CHECK(group.leads());
    CHECK_FALSE(group.link.link().goes_round());
  }
  SECTION("and through the other follower when the first one goes") {
    group.down = {group.transport.dials().back().address};
    group.run(400 * kMicrosPerMilli);
    CHECK(group.leads());
    CHECK(group.link.link().goes_round());
    CHECK(group.transport.dials().back().address != group.down[0]);
  }
}

TEST_CASE("CoordinatorLink: no way round to a leader that hung up, or that its followers do not hear") {
  Group group;
  group.leader = group.named = kFirst;
  group.heard = GENERATE(false, true);
  group.run(20 * kMicrosPerMilli);
  REQUIRE(group.leads());
  if (group.heard) {
    group.down = {kFirst};
  } else {
    group.silent = {kFirst};
    group.link.suspect(group.now);
  }
  for (int i = 0; i < 200; ++i) {
    group.run(kMicrosPerMilli);
    CHECK_FALSE(group.link.link().goes_round());
  }
}

TEST_CASE("CoordinatorLink: one follower that is cut off as well is left for the other soon, not for the leader") {
  const uint64_t seed = GENERATE(range(1, 11));
  INFO("seed " << seed);
  Group group(seed);
  group.leader = group.named = kFirst;
  group.run(20 * kMicrosPerMilli);
  REQUIRE(group.leads());
  group.silent = {kFirst};
  group.link.suspect(group.now);
  group.run(10 * kMicrosPerMilli);
  const Address asked_first = group.at();
  group.run(110 * kMicrosPerMilli);
  CHECK(group.at() != asked_first);
  CHECK(group.at() != kFirst);
}

TEST_CASE("CoordinatorLink: a coordinator that does not even refuse is given up after the handshake's time") {
  Group group;
  group.silent = {kFirst, kSecond};
  group.leader = group.named = kThird;
  group.run(2500 * kMicrosPerMilli);
  CHECK(group.leads());
}

TEST_CASE("CoordinatorLink.redirect: by the owner's word, to a listed or an unlisted address") {
  Group group;
  group.run(20 * kMicrosPerMilli);
  const Address elsewhere{"10.9.9.9", 7301};
  group.link.redirect(elsewhere, group.now);
  group.leader = group.named = elsewhere;
  group.run(20 * kMicrosPerMilli);
  CHECK(group.leads());
}

TEST_CASE("CoordinatorLink.redirect: said twice, the leader is still waited for as long as a dial may take") {
  Group group;
  group.run(10 * kMicrosPerMilli);
  group.silent = {kThird};
  group.link.redirect(kThird, group.now);
  group.link.redirect(kThird, group.now);
  group.run(190 * kMicrosPerMilli);
  CHECK(group.at() == kThird);
}

TEST_CASE("CoordinatorLink.follow: keeps a link that is listed or leads, leaves one that is neither") {
  Group group;
  group.leader = group.named = kThird;
  group.run(20 * kMicrosPerMilli);
  const size_t dials = group.transport.dials().size();
  group.link.follow(Group::listed({kFirst, kThird}), group.now);
  group.link.follow(Group::listed({kFirst, kSecond}),
                    group.now);  // its table comes from a leader that is being removed
  group.link.follow({}, group.now);
  CHECK(group.link.up());
  CHECK(group.transport.dials().size() == dials);
  group.leader = group.named = kFirst;
  group.run(20 * kMicrosPerMilli);
  CHECK(group.leads());

  Group follower;
  follower.run(20 * kMicrosPerMilli);
  const Address present = follower.at();
  std::vector<Address> others = Group::addresses();
  std::erase(others, present);
  follower.link.follow(Group::listed(others), follower.now);
  follower.run(20 * kMicrosPerMilli);
  CHECK(follower.at() != present);
}

TEST_CASE("CoordinatorLink: a refusal is told once by each coordinator, with what to do") {
  Group group;
  group.refusal = "-ERR peer refused: wrong peer secret; peer-secret must be the same everywhere\r\n";
  group.run(10 * kMicrosPerSecond);
  REQUIRE(group.log.warnings.size() == 3);
  for (const std::string& warning : group.log.warnings) {
    CHECK(warning.find("refuses this process") != std::string::npos);
    CHECK(warning.find("peer-secret must be the same everywhere") != std::string::npos);
  }
}

TEST_CASE("CoordinatorLink: who grants for an earlier generation is left, told once, and not obeyed (R31)") {
  Group group;
  group.leader = group.named = kFirst;
  group.link.of_generation(2);
  group.run(kMicrosPerSecond);
  CHECK(group.frames.empty());
  REQUIRE(group.log.warnings.size() == 1);
  CHECK(group.log.warnings[0].find("is of an earlier generation of the cluster") != std::string::npos);
  group.generation = 2;
  group.leader = group.named = kSecond;
  group.run(kMicrosPerSecond);
  CHECK(group.leads());
  CHECK_FALSE(group.frames.empty());
}

TEST_CASE("CoordinatorLink.follow: the configured ones are asked when all of the table's are gone, and only then") {
  Group group;
  const Address added{"10.0.0.4", 7301};
  group.leader = group.named = added;
  group.run(20 * kMicrosPerMilli);
  REQUIRE(group.leads());
  group.link.follow(Group::listed({added}), group.now);
  const size_t dials = group.transport.dials().size();
  group.down = {added};
  group.leader = group.named = kSecond;
  group.run(2 * kMicrosPerSecond);
  CHECK(group.transport.dials()[dials].address == added);
  CHECK(group.leads());
}

}  // namespace chainring::session
