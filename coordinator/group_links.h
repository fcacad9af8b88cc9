// The links from a coordinator to the others of its group: it dials each of them, and each of them dials it; a link
// carries frames one way, from the dialler.
//
// Thread-safety: none; one owner. The Transport is not owned and outlives it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/settings.h"
#include "base/time.h"
#include "base/transport.h"
#include "coordinator/founding.h"
#include "protocol/messages.h"
#include "raft/message.h"
#include "session/peer.h"

namespace chainring::coordinator {

class GroupLinks {
 public:
  struct Other {
    std::string name;
    std::unique_ptr<session::PeerLink> link;
    raft::ServerId server = raft::kNobody;  // from its newest probe, or from the founders
    bool founded = false;                   // as its newest probe says
    Micros probe_at = 0;                    // when it is told about us next
    Micros heard_at = -1;                   // its last frame; -1: never
    raft::Index matched = 0;                // of its log, as it told us while we led
  };

  // `others`: all configured coordinators but this one. A probe is repeated every `probe_us` until both ends are
  // founded.
  GroupLinks(Transport& transport, Random& random, const std::vector<Settings::NamedAddress>& others, Micros probe_us);

  // Takes the disk ids of a group that was founded.
  void know(const Founders& founders);
  // A probe or a Raft message came from it, on the link that it dialled.
  void heard(const protocol::Probe& probe, Micros now);
  void heard(std::string_view name, const raft::Message& message, Micros now);

  void tick(Micros now, const session::PeerIdentity& ours, const protocol::Probe& probe);
  [[nodiscard]] Micros next_tick(bool founded) const;
  [[nodiscard]] bool owns(ConnId conn) const;
  // REQUIRES: owns(event.conn).
  void on_event(const NetEvent& event, Micros now, const session::PeerIdentity& ours, const protocol::Probe& probe);

  // Dropped when the link is down or holds too much already: Raft sends again.
  void send(const raft::Message& message, Transport& transport);

  [[nodiscard]] const std::vector<Other>& others() const { return others_; }
  [[nodiscard]] const Other* find(raft::ServerId server) const;

 private:
  Other* find(std::string_view name);
  void say(Other& other, const protocol::Probe& probe, Micros now);

  std::vector<Other> others_;
  Micros probe_us_;
};

}  // namespace chainring::coordinator
