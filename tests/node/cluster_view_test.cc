#include "node/cluster_view.h"

#include "base/text.h"
#include "protocol/reply.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::node;
using protocol::MemberState;
using protocol::RespVersion;

namespace {

protocol::TableMember member(MemberId id, MemberState state = MemberState::up) {
  protocol::TableMember made;
  made.id = id;
  made.name = concat("n", id);
  made.incarnation = 100 + id;
  made.host = concat("10.0.0.", id);
  made.port = static_cast<uint16_t>(7400 + id);
  made.state = state;
  return made;
}

std::string id_of(MemberId id) { return cluster_node_id(concat("n", id), 100 + id); }

protocol::TableMessage message(TableVersion version, std::vector<protocol::TableRange> ranges,
                               std::vector<protocol::TableMember> members = {member(1), member(2), member(3)}) {
  protocol::TableMessage made;
  made.version = version;
  made.members = std::move(members);
  made.ranges = std::move(ranges);
  return made;
}

ring::Table table_of(const protocol::TableMessage& from) {
  Result<ring::Table> table = ring::Table::from_message(from);
  REQUIRE(table.ok());
  return *std::move(table);
}

std::vector<protocol::TableRange> two_chains(Epoch epoch = 4) {
  return {{0, 99, epoch, {1, 2}, 0, {}, {}}, {100, kSlotCount - 1, epoch - 1, {2, 3}, 0, {}, {}}};
}

std::string node_entry(MemberId id) {
  return concat("*4\r\n$8\r\n10.0.0.", id, "\r\n:", 7400 + id, "\r\n$40\r\n", id_of(id), "\r\n*0\r\n");
}

ClusterView view_of(const protocol::TableMessage& from, MemberId self = 1) {
  ClusterView view;
  view.follow(table_of(from), member(self), kMicrosPerSecond);
  return view;
}

}  // namespace

TEST_CASE("cluster_node_id: 40 hexadecimal digits, another for each incarnation (R1)") {
  const std::string id = cluster_node_id("n1", 7);
  CHECK(id.size() == 40);
  CHECK(id.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(id == cluster_node_id("n1", 7));
  CHECK(id != cluster_node_id("n1", 8));
  CHECK(id != cluster_node_id("n2", 7));
  CHECK(id != cluster_shard_id("n1", 7));
}

TEST_CASE("ClusterView.slots: heads first, then the other members, neighbours with one chain together") {
  ClusterView view = view_of(message(1, {{0, 49, 4, {1, 2}, 0, {}, {}},
                                         {50, 99, 5, {1, 2}, 6, {2, 1}, {}},
                                         {100, 199, 0, {}, 0, {}, {}},
                                         {200, kSlotCount - 1, 3, {2}, 0, {}, {}}}));
  CHECK(view.slots(RespVersion::resp2) == concat("*3\r\n*4\r\n:0\r\n:0\r\n", node_entry(1), node_entry(1),  //
                                                 "*4\r\n:1\r\n:99\r\n", node_entry(1), node_entry(2),       //
                                                 "*3\r\n:200\r\n:16383\r\n", node_entry(2)));
  CHECK(view.slots(RespVersion::resp3).find("%0\r\n") != std::string_view::npos);
}

TEST_CASE("ClusterView.slots: libraries meet every head as one, before they meet it as another member") {
  ClusterView view = view_of(message(1, {{0, 9, 4, {1, 2, 3}, 0, {}, {}},
                                         {10, 10, 4, {2, 1}, 0, {}, {}},
                                         {11, 19, 4, {2, 3}, 0, {}, {}},
                                         {20, kSlotCount - 1, 4, {3, 1}, 0, {}, {}}}));
  CHECK(view.slots(RespVersion::resp2) == concat("*6\r\n",                                                           //
                                                 "*5\r\n:0\r\n:0\r\n", node_entry(1), node_entry(1), node_entry(1),  //
                                                 "*4\r\n:10\r\n:10\r\n", node_entry(2), node_entry(2),               //
                                                 "*4\r\n:20\r\n:20\r\n", node_entry(3), node_entry(3),               //
                                                 "*5\r\n:1\r\n:9\r\n", node_entry(1), node_entry(2), node_entry(3),  //
                                                 "*4\r\n:11\r\n:19\r\n", node_entry(2), node_entry(3),               //
                                                 "*4\r\n:21\r\n:16383\r\n", node_entry(3), node_entry(1)));
}

TEST_CASE("ClusterView.shards: one for each chain, with all that Redis 7 tells, and idle members") {
  ClusterView view = view_of(message(1, {{0, 99, 4, {1, 2}, 0, {}, {}}, {100, kSlotCount - 1, 3, {2, 1}, 0, {}, {}}},
                                     {member(1), member(2, MemberState::absent), member(3)}));
  const auto node = [](MemberId id, std::string_view role, std::string_view health) {
    const std::string host = concat("10.0.0.", id);
    std::string out;
    protocol::ReplyWriter reply(out, RespVersion::resp3);
    reply.map(7);
    for (const std::string_view text : {"id", "port", "ip", "endpoint", "role", "replication-offset", "health"}) {
      reply.bulk(text);
      if (text == "id") reply.bulk(id_of(id));
      if (text == "port") reply.integer(7400 + id);
      if (text == "ip" || text == "endpoint") reply.bulk(host);
      if (text == "role") reply.bulk(role);
      if (text == "replication-offset") reply.integer(0);
      if (text == "health") reply.bulk(health);
    }
    return out;
  };
  const auto shard = [](std::string_view slots, std::string_view nodes) {
    return concat("%2\r\n$5\r\nslots\r\n", slots, "$5\r\nnodes\r\n", nodes);
  };
  CHECK(
      view.shards(RespVersion::resp3) ==
      concat("*3\r\n",
             shard("*2\r\n:0\r\n:99\r\n", concat("*2\r\n", node(1, "master", "online"), node(2, "replica", "failed"))),
             shard("*2\r\n:100\r\n:16383\r\n",
                   concat("*2\r\n", node(2, "master", "failed"), node(1, "replica", "online"))),
             shard("*0\r\n", concat("*1\r\n", node(3, "master", "online")))));
}

TEST_CASE("ClusterView.nodes: every member is a master with the slots that it heads") {
  ClusterView view = view_of(message(1,
                                     {{0, 0, 9, {1, 2}, 0, {}, {}},
                                      {1, 9, 4, {2, 1}, 0, {}, {}},
                                      {10, 19, 5, {1, 2}, 0, {}, {}},
                                      {20, kSlotCount - 1, 6, {1, 2}, 0, {}, {}}},
                                     {member(1), member(2, MemberState::absent), member(3, MemberState::joining),
                                      member(4, MemberState::gone)}),
                             3);
  CHECK(view.nodes() == concat(id_of(1), " 10.0.0.1:7401@7401 master - 0 0 9 connected 0 10-16383\n", id_of(2),
                               " 10.0.0.2:7402@7402 master,fail - 0 0 4 disconnected 1-9\n", id_of(3),
                               " 10.0.0.3:7403@7403 myself,master - 0 0 0 connected\n"));
  CHECK(view.knows(id_of(2)));
  CHECK_FALSE(view.knows("n2"));
}

TEST_CASE("ClusterView: before the first table this node alone is known") {
  ClusterView view;
  view.follow(ring::Table(), member(1), 0);
  CHECK(view.slots(RespVersion::resp2) == "*0\r\n");
  CHECK(view.nodes() == concat(id_of(1), " 10.0.0.1:7401@7401 myself,master - 0 0 0 connected\n"));
  CHECK(view.info(true).starts_with("cluster_state:fail\r\ncluster_slots_assigned:0\r\n"));
}

TEST_CASE("ClusterView.info: counts slots with and without a head that lives") {
  ClusterView view = view_of(message(1, two_chains(), {member(1, MemberState::absent), member(2), member(3)}), 2);
  CHECK(view.info(true) ==
        "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16284\r\ncluster_slots_pfail:0\r\n"
        "cluster_slots_fail:100\r\ncluster_known_nodes:3\r\ncluster_size:2\r\ncluster_current_epoch:4\r\n"
        "cluster_my_epoch:3\r\ncluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\n"
        "total_cluster_links_buffer_limit_exceeded:0\r\n");
  CHECK(view.info(false).starts_with("cluster_state:fail\r\n"));  // cut off from the coordinators
}

TEST_CASE("ClusterView.follow: planned changes are shown at most every 100 ms, failures at once") {
  ClusterView view;
  const Micros start = 10 * kMicrosPerSecond;
  view.follow(table_of(message(1, two_chains())), member(1), start);
  const auto planned = table_of(message(2, {{0, kSlotCount - 1, 9, {2, 1}, 0, {}, {}}}));
  view.follow(planned, member(1), start + ClusterView::kPlannedInterval - 1);
  CHECK(view.version() == 1);
  view.follow(planned, member(1), start + ClusterView::kPlannedInterval);
  CHECK(view.version() == 2);
  CHECK(view.slots(RespVersion::resp2).starts_with("*2\r\n"));
  SECTION("a client was told MOVED by what is not shown yet") {
    view.outdate();
    view.follow(table_of(message(3, two_chains(10))), member(1), start + ClusterView::kPlannedInterval + 1);
    CHECK(view.version() == 3);
    view.follow(table_of(message(4, two_chains(11))), member(1), start + ClusterView::kPlannedInterval + 2);
    CHECK(view.version() == 3);
  }
  SECTION("a head has failed") {
    const auto failed =
        table_of(message(3, {{0, kSlotCount - 1, 10, {1}, 0, {}, {}}}, {member(1), member(2, MemberState::absent)}));
    view.follow(failed, member(1), start + ClusterView::kPlannedInterval + 1);
    CHECK(view.version() == 3);
    CHECK(view.slots(RespVersion::resp2) == concat("*1\r\n*3\r\n:0\r\n:16383\r\n", node_entry(1)));
  }
  SECTION("a member that heads nothing has failed") {
    const auto failed =
        table_of(message(3, {{0, kSlotCount - 1, 10, {2}, 0, {}, {}}}, {member(1, MemberState::absent), member(2)}));
    view.follow(failed, member(2), start + ClusterView::kPlannedInterval + 1);
    CHECK(view.version() == 2);
  }
}

TEST_CASE("ClusterView.follow: slots that get a head are shown at once") {
  ClusterView view;
  view.follow(ring::Table(), member(1), 0);
  view.follow(table_of(message(1, two_chains())), member(1), 1);
  CHECK(view.version() == 1);
}
