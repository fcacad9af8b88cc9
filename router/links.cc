#include "router/links.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/text.h"

namespace chainring::router {
namespace {

std::set<MemberId> members_in_chains(const ring::Table& table) {
  std::set<MemberId> members;
  for (const protocol::TableRange& range : table.message().ranges) {
    members.insert(range.chain.begin(), range.chain.end());
    members.insert(range.next_chain.begin(), range.next_chain.end());
  }
  return members;
}

}  // namespace

Links::NodeLink::NodeLink(Transport& transport, Random& random, const protocol::TableMember& member)
    : incarnation(member.incarnation),
      link(transport, random, Address{member.host, member.port}),
      lane(transport, member.id) {}

Links::Links(Transport& transport, Random& random, Log& log, const Settings& settings, Handler& handler)
    : transport_(transport),
      random_(random),
      log_(log),
      handler_(handler),
      coordinators_(transport, random, log, settings),
      leader_(transport, kNoMember),
      on_leader_frame_([this](const protocol::Frame& frame) { handler_.on_frame(leader_, frame); }),
      chain_of_place_(kPlaceCount, 0) {
  index_chains({});
}

uint16_t Links::add_chain(std::span<Lane* const> lanes) {
  chains_.push_back({static_cast<uint32_t>(lanes_.size()), static_cast<uint32_t>(lanes.size())});
  lanes_.insert(lanes_.end(), lanes.begin(), lanes.end());
  return static_cast<uint16_t>(chains_.size() - 1);
}

void Links::index_chains(const ring::Table& table) {
  chains_.clear();
  lanes_.clear();
  std::map<std::vector<MemberId>, uint16_t> known;
  known[{}] = add_chain({});
  std::fill(chain_of_place_.begin(), chain_of_place_.end(), known[{}]);
  chain_of_place_[kLockPlace] = add_chain(std::array{&leader_});
  for (const protocol::TableRange& range : table.message().ranges) {
    auto found = known.find(range.chain);
    if (found == known.end()) {
      std::vector<Lane*> lanes;
      for (const MemberId member : range.chain) lanes.push_back(member_lane(member));
      found = known.emplace(range.chain, add_chain(lanes)).first;
    }
    std::fill(chain_of_place_.begin() + range.first, chain_of_place_.begin() + range.last + 1, found->second);
  }
}

Lane* Links::member_lane(MemberId member) const {
  const auto found = nodes_.find(member);
  return found == nodes_.end() ? nullptr : &found->second->lane;
}

std::vector<Lane*> Links::open_node_lanes() const {
  std::vector<Lane*> lanes;
  for (const auto& [id, node] : nodes_) {
    if (node->lane.open()) lanes.push_back(&node->lane);
  }
  return lanes;
}

bool Links::may_be_about_to_lapse(MemberId member, Micros now) const {
  const auto at = nodes_.find(member);
  if (patience_ == 0 || at == nodes_.end()) return false;
  const session::PeerLink& link = at->second->link;
  return link.silent(now, patience_ / 2) && !link.silent(now, 2 * patience_);
}

std::vector<const Lane*> Links::silent_node_lanes(Micros now) const {
  std::vector<const Lane*> lanes;
  if (hears_leader_since_ == kNever || now - hears_leader_since_ < 2 * patience_) return lanes;
  for (const auto& [id, node] : nodes_) {
    if (patience_ > 0 && !node->gone && node->link.silent(now, 2 * patience_)) lanes.push_back(&node->lane);
  }
  return lanes;
}

Links::NodeLink& Links::add_node(const protocol::TableMember& member) {
  auto& node = nodes_[member.id];
  node = std::make_unique<NodeLink>(transport_, random_, member);
  node->on_frame = [this, lane = &node->lane](const protocol::Frame& frame) { handler_.on_frame(*lane, frame); };
  return *node;
}

void Links::use_table(const ring::Table& table, Micros now) {
  coordinators_.of_generation(table.message().generation);
  coordinators_.follow(table.message().coordinators, now);
  settle_leader();
  const std::set<MemberId> wanted = members_in_chains(table);
  for (const MemberId id : wanted) {
    const protocol::TableMember& member = *table.member(id);
    const auto found = nodes_.find(id);
    NodeLink& node = found == nodes_.end() ? add_node(member) : *found->second;
    node.link.set_address({member.host, member.port}, now);
    after_change(node, now);
    node.gone = member.state == protocol::MemberState::gone;
    if (node.gone && node.link.conn() != kNoConn) {
      node.link.drop(now);
      after_change(node, now);
    }
  }
  index_chains(table);
  live_.clear();
  for (const protocol::TableMember& member : table.message().members) {
    const bool lapsed = member.state == protocol::MemberState::absent || member.state == protocol::MemberState::gone;
    if (!lapsed) live_.insert(member.id);
  }
  std::erase_if(nodes_, [&](const auto& entry) {
    if (wanted.contains(entry.first)) return false;
    NodeLink& node = *entry.second;
    by_conn_.erase(node.indexed);
    if (node.lane.open()) handler_.on_broken(node.lane, node.lane.close());
    return true;
  });
}

bool Links::on_event(const NetEvent& event, Micros now, const session::PeerIdentity& ours) {
  if (coordinators_.owns(event.conn)) {
    coordinators_.on_event(event, now, ours);
    settle_leader();
    if (leader_.open()) coordinators_.frames(now, on_leader_frame_);
    settle_leader();
    return true;
  }
  const auto found = by_conn_.find(event.conn);
  if (found == by_conn_.end()) return false;
  NodeLink& node = *found->second;
  node.link.on_event(event, now, ours);
  after_change(node, now);
  if (node.lane.open() && !node.link.frames(now, node.on_frame)) after_change(node, now);
  return true;
}

void Links::tick(Micros now, const session::PeerIdentity& ours) {
  const std::optional<Told> told = std::exchange(told_leader_, std::nullopt);
  if (told && told->by == leader_.conn()) coordinators_.redirect(told->leader, now);
  coordinators_.tick(now, ours);
  settle_leader();
  listen(now);
  for (const auto& [id, node] : nodes_) {
    if (node->gone) continue;
    node->link.expect_signs(patience_);
    node->link.tick(now, ours);
    after_change(*node, now);
    if (node->lane.look(now)) handler_.on_silent(node->lane);
  }
}

// Who has heard nobody for a while, or not the leader, was cut off itself: that others did not answer then is not their
// fault, and is no reason to wait before dialling again.
void Links::listen(Micros now) {
  if (patience_ == 0) return;
  Micros heard_at = coordinators_.link().heard_at();
  for (const auto& [id, node] : nodes_) heard_at = std::max(heard_at, node->link.heard_at());
  const auto hears_again = [&](Micros at, Micros& since) {
    if (now - at >= patience_) {
      since = kNever;
    } else if (since == kNever) {
      since = now;
      return true;
    }
    return false;
  };
  const bool somebody = hears_again(heard_at, hears_since_);
  const bool the_leader = hears_again(granted_at_, hears_leader_since_);
  if (!somebody && !the_leader) return;
  for (const auto& [id, node] : nodes_) {
    if (node->gone || node->link.up()) continue;
    by_conn_.erase(node->indexed);
    node->indexed = kNoConn;
    node->rounds = 0;
    node->link.dial_anew(now);
  }
}

Micros Links::next_tick() const {
  Micros next = coordinators_.next_tick();
  for (const auto& [id, node] : nodes_) {
    if (!node->gone) next = std::min({next, node->link.next_tick(), node->lane.next_look()});
  }
  return next;
}

void Links::suspect_leader(Micros now) {
  coordinators_.suspect(now);
  settle_leader();
}

// Brings index and lane into line with what has become of the connection.
void Links::after_change(NodeLink& node, Micros now) {
  if (node.indexed != node.link.conn()) {
    by_conn_.erase(node.indexed);
    node.indexed = node.link.conn();
    if (node.indexed != kNoConn) by_conn_.emplace(node.indexed, &node);
    if (node.indexed == kNoConn) find_way_round(node);
  }
  const ConnId live = node.link.up() ? node.link.conn() : kNoConn;
  if (node.lane.conn() == live) return;
  if (node.lane.open()) {
    log_.info(concat("link to member ", node.lane.member(), " lost: ", node.link.trouble()));
    handler_.on_broken(node.lane, node.lane.close());
  }
  if (live == kNoConn) return;
  if (node.link.theirs().incarnation != node.incarnation) {
    // Started anew at the same address: another member, which the table will name (R1).
    node.link.drop(now);
    return after_change(node, now);
  }
  node.rounds = 0;
  node.lane.open_on(live);
  handler_.on_open(node.lane);
}

// A member that says nothing may be there for others: they carry the link, so that one link that is cut takes nobody
// out of chains. It is dialled directly again after kRoundsMax of them in vain.
void Links::find_way_round(NodeLink& node) {
  constexpr unsigned kRoundsMax = 2;
  const bool in_vain = node.link.fell_silent() || node.rounds > 0;
  if (!in_vain || node.rounds == kRoundsMax) {
    node.rounds = 0;
    return;
  }
  std::vector<const NodeLink*> carriers;
  for (const auto& [id, other] : nodes_) {
    if (other.get() != &node && other->lane.open() && !other->link.goes_round()) carriers.push_back(other.get());
  }
  if (carriers.empty()) return;
  if (node.rounds == 0) node.first_carrier = random_.below(carriers.size());
  const NodeLink* carrier = carriers[(node.first_carrier + node.rounds++) % carriers.size()];
  node.link.go_round(carrier->link.address());
}

void Links::settle_leader() {
  const ConnId live = coordinators_.up() ? coordinators_.link().conn() : kNoConn;
  if (leader_.conn() == live) return;
  if (leader_.open()) handler_.on_broken(leader_, leader_.close());
  if (live == kNoConn) return;
  leader_.open_on(live);
  handler_.on_open(leader_);
}

}  // namespace chainring::router
