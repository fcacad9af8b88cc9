#include <algorithm>

#include "base/ids.h"
#include "base/text.h"
#include "cli/reshard_text.h"
#include "cli/status_report.h"
#include "cli/text_table.h"

namespace chainring::cli {
namespace {

constexpr size_t kIncarnationDigits = 8;  // enough to tell two apart by eye
constexpr size_t kMovesShownMax = 20;

std::string address(const std::string& host, int64_t port) { return concat(host, ':', port); }

std::string ago(int64_t ms) { return ms < 0 ? "never" : concat(ms, " ms ago"); }

std::string chain_text(const std::vector<std::string>& chain) {
  std::string text;
  for (const std::string& name : chain) append_text(text, text.empty() ? "" : " > ", name);
  return text.empty() ? "nobody" : text;
}

std::string coordinators_text(const StatusReport& report) {
  TextTable table({"COORDINATOR", "ADDRESS", "STATE", "APPLIED", "HEARD"});
  for (const auto& one : report.coordinators) {
    table.add({one.name, address(one.host, one.port), one.state, concat(one.applied),
               one.state == "leader" ? "-" : ago(one.last_heard_ms)});
  }
  return table.text();
}

std::string members_text(const StatusReport& report) {
  TextTable table({"NODE", "ADDRESS", "STATE", "INCARNATION", "LEASE", "HEAD OF", "SLOTS", "WEIGHT", "DOMAIN"});
  for (const auto& one : report.members) {
    table.add({one.name, address(one.host, one.port), one.state, one.incarnation.substr(0, kIncarnationDigits),
               one.lease_ms > 0 ? concat(one.lease_ms, " ms") : "lapsed", concat(one.head_slots), concat(one.slots),
               concat(one.weight), one.zone.empty() ? one.failure_host : concat(one.zone, '/', one.failure_host)});
  }
  return table.text();
}

// What the states mean that are not "up", for the members that are in them.
std::string story_of(const StatusReport::Member& member) {
  if (member.state == "joining") {
    return member.slots == 0 ? "has registered and is not in the ring; `chainring reshard add` gives it slots"
                             : "is being given slots";
  }
  if (member.state == "leaving") return "gives its slots away, and is out of the ring then";
  if (member.state == "gone") return "will not come back; chains that name it wait for their change";
  if (member.state != "absent") return "";
  return member.slots == 0
             ? "has lost its lease; chains go on without it, and unless it comes back it is forgotten"
             : "has lost its lease; chains go on without it, but those wait of which it has the only copy";
}

std::string stories_text(const StatusReport& report) {
  std::string out;
  for (const auto& member : report.members) {
    const std::string story = story_of(member);
    if (!story.empty()) append_text(out, "  ", member.name, ' ', story, '\n');
  }
  return out;
}

std::string routers_text(const StatusReport& report) {
  TextTable table({"ROUTER", "ADDRESS", "TABLE", "HEARD"});
  for (const auto& one : report.routers) {
    table.add({one.name, address(one.host, one.port), concat(one.version), ago(one.last_heard_ms)});
  }
  return table.text();
}

std::string epochs_text(const StatusReport& report) {
  const auto by_epoch = [](const auto& a, const auto& b) { return a.epoch < b.epoch; };
  const auto [least, greatest] = std::minmax_element(report.ranges.begin(), report.ranges.end(), by_epoch);
  return least->epoch == greatest->epoch ? concat("epoch ", least->epoch)
                                         : concat("epochs ", least->epoch, " to ", greatest->epoch);
}

std::string slots_text(const StatusReport& report) {
  std::string out = concat("slots: ", report.slots_served, " of ", kSlotCount, " served, ", report.slots_changing,
                           " changing, ", report.slots_short, " with fewer copies than ", report.copies);
  if (!report.ranges.empty()) append_text(out, "; ", report.ranges.size(), " ranges, ", epochs_text(report));
  append_text(out, '\n');
  if (report.slots_standing > 0) {
    append_text(out, "STANDING: nobody of the chains of ", report.slots_standing,
                " slots is there. They go on with what they hold when one of their nodes comes back; `chainring "
                "serve-empty` lists these nodes.\n");
  }
  if (report.slots_lost > 0) {
    append_text(out, "LOST: every copy of ", report.slots_lost,
                " slots is gone. They are not served until one of their nodes comes back with what it held, or an "
                "operator decides to go on without: chainring serve-empty.\n");
  }
  return out;
}

std::string moves_text(const StatusReport& report) {
  std::string out;
  size_t more = 0;
  size_t shown = 0;
  for (const auto& range : report.ranges) {
    if (range.next_epoch == 0) continue;
    if (++shown > kMovesShownMax) {
      ++more;
      continue;
    }
    append_text(out, "  slots ", range.first, '-', range.last, ": ", chain_text(range.chain), " (epoch ", range.epoch,
                ") becomes ", chain_text(range.next_chain), " (epoch ", range.next_epoch, ")\n");
  }
  if (more > 0) append_text(out, "  and ", more, " more ranges\n");
  return out.empty() ? "" : concat("changing:\n", out);
}

}  // namespace

std::string to_text(const StatusReport& report) {
  std::string out = concat("cluster ", report.cluster_id, "  generation ", report.generation, "  table ",
                           report.version, "  copies ", report.copies, "  leader ",
                           report.leader.empty() ? "NONE" : report.leader, " (term ", report.term, ")\n\n");
  append_text(out, coordinators_text(report), '\n', members_text(report), stories_text(report), '\n');
  if (!report.routers.empty()) append_text(out, routers_text(report), '\n');
  append_text(out, slots_text(report), "reshard: ", reshard_text(report.reshard), '\n', moves_text(report),
              "locks: ", report.locks, " held, last token ", report.lock_token, '\n');
  return out;
}

Awaited what_is_missing(const StatusReport& report, int nodes) {
  if (report.leader.empty()) return {"the coordinators elect a leader"};
  const auto count = [&](auto&&... states) {
    return std::count_if(report.members.begin(), report.members.end(),
                         [&](const auto& member) { return ((member.state == states) || ...); });
  };
  // Whoever could bring back what was lost would have registered by now, and not as a new node.
  if (report.slots_lost > 0 && count("joining", "up") >= nodes) {
    return {concat("every copy of ", report.slots_lost,
                   " slots is lost, because the nodes that held them did not stop in order; to begin again with those "
                   "slots empty (locks are kept), run chainring serve-empty, or start with --on-loss empty"),
            true};
  }
  if (count("up") < nodes) return {concat(count("up"), " of ", nodes, " nodes are up")};
  if (report.slots_served < kSlotCount) return {concat(report.slots_served, " of ", kSlotCount, " slots are served")};
  return {};
}

}  // namespace chainring::cli
