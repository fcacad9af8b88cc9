// The links from a coordinator to the others of its group: it dials each of them, and each of them dials it. A link
// carries frames from the dialler; the only thing that is said back on it is the answer to a probe.
//
// Disk ids are learned by probe when a link begins, before there is a group; once there is one, the roster says which
// disks are of it, and a process with another disk is nobody's link, whatever name it has (R2).
//
// Thread-safety: none; one owner. The Transport and the Random are not owned and outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/settings.h"
#include "base/time.h"
#include "base/transport.h"
#include "coordinator/roster.h"
#include "protocol/messages.h"
#include "raft/message.h"
#include "session/peer.h"

namespace chainring::coordinator {

class GroupLinks {
 public:
  struct Other {
    std::string name;
    std::unique_ptr<session::PeerLink> link;
    // Where it may be, tried in turn: as it says itself, as the roster and as the configuration say. Never empty.
    std::vector<Address> places;
    raft::ServerId server = raft::kNobody;  // from the roster, or from its newest probe
    Address announced;                      // as it says itself; no host before it has
    bool founded = false;                   // as its newest probe says
    std::string trouble;                    // why what answers at its address is not it
    Micros probe_at = 0;                    // when it is told about us next
    Micros heard_at = -1;                   // its last frame; -1: never
    raft::Index matched = 0;                // of its log, as it told us while we led
  };
  using OnProbe = std::function<void(const protocol::Probe&)>;

  // `configured`: all configured coordinators but this one; they are dialled until follow() says who the group is, and
  // their addresses are tried after it when the roster's have changed. A probe is repeated every `probe_us` until both
  // ends are founded.
  GroupLinks(Transport& transport, Random& random, std::vector<Settings::NamedAddress> configured, Micros probe_us);

  // The coordinators are those of the roster but this one: links to anybody else end. Links that stay are kept.
  void follow(const Roster& roster, raft::ServerId self, Micros now);
  // A probe or a Raft message came from it.
  void heard(const protocol::Probe& probe, Micros now);
  void heard(const raft::Message& message, Micros now);

  // Looks for a coordinator that is not of the group yet, to learn its disk id; at most one at a time.
  void seek(const Settings::NamedAddress& whom, Micros now);
  [[nodiscard]] const Other* sought() const { return sought_.get(); }
  void stop_seeking() { sought_.reset(); }

  void tick(Micros now, const session::PeerIdentity& ours, const protocol::Probe& probe);
  [[nodiscard]] Micros next_tick(bool founded) const;
  [[nodiscard]] bool owns(ConnId conn) const;
  // `on_probe` is called for answers to probes. REQUIRES: owns(event.conn).
  void on_event(const NetEvent& event, Micros now, const session::PeerIdentity& ours, const protocol::Probe& probe,
                const OnProbe& on_probe);

  // Dropped when the link is down or holds too much already: Raft sends again.
  void send(const raft::Message& message, Transport& transport);

  [[nodiscard]] const std::vector<std::unique_ptr<Other>>& others() const { return others_; }
  [[nodiscard]] const Other* find(raft::ServerId server) const;

 private:
  using Others = std::vector<std::unique_ptr<Other>>;
  [[nodiscard]] std::unique_ptr<Other> make(std::string name, const Address& place) const;
  [[nodiscard]] std::unique_ptr<Other> take(const ListedCoordinator& listed);
  [[nodiscard]] std::vector<Address> places_of(const ListedCoordinator& listed, const Address& announced) const;
  [[nodiscard]] bool is_of(const protocol::Probe& probe, const Other& other) const;
  void take_in(Other& other, const protocol::Probe& probe, Micros now);
  [[nodiscard]] Other* owner_of(ConnId conn) const;
  void tick(Other& other, Micros now, const session::PeerIdentity& ours, const protocol::Probe& probe);
  void say(Other& other, const protocol::Probe& probe, Micros now);
  void try_elsewhere(Other& other) const;

  Transport& transport_;
  Random& random_;
  std::vector<Settings::NamedAddress> configured_;
  Micros probe_us_;
  bool follows_roster_ = false;
  Others others_;
  std::unique_ptr<Other> sought_;
};

}  // namespace chainring::coordinator
