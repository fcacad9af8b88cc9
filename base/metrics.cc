#include "base/metrics.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

#include "base/check.h"
#include "base/settings.h"
#include "base/text.h"

namespace chainring {
namespace {

constexpr uint8_t kNode = kNodeRole;
constexpr uint8_t kRouter = kRouterRole;
constexpr uint8_t kCoordinator = kCoordinatorRole;
constexpr uint8_t kRoles = kNode | kRouter | kCoordinator;

using enum MetricType;
using M = Metric;

constexpr MetricSpec kTable[] = {
    // id, name, type, roles, labels, doc
    {M::build_info, "chainring_build_info", gauge, kRoles, "version role", "Always 1; says which release runs here."},
    {M::uptime, "chainring_uptime_seconds", gauge, kRoles, "", "Time since the process started."},
    {M::process_cpu, "chainring_process_cpu_seconds_total", counter, kRoles, "mode",
     "Processor time that the process has used, by mode: user, system."},
    {M::process_memory, "chainring_process_resident_memory_bytes", gauge, kRoles, "",
     "Memory of the process as the system counts it."},
    {M::clients, "chainring_clients", gauge, kRoles, "", "Clients that are connected."},
    {M::clients_max, "chainring_clients_max", gauge, kRoles, "", "Clients that may be connected: maxclients."},
    {M::client_memory, "chainring_client_memory_bytes", gauge, kRoles, "",
     "Memory of clients: unfinished requests and unread replies."},
    {M::connections, "chainring_connections_total", counter, kRoles, "", "Connections of clients that were accepted."},
    {M::connections_refused, "chainring_connections_refused_total", counter, kRoles, "",
     "Connections of clients that were refused because of maxclients."},
    {M::clients_closed, "chainring_clients_closed_total", counter, kRoles, "reason",
     "Clients that were closed because of a limit, by reason: idle, output, query, memory."},
    {M::client_input, "chainring_client_input_bytes_total", counter, kRoles, "", "Bytes of requests of clients."},
    {M::client_output, "chainring_client_output_bytes_total", counter, kRoles, "", "Bytes of replies to clients."},
    {M::commands, "chainring_commands_total", counter, kRoles, "command",
     "Commands of clients of this process that were executed or sent on, by name."},
    {M::commands_refused, "chainring_commands_refused_total", counter, kRoles, "command",
     "Commands of clients that were refused before their execution, by name."},
    {M::error_replies, "chainring_error_replies_total", counter, kRoles, "code",
     "Error replies to clients, by their first word."},
    {M::command_duration, "chainring_command_duration_seconds", histogram, kRoles, "",
     "From the turn of the event loop that read a request to the one that put its reply in line for sending."},
    {M::table_version, "chainring_table_version", gauge, kRoles, "", "Version of the table that this process goes by."},
    {M::node_requests, "chainring_node_requests_total", counter, kNode, "command",
     "Requests for single slots that routers sent here and that were executed, by name."},
    {M::node_request_duration, "chainring_node_request_duration_seconds", histogram, kNode, "",
     "From the turn that read a router's request to the one that answered it: mostly waiting for the chain."},
    {M::node_requests_bounced, "chainring_node_requests_bounced_total", counter, kNode, "",
     "Routers' requests that were sent back because their slot was not served here."},
    {M::node_member_reads, "chainring_node_member_reads_total", counter, kNode, "",
     "Reads of slots that the node does not head, answered as another member of their chains."},
    {M::node_reads_referred, "chainring_node_reads_referred_total", counter, kNode, "",
     "Routers' reads that were sent back because the head has to answer them."},
    {M::node_lease_left, "chainring_node_lease_left_seconds", gauge, kNode, "",
     "How long the node may serve without another renewal; 0: it may not."},
    {M::node_slots, "chainring_node_slots", gauge, kNode, "place",
     "Slots that the node serves, by its place in their chains: head, follower."},
    {M::node_keys, "chainring_node_keys", gauge, kNode, "", "Keys in the slots that the node heads."},
    {M::node_data, "chainring_node_data_bytes", gauge, kNode, "",
     "Memory that counts against maxmemory: keys and values of all slots held, and all that is kept for them."},
    {M::node_data_max, "chainring_node_data_max_bytes", gauge, kNode, "", "The limit of that: maxmemory; 0: none."},
    {M::node_hits, "chainring_node_keyspace_hits_total", counter, kNode, "", "Keys that were looked up and found."},
    {M::node_misses, "chainring_node_keyspace_misses_total", counter, kNode, "",
     "Keys that were looked up and not found."},
    {M::node_expired, "chainring_node_expired_keys_total", counter, kNode, "", "Keys that went when their time came."},
    {M::node_records_sent, "chainring_node_records_sent_total", counter, kNode, "",
     "Records sent down chains, those sent again included."},
    {M::node_records_applied, "chainring_node_records_applied_total", counter, kNode, "",
     "Records of other members that were applied."},
    {M::node_uncommitted, "chainring_node_uncommitted_bytes", gauge, kNode, "",
     "Records that are not known to be applied by their whole chain."},
    {M::node_held_replies, "chainring_node_held_replies", gauge, kNode, "",
     "Replies that wait until what they rest on is committed."},
    {M::node_held_bytes, "chainring_node_held_bytes", gauge, kNode, "", "Memory of these."},
    {M::node_remembered, "chainring_node_remembered_bytes", gauge, kNode, "",
     "Memory of what settles writes that are sent again, and of records that learners have not acknowledged."},
    {M::node_door_closed, "chainring_node_door_closed", gauge, kNode, "",
     "1 while no requests are taken because too much waits for its chain."},
    {M::node_links, "chainring_node_links", gauge, kNode, "peer",
     "Links that are open, by who is at the other end: predecessor, successor, router."},
    {M::router_outstanding, "chainring_router_outstanding_requests", gauge, kRouter, "",
     "Requests that are not answered yet, parked ones included."},
    {M::router_parked, "chainring_router_parked_slots", gauge, kRouter, "",
     "Slots whose requests wait here because nobody serves them at the moment; the locks count as one."},
    {M::router_parked_bytes, "chainring_router_parked_bytes", gauge, kRouter, "",
     "Memory of the requests that wait here; at parked-bytes-max clients are not read any more."},
    {M::router_reads, "chainring_router_reads_total", counter, kRouter, "member",
     "Requests that write nothing, by the member of the chain that they were sent to: head, other."},
    {M::router_reads_referred, "chainring_router_reads_referred_total", counter, kRouter, "",
     "Reads that a member sent back because the head has to answer them."},
    {M::router_retries, "chainring_router_retries_total", counter, kRouter, "",
     "Requests that came back or were lost on the way, to be sent again."},
    {M::router_timeouts, "chainring_router_timeouts_total", counter, kRouter, "",
     "Requests that were given up after request-timeout-ms."},
    {M::router_wide, "chainring_router_wide_operations", gauge, kRouter, "",
     "Commands over all slots that are under way."},
    {M::router_slots_served, "chainring_router_slots_served", gauge, kRouter, "",
     "Slots with a chain whose head this router is linked with; all is well at 16384."},
    {M::router_leader_link, "chainring_router_leader_link_up", gauge, kRouter, "",
     "1 while there is a link to the leading coordinator."},
    {M::router_node_link, "chainring_router_node_link_up", gauge, kRouter, "node",
     "1 while there is a link to the node, for each node in the table's chains."},
    {M::router_node_backlog, "chainring_router_node_backlog_bytes", gauge, kRouter, "node",
     "Bytes that wait to leave on the link to the node."},
    {M::coordinator_leads, "chainring_coordinator_leads", gauge, kCoordinator, "",
     "1 at the leading coordinator; the sum over all is 1, but for elections."},
    {M::coordinator_term, "chainring_coordinator_term", gauge, kCoordinator, "",
     "The term of Raft; it grows with every election."},
    {M::coordinator_applied, "chainring_coordinator_applied_index", gauge, kCoordinator, "",
     "The last entry of the log that is in the state."},
    {M::coordinator_committed, "chainring_coordinator_committed_index", gauge, kCoordinator, "",
     "The last entry of the log that is known to be committed."},
    {M::coordinator_leaderships, "chainring_coordinator_leaderships_total", counter, kCoordinator, "",
     "How often this coordinator has begun to lead."},
    {M::coordinator_members, "chainring_coordinator_members", gauge, kCoordinator, "state",
     "Nodes in the table by state: joining, up, absent, leaving, gone."},
    {M::coordinator_slots, "chainring_coordinator_slots", gauge, kCoordinator, "state",
     "Slots by state: served, changing, short (fewer copies than wanted), lost, standing (nobody of the chain has a "
     "lease), unassigned; at the leader alone."},
    {M::coordinator_lease_grants, "chainring_coordinator_lease_grants_total", counter, kCoordinator, "",
     "Leases that this coordinator has granted or renewed."},
    {M::coordinator_locks, "chainring_coordinator_locks", gauge, kCoordinator, "", "Locks that are held."},
    {M::coordinator_lock_grants, "chainring_coordinator_lock_grants_total", counter, kCoordinator, "",
     "Grants of locks since the cluster was founded."},
    {M::coordinator_disk_syncs, "chainring_coordinator_disk_sync_duration_seconds", histogram, kCoordinator, "",
     "How long the disk took to make writes durable."},
};
static_assert(std::size(kTable) == kMetricCount);
static_assert(
    [] {
      for (size_t i = 0; i < kMetricCount; ++i) {
        if (static_cast<size_t>(kTable[i].id) != i) return false;
      }
      return true;
    }(),
    "rows stand in the order of the ids");

std::string_view type_name(MetricType type) {
  switch (type) {
    case counter:
      return "counter";
    case gauge:
      return "gauge";
    case histogram:
      return "histogram";
  }
  check_failed(__FILE__, __LINE__, "type", "a MetricType is one of three");
}

std::string seconds_text(uint64_t micros) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%llu.%06llu", static_cast<unsigned long long>(micros / kMicrosPerSecond),
                static_cast<unsigned long long>(micros % kMicrosPerSecond));
  return text.data();
}

void append_escaped(std::string& out, std::string_view label) {
  for (const char c : label) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
  }
}

std::string role_names(uint8_t roles) {
  if (roles == kRoles) return "all";
  return roles == kNode ? "node" : roles == kRouter ? "router" : "coordinator";
}

}  // namespace

std::span<const MetricSpec> metric_table() { return kTable; }

const MetricSpec& MetricsWriter::begin(Metric metric) {
  const MetricSpec& spec = kTable[static_cast<size_t>(metric)];
  const char mark = static_cast<char>(metric);
  if (!done_.empty() && done_.back() == mark) return spec;
  CHECK(done_.find(mark) == std::string::npos, "the samples of a metric stand together");
  done_.push_back(mark);
  append_text(text_, "# HELP ", spec.name, ' ', spec.doc, "\n# TYPE ", spec.name, ' ', type_name(spec.type), '\n');
  return spec;
}

void MetricsWriter::sample(const MetricSpec& spec, std::string_view suffix, Labels labels, std::string_view value) {
  append_text(text_, spec.name, suffix);
  std::string_view names = spec.labels;
  for (const std::string_view label : labels) {
    CHECK(!names.empty(), "a sample has the labels that its metric declares");
    const size_t end = std::min(names.find(' '), names.size());
    append_text(text_, names.size() == spec.labels.size() ? '{' : ',', names.substr(0, end), "=\"");
    append_escaped(text_, label);
    text_.push_back('"');
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  CHECK(names.empty(), "a sample has all the labels that its metric declares");
  if (labels.size() > 0) text_.push_back('}');
  append_text(text_, ' ', value, '\n');
}

void MetricsWriter::value(Metric metric, uint64_t value, Labels labels) {
  const MetricSpec& spec = begin(metric);
  CHECK(spec.type != MetricType::histogram, "a histogram is written whole");
  sample(spec, "", labels, concat(value));
}

void MetricsWriter::seconds(Metric metric, Micros duration, Labels labels) {
  const MetricSpec& spec = begin(metric);
  CHECK(spec.type != MetricType::histogram, "a histogram is written whole");
  sample(spec, "", labels, seconds_text(static_cast<uint64_t>(std::max<Micros>(duration, 0))));
}

void MetricsWriter::histogram(Metric metric, const LatencyCounts& counts) {
  const MetricSpec& spec = begin(metric);
  CHECK(spec.type == MetricType::histogram && spec.labels.empty(), "a histogram is declared as one");
  uint64_t count = 0;
  for (size_t i = 0; i + 1 < LatencyCounts::kBuckets; ++i) {
    count += counts.bucket(i);
    append_text(text_, spec.name, "_bucket{le=\"", seconds_text(uint64_t{1} << i), "\"} ", count, '\n');
  }
  count += counts.bucket(LatencyCounts::kBuckets - 1);
  append_text(text_, spec.name, "_bucket{le=\"+Inf\"} ", count, '\n');
  sample(spec, "_sum", {}, seconds_text(counts.sum_us()));
  sample(spec, "_count", {}, concat(count));
}

std::string metrics_markdown() {
  std::string out =
      "# Metrics\n\n"
      "Every metric is declared once, in base/metrics.cc, and a test keeps this page equal to it. Each process "
      "answers\n"
      "HTTP at its `http-port`, by default its own port + 1000, at the address that it binds to:\n\n"
      "| path | answer |\n| --- | --- |\n"
      "| `/metrics` | the metrics below, in Prometheus' text format |\n"
      "| `/healthz` | 200 when the process can serve, otherwise 503 and the reason in one line |\n\n"
      "Nothing there is secret, and nothing can be changed. A process can serve: a node while it has a lease and knows "
      "a\n"
      "table; a router while it knows the leading coordinator and is linked with the head of every slot; a "
      "coordinator\n"
      "while it leads or knows who does. Durations are counted in buckets of powers of two, from 1 microsecond to 8\n"
      "seconds, by the clock reading of each turn of the event loop: what is answered within one turn counts as 0.\n\n"
      "| metric | type | labels | of | what it is |\n| --- | --- | --- | --- | --- |\n";
  for (const MetricSpec& spec : kTable) {
    append_text(out, "| `", spec.name, "` | ", type_name(spec.type), " | ", spec.labels, " | ", role_names(spec.roles),
                " | ", spec.doc, " |\n");
  }
  return out;
}

}  // namespace chainring
