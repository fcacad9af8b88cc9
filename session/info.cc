// INFO: the fields that every role has; the Backend adds its own to each section.
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "base/text.h"
#include "session/commands.h"
#include "session/version.h"

namespace chainring::session {
namespace {

std::string human_bytes(int64_t bytes) {
  constexpr std::array<char, 5> kUnits = {'K', 'M', 'G', 'T', 'P'};
  if (bytes < 1024) return concat(bytes, 'B');
  double scaled = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; scaled >= 1024 && unit + 1 < kUnits.size(); ++unit) scaled /= 1024;
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.2f%c", scaled, kUnits[unit]);
  return text.data();
}

std::string seconds(Micros duration) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%lld.%06lld", static_cast<long long>(duration / kMicrosPerSecond),
                static_cast<long long>(duration % kMicrosPerSecond));
  return text.data();
}

void server(Session& session, InfoWriter& out) {
  constexpr int64_t kSecondsPerDay = 86400;
  const RoleFacts& facts = session.facts();
  const Now now = session.now();
  const int64_t uptime = std::max<Micros>(now.mono - facts.started_at, 0) / kMicrosPerSecond;
  out.field("redis_version", kRedisVersion);
  out.field("redis_mode", session.speaks_cluster() ? "cluster" : "standalone");
  out.field("os", facts.os);
  out.field("arch_bits", 64);
  out.field("process_id", facts.pid);
  out.field("process_supervised", "no");
  out.field("run_id", facts.run_id);
  out.field("tcp_port", session.port());
  out.field("server_time_usec", now.wall * kMicrosPerMilli);
  out.field("uptime_in_seconds", uptime);
  out.field("uptime_in_days", uptime / kSecondsPerDay);
  out.field("hz", 10);
  out.field("configured_hz", 10);
  out.field("executable", facts.executable);
  out.field("config_file", facts.config_file);
  out.field("chainring_version", kChainringVersion);
  out.field("chainring_role", facts.role_name);
}

void clients(Session& session, InfoWriter& out) {
  out.field("connected_clients", static_cast<int64_t>(session.client_count()));
  out.field("cluster_connections", 0);
  out.field("maxclients", session.settings().number(Setting::maxclients));
  out.field("client_recent_max_input_buffer", static_cast<int64_t>(session.input_peak()));
  out.field("client_recent_max_output_buffer", static_cast<int64_t>(session.output_peak()));
  out.field("blocked_clients", 0);
  out.field("tracking_clients", 0);
  out.field("clients_in_timeout_table", 0);
}

void memory(Session& session, InfoWriter& out) {
  out.bytes("maxmemory", session.settings().number(Setting::maxmemory));
  out.field("maxmemory_policy", session.settings().text(Setting::maxmemory_policy));
  out.field("mem_clients_normal", static_cast<int64_t>(session.client_memory()));
  out.field("mem_clients_slaves", 0);
}

// There is no persistence of data. Clients and frameworks wait for loading:0.
void persistence(Session&, InfoWriter& out) {
  for (const std::string_view name :
       {"loading", "async_loading", "rdb_changes_since_last_save", "rdb_bgsave_in_progress", "rdb_last_save_time"}) {
    out.field(name, 0);
  }
  out.field("rdb_last_bgsave_status", "ok");
  out.field("rdb_last_bgsave_time_sec", -1);
  out.field("rdb_current_bgsave_time_sec", -1);
  out.field("aof_enabled", 0);
  out.field("aof_rewrite_in_progress", 0);
  out.field("aof_rewrite_scheduled", 0);
  out.field("aof_last_rewrite_time_sec", -1);
  out.field("aof_current_rewrite_time_sec", -1);
  out.field("aof_last_bgrewrite_status", "ok");
  out.field("aof_last_write_status", "ok");
}

void stats(Session& session, InfoWriter& out) {
  const Counters& counters = session.counters();
  const auto count = [&](std::string_view name, uint64_t value) { out.field(name, static_cast<int64_t>(value)); };
  count("total_connections_received", counters.connections);
  count("total_commands_processed", counters.commands);
  out.field("instantaneous_ops_per_sec", session.commands_per_second());
  count("total_net_input_bytes", counters.net_input_bytes);
  count("total_net_output_bytes", counters.net_output_bytes);
  count("rejected_connections", counters.rejected_connections);
  count("evicted_clients", counters.evicted_clients);
  count("client_query_buffer_limit_disconnections", counters.query_limit_closed);
  count("client_output_buffer_limit_disconnections", counters.output_limit_closed);
  count("total_error_replies", counters.error_replies);
}

void replication(Session& session, InfoWriter& out) {
  out.field("role", "master");
  out.field("connected_slaves", session.backend().replicas());
  out.field("master_failover_state", "no-failover");
  out.field("master_replid", session.facts().run_id);
  out.field("master_replid2", std::string(40, '0'));
  out.field("master_repl_offset", 0);
  out.field("second_repl_offset", -1);
  for (const std::string_view name :
       {"repl_backlog_active", "repl_backlog_size", "repl_backlog_first_byte_offset", "repl_backlog_histlen"}) {
    out.field(name, 0);
  }
}

void cpu(Session& session, InfoWriter& out) {
  const ProcessFigures* figures = session.facts().figures;
  if (figures == nullptr) return;
  out.field("used_cpu_sys", seconds(figures->cpu_system));
  out.field("used_cpu_user", seconds(figures->cpu_user));
}

void command_stats(Session& session, InfoWriter& out) {
  const Counters& counters = session.counters();
  for (const protocol::CommandSpec& command : protocol::command_table()) {
    const uint64_t calls = counters.calls[static_cast<size_t>(command.id)];
    const uint64_t rejected = counters.rejected[static_cast<size_t>(command.id)];
    if (calls + rejected == 0) continue;
    out.field(concat("cmdstat_", command.name), concat("calls=", calls, ",rejected_calls=", rejected));
  }
}

void error_stats(Session& session, InfoWriter& out) {
  for (const auto& [code, count] : session.counters().errors()) {
    out.field(concat("errorstat_", code), concat("count=", count));
  }
}

void cluster(Session& session, InfoWriter& out) { out.field("cluster_enabled", session.speaks_cluster() ? 1 : 0); }

void nothing(Session&, InfoWriter&) {}

// After the role's used_memory: redis-cli --stat reads the first field whose name begins so.
void resident_memory(const Session& session, InfoWriter& out) {
  if (session.facts().figures == nullptr) return;
  const int64_t rss = session.facts().figures->rss_bytes;
  out.bytes("used_memory_rss", rss);
  const auto used = out.number("used_memory");
  if (!used || *used <= 0) return;
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.2f", static_cast<double>(rss) / static_cast<double>(*used));
  out.field("mem_fragmentation_ratio", text.data());
}

struct Section {
  std::string_view name;  // as asked for, and for the Backend
  std::string_view title;
  void (*write)(Session&, InfoWriter&);
  bool by_default;
};
constexpr Section kSections[] = {
    {"server", "Server", server, true},
    {"clients", "Clients", clients, true},
    {"memory", "Memory", memory, true},
    {"persistence", "Persistence", persistence, true},
    {"stats", "Stats", stats, true},
    {"replication", "Replication", replication, true},
    {"cpu", "CPU", cpu, true},
    {"modules", "Modules", nothing, true},
    {"commandstats", "Commandstats", command_stats, false},
    {"errorstats", "Errorstats", error_stats, true},
    {"cluster", "Cluster", cluster, true},
    {"chainring", "Chainring", nothing, true},
    {"keyspace", "Keyspace", nothing, true},
};

bool is_wanted(const Section& section, std::span<const std::string_view> asked) {
  if (asked.empty()) return section.by_default;
  return std::any_of(asked.begin(), asked.end(), [&](std::string_view name) {
    if (equals_ignoring_case(name, "all") || equals_ignoring_case(name, "everything")) return true;
    if (equals_ignoring_case(name, "default")) return section.by_default;
    return equals_ignoring_case(name, section.name);
  });
}

}  // namespace

void InfoWriter::field(std::string_view name, std::string_view value) { append_text(out_, name, ':', value, "\r\n"); }

void InfoWriter::field(std::string_view name, int64_t value) { append_text(out_, name, ':', value, "\r\n"); }

std::optional<int64_t> InfoWriter::number(std::string_view name) const {
  const std::string start = concat('\n', name, ':');
  const size_t at = out_.find(start);
  if (at == std::string::npos) return std::nullopt;
  const std::string_view rest = std::string_view(out_).substr(at + start.size());
  return parse_int(rest.substr(0, rest.find('\r')));
}

void InfoWriter::bytes(std::string_view name, int64_t value) {
  field(name, value);
  field(concat(name, "_human"), human_bytes(value));
}

std::string info_text(Session& session, std::span<const std::string_view> sections) {
  InfoWriter out;
  for (const Section& section : kSections) {
    if (!is_wanted(section, sections)) continue;
    append_text(out.out(), out.out().empty() ? "" : "\r\n", "# ", section.title, "\r\n");
    section.write(session, out);
    session.backend().info(section.name, out);
    if (section.write == memory) resident_memory(session, out);
  }
  return std::move(out.out());
}

}  // namespace chainring::session
