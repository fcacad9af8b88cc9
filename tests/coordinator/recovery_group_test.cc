// A group of new coordinators goes on with the nodes of a cluster that has lost its own (R2, R31).

#include <algorithm>

#include "base/text.h"
#include "protocol/frame.h"
#include "tests/coordinator/direct_client.h"
#include "tests/coordinator/group.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

constexpr Micros kSecond = kMicrosPerSecond;

// Three coordinators and three nodes that serve; then the coordinators are lost, and empty ones wait in their places.
struct Recovering : Group {
  explicit Recovering(uint64_t seed = 1) : Group({.seed = seed}) {
    start_coordinators();
    for (const char* name : {"n1", "n2", "n3"}) node(name);
    REQUIRE(within(5 * kSecond, [&] { return all_served(); }));
    REQUIRE(ask("SET lock:a me").starts_with("+OK"));
    token = leader()->state().locks().last_token();
    cluster = leader()->state().ring().cluster_id();
    for (size_t i = 0; i < 3; ++i) {
      kill(i);
      old_disks.push_back(take_disk(i));
    }
    configure(Setting::founding, "recover");
  }
  void start_empty() {
    start_coordinators();
    REQUIRE(within(5 * kSecond, [&] { return waiting() != nullptr; }));
  }
  // The leader of those that wait to be told what to found.
  Coordinator* waiting() {
    for (size_t i = 0; i < 3; ++i) {
      if (coordinator(i) != nullptr && coordinator(i)->leads()) return coordinator(i);
    }
    return nullptr;
  }
  std::string statement_of(const std::string& name, Micros lease_left = 0) {
    const FakeNode& node = running(name);
    const protocol::TableMember* listed = node.table().member(node.self());
    return encode(protocol::TableStatement{protocol::kWireVersion, name, listed->incarnation, 450'000, lease_left,
                                           node.table().message()});
  }
  std::string recover(std::string_view verb, const std::vector<std::string>& statements) {
    std::vector<std::string_view> words{"RING", "RECOVER", verb};
    words.insert(words.end(), statements.begin(), statements.end());
    return DirectClient::connect(world, waiting()->port()).ask(world, words);
  }
  std::vector<std::string> statements() { return {statement_of("n1"), statement_of("n2"), statement_of("n3")}; }

  uint64_t token = 0, cluster = 0;
  std::vector<testing::SimDisk> old_disks;
};

TEST_CASE("Recovery: an empty group waits for the order, and goes on with the nodes that hold the data (R31)") {
  Recovering group(GENERATE(range<uint64_t>(1, 6)));
  group.start_empty();
  group.pass(2 * kSecond);
  REQUIRE_FALSE(group.waiting()->state().ring().founded());
  const Slot slot = 77;
  for (const char* name : {"n1", "n2", "n3"}) group.running(name).hold(slot, 5);
  group.running("n2").hold(slot, 9);  // not at all of them: one that lives can give it
  REQUIRE(group.recover("PLAN", group.statements()).find("\"uncovered_slots\":0") != std::string::npos);
  REQUIRE_FALSE(group.waiting()->state().ring().founded());
  REQUIRE(group.recover("FOUND", group.statements()) == "+OK\r\n");
  REQUIRE(group.within(2 * kSecond, [&] { return group.all_served(); }));
  const RingState& ring = group.leader()->state().ring();
  REQUIRE(ring.cluster_id() == group.cluster);
  REQUIRE(ring.generation() == 2);
  for (const char* name : {"n1", "n2", "n3"}) REQUIRE(group.running(name).applied(slot) == 9);
  REQUIRE(group.ask("GET lock:a") == "$-1\r\n");
  REQUIRE(group.ask("SET lock:a me").starts_with("+OK"));
  REQUIRE(group.leader()->state().locks().last_token() > group.token);

  // The new group is one like any other: it outlives its leader.
  group.kill(group.leader_index());
  REQUIRE(group.has_leader());
  REQUIRE(group.within(2 * kSecond, [&] { return group.all_served(); }));
}

TEST_CASE("Recovery: nothing is granted before a full lease has passed since the order (R31)") {
  Recovering group;
  group.start_empty();
  group.pass(2 * kSecond);
  const uint64_t grants = group.running("n1").grants();
  const Micros ordered = group.world.now();
  REQUIRE(group.recover("FOUND", group.statements()) == "+OK\r\n");
  REQUIRE(group.world.now() - ordered >= 450 * kMicrosPerMilli);
  REQUIRE(group.running("n1").grants() == grants);
}

TEST_CASE("Recovery: a node that was lost too is left out, and its slots are served by the others") {
  Recovering group;
  group.kill_node("n3");
  group.start_empty();
  REQUIRE(group.recover("FOUND", {group.statement_of("n1"), group.statement_of("n2")}) == "+OK\r\n");
  // It is not known to be dead: its lease has to run out, as a new leader counts it.
  const Coordinator& leader = *group.leader();
  const MemberId lost = leader.state().ring().newest("n3")->listed.id;
  REQUIRE_FALSE(leader.leases().lapsed(lost, group.world.local_now(group.host(group.leader_index())).mono));
  REQUIRE(group.within(5 * kSecond, [&] { return group.all_served(); }));
  REQUIRE(group.chain_of(0).size() == 2);
}

TEST_CASE("Recovery: is refused while a lease runs, where slots are not covered, and to a group with a cluster") {
  Recovering group;
  group.start_empty();
  REQUIRE(group.recover("FOUND", {group.statement_of("n1", 1000)}).find("holds a lease") != std::string::npos);
  protocol::TableStatement alone = *decode<protocol::TableStatement>(group.statement_of("n1"));
  alone.incarnation = 4711;
  REQUIRE(group.recover("FOUND", {encode(alone)}).find("none of these nodes holds 16384 of the slots") !=
          std::string::npos);
  REQUIRE(group.recover("FUND", group.statements()).starts_with("-ERR syntax"));
  REQUIRE(group.recover("FOUND", group.statements()) == "+OK\r\n");
  REQUIRE(group.has_leader());
  REQUIRE(group.recover("FOUND", group.statements()).find("these coordinators have a cluster") != std::string::npos);
}

TEST_CASE("Recovery: an old group whose disks come back is refused, and ends (R2, R31)") {
  Recovering group;
  group.start_empty();
  REQUIRE(group.recover("FOUND", group.statements()) == "+OK\r\n");
  REQUIRE(group.within(5 * kSecond, [&] { return group.all_served(); }));
  // All of them in the places of the new ones, so that they can elect a leader, and the nodes reach it.
  for (size_t i = 0; i < 3; ++i) {
    group.kill(i);
    group.disk(i) = std::move(group.old_disks[i]);
  }
  group.pass(2 * kSecond);
  const uint64_t grants = group.running("n1").grants();
  group.start_coordinators();
  group.pass(10 * kSecond);
  REQUIRE(group.running("n1").grants() == grants);
  REQUIRE_FALSE(group.all_served());
  size_t ended = 0;
  for (size_t i = 0; i < 3; ++i) ended += group.world.running(group.host(i)) ? 0 : 1;
  REQUIRE(ended > 0);
}

}  // namespace
}  // namespace chainring::coordinator
