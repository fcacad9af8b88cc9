// Asks a router or a coordinator about the ring, again and again: connects anew when a connection or a leader was
// lost, and goes to the leader when a coordinator that does not lead names it.
// Thread-safety: none; one owner. Every call blocks for a few seconds at most.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/redis_client.h"
#include "cli/status_report.h"

namespace chainring::cli {

class RingConnection {
 public:
  explicit RingConnection(RedisEndpoint endpoint) : endpoint_(std::move(endpoint)) {}

  // `RING` and these words; the reply's text. Errors are those of RedisClient::command(); unavailable also when nobody
  // could be connected to, so that only outcome_unknown leaves open whether a change was made.
  [[nodiscard]] Result<std::string> ask(const std::vector<std::string>& words);
  [[nodiscard]] Result<ReshardReport> reshard();
  [[nodiscard]] Result<StatusReport> status();

  [[nodiscard]] std::string where() const;  // "host:port" that was given

 private:
  [[nodiscard]] Result<std::string> ask_at(const RedisEndpoint& endpoint, const std::vector<std::string>& words);

  const RedisEndpoint endpoint_;
  std::optional<RedisEndpoint> leader_;  // that `endpoint_` has named
  std::optional<RedisClient> client_;
};

// The leader in "NOTLEADER this coordinator does not lead; ask 127.0.0.1:7302".
[[nodiscard]] std::optional<RedisEndpoint> leader_in(std::string_view error, const RedisEndpoint& asked);

}  // namespace chainring::cli
