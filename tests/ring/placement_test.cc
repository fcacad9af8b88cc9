// What holds of every target table, for any members, copies and history.
#include "ring/placement.h"

#include <rapidcheck.h>
#include <rapidcheck/catch.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "bench/ring/measures.h"
#include "tests/ring/members.h"

namespace chainring::ring {
namespace {

constexpr uint32_t kMembersMax = 12;

// A membership in motion: members come, go, come back as new incarnations and change their weight.
class History {
 public:
  void start() {
    zone_count_ = *rc::gen::inRange<uint32_t>(1, 5);
    host_count_ = *rc::gen::inRange<uint32_t>(1, 2 * kMembersMax);
    copies_ = *rc::gen::inRange<uint32_t>(1, 6);
    const auto count = *rc::gen::inRange<uint32_t>(1, kMembersMax);
    for (uint32_t i = 0; i < count; ++i) join();
  }
  void change() {
    const auto victim = *rc::gen::inRange<size_t>(0, members_.size());
    switch (*rc::gen::inRange(0, 5)) {
      case 0:
        if (members_.size() > 1) members_.erase(members_.begin() + static_cast<ptrdiff_t>(victim));
        break;
      case 1:
        members_[victim].id = ++last_id_;  // started again
        break;
      case 2:
        members_[victim].weight = *weight();
        break;
      case 3:
        copies_ = *rc::gen::inRange<uint32_t>(1, 6);
        break;
      default:
        if (members_.size() < kMembersMax) join();
    }
  }
  [[nodiscard]] const std::vector<Candidate>& members() const { return members_; }
  [[nodiscard]] uint32_t copies() const { return copies_; }

 private:
  static rc::Gen<uint32_t> weight() {
    return rc::gen::oneOf(rc::gen::just(100u), rc::gen::inRange<uint32_t>(50, 400),
                          rc::gen::inRange<uint32_t>(1, 10'000));
  }
  void join() {
    const auto host = *rc::gen::inRange<uint32_t>(0, host_count_);
    members_.push_back(placed(++last_id_, std::to_string(host), std::to_string(host % zone_count_), *weight()));
  }

  uint32_t zone_count_ = 1;
  uint32_t host_count_ = 1;
  uint32_t copies_ = 1;
  MemberId last_id_ = 0;
  std::vector<Candidate> members_;
};

template <class Property>
void require_after_each_change(Property property) {
  History history;
  history.start();
  std::vector<Chain> table;
  const auto changes = *rc::gen::inRange(0, 6);
  for (int i = 0; i <= changes; ++i) {
    if (i > 0) history.change();
    std::vector<Chain> target = target_table(history.members(), history.copies(), table);
    property(history, table, target);
    table = std::move(target);
  }
}

size_t distinct(const std::vector<Candidate>& members, const Chain& chain, std::string Candidate::* domain) {
  std::set<std::string> names;
  for (const Candidate& candidate : members) {
    if (holds(chain, candidate.id)) names.insert(candidate.*domain);
  }
  return names.size();
}

TEST_CASE("target_table: chains have min(copies, members) members, nobody twice, in distinct domains") {
  rc::prop("after any history", [] {
    require_after_each_change([](const History& history, const auto&, const std::vector<Chain>& target) {
      const std::vector<Candidate>& members = history.members();
      Chain everybody;
      for (const Candidate& candidate : members) everybody.push_back(candidate.id);
      const size_t length = std::min<size_t>(history.copies(), members.size());
      const size_t hosts = std::min(length, distinct(members, everybody, &Candidate::host));
      const size_t zones = std::min(length, distinct(members, everybody, &Candidate::zone));
      RC_ASSERT(target.size() == kSlotCount);
      for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
        if (slot > 0 && target[slot] == target[slot - 1]) continue;
        const Chain& chain = target[slot];
        RC_ASSERT(chain.size() == length);
        RC_ASSERT(std::set<MemberId>(chain.begin(), chain.end()).size() == length);
        RC_ASSERT(distinct(members, chain, &Candidate::host) == hosts);
        RC_ASSERT(distinct(members, chain, &Candidate::zone) == zones);
      }
    });
  });
}

TEST_CASE("target_table: loads stay within their bounds, as head and in all") {
  rc::prop("after any history", [] {
    require_after_each_change([](const History& history, const auto&, const std::vector<Chain>& target) {
      const std::vector<Candidate> members = by_name(history.members());
      const Domains domains(members, std::min(history.copies(), static_cast<uint32_t>(members.size())));
      auto loads = loads_of(target);
      auto heads = heads_of(target);
      for (size_t i = 0; i < members.size(); ++i) {
        RC_ASSERT(loads[members[i].id] >= domains.shares()[i].least);
        RC_ASSERT(loads[members[i].id] <= domains.shares()[i].greatest);
        RC_ASSERT(heads[members[i].id] >= domains.head_shares()[i].least);
        RC_ASSERT(heads[members[i].id] <= domains.head_shares()[i].greatest);
      }
    });
  });
}

TEST_CASE("target_table: does not depend on the order in which members are given") {
  rc::prop("after any history", [] {
    require_after_each_change([](const History& history, const auto& in_force, const std::vector<Chain>& target) {
      std::vector<Candidate> reversed(history.members().rbegin(), history.members().rend());
      RC_ASSERT(target_table(reversed, history.copies(), in_force) == target);
    });
  });
}

TEST_CASE("target_table: is at rest when it is in force") {
  rc::prop("after any history", [] {
    require_after_each_change([](const History& history, const auto&, const std::vector<Chain>& target) {
      RC_ASSERT(target_table(history.members(), history.copies(), target) == target);
      RC_ASSERT(plan(target, target).empty());
    });
  });
}

TEST_CASE("target_table: without members every chain is empty") {
  const std::vector<Chain> table = target_table({}, 3, {});
  REQUIRE(table == std::vector<Chain>(kSlotCount));
}

TEST_CASE("target_table: no chain is short where one member belongs in nearly all of them") {
  std::vector<Candidate> members;
  for (const uint32_t weight : {100u, 50u, 186u, 100u, 50u, 80u}) {
    members.push_back(placed(static_cast<uint32_t>(members.size()) + 1, "host", "", weight));
  }
  for (const Chain& chain : target_table(members, 3, {})) REQUIRE(chain.size() == 3);
}

TEST_CASE("target_table: three nodes have long ranges") {
  REQUIRE(range_count(target_table(equal_members(3), 1, {})) <= 64);
  REQUIRE(range_count(target_table(equal_members(3), 3, {})) <= 64);
}

TEST_CASE("plan: what differs, in slot order") {
  std::vector<Chain> in_force(kSlotCount, Chain{1, 2});
  std::vector<Chain> target = in_force;
  target[7] = {2, 1};
  target[16383] = {1, 3};
  const std::vector<Move> moves = plan(in_force, target);
  REQUIRE(moves.size() == 2);
  REQUIRE(moves[0].slot == 7);
  REQUIRE(moves[0].from == Chain{1, 2});
  REQUIRE(moves[0].to == Chain{2, 1});
  REQUIRE(moves[1].slot == 16383);
  REQUIRE(moves[1].to == Chain{1, 3});
}

}  // namespace
}  // namespace chainring::ring
