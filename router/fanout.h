// A read of the whole keyspace: DBSIZE KEYS RANDOMKEY. Each head answers for its slots; those that
// were not answered for are asked again, of whoever heads them then, until all are or the time is up (R22).
//
// Locks are part of what they tell.
// Thread-safety: none.
#pragma once

#include <bitset>

#include "router/merge.h"
#include "router/operation.h"

namespace chainring::router {

class Fanout final : public Operation {
 public:
  // REQUIRES: request.command has Routing::all_slots and writes nothing.
  Fanout(Services& services, const session::ClientRequest& request, Micros deadline);

  void start(Micros now) override;

 private:
  using SlotSet = std::bitset<kSlotCount>;

  void leg_ended(uint32_t leg, Ending ending, std::string_view reply, Micros now) override;
  void call_answered(SlotsCall& call, const protocol::SlotsReply& reply, std::string_view body, Micros now) override;
  void call_lost(SlotsCall& call, Micros now) override;
  void try_again(Micros now) override;
  void time_passed(Micros now) override;
  [[nodiscard]] Micros next_attempt() const override;
  void ask();
  void abandon_moved_calls();
  void put_back(const SlotsCall& call);
  uint32_t settle(const SlotsCall& call, const protocol::SlotsReply& reply);
  void take(std::string_view reply, uint32_t weight);

  const std::string bytes_;
  WideMerge merge_;
  SlotSet open_;            // not answered for
  SlotSet asked_;           // of these, the ones that a call is out for
  bool locks_open_ = true;  // the lock keyspace has not answered
  RetryTimer retry_;
};

}  // namespace chainring::router
