// A PeerLink in memory, and helpers to play its other end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "session/peer.h"
#include "tests/support/fake_transport.h"

namespace chainring::session {

struct LinkRig {
  explicit LinkRig(uint64_t seed = 1);

  // The connection that is being dialled; time passes until there is one.
  ConnId dialled();
  // Establishes it and answers the handshake.
  void welcome(ConnId conn);
  void turn();
  void pass(Micros time);
  // What a PEER request said.
  static PeerIdentity parse(std::string_view request);

  test::FakeTransport transport;
  SeededRandom random;
  PeerIdentity ours{0xc1, PeerRole::node, "n1", 0x11, "secret"};
  PeerIdentity theirs{0xc1, PeerRole::node, "n2", 0x22, "secret"};
  PeerLink link;
  Micros now = 1000;
  std::vector<PeerLink::Change> changes;
  std::vector<protocol::FrameType> frames;
};

}  // namespace chainring::session
