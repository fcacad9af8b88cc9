#include "node/cluster_view.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <unordered_map>

#include "base/text.h"
#include "protocol/runs.h"
#include "protocol/slot.h"

namespace chainring::node {
namespace {

using protocol::MemberState;
using protocol::ReplyWriter;
using protocol::RespVersion;
using protocol::TableMember;

std::string hex_id(std::string_view what, std::string_view name, Incarnation incarnation) {
  constexpr size_t kDigits = 40;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string id;
  for (int part = 0; id.size() < kDigits; ++part) {
    uint64_t hash = protocol::key_hash(concat(what, ' ', part, ' ', incarnation, ' ', name));
    for (int digit = 0; digit < 16; ++digit, hash >>= 4) id.push_back(kHex[hash & 0xf]);
  }
  id.resize(kDigits);
  return id;
}

bool is_alive(const TableMember& member) {
  return member.state != MemberState::absent && member.state != MemberState::gone;
}

size_t index_of(RespVersion version) { return version == RespVersion::resp3 ? 1 : 0; }

void append_range(std::string& line, const protocol::SlotRange& range) {
  append_text(line, ' ', range.first);
  if (range.last != range.first) append_text(line, '-', range.last);
}

size_t count_slots(const std::vector<protocol::SlotRange>& ranges) {
  size_t slots = 0;
  for (const protocol::SlotRange& range : ranges) slots += size_t{range.last} - range.first + 1;
  return slots;
}

// One node of a shard, as Redis 7 tells it. What a replica has applied is no offset here, so it is 0.
void write_shard_node(ReplyWriter& reply, const TableMember& member, std::string_view id, bool head) {
  reply.map(7);
  reply.bulk("id");
  reply.bulk(id);
  reply.bulk("port");
  reply.integer(member.port);
  reply.bulk("ip");
  reply.bulk(member.host);
  reply.bulk("endpoint");
  reply.bulk(member.host);
  reply.bulk("role");
  reply.bulk(head ? "master" : "replica");
  reply.bulk("replication-offset");
  reply.integer(0);
  reply.bulk("health");
  reply.bulk(is_alive(member) ? "online" : "failed");
}

}  // namespace

std::string cluster_node_id(std::string_view name, Incarnation incarnation) {
  return hex_id("node", name, incarnation);
}

std::string cluster_shard_id(std::string_view name, Incarnation incarnation) {
  return hex_id("shard", name, incarnation);
}

void ClusterView::follow(const ring::Table& table, const TableMember& self, Micros now) {
  if (shown_ && table.version() == version_) return;
  if (shown_ && now - shown_at_ < kPlannedInterval && !outdated_ && !urgent(table)) return;
  show(table, self);
  shown_ = true;
  shown_at_ = now;
}

// A head that is shown cannot be reached any more, or a slot without one has got one.
bool ClusterView::urgent(const ring::Table& table) const {
  const bool head_failed = std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& node) {
    if (node.headed.empty() || !is_alive(node.member)) return false;
    const TableMember* now = table.member(node.member.id);
    return now == nullptr || !is_alive(*now);
  });
  if (head_failed) return true;
  size_t shown = 0;
  for (const Run& run : runs_) {
    if (is_alive(nodes_[run.chain.front()].member)) shown += count_slots({run.slots});
  }
  return shown < kSlotCount && table.has_ranges();
}

void ClusterView::add_node(const TableMember& member) {
  nodes_.push_back({member, cluster_node_id(member.name, member.incarnation), {}, 0});
}

void ClusterView::show(const ring::Table& table, const TableMember& self) {
  *this = ClusterView();
  version_ = table.version();
  self_ = self.incarnation;
  std::unordered_map<MemberId, size_t> index;
  for (const TableMember& member : table.message().members) {
    index[member.id] = nodes_.size();
    add_node(member);
  }
  for (const protocol::TableRange& range : table.message().ranges) {
    epoch_ = std::max(epoch_, range.epoch);
    if (range.chain.empty()) continue;
    std::vector<size_t> chain;
    for (const MemberId id : range.chain) chain.push_back(index.at(id));
    Node& head = nodes_[chain.front()];
    head.epoch = std::max(head.epoch, range.epoch);
    protocol::append_run(head.headed, {range.first, range.last});
    const bool same = !runs_.empty() && runs_.back().slots.last + 1 == range.first && runs_.back().chain == chain;
    if (same) {
      runs_.back().slots.last = range.last;
    } else {
      runs_.push_back({{range.first, range.last}, std::move(chain)});
    }
  }
  const bool listed = std::any_of(nodes_.begin(), nodes_.end(),
                                  [&](const Node& node) { return node.member.incarnation == self.incarnation; });
  if (!listed) add_node(self);
}

std::string_view ClusterView::slots(RespVersion version) {
  std::string& made = slots_[index_of(version)];
  if (made.empty()) made = make_slots(version);
  return made;
}

std::string_view ClusterView::shards(RespVersion version) {
  std::string& made = shards_[index_of(version)];
  if (made.empty()) made = make_shards(version);
  return made;
}

std::string_view ClusterView::nodes() {
  if (nodes_text_.empty()) nodes_text_ = make_nodes();
  return nodes_text_;
}

void ClusterView::write_slots(ReplyWriter& reply, const protocol::SlotRange& range,
                              std::span<const size_t> chain) const {
  reply.array(2 + chain.size());
  reply.integer(range.first);
  reply.integer(range.last);
  for (const size_t place : chain) {
    reply.array(4);
    reply.bulk(nodes_[place].member.host);
    reply.integer(nodes_[place].member.port);
    reply.bulk(nodes_[place].id);
    reply.map(0);  // other names of the node
  }
}

// Libraries keep a node in the role in which they first meet it (redis-py would take only the first head for a primary,
// and leave the others out of DBSIZE and FLUSHALL), and here most are heads of some slots and not of others. So one
// slot of each head comes first, with itself in the places of the other members of its chain: redis-py also relies on
// every slot of a head having as many.
std::string ClusterView::make_slots(RespVersion version) const {
  std::vector<bool> met(nodes_.size());
  std::vector<const Run*> introductions;
  for (const Run& run : runs_) {
    if (run.chain.size() > 1 && !met[run.chain.front()]) introductions.push_back(&run);
    met[run.chain.front()] = true;
  }
  std::string rows;
  ReplyWriter reply(rows, version);
  size_t count = introductions.size();
  for (const Run* run : introductions) {
    const std::vector<size_t> alone(run->chain.size(), run->chain.front());
    write_slots(reply, {run->slots.first, run->slots.first}, alone);
  }
  auto introduced = introductions.begin();
  for (const Run& run : runs_) {
    protocol::SlotRange range = run.slots;
    if (introduced != introductions.end() && *introduced == &run) {
      ++introduced;
      if (range.first == range.last) continue;
      ++range.first;
    }
    write_slots(reply, range, run.chain);
    ++count;
  }
  std::string out;
  ReplyWriter(out, version).array(count);
  return out + rows;
}

// A shard is all slots of one chain, so that each of its replicas has each of its slots. A node may be in several.
std::string ClusterView::make_shards(RespVersion version) const {
  std::map<std::vector<size_t>, std::vector<protocol::SlotRange>> shards;
  std::vector<bool> placed(nodes_.size());
  for (const Run& run : runs_) {
    protocol::append_run(shards[run.chain], run.slots);
    for (const size_t place : run.chain) placed[place] = true;
  }
  for (size_t place = 0; place < nodes_.size(); ++place) {
    if (!placed[place] && nodes_[place].member.state != MemberState::gone) shards[{place}] = {};
  }
  std::string out;
  ReplyWriter reply(out, version);
  reply.array(shards.size());
  for (const auto& [chain, ranges] : shards) {
    reply.map(2);
    reply.bulk("slots");
    reply.array(2 * ranges.size());
    for (const protocol::SlotRange& range : ranges) {
      reply.integer(range.first);
      reply.integer(range.last);
    }
    reply.bulk("nodes");
    reply.array(chain.size());
    for (const size_t place : chain) {
      write_shard_node(reply, nodes_[place].member, nodes_[place].id, place == chain.front());
    }
  }
  return out;
}

// Peers use the port that clients use, so it stands for the cluster bus, too.
std::string ClusterView::make_nodes() const {
  std::string text;
  for (const Node& node : nodes_) {
    const TableMember& member = node.member;
    if (member.state == MemberState::gone && node.headed.empty()) continue;
    append_text(text, node.id, ' ', member.host, ':', member.port, '@', member.port, ' ',
                member.incarnation == self_ ? "myself,master" : "master", is_alive(member) ? "" : ",fail", " - 0 0 ",
                node.epoch, is_alive(member) ? " connected" : " disconnected");
    for (const protocol::SlotRange& range : node.headed) append_range(text, range);
    text.push_back('\n');
  }
  return text;
}

std::string ClusterView::info(bool in_touch) const {
  size_t assigned = 0;
  size_t failed = 0;
  size_t heads = 0;
  size_t known = 0;
  Epoch own_epoch = 0;
  for (const Node& node : nodes_) {
    const size_t slots = count_slots(node.headed);
    assigned += slots;
    if (!is_alive(node.member)) failed += slots;
    if (slots != 0) ++heads;
    if (node.member.state != MemberState::gone) ++known;
    if (node.member.incarnation == self_) own_epoch = node.epoch;
  }
  // Slots without a head do not stop the others, as in a Redis Cluster that does not require full coverage.
  const bool ok = in_touch && assigned > failed;
  return concat("cluster_state:", ok ? "ok" : "fail", "\r\ncluster_slots_assigned:", assigned,
                "\r\ncluster_slots_ok:", assigned - failed, "\r\ncluster_slots_pfail:0\r\ncluster_slots_fail:", failed,
                "\r\ncluster_known_nodes:", known, "\r\ncluster_size:", heads, "\r\ncluster_current_epoch:", epoch_,
                "\r\ncluster_my_epoch:", own_epoch,
                "\r\ncluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\n"
                "total_cluster_links_buffer_limit_exceeded:0\r\n");
}

bool ClusterView::knows(std::string_view node_id) const {
  return std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& node) { return node.id == node_id; });
}

}  // namespace chainring::node
