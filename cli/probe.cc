#include "cli/probe.h"

#include "base/text.h"
#include "cli/redis_client.h"
#include "io/entropy.h"

namespace chainring::cli {
namespace {

constexpr Millis kProbeTimeout = 500;
constexpr Millis kShutdownTimeout = 2000;
constexpr char kProbeLifeMs[] = "60000";  // should the probe not come to its DEL

RedisEndpoint endpoint(const ClusterPlan& plan, const PlannedProcess& process, const std::string& password) {
  return {plan.host, process.port, password};
}

std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

// A key of our own, written, read and removed again.
Status try_key(RedisClient& client) {
  const std::string key = concat("chainring:probe:", io::read_entropy());
  if (const auto set = client.command({"SET", key, key, "PX", kProbeLifeMs}); !set) return set.status();
  const auto got = client.command({"GET", key});
  if (!got) return got.status();
  if (got->text != key) return Status(ErrorCode::corrupt, "a key that was written reads back otherwise");
  return client.command({"DEL", key}).status();
}

Result<StatusReport> ask_status(RedisClient& client) {
  const auto answer = client.command({"RING", "STATUS", "JSON"});
  if (!answer) return answer.status();
  return parse_status(answer->text);
}

Result<Awaited> ask_router(const RedisEndpoint& router, int nodes) {
  Result<RedisClient> client = RedisClient::connect(router, kProbeTimeout);
  if (!client) return client.status();
  const Result<StatusReport> report = ask_status(*client);
  if (!report) return report.status();
  Awaited awaited = what_is_missing(*report, nodes);
  if (!awaited.what.empty()) return awaited;
  if (Status tried = try_key(*client); !tried.ok()) return tried;
  return awaited;
}

}  // namespace

Awaited what_is_awaited(const ClusterPlan& plan, const std::string& password) {
  const auto nodes = static_cast<int>(plan.shape.nodes.size());
  for (const PlannedProcess& process : plan.processes) {
    if (process.role != kRouterRole) continue;
    const Result<Awaited> asked = ask_router(endpoint(plan, process, password), nodes);
    if (!asked) return {concat("router ", process.name, " does not serve yet: ", first_line(asked.status().message()))};
    if (!asked->what.empty()) return *asked;
  }
  return {};
}

Result<StatusReport> ring_status(const ClusterPlan& plan, const std::string& password) {
  Status last(ErrorCode::unavailable, "there is no router");
  for (const PlannedProcess& process : plan.processes) {
    if (process.role != kRouterRole) continue;
    Result<RedisClient> client = RedisClient::connect(endpoint(plan, process, password), kProbeTimeout);
    Result<StatusReport> report = client ? ask_status(*client) : Result<StatusReport>(client.status());
    if (report) return report;
    last = report.status();
  }
  return last;
}

Status announce_shutdown(const ClusterPlan& plan, const std::string& password) {
  Status last(ErrorCode::unavailable, "nobody was there to tell");
  for (const Role role : {kRouterRole, kCoordinatorRole}) {
    for (const PlannedProcess& process : plan.processes) {
      if (process.role != role) continue;
      Result<RedisClient> client = RedisClient::connect(endpoint(plan, process, password), kShutdownTimeout);
      last = client ? client->command({"RING", "SHUTDOWN"}).status() : client.status();
      if (last.ok()) return last;
    }
  }
  return last;
}

}  // namespace chainring::cli
