// Which requests at the lock desk have to wait for earlier ones of the same client (R10): two of one origin on one key
// are decided in the order in which they came, unless both only read.
//
// A router sends the requests of all its clients on one link and does not say whose each is, so the whole link is one
// origin. Requests of different origins, and of one origin on different keys, do not wait for each other.
//
// Pure. Thread-safety: none; one owner.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "base/transport.h"
#include "session/clients.h"

namespace chainring::coordinator {

class LockOrder {
 public:
  // What a request touches.
  struct Claim {
    ConnId link = kNoConn;         // whose it is: a peer's link,
    session::ClientId client = 0;  // or a client that is connected here
    std::vector<uint64_t> keys;    // their hashes, whatever the database: COPY reaches into another one
    bool all_keys = false;         // SCAN, DBSIZE ...: it reads, and `keys` is empty
    bool writes = false;
  };

  // Whether a request that came now would have nothing to wait for.
  [[nodiscard]] bool is_free(const Claim& claim) const { return !is_blocked(UINT64_MAX, claim); }

  // The request is undecided until it is removed. REQUIRES: `id` is greater than all that were added before.
  void add(uint64_t id, Claim claim);
  // Decided, or given up. Those that waited for it, and now for nothing, go into `freed`; each does so once in its
  // life at most. REQUIRES: it was added.
  void remove(uint64_t id, std::set<uint64_t>& freed);
  void clear();

  [[nodiscard]] bool empty() const { return claims_.empty(); }

 private:
  using Place = std::tuple<ConnId, session::ClientId, uint64_t>;  // an origin and a key
  // The undecided requests of one place, in two groups. Each waits for the earlier ones of the other group.
  struct Queue {
    std::set<uint64_t> reads;
    std::set<uint64_t> writes;
  };

  // `meet` is called with the place of each queue that the request stands in, and whether writes wait for writes there.
  template <class Meet>
  static void for_each_place(const Claim& claim, Meet&& meet);
  [[nodiscard]] bool is_blocked(uint64_t id, const Claim& claim) const;

  std::map<uint64_t, Claim> claims_;
  std::map<Place, Queue> queues_;
};

}  // namespace chainring::coordinator
