// What a coordinator tells at /metrics and /healthz.

#include <array>

#include "coordinator/coordinator.h"

namespace chainring::coordinator {
namespace {

void members_by_state(const RingState& ring, MetricsWriter& out) {
  constexpr std::array<std::string_view, 5> kNames = {"joining", "up", "absent", "leaving", "gone"};
  std::array<uint64_t, kNames.size()> counts{};
  for (const Member& member : ring.members()) ++counts.at(static_cast<size_t>(member.listed.state));
  for (size_t i = 0; i < kNames.size(); ++i) out.value(Metric::coordinator_members, counts.at(i), {kNames.at(i)});
}

void slots_by_state(const RingState& ring, const StatusFacts& facts, MetricsWriter& out) {
  const SlotCounts counts = count_slots(ring, facts.lease_ms);
  out.value(Metric::coordinator_slots, counts.served, {"served"});
  out.value(Metric::coordinator_slots, counts.changing, {"changing"});
  out.value(Metric::coordinator_slots, counts.short_of, {"short"});
  out.value(Metric::coordinator_slots, counts.lost, {"lost"});
  out.value(Metric::coordinator_slots, counts.standing, {"standing"});
  out.value(Metric::coordinator_slots, kSlotCount - counts.assigned, {"unassigned"});
}

// The grants that a fencing token tells of: one step each, behind the cluster's generation (R26).
uint64_t grants_of(uint64_t token) { return token & ((uint64_t{1} << kTokenGenerationShift) - 1); }

}  // namespace

void Coordinator::metrics(Now now, MetricsWriter& out) const {
  clients_.metrics(now, out);
  const RingState& ring = state_.ring();
  out.value(Metric::table_version, ring.version());
  out.value(Metric::coordinator_leads, leading_ ? 1 : 0);
  out.value(Metric::coordinator_term, term_);
  if (replica_->founded()) {
    out.value(Metric::coordinator_applied, replica_->applied());
    out.value(Metric::coordinator_committed, replica_->committed());
  }
  out.value(Metric::coordinator_leaderships, counts_.leaderships);
  members_by_state(ring, out);
  if (ready()) slots_by_state(ring, status_facts(), out);  // who holds a lease is known to the leader alone
  out.value(Metric::coordinator_lease_grants, counts_.lease_grants);
  out.value(Metric::coordinator_locks, state_.locks().count());
  out.value(Metric::coordinator_lock_grants, grants_of(state_.locks().last_token()));
}

Status Coordinator::health(Now) const {
  if (stopping_) return Status(ErrorCode::unavailable, "this coordinator is stopping");
  if (!replica_->founded()) return Status(ErrorCode::unavailable, "the group is not founded yet");
  if (leading_ || !leader_address().host.empty()) return {};
  return Status(ErrorCode::unavailable, "this coordinator knows no leader");
}

}  // namespace chainring::coordinator
