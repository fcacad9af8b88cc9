// Clients that the router does not read from for a while, and why (R11, R21).
//
// Thread-safety: none. Clients is not owned and outlives it.
#pragma once

#include <map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "session/clients.h"

namespace chainring::router {

struct HoldCause {
  enum class Kind : uint8_t {
    parked_bytes,   // too many bytes are parked
    operations,     // too many cluster-wide commands are under way
    lane,           // too much waits to leave on the link of member `which`; of kNoMember, the leader's
    own_operation,  // client `which` is in the midst of a command that nothing behind it may overtake
  };
  Kind kind;
  uint64_t which = 0;
  friend auto operator<=>(const HoldCause&, const HoldCause&) = default;
};

class Holds {
 public:
  explicit Holds(session::Clients& clients) : clients_(clients) {}

  // Of a client that is held already, the first cause stands.
  void hold(session::ClientId client, HoldCause cause) {
    if (!held_.insert(client).second) return;
    by_cause_[cause].push_back(client);
    clients_.hold(client);
  }
  void forget(session::ClientId client) { held_.erase(client); }
  [[nodiscard]] bool any() const { return !by_cause_.empty(); }

  // Lets everybody go whose cause is gone by `is_gone(cause)`.
  template <class IsGone>
  void release_if(IsGone&& is_gone) {
    for (auto entry = by_cause_.begin(); entry != by_cause_.end();) {
      if (!is_gone(entry->first)) {
        ++entry;
        continue;
      }
      for (const session::ClientId client : entry->second) {
        if (held_.erase(client) > 0) clients_.release(client);
      }
      entry = by_cause_.erase(entry);
    }
  }

 private:
  session::Clients& clients_;
  std::map<HoldCause, std::vector<session::ClientId>> by_cause_;
  std::unordered_set<session::ClientId> held_;
};

}  // namespace chainring::router
