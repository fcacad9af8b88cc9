#include <boost/json.hpp>

#include "base/text.h"
#include "cli/status_report.h"

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

void take(const json::object& from, std::string_view key, std::vector<std::string>& to) {
  for (const json::value& item : array_at(from, key)) {
    if (item.is_string()) to.emplace_back(std::string_view(item.get_string()));
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

template <class T>
void take_all(const json::object& from, std::string_view key, std::vector<T>& to) {
  for (const json::value& item : array_at(from, key)) {
    if (item.is_object()) take(item.get_object(), to.emplace_back());
  }
}

}  // namespace

Result<StatusReport> parse_status(std::string_view text) {
  json::error_code failed;
  const json::value value = json::parse(text, failed);
  if (failed || !value.is_object()) {
    return Status(ErrorCode::corrupt, concat("the answer is not a status: ", failed ? failed.message() : "no object"));
  }
  const json::object& root = value.get_object();
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
  take(slots, "short", report.slots_short);
  const json::object& locks = object_at(root, "locks");
  take(locks, "count", report.locks);
  take(locks, "token", report.lock_token);
  return report;
}

}  // namespace chainring::cli
