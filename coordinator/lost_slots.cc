#include "coordinator/lost_slots.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/text.h"
#include "coordinator/json.h"
#include "coordinator/planner.h"
#include "protocol/runs.h"

namespace chainring::coordinator {
namespace {

using protocol::SlotRange;
using protocol::TableRange;

Status refused(std::string why) { return {ErrorCode::invalid_argument, std::move(why)}; }

std::string slots_text(Slot first, Slot last) {
  return first == last ? concat("slot ", first) : concat("slots ", first, "-", last);
}

std::optional<SlotRange> parse_slots(std::string_view text) {
  const size_t dash = text.find('-');
  const auto first = parse_uint(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_uint(text.substr(dash + 1));
  if (!first || !last || *last < *first || *last >= kSlotCount) return std::nullopt;
  return SlotRange{static_cast<Slot>(*first), static_cast<Slot>(*last)};
}

// What an operator asks for.
struct Word {
  Slots slots;
  std::set<std::string_view> gone;
};

Result<Word> parse_word(std::span<const std::string_view> args) {
  Word word;
  size_t at = 0;
  for (; at < args.size() && !equals_ignoring_case(args[at], "gone"); ++at) {
    const std::optional<SlotRange> range = parse_slots(args[at]);
    if (!range) return refused(concat("'", args[at].substr(0, 64), "' is not a slot or first-last, as in 0-5460"));
    for (uint32_t slot = range->first; slot <= range->last; ++slot) word.slots.set(slot);
  }
  if (at < args.size()) {
    if (at + 1 == args.size()) return refused("GONE is followed by the names of nodes");
    word.gone.insert(args.begin() + static_cast<ptrdiff_t>(at) + 1, args.end());
  }
  if (word.slots.none()) return refused("name the slots, as in 0-5460; RING LOST lists those that nobody serves");
  return word;
}

// The parts of the table that the word is about.
std::vector<TableRange> parts_of(const RingState& ring, const Slots& slots) {
  std::vector<SlotRange> wanted;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    if (slots.test(slot)) protocol::append_run(wanted, SlotRange{static_cast<Slot>(slot), static_cast<Slot>(slot)});
  }
  std::vector<TableRange> parts;
  for_each_part(ring.ranges(), wanted, [&](Slot first, Slot last, const TableRange& range, const SlotRange&) {
    TableRange& part = parts.emplace_back(range);
    part.first = first;
    part.last = last;
  });
  return parts;
}

// Why what `holder` holds of the slots is not to be given up; empty when it is.
std::string objection(const RingState& ring, const LeaseBook& leases, Micros now, const Member& holder,
                      bool declared_gone) {
  const protocol::TableMember& listed = holder.listed;
  if (holder.gone()) return {};
  if (!leases.lapsed(listed.id, now)) {
    const Millis left = (leases.ends(listed.id) - now) / kMicrosPerMilli + 1;
    return concat(listed.name, " (member ", listed.id, ") holds them, and may serve for ", left, " ms more at least");
  }
  if (ring.superseded(holder)) return concat(listed.name, " (member ", listed.id, ") is about to be gone; try again");
  if (declared_gone) return {};
  return concat(
      listed.name, " (member ", listed.id, " at ", listed.host, ":", listed.port,
      ") is only absent. While its process lives, frozen or cut off, wait until it reaches the coordinators: ",
      "its slots go on with what they hold. When it will never run again, say so: GONE ", listed.name);
}

}  // namespace

bool stands_still(const RingState& ring, const LeaseBook& leases, const TableRange& range, Micros now) {
  const std::vector<MemberId>& holders = basis(range);
  return !ring.stopped() && std::all_of(holders.begin(), holders.end(), [&](MemberId id) {
    const Member* holder = ring.member(id);
    return holder == nullptr || holder->gone() || leases.lapsed(id, now);
  });
}

std::string lost_json(const RingState& ring, const LeaseBook& leases, Micros now) {
  uint32_t standing = 0, lost = 0;
  std::map<MemberId, uint32_t> holders;  // and how many of the slots each held
  JsonWriter json;
  json.begin_object().key("chains").begin_array();
  for (const TableRange& range : ring.ranges()) {
    if (!stands_still(ring, leases, range, now)) continue;
    const bool is_lost = ring.lost(range);
    standing += slot_count(range);
    if (is_lost) lost += slot_count(range);
    json.begin_object().key("first").number(range.first).key("last").number(range.last);
    json.key("epoch").number(static_cast<int64_t>(range.epoch)).key("lost").boolean(is_lost);
    json.key("members").begin_array();
    for (const MemberId id : basis(range)) {
      json.number(id);
      holders[id] += slot_count(range);
    }
    json.end_array().end_object();
  }
  json.end_array().key("slots").number(standing).key("lost").number(lost);
  json.key("members").begin_array();
  for (const auto& [id, slots] : holders) {
    const Member* holder = ring.member(id);
    if (holder == nullptr) continue;
    json.begin_object().key("id").number(id).key("name").text(holder->listed.name);
    json.key("host").text(holder->listed.host).key("port").number(holder->listed.port);
    json.key("state").text(holder->gone() ? "gone" : "absent").key("slots").number(slots);
    json.key("lapsed_ms").number(std::max<Micros>(0, now - leases.ends(id)) / kMicrosPerMilli).end_object();
  }
  json.end_array().end_object();
  return std::move(json).take();
}

Result<ServeEmptyEntry> plan_serve_empty(const RingState& ring, const LeaseBook& leases, Micros now,
                                         std::span<const std::string_view> args) {
  Result<Word> word = parse_word(args);
  if (!word.ok()) return word.status();
  if (ring.ranges().empty()) return refused("there is no ring yet, so nothing of it is lost");
  if (ring.stopped()) return refused("the cluster was stopped in order: its next start begins empty by itself");
  ServeEmptyEntry entry;
  entry.planned_at = ring.last_epoch();
  std::set<MemberId> given_up;
  std::set<std::string_view> unknown = word->gone;
  for (const TableRange& part : parts_of(ring, word->slots)) {
    for (const MemberId id : basis(part)) {
      const Member* holder = ring.member(id);
      if (holder == nullptr) continue;
      unknown.erase(holder->listed.name);
      const bool declared_gone = word->gone.contains(holder->listed.name);
      if (const std::string why = objection(ring, leases, now, *holder, declared_gone); !why.empty()) {
        return refused(concat(slots_text(part.first, part.last), " are not lost: ", why));
      }
      if (!holder->gone()) given_up.insert(id);
    }
  }
  if (!unknown.empty()) return refused(concat("no node '", *unknown.begin(), "' held any of these slots"));
  entry.gone.assign(given_up.begin(), given_up.end());
  entry.runs = chains_from_empty(ring, leases, now, word->slots);
  if (entry.runs.empty()) {
    return refused("no node of the ring is there to serve them: start one; a new one joins with RING ADD");
  }
  return entry;
}

}  // namespace chainring::coordinator
