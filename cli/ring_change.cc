#include "cli/ring_change.h"

#include <algorithm>

#include "base/text.h"

namespace chainring::cli {
namespace {

constexpr std::string_view kUndo = "undo ", kBetweenChanges = ", ";

std::string_view verb(RingChange::Kind kind) {
  switch (kind) {
    case RingChange::Kind::add:
      return "add";
    case RingChange::Kind::remove:
      return "remove";
    case RingChange::Kind::weight:
      return "weight";
    case RingChange::Kind::copies:
      break;
  }
  return "copies";
}

bool has_number(RingChange::Kind kind) { return kind == RingChange::Kind::weight || kind == RingChange::Kind::copies; }

bool is_out(const StatusReport::Member& member) {
  const bool is_dead = member.state == "absent" && !member.placed;
  return member.state == "gone" || ((member.state == "joining" || is_dead) && member.slots == 0);
}

}  // namespace

std::string RingChange::text() const {
  std::string text(verb(kind));
  if (!name.empty()) append_text(text, ' ', name);
  if (has_number(kind)) append_text(text, ' ', number);
  return text;
}

std::vector<std::string> RingChange::words() const {
  std::vector<std::string> words{to_upper(verb(kind))};
  if (!name.empty()) words.push_back(name);
  if (has_number(kind)) words.push_back(std::to_string(number));
  return words;
}

bool is_in_effect(const RingChange& change, const StatusReport& report) {
  if (change.kind == RingChange::Kind::copies) return report.copies == change.number;
  std::vector<const StatusReport::Member*> named;  // its incarnations
  for (const auto& member : report.members) {
    if (member.name == change.name) named.push_back(&member);
  }
  if (change.kind == RingChange::Kind::remove) {
    return std::all_of(named.begin(), named.end(), [](const auto* member) { return is_out(*member); });
  }
  return std::any_of(named.begin(), named.end(), [&](const auto* member) {
    return change.kind == RingChange::Kind::add ? member->state == "up"
                                                : member->state != "gone" && member->weight == change.number;
  });
}

bool is_under_way(const RingChange& change, const ReshardReport& report) {
  if (report.idle()) return false;
  std::string_view rest = report.change;  // "undo add n4, weight n1 200"
  if (rest.starts_with(kUndo)) rest.remove_prefix(kUndo.size());
  const std::string wanted = change.text();
  while (!rest.empty()) {
    const size_t end = rest.find(kBetweenChanges);
    if (rest.substr(0, end) == wanted) return true;
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + kBetweenChanges.size());
  }
  return false;
}

std::string idle_node(const StatusReport& report, const std::vector<std::string>& nodes) {
  for (const std::string& name : nodes) {
    const StatusReport::Member* idle = nullptr;
    bool has_a_past = false;  // another incarnation still counts: it takes its old places by itself
    for (const auto& member : report.members) {
      if (member.name != name || member.state == "gone") continue;
      if (is_out(member) && member.lease_ms > 0) {
        idle = &member;
      } else {
        has_a_past = true;
      }
    }
    if (idle != nullptr && !has_a_past) return name;
  }
  return "";
}

}  // namespace chainring::cli
