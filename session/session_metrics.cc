#include "session/session_metrics.h"

#include "session/version.h"

namespace chainring::session {
namespace {

void process(const RoleFacts& facts, Now now, MetricsWriter& out) {
  out.value(Metric::build_info, 1, {kChainringVersion, facts.role_name});
  out.seconds(Metric::uptime, now.mono - facts.started_at);
  if (facts.figures == nullptr) return;
  out.seconds(Metric::process_cpu, facts.figures->cpu_user, {"user"});
  out.seconds(Metric::process_cpu, facts.figures->cpu_system, {"system"});
  out.value(Metric::process_memory, static_cast<uint64_t>(facts.figures->rss_bytes));
}

void by_command(Metric metric, const std::array<uint64_t, protocol::kCommandCount>& counts, MetricsWriter& out) {
  for (const protocol::CommandSpec& command : protocol::command_table()) {
    const uint64_t count = counts[static_cast<size_t>(command.id)];
    if (count > 0) out.value(metric, count, {command.name});
  }
}

}  // namespace

void write_metrics(const Session& session, Now now, MetricsWriter& out) {
  process(session.facts(), now, out);
  const Counters& counters = session.counters();
  out.value(Metric::clients, session.client_count());
  out.value(Metric::clients_max, static_cast<uint64_t>(session.settings().number(Setting::maxclients)));
  out.value(Metric::client_memory, session.client_memory());
  out.value(Metric::connections, counters.connections);
  out.value(Metric::connections_refused, counters.rejected_connections);
  out.value(Metric::clients_closed, counters.idle_closed, {"idle"});
  out.value(Metric::clients_closed, counters.output_limit_closed, {"output"});
  out.value(Metric::clients_closed, counters.query_limit_closed, {"query"});
  out.value(Metric::clients_closed, counters.evicted_clients, {"memory"});
  out.value(Metric::client_input, counters.net_input_bytes);
  out.value(Metric::client_output, counters.net_output_bytes);
  by_command(Metric::commands, counters.calls, out);
  by_command(Metric::commands_refused, counters.rejected, out);
  for (const auto& [code, count] : counters.errors()) out.value(Metric::error_replies, count, {code});
  out.histogram(Metric::command_duration, counters.durations);
}

}  // namespace chainring::session
