// Which server has which slot, as clients of a Redis Cluster keep it.
//
// Thread-safety: none.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/transport.h"
#include "protocol/resp.h"

namespace chainring::load {

using Server = uint16_t;  // index
inline constexpr Server kNoServer = UINT16_MAX;
inline constexpr size_t kServersMax = 1000;

class Topology {
 public:
  explicit Topology(const std::vector<Address>& seeds);

  [[nodiscard]] size_t size() const { return servers_.size(); }
  [[nodiscard]] const Address& address(Server server) const { return servers_[server]; }
  // Makes it known; kNoServer beyond kServersMax.
  [[nodiscard]] Server find(const Address& address);

  [[nodiscard]] Server owner(Slot slot) const { return owners_[slot]; }
  void set_owner(Slot slot, Server server) { owners_[slot] = server; }
  // Takes the reply to CLUSTER SLOTS that `from` gave: slots that it does not name keep their owners. False, and
  // nothing is changed, when it is not one.
  [[nodiscard]] bool learn(Server from, const protocol::ReplyValue& slots);

 private:
  std::vector<Address> servers_;
  std::array<Server, kSlotCount> owners_;
};

struct Redirection {
  bool once = false;  // ASK: this request only
  Slot slot = 0;
  Address address;  // without a host: that of the server that said it
};
// "MOVED 3999 127.0.0.1:6381", "ASK ..."; nullopt for other errors.
[[nodiscard]] std::optional<Redirection> parse_redirection(std::string_view error);

}  // namespace chainring::load
