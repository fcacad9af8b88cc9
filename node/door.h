// What a node does with a request of a client that is connected to it itself: executes it, sends the client elsewhere,
// or lets it wait for the end of a change (R10; docs/conversations.md, "Clients at a node").
//
// Pure. Thread-safety: none; one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "node/chain.h"
#include "protocol/resp.h"
#include "ring/table.h"
#include "session/clients.h"

namespace chainring::node {

enum class Door : uint8_t {
  head,       // executed here, at the head of its chain
  member,     // a read, and answered here although another member is the head
  elsewhere,  // MOVED to the head
  waits,      // the slot is between two chains, or this head has no lease at the moment
  lost,       // nobody heads the slot, and no change is under way that would give it a head
};

// `reads_here`: the request only reads, which any member may answer. `serving`: the lease is valid.
[[nodiscard]] Door judge_door(const ring::Table& table, const Chains& chains, MemberId self, Slot slot, bool reads_here,
                              bool serving);

// Whether it heads all slots whose head it is by its table: none of them is between two chains.
[[nodiscard]] bool heads_all_of_its(const ring::Table& table, const Chains& chains, MemberId self);

// A request that waits. Its client is held meanwhile, so that nothing overtakes it, and so has no other here.
struct ParkedRequest {
  session::Ticket ticket;
  Slot slot = 0;  // protocol::kNoSlot: of all that this node heads
  uint8_t db = 0;
  protocol::RespVersion resp = protocol::RespVersion::resp2;
  bool reads_here = false;  // see judge_door()
  Micros came_at = 0;
  Micros deadline = 0;
  bool transaction = false;
  bool writes = false;  // of a transaction, and of a command for all slots
  std::string bytes;    // one RESP request, or what protocol/transaction.h says
};

// In the order in which they came, that is, of their deadlines. As many as there are clients, at most.
class ParkedRequests {
 public:
  static constexpr size_t kBytesMax = size_t{64} << 20;

  // False when too much is parked already: nothing was taken.
  [[nodiscard]] bool park(ParkedRequest request);
  void forget(session::ClientId client);
  // Takes out those that `wanted` says, in their order.
  [[nodiscard]] std::vector<ParkedRequest> take(const std::function<bool(const ParkedRequest&)>& wanted);

  [[nodiscard]] Micros next_deadline() const;
  [[nodiscard]] size_t count() const { return requests_.size(); }

 private:
  std::multimap<Micros, ParkedRequest> requests_;  // by deadline: one may be parked again behind later ones
  size_t bytes_ = 0;
};

}  // namespace chainring::node
