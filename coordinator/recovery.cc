#include "coordinator/recovery.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/text.h"
#include "coordinator/json.h"
#include "coordinator/ranges.h"
#include "protocol/frame.h"
#include "protocol/runs.h"
#include "ring/table.h"

namespace chainring::coordinator {
namespace {

using protocol::TableMessage;
using protocol::TableStatement;

Status refused(std::string why) { return {ErrorCode::invalid_argument, std::move(why)}; }

Result<TableStatement> parse_statement(std::string_view bytes) {
  auto statement = decode<TableStatement>(bytes);
  if (!statement || statement->wire_version != protocol::kWireVersion) {
    return refused("what a node answered to RING TABLE is cut short, or of another version of the program");
  }
  if (Result<ring::Table> table = ring::Table::from_message(statement->table); !table.ok()) {
    return refused(concat("node ", statement->name, " states a table that cannot be: ", table.status().message()));
  }
  return *std::move(statement);
}

Status check_statement(const TableStatement& statement, const TableMessage& newest) {
  if (statement.lease_left_us > 0) {
    return refused(concat("node ", statement.name, " holds a lease for ", statement.lease_left_us / kMicrosPerMilli + 1,
                          " ms more. When it holds one the next time, too, a coordinator lives and leads: recovering ",
                          "is for clusters that have lost them all"));
  }
  if (statement.table.version != 0 && statement.table.cluster_id != newest.cluster_id) {
    return refused(concat("node ", statement.name, " is of cluster ", hex(statement.table.cluster_id),
                          ", others are of cluster ", hex(newest.cluster_id)));
  }
  return {};
}

// Every table is whole, and the next one of a generation has no older epoch of any slot: so the newest table has the
// newest epoch of each slot.
const TableMessage& newest_of(const std::vector<TableStatement>& statements) {
  const auto older = [](const TableStatement& a, const TableStatement& b) {
    return std::pair(a.table.generation, a.table.version) < std::pair(b.table.generation, b.table.version);
  };
  return std::max_element(statements.begin(), statements.end(), older)->table;
}

Status check_newest(const TableMessage& newest) {
  if (newest.version == 0 || newest.ranges.empty()) {
    return refused("none of these nodes knows a table with slots: there is nothing to recover; found a new cluster");
  }
  if (newest.stopped) {
    return refused("the cluster was stopped in order: its data was given up, so there is nothing to recover");
  }
  if (newest.generation >= kGenerationMax) return refused("this was the last generation that tokens have room for");
  return {};
}

void write_nodes(JsonWriter& json, std::string_view key, const std::vector<Recovery::Node>& nodes) {
  json.key(key).begin_array();
  for (const Recovery::Node& node : nodes) {
    json.begin_object().key("name").text(node.name);
    json.key("version").number(static_cast<int64_t>(node.version)).key("slots").number(node.slots).end_object();
  }
  json.end_array();
}

}  // namespace

Result<Recovery> weigh_statements(std::span<const std::string_view> statements) {
  std::vector<TableStatement> parsed;
  for (const std::string_view bytes : statements) {
    Result<TableStatement> statement = parse_statement(bytes);
    if (!statement.ok()) return statement.status();
    parsed.push_back(*std::move(statement));
  }
  if (parsed.empty()) return refused("no node has stated a table");
  Recovery recovery;
  recovery.table = newest_of(parsed);
  if (Status usable = check_newest(recovery.table); !usable.ok()) return usable;
  std::map<Incarnation, const TableStatement*> asked;
  for (const TableStatement& statement : parsed) {
    if (Status usable = check_statement(statement, recovery.table); !usable.ok()) return usable;
    recovery.lease_us = std::max(recovery.lease_us, statement.lease_us);
    asked[statement.incarnation] = &statement;
  }
  std::set<MemberId> present;
  for (const protocol::TableMember& member : recovery.table.members) {
    if (asked.contains(member.incarnation)) present.insert(member.id);
  }
  std::map<MemberId, uint32_t> held;
  for (const protocol::TableRange& range : recovery.table.ranges) {
    bool covered = false;
    for (const MemberId id : basis(range)) {
      held[id] += slot_count(range);
      covered = covered || present.contains(id);
    }
    if (!covered) protocol::append_run(recovery.uncovered, {range.first, range.last});
  }
  std::map<Incarnation, uint32_t> slots_of;
  for (const protocol::TableMember& member : recovery.table.members) {
    slots_of[member.incarnation] = held[member.id];
    if (held[member.id] == 0 || present.contains(member.id)) continue;
    recovery.silent.push_back({member.name, 0, held[member.id]});
  }
  for (const auto& [incarnation, statement] : asked) {
    recovery.stated.push_back({statement->name, statement->table.version, slots_of[incarnation]});
  }
  return recovery;
}

RecoverEntry recover_entry(const Recovery& recovery, FoundEntry own) {
  RecoverEntry entry{std::move(own), recovery.table};
  entry.found.cluster_id = recovery.table.cluster_id;
  entry.found.generation = recovery.table.generation + 1;
  entry.found.hash_seed = recovery.table.hash_seed;
  entry.found.copies = recovery.table.copies;
  entry.found.lock_prefixes = recovery.table.lock_prefixes;
  return entry;
}

std::string recovery_json(const Recovery& recovery) {
  JsonWriter json;
  json.begin_object().key("cluster_id").text(hex(recovery.table.cluster_id));
  json.key("generation").number(static_cast<int64_t>(recovery.table.generation) + 1);
  json.key("version").number(static_cast<int64_t>(recovery.table.version));
  json.key("lease_ms").number(recovery.lease_us / kMicrosPerMilli);
  write_nodes(json, "stated", recovery.stated);
  write_nodes(json, "silent", recovery.silent);
  uint32_t uncovered = 0;
  json.key("uncovered").begin_array();
  for (const protocol::SlotRange& range : recovery.uncovered) {
    json.begin_object().key("first").number(range.first).key("last").number(range.last).end_object();
    uncovered += range.last - range.first + 1u;
  }
  json.end_array().key("uncovered_slots").number(uncovered).end_object();
  return std::move(json).take();
}

}  // namespace chainring::coordinator
