#include "ring/table.h"

#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chainring::ring {
namespace {

protocol::TableMember listed(MemberId id) {
  protocol::TableMember member;
  member.id = id;
  member.name = "n" + std::to_string(id);
  return member;
}

protocol::TableRange served(Slot first, Slot last, std::vector<MemberId> chain) {
  protocol::TableRange range;
  range.first = first;
  range.last = last;
  range.epoch = 5;
  range.chain = std::move(chain);
  return range;
}

protocol::TableMessage three_members() {
  protocol::TableMessage message;
  message.version = 7;
  message.members = {listed(1), listed(2), listed(3)};
  message.ranges = {served(0, 99, {1, 2, 3}), served(100, 100, {1, 3}), served(101, 9000, {2, 3, 1}),
                    served(9001, 16382, {}), served(16383, 16383, {1})};
  return message;
}

void require_refused(const protocol::TableMessage& message, std::string_view reason) {
  const Result<Table> table = Table::from_message(message);
  REQUIRE_FALSE(table.ok());
  CHECK_THAT(std::string(table.status().message()), Catch::Contains(std::string(reason)));
  REQUIRE(table.status().code() == ErrorCode::corrupt);
}

TEST_CASE("Table: begins at version 0 and serves nothing") {
  const Table table;
  REQUIRE(table.version() == 0);
  REQUIRE_FALSE(table.has_ranges());
  REQUIRE(table.member(1) == nullptr);
  REQUIRE(table.headed_by(1).empty());
}

TEST_CASE("Table.from_message: a table without ranges lists its members") {
  protocol::TableMessage message = three_members();
  message.ranges.clear();
  const Result<Table> table = Table::from_message(message);
  REQUIRE(table.ok());
  REQUIRE_FALSE(table->has_ranges());
  REQUIRE(table->member(2)->name == "n2");
}

TEST_CASE("Table.range: every slot finds the range that covers it") {
  const Result<Table> table = Table::from_message(three_members());
  REQUIRE(table.ok());
  REQUIRE(table->version() == 7);
  for (const protocol::TableRange& range : three_members().ranges) {
    for (uint32_t slot = range.first; slot <= range.last; ++slot) {
      REQUIRE(table->range(static_cast<Slot>(slot)) == range);
    }
  }
}

TEST_CASE("Table.head: the first of the chain, nobody for an empty one") {
  const Result<Table> table = Table::from_message(three_members());
  REQUIRE(table.ok());
  REQUIRE(table->head(99) == 1);
  REQUIRE(table->head(101) == 2);
  REQUIRE(table->head(9001) == kNoMember);
  REQUIRE(table->head(16383) == 1);
}

TEST_CASE("Table.member: finds who is listed and nobody else") {
  const Result<Table> table = Table::from_message(three_members());
  REQUIRE(table.ok());
  REQUIRE(table->member(3)->name == "n3");
  REQUIRE(table->member(4) == nullptr);
  REQUIRE(table->member(kNoMember) == nullptr);
}

TEST_CASE("Table.headed_by: joins neighbouring ranges") {
  const Result<Table> table = Table::from_message(three_members());
  REQUIRE(table.ok());
  const std::vector<protocol::SlotRange> of_first = {{0, 100}, {16383, 16383}};
  const std::vector<protocol::SlotRange> of_second = {{101, 9000}};
  REQUIRE(table->headed_by(1) == of_first);
  REQUIRE(table->headed_by(2) == of_second);
  REQUIRE(table->headed_by(3).empty());
}

TEST_CASE("Table.from_message: refuses ranges that do not cover each slot once") {
  protocol::TableMessage message = three_members();
  SECTION("a gap") {
    message.ranges[1].first = message.ranges[1].last = 101;
    require_refused(message, "begins at slot 101 instead of 100");
  }
  SECTION("an overlap") {
    message.ranges[1].first = 99;
    require_refused(message, "begins at slot 99 instead of 100");
  }
  SECTION("a range that ends before it begins") {
    message.ranges[2].last = 100;
    require_refused(message, "begins at slot 101 ends at slot 100");
  }
  SECTION("a range beyond the last slot") {
    message.ranges[4].last = 16384;
    require_refused(message, "ends at slot 16384");
  }
  SECTION("an end too early") {
    message.ranges.pop_back();
    require_refused(message, "the ranges end at slot 16382");
  }
  SECTION("a range too many") {
    message.ranges.push_back(served(0, 5, {1}));
    require_refused(message, "begins at slot 0 instead of 16384");
  }
}

TEST_CASE("Table.from_message: refuses members and chains that cannot be") {
  protocol::TableMessage message = three_members();
  SECTION("a member twice") {
    message.members.push_back(listed(2));
    require_refused(message, "member 2 stands in the table twice");
  }
  SECTION("nobody as a member") {
    message.members[0].id = kNoMember;
    require_refused(message, "the id 0");
  }
  SECTION("a stranger in a chain") {
    message.ranges[2].chain = {2, 9};
    require_refused(message, "slot 101 names member 9");
  }
  SECTION("a stranger in an intended chain") {
    message.ranges[2].next_epoch = 6;
    message.ranges[2].next_chain = {9};
    require_refused(message, "slot 101 names member 9");
  }
  SECTION("somebody twice in a chain") {
    message.ranges[0].chain = {1, 2, 1};
    require_refused(message, "names member 1 twice");
  }
  SECTION("a chain longer than the members") {
    message.ranges[0].chain = {1, 2, 3, 1};
    require_refused(message, "longer than the list of members");
  }
  SECTION("an intention that goes back") {
    message.ranges[0].next_epoch = 5;
    require_refused(message, "from epoch 5 back to 5");
  }
}

}  // namespace
}  // namespace chainring::ring
