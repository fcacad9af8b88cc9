// Ways round a link that is cut: a process that both ends reach carries the bytes of their link, for who asks for it in
// its PEER request (docs/conversations.md, "Ways round a link that is cut").
//
// It dials the other end, says the dialler's PEER request there, and from then on knows nothing of what it carries: the
// welcome is the other end's, and so is everything behind it. To both ends the link is like any other.
//
// Limits: kCircuitsMax at once; what one end does not read is held up to kBacklogMax, then the other end is not read;
// an end that cannot be reached within kReachWithin, or a dialler that says nothing for kIdleMax, is given up.
//
// Thread-safety: none; one owner. The Transport is not owned and outlives it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <unordered_map>

#include "base/process.h"
#include "base/time.h"
#include "base/transport.h"
#include "session/peer.h"

namespace chainring::session {

class Relays {
 public:
  static constexpr size_t kCircuitsMax = 1024;
  static constexpr size_t kBacklogMax = size_t{4} << 20;
  static constexpr Micros kReachWithin = 2 * kMicrosPerSecond;
  static constexpr Micros kIdleMax = 120 * kMicrosPerSecond;

  explicit Relays(Transport& transport) : transport_(transport) {}
  ~Relays();  // closes
  Relays(const Relays&) = delete;
  Relays& operator=(const Relays&) = delete;

  // Answers a PEER request on `near` that names whom it wants to be connected with: dials it, or refuses. `known`:
  // whether that is a process of this cluster. REQUIRES: peer_target(args) has a value.
  void answer(Log& log, ToldRefusals& told, ConnId near, std::span<const std::string> args, const PeerIdentity& ours,
              bool known, Micros now);

  [[nodiscard]] bool owns(ConnId conn) const { return other_end_.contains(conn); }
  void on_event(const NetEvent& event, Micros now);  // REQUIRES: owns(event.conn)
  void tick(Micros now);
  [[nodiscard]] Micros next_tick() const;
  [[nodiscard]] size_t count() const { return circuits_.size(); }

 private:
  struct Circuit {
    ConnId far = kNoConn;
    PeerIdentity who;
    bool reached = false;  // the far end has been told who dials
    Micros give_up_at = 0;
  };
  void open(ConnId near, PeerIdentity who, const Address& to, Micros now);
  void carry(ConnId from, ConnId to);
  void forget(ConnId near);

  Transport& transport_;
  std::unordered_map<ConnId, Circuit> circuits_;  // by the near end
  std::unordered_map<ConnId, ConnId> other_end_;  // of both ends of each
};

}  // namespace chainring::session
