// How a node or a router stays in touch with the Raft group's leader: tries the known coordinators in turn, follows
// NotLeader, and begins again when the link breaks or the leader falls silent. Which ones there are is the table's to
// say; the configured ones are how the first table is found, and asked when all of the table's were asked in vain. A
// leader that says nothing while another coordinator hears it is reached through that one (session/relay.h).
//
// Thread-safety: none; one owner.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/settings.h"
#include "protocol/messages.h"
#include "session/peer.h"

namespace chainring::session {

class CoordinatorLink {
 public:
  // REQUIRES: the setting `coordinators` names one.
  // The log hears, once, of a coordinator that refuses this process.
  CoordinatorLink(Transport& transport, Random& random, Log& log, const Settings& settings);

  // Those of a newer table; keeps the present link when its address is still listed or it leads. An empty list is
  // ignored.
  void follow(const std::vector<protocol::CoordinatorAddress>& coordinators, Micros now);

  // The owner has obeyed a table of this generation: who grants for an earlier one was replaced, is left, and its
  // frames are not handed on (R31).
  void of_generation(uint64_t generation) { generation_ = generation; }

  void tick(Micros now, const PeerIdentity& ours);
  [[nodiscard]] Micros next_tick() const;
  // Whether the event is of its connection. A coordinator counts as the leader from the first frame that only a leader
  // sends (grant, table); `up` means that the handshake is done.
  [[nodiscard]] bool owns(ConnId conn) const { return link_.conn() == conn && conn != kNoConn; }
  PeerLink::Change on_event(const NetEvent& event, Micros now, const PeerIdentity& ours);
  // NotLeader frames are handled here (another coordinator is dialled); all others go to on_frame.
  void frames(Micros now, const std::function<void(const protocol::Frame&)>& on_frame);
  // The owner has waited too long for an answer from this one: try the next.
  void suspect(Micros now);
  // The owner was told (ReplyStatus::not_leader) who leads; empty host when unknown. `heard`: who told it hears it.
  void redirect(const Address& leader, Micros now, bool heard = false);

  [[nodiscard]] PeerLink& link() { return link_; }
  [[nodiscard]] bool up() const { return link_.up(); }

 private:
  void lost(Micros now);
  void dial_next(Micros now);
  void dial(const Address& address, Micros now, const Address& via = {});
  void leader_unknown(Micros now);
  void avoid(Micros now, bool silent, bool round);
  [[nodiscard]] bool avoids(const Address& address, Micros now) const;
  [[nodiscard]] Micros leaderless_until() const;
  [[nodiscard]] bool is_replaced(const protocol::Frame& frame) const;

  Random& random_;
  Log& log_;
  ToldRefusals told_refusals_;
  std::vector<Address> configured_;
  std::vector<Address> coordinators_;  // the table's, then the configured ones that are not among them
  size_t listed_ = 0;                  // how many of them are the table's
  size_t current_ = 0;
  PeerLink link_;
  // Dials since a leader was last heard: a round of them goes without waiting, later ones wait longer and longer.
  size_t dials_ = 0;
  BackOff back_off_;
  uint64_t generation_ = 0;           // the oldest whose leader is followed
  bool leads_ = false;                // the present one has sent what only a leader sends
  Micros leaderless_since_ = kNever;  // the present one does not know who leads
  // The one that failed last. Followers go on naming a leader that has died until they have elected another.
  struct Avoided {
    Address address;
    Micros until = 0;
    bool silent = false;   // it said nothing: it may be there for others
    bool skipped = false;  // one round of dials has left it out
  } avoided_;
};

}  // namespace chainring::session
