// The leader's book of leases (R4): whom it granted one, and from when on it may count a member as lapsed. Also whom
// chains do without for a while although it has one (R19).
//
// Volatile: a new leader begins a new book. Pure: time is an argument, the turn's reading (R5).
// Thread-safety: none; one owner.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/state_ring.h"

namespace chainring::coordinator {

// Whether a member that has obeyed this version may be granted a lease: not while it owes a "stopped" for a change that
// names it, and not when it is gone or a later incarnation of its name has registered (R1, R4).
[[nodiscard]] bool may_be_granted(const RingState& ring, const Member& member, TableVersion obeyed);

// Whether a change that is under way takes the member out of a chain.
[[nodiscard]] bool is_being_left(const RingState& ring, MemberId member);

class LeaseBook {
 public:
  // The margin is for clocks that run at different rates during one lease.
  LeaseBook(Micros lease_us, Micros margin_us) : lease_us_(lease_us), margin_us_(margin_us) {}

  [[nodiscard]] Micros lease_us() const { return lease_us_; }
  [[nodiscard]] Micros margin_us() const { return margin_us_; }

  // Leadership began: what earlier leaders granted is not known, so every member counts as granted now; and for
  // `patience` more, in which those who ask the old leader find the new one, so that no chain is shortened for nothing.
  void begin(const std::vector<Member>& members, Micros now, Micros patience);
  // A grant leaves in this turn. The member counts its lease from when it sent its heartbeat, which was earlier: so its
  // lease is over before it counts as lapsed here.
  void grant(MemberId member, Micros now);
  void forget(MemberId member) { ends_.erase(member); }
  void set_aside(MemberId member, Micros until) { aside_until_[member] = until; }

  // Whether nothing that was granted to the member can still be valid. True for a member that never was granted one.
  [[nodiscard]] bool lapsed(MemberId member, Micros now) const;
  // Whether it was granted a lease in this leadership, so that it is known to have been there.
  [[nodiscard]] bool was_granted(MemberId member) const { return granted_.contains(member); }
  // For how long it has had leases without a gap; 0 when it has none.
  [[nodiscard]] Micros held_for(MemberId member, Micros now) const;
  // When it lapses, or has lapsed; 0 when it was never granted a lease.
  [[nodiscard]] Micros ends(MemberId member) const;
  // Whether chains are to do without it, as far as others can serve.
  [[nodiscard]] bool set_aside(MemberId member, Micros now) const;
  // The first time after `now` at which a member lapses, or is not set aside any more; kNever for none.
  [[nodiscard]] Micros next_end(Micros now) const;

 private:
  Micros lease_us_;
  Micros margin_us_;
  std::unordered_map<MemberId, Micros> ends_;
  std::unordered_map<MemberId, Micros> held_since_;
  std::unordered_set<MemberId> granted_;
  std::unordered_map<MemberId, Micros> aside_until_;
};

}  // namespace chainring::coordinator
