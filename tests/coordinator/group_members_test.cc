// Whole groups whose coordinators come, go, move and lose their disks (R2).

#include "tests/coordinator/group.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

constexpr Micros kSecond = kMicrosPerSecond;

struct Founded : Group {
  explicit Founded(const Options& options = {}) : Group(options) {
    start_coordinators();
    REQUIRE(has_leader());
    REQUIRE(ask("SET lock:before held").starts_with("+OK"));
  }
  bool comes_to(std::string_view names, Micros time = 5 * kSecond) {
    return within(time, [&] { return voters() == names; });
  }
  bool asked_about(std::string_view names) {  // by nodes and routers, as the table tells them
    return within(5 * kSecond, [&] {
      std::string listed;
      for (const auto& coordinator : router().table().coordinators) {
        append_text(listed, listed.empty() ? "" : " ", coordinator.name);
      }
      return listed == names;
    });
  }
  size_t follower() { return (leader_index() + 1) % 3; }
};

TEST_CASE("Group: a coordinator is added, votes, and counts") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 6));
  CAPTURE(seed);
  Founded group({.seed = seed});
  const size_t fourth = group.new_coordinator();
  group.start(fourth);
  group.pass(kSecond);
  REQUIRE(group.voters() == "c1 c2 c3");
  REQUIRE(group.ask(group.add_command(fourth)) == "+OK\r\n");
  REQUIRE(group.voters() == "c1 c2 c3 c4");
  REQUIRE(group.asked_about("c1 c2 c3 c4"));
  REQUIRE(group.ask(group.add_command(fourth)) == "+OK\r\n");
  // Three of four are a majority only with the new one.
  group.kill(group.leader_index() == 0 ? 1 : 0);
  REQUIRE(group.ask("GET lock:before") == "$4\r\nheld\r\n");
  group.kill(group.leader_index());
  group.pass(2 * kSecond);
  REQUIRE(group.leader() == nullptr);
}

TEST_CASE("Group: one that is added before it runs is looked for, one that never runs is told so") {
  Founded group;
  const size_t fourth = group.new_coordinator();
  const size_t call = group.router().call(group.add_command(fourth));
  group.pass(2 * kSecond);
  REQUIRE_FALSE(group.router().calls(call).reply);
  group.start(fourth);
  REQUIRE(group.within(2 * kSecond, [&] { return group.router().calls(call).reply == "+OK\r\n"; }));

  const std::string refused = [&] {
    const size_t call_in_vain = group.router().call(group.add_command(group.new_coordinator()));
    group.within(8 * kSecond, [&] { return group.router().calls(call_in_vain).reply.has_value(); });
    return group.router().calls(call_in_vain).reply.value_or("none");
  }();
  CAPTURE(refused);
  REQUIRE(refused.starts_with("-ERR no coordinator c5 to add at 127.0.0.1:7305: connection refused"));
  REQUIRE(group.voters() == "c1 c2 c3 c4");
}

TEST_CASE("Group: what answers at the address has to be who is to be added") {
  Founded group;
  const std::string refused = [&] {
    const size_t call = group.router().call("RING COORDINATOR ADD c4 127.0.0.1:7302");
    group.within(8 * kSecond, [&] { return group.router().calls(call).reply.has_value(); });
    return group.router().calls(call).reply.value_or("none");
  }();
  CAPTURE(refused);
  REQUIRE(refused.find("at its address is coordinator c2") != std::string::npos);
  REQUIRE(group.ask("RING COORDINATOR ADD c4 nowhere").starts_with("-ERR ADD takes a name"));
  REQUIRE(group.ask("RING COORDINATOR DROP c4").starts_with("-ERR syntax"));
  REQUIRE(group.ask("RING COORDINATOR REMOVE c4").starts_with("-ERR there is no coordinator 'c4'"));
}

TEST_CASE("Group: a lost disk is exchanged, with two of three alive") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 11));
  CAPTURE(seed);
  Founded group({.seed = seed});
  const size_t lost = seed % 3;
  group.kill(lost);
  group.replace_disk(lost);
  group.start(lost);
  REQUIRE(group.has_leader());
  group.pass(kSecond);
  REQUIRE(group.ask(group.add_command(lost)) == "+OK\r\n");
  REQUIRE(group.voters() == "c1 c2 c3");
  REQUIRE(group.asked_about("c1 c2 c3"));
  // It counts again: one of the others can be lost.
  group.kill((lost + 1) % 3);
  REQUIRE(group.has_leader());
  REQUIRE(group.ask("GET lock:before") == "$4\r\nheld\r\n");
}

TEST_CASE("Group: a follower is removed, takes no part any more, and disturbs nobody") {
  Founded group;
  const size_t gone = group.follower();
  REQUIRE(group.ask(group.remove_command(gone)) == "+OK\r\n");
  const raft::Term term = group.leader()->replica()->term();
  const size_t leading = group.leader_index();
  group.pass(3 * kSecond);
  REQUIRE(group.leader_index() == leading);
  REQUIRE(group.leader()->replica()->term() == term);
  REQUIRE(group.ask(group.remove_command(gone)) == "+OK\r\n");
  // Not even when it was away while it was removed, and comes back with what it knew.
  Founded other;
  const size_t away = other.follower();
  other.kill(away);
  REQUIRE(other.ask(other.remove_command(away)) == "+OK\r\n");
  const raft::Term before = other.leader()->replica()->term();
  other.start(away);
  other.pass(3 * kSecond);
  REQUIRE(other.leader()->replica()->term() == before);
}

TEST_CASE("Group: the leader is removed, after it has handed over") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 11));
  CAPTURE(seed);
  Founded group({.seed = seed});
  const size_t gone = group.leader_index();
  REQUIRE(group.ask(group.remove_command(gone)) == "+OK\r\n");
  REQUIRE(group.leader_index() != gone);
  REQUIRE(group.asked_about(gone == 0 ? "c2 c3" : gone == 1 ? "c1 c3" : "c1 c2"));
  group.kill(gone);
  REQUIRE(group.ask("GET lock:before") == "$4\r\nheld\r\n");
}

TEST_CASE("Group: what would leave no majority of live ones is refused, and the last one stays") {
  Founded group;
  const size_t dead = group.follower();
  const size_t leading = group.leader_index();
  const size_t alive = 3 - dead - leading;
  group.kill(dead);
  group.pass(kSecond);
  const std::string refused = group.ask(group.remove_command(alive));
  CAPTURE(refused);
  REQUIRE(refused.starts_with(concat("-ERR without ", group.name_of(alive), " the group could decide nothing")));
  REQUIRE(refused.find(group.name_of(dead)) != std::string::npos);
  REQUIRE(group.voters() == "c1 c2 c3");
  REQUIRE(group.ask(group.remove_command(dead)) == "+OK\r\n");
  REQUIRE(group.ask(group.remove_command(alive)) == "+OK\r\n");
  REQUIRE(group.ask(group.remove_command(leading)).find("is the last coordinator") != std::string::npos);
  REQUIRE(group.ask("GET lock:before") == "$4\r\nheld\r\n");
}

TEST_CASE("Group: at most five vote") {
  Founded group;
  for (int i = 0; i < 2; ++i) {
    const size_t added = group.new_coordinator();
    group.start(added);
    REQUIRE(group.ask(group.add_command(added)) == "+OK\r\n");
  }
  const size_t sixth = group.new_coordinator();
  group.start(sixth);
  REQUIRE(group.ask(group.add_command(sixth)).starts_with("-ERR there are 5 coordinators"));
  REQUIRE(group.voters() == "c1 c2 c3 c4 c5");
}

TEST_CASE("Group: the leader dies in the midst of an exchange, the next one finishes it") {
  const Micros moment = GENERATE(range<Micros>(0, 30)) * 2 * kMicrosPerMilli;
  CAPTURE(moment);
  Founded group({.coordinators = 5});
  REQUIRE(group.has_leader());
  const size_t leading = group.leader_index();
  const size_t lost = (leading + 1) % 5;
  group.kill(lost);
  group.replace_disk(lost);
  group.start(lost);
  group.pass(kSecond);
  const size_t call = group.router().call(group.add_command(lost));
  group.pass(moment);
  group.kill(leading);
  REQUIRE(group.within(8 * kSecond, [&] { return group.router().calls(call).reply == "+OK\r\n"; }));
  REQUIRE(group.comes_to("c1 c2 c3 c4 c5"));
  REQUIRE(group.ask("GET lock:before") == "$4\r\nheld\r\n");
}

TEST_CASE("Group: a client that has given up undoes nothing, REMOVE does") {
  Founded group;
  const size_t fourth = group.new_coordinator();
  group.start(fourth);
  group.pass(kSecond);
  for (size_t i = 0; i < 3; ++i) group.world.cut(group.host(fourth), group.host(i), false);
  group.router().call(group.add_command(fourth));
  group.pass(20 * kMicrosPerMilli);
  group.world.pause(group.host(fourth), kSecond);
  group.pass(kSecond);
  REQUIRE(group.comes_to("c1 c2 c3 c4"));

  const size_t fifth = group.new_coordinator();
  group.start(fifth);
  group.pass(kSecond);
  group.router().call(group.add_command(fifth));
  REQUIRE(group.within(kSecond, [&] { return group.voters().find("(c5)") != std::string::npos; }));
  group.kill(fifth);
  group.pass(kSecond);
  if (group.voters() != "c1 c2 c3 c4 c5") {
    REQUIRE(group.ask("RING STATUS").find("c5 127.0.0.1:7305 unreachable") != std::string::npos);
    REQUIRE(group.ask("RING COORDINATOR REMOVE c1").starts_with("-ERR coordinator c5 is being added"));
  }
  REQUIRE(group.ask("RING COORDINATOR REMOVE c5") == "+OK\r\n");
  REQUIRE(group.voters() == "c1 c2 c3 c4");
}

TEST_CASE("Group: one that has moved is found again, and the list follows") {
  Founded group;
  const size_t moved = group.follower();
  group.kill(moved);
  group.move(moved);
  group.start(moved);
  REQUIRE(group.within(5 * kSecond, [&] {
    const Coordinator* leading = group.leader();
    if (leading == nullptr) return false;
    const ListedCoordinator* listed = find_name(leading->state().ring().coordinators(), group.name_of(moved));
    return listed->port == 7341 + moved;
  }));
  group.kill((moved + 1) % 3 == group.leader_index() ? (moved + 2) % 3 : (moved + 1) % 3);
  REQUIRE(group.ask("GET lock:before") == "$4\r\nheld\r\n");  // with the one that has moved
}

TEST_CASE("Group: all find each other again with the configurations of the founding") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 6));
  CAPTURE(seed);
  Founded group({.seed = seed});
  for (int i = 0; i < 2; ++i) {
    const size_t added = group.new_coordinator();
    group.start(added);
    REQUIRE(group.ask(group.add_command(added)) == "+OK\r\n");
  }
  for (const size_t removed : {0u, 1u}) REQUIRE(group.ask(group.remove_command(removed)) == "+OK\r\n");
  REQUIRE(group.comes_to("c3 c4 c5"));
  for (size_t i = 0; i < 5; ++i) group.kill(i);
  group.pass(kSecond);
  // c3 was configured with c1 and c2 beside itself: only its disk knows of c4.
  group.start(2);
  group.start(3);
  REQUIRE(group.has_leader());
  REQUIRE(group.voters() == "c3 c4 c5");
  REQUIRE(group.ask("GET lock:before") == "$4\r\nheld\r\n");
}

}  // namespace
}  // namespace chainring::coordinator
