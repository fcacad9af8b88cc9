// What a router tells at /metrics and /healthz.

#include "base/text.h"
#include "router/router.h"

namespace chainring::router {
namespace {

// Slots whose head is known and linked.
uint64_t served_slots(const Links& links) {
  uint64_t served = 0;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const Lane* lane = links.lane(static_cast<Place>(slot));
    if (lane != nullptr && lane->open()) ++served;
  }
  return served;
}

}  // namespace

void Router::metrics(Now now, MetricsWriter& out) const {
  clients_.metrics(now, out);
  out.value(Metric::table_version, table_.version());
  out.value(Metric::router_outstanding, dispatcher_.outstanding());
  out.value(Metric::router_parked, dispatcher_.parked_places());
  out.value(Metric::router_parked_bytes, dispatcher_.parked_bytes());
  out.value(Metric::router_reads, dispatcher_.reads().at_heads, {"head"});
  out.value(Metric::router_reads, dispatcher_.reads().at_others, {"other"});
  out.value(Metric::router_reads_referred, dispatcher_.reads().referred);
  out.value(Metric::router_retries, dispatcher_.retries());
  out.value(Metric::router_timeouts, dispatcher_.timeouts());
  out.value(Metric::router_wide, wide_.size());
  out.value(Metric::router_slots_served, served_slots(links_));
  out.value(Metric::router_leader_link, links_.leader().open() ? 1 : 0);
  const auto name_of = [&](const Lane& lane) { return std::string_view(table_.member(lane.member())->name); };
  links_.for_each_node([&](const Lane& lane) { out.value(Metric::router_node_link, lane.open(), {name_of(lane)}); });
  links_.for_each_node(
      [&](const Lane& lane) { out.value(Metric::router_node_backlog, lane.unsent(), {name_of(lane)}); });
}

Status Router::health(Now) const {
  const auto unhealthy = [](std::string why) { return Status(ErrorCode::unavailable, std::move(why)); };
  if (stopping_) return unhealthy("this router is stopping");
  if (!table_.has_ranges())
    return unhealthy("this router knows no table yet: no coordinator leads, or nodes are missing");
  if (!links_.leader().open()) return unhealthy("this router has no link to a leading coordinator");
  const uint64_t served = served_slots(links_);
  if (served < kSlotCount) return unhealthy(concat(kSlotCount - served, " of ", kSlotCount, " slots are not served"));
  return {};
}

}  // namespace chainring::router
