// The router's links: one to each member that serves or may soon serve slots, and one to the coordinators' leader.
//
// Thread-safety: none. Transport, Random, Log and the Handler are not owned and outlive it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/process.h"
#include "base/random.h"
#include "base/transport.h"
#include "ring/table.h"
#include "router/lane.h"
#include "session/coordinator_link.h"
#include "session/peer.h"

namespace chainring::router {

class Links {
 public:
  // What a link tells its owner. Called from on_event(), tick() and use_table().
  class Handler {
   public:
    virtual ~Handler() = default;
    virtual void on_frame(Lane& lane, const protocol::Frame& frame) = 0;
    virtual void on_open(Lane& lane) = 0;
    // The link broke; `items` were in flight on it, in that order. The lane may be gone after the call.
    virtual void on_broken(Lane& lane, const std::vector<InFlight*>& items) = 0;
    // A node owes answers and gives none; said again while that lasts.
    virtual void on_silent(Lane& lane) = 0;
  };

  // REQUIRES: the setting `coordinators` names one.
  Links(Transport& transport, Random& random, Log& log, const Settings& settings, Handler& handler);

  // Dials who is new in the chains (also in intended ones: they may be heads in a moment), hangs up on who is in none.
  // So it does on who is gone for good, although chains that stand still name it: a later incarnation at its address
  // would take each link for the only one from here, and hang up on the one before.
  void use_table(const ring::Table& table, Micros now);

  // Whether the event was of one of these links.
  bool on_event(const NetEvent& event, Micros now, const session::PeerIdentity& ours);
  void tick(Micros now, const session::PeerIdentity& ours);
  [[nodiscard]] Micros next_tick() const;

  // The members of a place's chain, the head first; for the lock keyspace the coordinators' leader. Empty while nobody
  // serves it. Lanes may be closed. Lifetime: until the next use_table().
  [[nodiscard]] std::span<Lane* const> chain(Place place) const {
    const ChainLanes& chain = chains_[chain_of_place_[place]];
    return std::span(lanes_).subspan(chain.first, chain.count);
  }
  // The lane to the head; nullptr while nobody serves the place. It may be closed.
  [[nodiscard]] Lane* lane(Place place) const {
    const ChainLanes& chain = chains_[chain_of_place_[place]];
    return chain.count == 0 ? nullptr : lanes_[chain.first];
  }
  // Whether the table counts the member as lapsed, or knows of it no more.
  [[nodiscard]] bool has_lapsed(MemberId member) const { return !live_.contains(member); }
  // Whether it has said nothing for half a lease, although it was asked, and not yet for so long that it would have
  // lapsed if nobody heard it.
  [[nodiscard]] bool may_be_about_to_lapse(MemberId member, Micros now) const;
  [[nodiscard]] Lane* member_lane(MemberId member) const;  // nullptr for who is not linked
  [[nodiscard]] Lane& leader() { return leader_; }
  [[nodiscard]] const Lane& leader() const { return leader_; }
  [[nodiscard]] std::vector<Lane*> open_node_lanes() const;
  // The leader has spoken. From now on a node that says nothing for as long as the lease, not even when asked, is
  // dialled anew.
  void granted(Micros lease, Micros now) {
    patience_ = lease;
    granted_at_ = now;
  }
  // Of nodes that have not been heard, on whatever way, for twice that time; none while this router has not heard the
  // leader without a pause for as long: then it was the router that was cut off, be it together with some nodes.
  [[nodiscard]] std::vector<const Lane*> silent_node_lanes(Micros now) const;
  // Calls visit(lane) for each node in the table's chains, linked or not.
  template <class Visit>
  void for_each_node(Visit&& visit) const {
    for (const auto& [id, node] : nodes_) visit(std::as_const(node->lane));
  }
  // Says something to the leader that it does not reply to.
  template <class Message>
  void tell_leader(protocol::FrameType type, const Message& message) {
    coordinators_.link().send(type, message);
  }
  [[nodiscard]] size_t node_count() const { return nodes_.size(); }

  // Whoever was taken for the leader has named another coordinator. Taken up by the next tick(), so that it may be said
  // from inside on_frame().
  void leader_is(Address leader) { told_leader_ = Told{leader_.conn(), std::move(leader)}; }
  // Whoever was taken for the leader says nothing: try the next coordinator.
  void suspect_leader(Micros now);

 private:
  struct NodeLink {
    NodeLink(Transport& transport, Random& random, const protocol::TableMember& member);
    const Incarnation incarnation;
    session::PeerLink link;
    Lane lane;
    ConnId indexed = kNoConn;  // under which it stands in by_conn_
    unsigned rounds = 0;       // ways through other members that were tried since it was dialled directly
    size_t first_carrier = 0;  // drawn
    bool gone = false;         // for good: at its address there is nobody, or another incarnation
    std::function<void(const protocol::Frame&)> on_frame;
  };

  // Of a chain, in lanes_.
  struct ChainLanes {
    uint32_t first = 0;
    uint32_t count = 0;
  };

  NodeLink& add_node(const protocol::TableMember& member);
  void index_chains(const ring::Table& table);
  uint16_t add_chain(std::span<Lane* const> lanes);
  void after_change(NodeLink& node, Micros now);
  void find_way_round(NodeLink& node);
  void settle_leader();
  void listen(Micros now);

  Transport& transport_;
  Random& random_;
  Log& log_;
  Handler& handler_;
  session::CoordinatorLink coordinators_;
  Lane leader_;
  std::function<void(const protocol::Frame&)> on_leader_frame_;
  struct Told {
    ConnId by;
    Address leader;
  };
  std::optional<Told> told_leader_;
  std::map<MemberId, std::unique_ptr<NodeLink>> nodes_;
  std::set<MemberId> live_;  // of the table
  std::unordered_map<ConnId, NodeLink*> by_conn_;
  // Each chain of the table once: there are few, so that what is looked up for each request stays near.
  std::vector<uint16_t> chain_of_place_;
  std::vector<ChainLanes> chains_;
  std::vector<Lane*> lanes_;
  Micros patience_ = 0;  // 0: nothing is expected
  Micros granted_at_ = 0;
  // Without a pause as long as patience_; kNever while it does not.
  Micros hears_since_ = 0;         // somebody
  Micros hears_leader_since_ = 0;  // who leads, and not another coordinator
};

}  // namespace chainring::router
