#include "coordinator/status.h"

#include <algorithm>

#include "base/text.h"
#include "coordinator/json.h"
#include "ring/table.h"

namespace chainring::coordinator {
namespace {

using protocol::MemberState;

std::string_view state_name(MemberState state) {
  switch (state) {
    case MemberState::joining:
      return "joining";
    case MemberState::up:
      return "up";
    case MemberState::absent:
      return "absent";
    case MemberState::leaving:
      return "leaving";
    case MemberState::gone:
      return "gone";
  }
  return "unknown";
}

// How many slots a member heads, and how many it holds.
struct Load {
  uint32_t heads = 0;
  uint32_t holds = 0;
};
Load load_of(const RingState& ring, MemberId member) {
  Load load;
  for (const protocol::TableRange& range : ring.ranges()) {
    if (!ring::contains(range.chain, member)) continue;
    load.holds += slot_count(range);
    if (range.chain.front() == member) load.heads += slot_count(range);
  }
  return load;
}

std::string name_of(const RingState& ring, MemberId id) {
  const Member* member = ring.member(id);
  return member == nullptr ? concat("#", id) : member->listed.name;
}

std::string joined(const RingState& ring, const std::vector<MemberId>& chain) {
  std::string names;
  for (const MemberId id : chain) append_text(names, names.empty() ? "" : " > ", name_of(ring, id));
  return names;
}

void write_members(JsonWriter& json, const RingState& ring, const StatusFacts& facts) {
  json.key("members").begin_array();
  for (size_t i = 0; i < ring.members().size(); ++i) {
    const protocol::TableMember& member = ring.members()[i].listed;
    if (ring.members()[i].gone() && !ring.in_any_chain(member.id)) continue;
    const Load load = load_of(ring, member.id);
    const bool has_place = ring.members()[i].placed && !ring.members()[i].struck;
    json.begin_object();
    json.key("id").number(member.id).key("name").text(member.name);
    json.key("incarnation").text(hex(member.incarnation));
    json.key("host").text(member.host).key("port").number(member.port);
    json.key("state").text(state_name(member.state));
    json.key("lease_ms").number(facts.lease_ms[i]).key("renewed").boolean(facts.renewed[i]);
    json.key("head_slots").number(load.heads).key("slots").number(load.holds);
    json.key("weight").number(member.weight).key("placed").boolean(has_place);
    json.key("failure_host").text(member.failure_host).key("zone").text(member.failure_zone);
    json.end_object();
  }
  json.end_array();
}

void write_chain(JsonWriter& json, std::string_view key, const RingState& ring, const std::vector<MemberId>& chain) {
  json.key(key).begin_array();
  for (const MemberId id : chain) json.text(name_of(ring, id));
  json.end_array();
}

void write_ranges(JsonWriter& json, const RingState& ring) {
  json.key("ranges").begin_array();
  for (const protocol::TableRange& range : ring.ranges()) {
    json.begin_object();
    json.key("first").number(range.first).key("last").number(range.last);
    json.key("epoch").number(static_cast<int64_t>(range.epoch));
    write_chain(json, "chain", ring, range.chain);
    json.key("next_epoch").number(static_cast<int64_t>(range.next_epoch));
    write_chain(json, "next_chain", ring, range.next_chain);
    write_chain(json, "goal", ring, range.goal);
    json.end_object();
  }
  json.end_array();
}

std::string_view reshard_state(const RingState& ring, const StatusFacts& facts) {
  const bool settled = ring.ranges().empty() || (ring.target_wishes() == ring.wishes() && ring.slots_left() == 0);
  if (settled) return "idle";
  if (ring.paused()) return "paused";
  return facts.moves.trouble.empty() ? "moving" : "waiting";
}

void write_reshard(JsonWriter& json, const RingState& ring, const StatusFacts& facts) {
  const uint32_t left = ring.slots_left();
  json.begin_object();
  json.key("state").text(reshard_state(ring, facts)).key("change").text(ring.change().text);
  json.key("slots_total").number(std::max(left, ring.slots_total())).key("slots_left").number(left);
  json.key("copying").number(facts.moves.learning);
  json.key("keys_copied").number(static_cast<int64_t>(facts.moves.keys));
  json.key("bytes_copied").number(static_cast<int64_t>(facts.moves.bytes));
  json.key("running_ms").number(facts.change_ms).key("trouble").text(facts.moves.trouble);
  json.end_object();
}

std::string ago(int64_t ms) { return ms < 0 ? "never heard" : concat("heard ", ms, " ms ago"); }

}  // namespace

SlotCounts count_slots(const RingState& ring, const std::vector<int64_t>& lease_ms) {
  const auto has_lease = [&](MemberId id) {
    const auto at = std::lower_bound(ring.members().begin(), ring.members().end(), id,
                                     [](const Member& member, MemberId wanted) { return member.listed.id < wanted; });
    return at != ring.members().end() && at->listed.id == id &&
           lease_ms[static_cast<size_t>(at - ring.members().begin())] > 0;
  };
  const size_t full_chain = std::min<size_t>(ring.copies(), ring.placed_count());
  SlotCounts counts;
  for (const protocol::TableRange& range : ring.ranges()) {
    const uint32_t slots = slot_count(range);
    counts.assigned += slots;
    if (ring.lost(range)) {
      counts.lost += slots;
      continue;
    }
    if (std::none_of(basis(range).begin(), basis(range).end(), has_lease)) counts.standing += slots;
    if (range.next_epoch != 0) {
      counts.changing += slots;
    } else if (std::all_of(range.chain.begin(), range.chain.end(), has_lease)) {
      counts.served += slots;
    }
    if (range.chain.size() < full_chain) counts.short_of += slots;
  }
  return counts;
}

std::string status_text(const RingState& ring, const StatusFacts& facts) {
  std::string out;
  const SlotCounts slots = count_slots(ring, facts.lease_ms);
  append_text(out, "cluster ", hex(ring.cluster_id()), " generation ", ring.generation(), ", table version ",
              ring.version(), ", copies ", ring.copies(), ring.stopped() ? ", stopped in order" : "", "\n");
  append_text(out, "slots: ", slots.assigned, " assigned, ", slots.served, " served, ", slots.changing, " changing, ",
              slots.short_of, " short of copies, ", slots.standing, " standing still, ", slots.lost, " lost\n");
  append_text(out, "locks: ", facts.lock_count, " held, last token ", facts.lock_token, "\n");
  append_text(out, "coordinators (leader ", facts.leader, ", term ", facts.term, "):\n");
  for (const CoordinatorStatus& coordinator : facts.coordinators) {
    append_text(out, "  ", coordinator.name, " ", coordinator.host, ":", coordinator.port, " ", coordinator.state,
                ", log ", coordinator.applied, ", ", ago(coordinator.last_heard_ms), "\n");
  }
  out.append("members:\n");
  for (size_t i = 0; i < ring.members().size(); ++i) {
    const protocol::TableMember& member = ring.members()[i].listed;
    if (ring.members()[i].gone() && !ring.in_any_chain(member.id)) continue;
    const Load load = load_of(ring, member.id);
    append_text(out, "  ", member.id, " ", member.name, " ", member.host, ":", member.port, " ",
                state_name(member.state), ", lease ", facts.lease_ms[i], " ms, heads ", load.heads, " of ", load.holds,
                " slots, weight ", member.weight, "\n");
  }
  out.append("routers:\n");
  for (const RouterStatus& router : facts.routers) {
    append_text(out, "  ", router.name, " ", router.host, ":", router.port, " table ", router.version, ", ",
                ago(router.last_heard_ms), "\n");
  }
  if (const std::string_view state = reshard_state(ring, facts); state != "idle") {
    append_text(out, "resharding: ", state, ring.change().text.empty() ? "" : ", ", ring.change().text, ", ",
                ring.slots_left(), " of ", std::max(ring.slots_left(), ring.slots_total()), " slots left, ",
                facts.moves.learning, " being copied", facts.moves.trouble.empty() ? "" : ", ", facts.moves.trouble,
                "\n");
  }
  out.append("changes under way:\n");
  for (const protocol::TableRange& range : ring.ranges()) {
    if (range.next_epoch == 0) continue;
    append_text(out, "  slots ", range.first, "-", range.last, ": ", joined(ring, range.chain), " (epoch ", range.epoch,
                ") to ", joined(ring, range.next_chain), " (epoch ", range.next_epoch, ")\n");
  }
  return out;
}

std::string reshard_json(const RingState& ring, const StatusFacts& facts) {
  JsonWriter json;
  write_reshard(json, ring, facts);
  return std::move(json).take();
}

std::string status_json(const RingState& ring, const StatusFacts& facts) {
  const SlotCounts slots = count_slots(ring, facts.lease_ms);
  JsonWriter json;
  json.begin_object();
  json.key("cluster_id").text(hex(ring.cluster_id())).key("generation").number(static_cast<int64_t>(ring.generation()));
  json.key("version").number(static_cast<int64_t>(ring.version())).key("leader").text(facts.leader);
  json.key("term").number(static_cast<int64_t>(facts.term)).key("copies").number(ring.copies());
  json.key("coordinators").begin_array();
  for (const CoordinatorStatus& coordinator : facts.coordinators) {
    json.begin_object();
    json.key("name").text(coordinator.name).key("host").text(coordinator.host).key("port").number(coordinator.port);
    json.key("state").text(coordinator.state).key("applied").number(static_cast<int64_t>(coordinator.applied));
    json.key("last_heard_ms").number(coordinator.last_heard_ms).key("voter").boolean(coordinator.voter);
    json.end_object();
  }
  json.end_array();
  write_members(json, ring, facts);
  json.key("routers").begin_array();
  for (const RouterStatus& router : facts.routers) {
    json.begin_object();
    json.key("name").text(router.name).key("host").text(router.host).key("port").number(router.port);
    json.key("version").number(static_cast<int64_t>(router.version)).key("last_heard_ms").number(router.last_heard_ms);
    json.end_object();
  }
  json.end_array();
  json.key("slots").begin_object();
  json.key("assigned").number(slots.assigned).key("served").number(slots.served).key("changing").number(slots.changing);
  json.key("lost").number(slots.lost).key("standing").number(slots.standing).key("short").number(slots.short_of);
  json.end_object();
  write_ranges(json, ring);
  json.key("reshard");
  write_reshard(json, ring, facts);
  json.key("locks").begin_object();
  json.key("count").number(static_cast<int64_t>(facts.lock_count));
  json.key("token").number(static_cast<int64_t>(facts.lock_token));
  json.end_object();
  json.end_object();
  return std::move(json).take();
}

}  // namespace chainring::coordinator
