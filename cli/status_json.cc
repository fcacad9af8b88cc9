#include <boost/json.hpp>

#include "base/text.h"
#include "cli/lost_report.h"
#include "cli/recovery_report.h"
#include "cli/status_report.h"
#include "cli/up_report.h"

namespace chainring::cli {
namespace {

namespace json = boost::json;

const json::object& object_at(const json::object& parent, std::string_view key) {
  static const json::object kEmpty;
  const json::value* value = parent.if_contains(key);
  return value != nullptr && value->is_object() ? value->get_object() : kEmpty;
}

const json::array& array_at(const json::object& parent, std::string_view key) {
  static const json::array kEmpty;
  const json::value* value = parent.if_contains(key);
  return value != nullptr && value->is_array() ? value->get_array() : kEmpty;
}

void take(const json::object& from, std::string_view key, std::string& to) {
  const json::value* value = from.if_contains(key);
  if (value != nullptr && value->is_string()) to = std::string_view(value->get_string());
}

void take(const json::object& from, std::string_view key, int64_t& to) {
  const json::value* value = from.if_contains(key);
  if (value == nullptr) return;
  json::error_code failed;
  const auto number = value->to_number<int64_t>(failed);
  if (!failed) to = number;
}

void take(const json::object& from, std::string_view key, bool& to) {
  const json::value* value = from.if_contains(key);
  if (value != nullptr && value->is_bool()) to = value->get_bool();
}

void take(const json::object& from, std::string_view key, std::vector<std::string>& to) {
  for (const json::value& item : array_at(from, key)) {
    if (item.is_string()) to.emplace_back(std::string_view(item.get_string()));
  }
}

void take(const json::object& from, std::string_view key, std::vector<int64_t>& to) {
  for (const json::value& item : array_at(from, key)) {
    if (item.is_int64()) to.push_back(item.get_int64());
  }
}

void take(const json::object& from, StatusReport::Coordinator& to) {
  take(from, "name", to.name);
  take(from, "host", to.host);
  take(from, "port", to.port);
  take(from, "state", to.state);
  take(from, "applied", to.applied);
  take(from, "last_heard_ms", to.last_heard_ms);
}

void take(const json::object& from, StatusReport::Member& to) {
  take(from, "id", to.id);
  take(from, "name", to.name);
  take(from, "incarnation", to.incarnation);
  take(from, "host", to.host);
  take(from, "port", to.port);
  take(from, "state", to.state);
  take(from, "lease_ms", to.lease_ms);
  take(from, "head_slots", to.head_slots);
  take(from, "slots", to.slots);
  take(from, "weight", to.weight);
  take(from, "placed", to.placed);
  take(from, "failure_host", to.failure_host);
  take(from, "zone", to.zone);
}

void take(const json::object& from, StatusReport::Router& to) {
  take(from, "name", to.name);
  take(from, "host", to.host);
  take(from, "port", to.port);
  take(from, "version", to.version);
  take(from, "last_heard_ms", to.last_heard_ms);
}

void take(const json::object& from, StatusReport::Range& to) {
  take(from, "first", to.first);
  take(from, "last", to.last);
  take(from, "epoch", to.epoch);
  take(from, "chain", to.chain);
  take(from, "next_epoch", to.next_epoch);
  take(from, "next_chain", to.next_chain);
}

void take(const json::object& from, ReshardReport& to) {
  take(from, "state", to.state);
  take(from, "change", to.change);
  take(from, "slots_total", to.slots_total);
  take(from, "slots_left", to.slots_left);
  take(from, "copying", to.copying);
  take(from, "keys_copied", to.keys_copied);
  take(from, "bytes_copied", to.bytes_copied);
  take(from, "running_ms", to.running_ms);
  take(from, "trouble", to.trouble);
}

void take(const json::object& from, PlanReport::Member& to) {
  take(from, "name", to.name);
  take(from, "weight", to.weight);
  take(from, "slots_before", to.slots_before);
  take(from, "slots_after", to.slots_after);
  take(from, "heads_before", to.heads_before);
  take(from, "heads_after", to.heads_after);
  take(from, "receives", to.receives);
  take(from, "gives", to.gives);
}

void take(const json::object& from, LostReport::Chain& to) {
  take(from, "first", to.first);
  take(from, "last", to.last);
  take(from, "epoch", to.epoch);
  take(from, "lost", to.lost);
  take(from, "members", to.members);
}

void take(const json::object& from, LostReport::Member& to) {
  take(from, "id", to.id);
  take(from, "name", to.name);
  take(from, "host", to.host);
  take(from, "port", to.port);
  take(from, "state", to.state);
  take(from, "slots", to.slots);
  take(from, "lapsed_ms", to.lapsed_ms);
}

void take(const json::object& from, RecoveryReport::Node& to) {
  take(from, "name", to.name);
  take(from, "version", to.version);
  take(from, "slots", to.slots);
}

void take(const json::object& from, RecoveryReport::Range& to) {
  take(from, "first", to.first);
  take(from, "last", to.last);
}

template <class T>
void take_all(const json::object& from, std::string_view key, std::vector<T>& to) {
  for (const json::value& item : array_at(from, key)) {
    if (item.is_object()) take(item.get_object(), to.emplace_back());
  }
}

Result<json::object> parse_object(std::string_view text, std::string_view what) {
  json::error_code failed;
  json::value value = json::parse(text, failed);
  if (failed || !value.is_object()) {
    return Status(ErrorCode::corrupt,
                  concat("the answer is not a ", what, ": ", failed ? failed.message() : "no object"));
  }
  return std::move(value.get_object());
}

}  // namespace

Result<StatusReport> parse_status(std::string_view text) {
  const Result<json::object> parsed = parse_object(text, "status");
  if (!parsed) return parsed.status();
  const json::object& root = *parsed;
  StatusReport report;
  take(root, "cluster_id", report.cluster_id);
  take(root, "generation", report.generation);
  take(root, "version", report.version);
  take(root, "leader", report.leader);
  take(root, "term", report.term);
  take(root, "copies", report.copies);
  take_all(root, "coordinators", report.coordinators);
  take_all(root, "members", report.members);
  take_all(root, "routers", report.routers);
  take_all(root, "ranges", report.ranges);
  const json::object& slots = object_at(root, "slots");
  take(slots, "assigned", report.slots_assigned);
  take(slots, "served", report.slots_served);
  take(slots, "changing", report.slots_changing);
  take(slots, "lost", report.slots_lost);
  take(slots, "standing", report.slots_standing);
  take(slots, "short", report.slots_short);
  const json::object& locks = object_at(root, "locks");
  take(locks, "count", report.locks);
  take(locks, "token", report.lock_token);
  take(object_at(root, "reshard"), report.reshard);
  return report;
}

Result<LostReport> parse_lost(std::string_view text) {
  const Result<json::object> root = parse_object(text, "list of what is lost");
  if (!root) return root.status();
  LostReport report;
  take(*root, "slots", report.slots);
  take(*root, "lost", report.lost);
  take_all(*root, "chains", report.chains);
  take_all(*root, "members", report.members);
  return report;
}

Result<RecoveryReport> parse_recovery(std::string_view text) {
  const Result<json::object> root = parse_object(text, "plan of a recovery");
  if (!root) return root.status();
  RecoveryReport report;
  take(*root, "cluster_id", report.cluster_id);
  take(*root, "generation", report.generation);
  take(*root, "version", report.version);
  take(*root, "lease_ms", report.lease_ms);
  take_all(*root, "stated", report.stated);
  take_all(*root, "silent", report.silent);
  take_all(*root, "uncovered", report.uncovered);
  take(*root, "uncovered_slots", report.uncovered_slots);
  return report;
}

Result<ReshardReport> parse_reshard(std::string_view text) {
  const Result<json::object> root = parse_object(text, "state of resharding");
  if (!root) return root.status();
  ReshardReport report;
  take(*root, report);
  return report;
}

Result<PlanReport> parse_plan(std::string_view text) {
  const Result<json::object> root = parse_object(text, "plan");
  if (!root) return root.status();
  PlanReport report;
  take(*root, "moves", report.moves);
  take(*root, "slots", report.slots);
  take(*root, "heads", report.heads);
  take(*root, "least", report.least);
  take(*root, "copies_before", report.copies_before);
  take(*root, "copies_after", report.copies_after);
  take_all(*root, "members", report.members);
  return report;
}

std::string to_json(const UpReport& report) {
  const auto array = [](const auto& items) { return json::array(items.begin(), items.end()); };
  return json::serialize(json::object{{"host", report.host},
                                      {"routers", array(report.routers)},
                                      {"coordinators", array(report.coordinators)},
                                      {"nodes", array(report.nodes)}});
}

Result<UpReport> parse_up(std::string_view text) {
  const Result<json::object> root = parse_object(text, "description of a cluster");
  if (!root) return root.status();
  UpReport report;
  take(*root, "host", report.host);
  take(*root, "routers", report.routers);
  take(*root, "coordinators", report.coordinators);
  take(*root, "nodes", report.nodes);
  return report;
}

}  // namespace chainring::cli
