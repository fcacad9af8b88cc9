// A ring state made by entries, as the log would, for tests of what rests on it.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "coordinator/lease.h"
#include "coordinator/planner.h"
#include "coordinator/state_ring.h"

namespace chainring::coordinator {

using Chain = std::vector<MemberId>;

inline FoundEntry found_entry(uint32_t copies = 3) {
  FoundEntry entry;
  entry.cluster_id = 0xc1;
  entry.generation = 1;
  entry.hash_seed = 7;
  entry.copies = copies;
  entry.lock_prefixes = {"lock:", "redlock:"};
  entry.coordinators = {1, {{"c1", 11, "127.0.0.1", 7301}}, {}};
  entry.settings.lock_count_max = 1000;
  return entry;
}

inline RegisterEntry register_entry(std::string name, Incarnation incarnation) {
  RegisterEntry entry;
  entry.host = concat("host-", name);
  entry.failure_host = entry.host;
  entry.name = std::move(name);
  entry.incarnation = incarnation;
  entry.port = 7401;
  entry.weight = 100;
  return entry;
}

// A ring of members 1..n, named n1..nN with incarnations 101..; slots and leases are the test's to set.
struct RingFixture {
  static constexpr Micros kLease = 450'000, kMargin = 20'000;

  explicit RingFixture(int members, uint32_t copies = 3) {
    ring.apply(found_entry(copies));
    for (int i = 1; i <= members; ++i) add(concat("n", i));
  }

  MemberId add(std::string name) {
    ring.apply(register_entry(std::move(name), 100 + ++added));
    return static_cast<MemberId>(added);
  }
  // The intention that planners and tests make; returns its epoch, or 0 when it changed nothing.
  Epoch intend(std::vector<IntendedRun> runs, bool from_empty = false) {
    const TableVersion before = ring.version();
    ring.apply(IntentionEntry{std::move(runs), from_empty, ring.ranges_version()});
    if (ring.version() == before) return 0;
    Epoch epoch = 0;
    for (const protocol::TableRange& range : ring.ranges()) epoch = std::max(epoch, range.next_epoch);
    return epoch;
  }
  void activate(Epoch epoch) { ring.apply(ActivationEntry{epoch}); }
  // All slots have this chain, in force.
  void place(const Chain& chain) { activate(intend({{0, kSlotCount - 1, chain}}, true)); }
  [[nodiscard]] Millis lock_time() const { return now / kMicrosPerMilli; }
  void set_state(MemberId member, protocol::MemberState state) {
    ring.apply(MemberStatesEntry{{{member, state}}, {}, lock_time()});
  }
  void grant(std::initializer_list<MemberId> members) {
    for (const MemberId member : members) leases.grant(member, now);
  }
  // Time passes until no lease of now is left.
  void let_leases_end() { now += kLease + kMargin; }

  RingState ring;
  LeaseBook leases{kLease, kMargin};
  Micros now = 10'000'000;
  int added = 0;
};

}  // namespace chainring::coordinator
