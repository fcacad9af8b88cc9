#include "cli/ring_connection.h"

#include "base/text.h"

namespace chainring::cli {
namespace {

constexpr Millis kTimeout = 5000;  // longer than a router waits for the leader

}  // namespace

std::optional<RedisEndpoint> leader_in(std::string_view error, const RedisEndpoint& asked) {
  const size_t space = error.rfind(' ');
  const size_t colon = error.rfind(':');
  if (!error.starts_with("NOTLEADER ") || colon == std::string_view::npos || colon < space) return std::nullopt;
  const std::optional<int64_t> port = parse_int(error.substr(colon + 1));
  if (!port || *port < 1 || *port > 65535 || colon == space + 1) return std::nullopt;
  return RedisEndpoint{std::string(error.substr(space + 1, colon - space - 1)), static_cast<uint16_t>(*port),
                       asked.password};
}

Result<std::string> RingConnection::ask(const std::vector<std::string>& words) {
  if (leader_) {
    Result<std::string> answer = ask_at(*leader_, words);
    if (answer || answer.status().code() == ErrorCode::invalid_argument) return answer;
    client_.reset();
    leader_.reset();  // ask where it is now, the next time
    return answer;
  }
  Result<std::string> answer = ask_at(endpoint_, words);
  if (answer) return answer;
  leader_ = leader_in(answer.status().message(), endpoint_);
  if (!leader_) return answer;
  client_.reset();
  return ask_at(*leader_, words);
}

Result<std::string> RingConnection::ask_at(const RedisEndpoint& endpoint, const std::vector<std::string>& words) {
  if (!client_) {
    Result<RedisClient> client = RedisClient::connect(endpoint, kTimeout);
    if (!client) {
      const Status& status = client.status();
      const bool refused = status.code() == ErrorCode::invalid_argument;
      return refused ? status : Status(ErrorCode::unavailable, std::string(status.message()));
    }
    client_ = *std::move(client);
  }
  std::vector<std::string> command{"RING"};
  command.insert(command.end(), words.begin(), words.end());
  Result<RedisReply> reply = client_->command(command);
  if (reply) return std::move(reply->text);
  if (reply.status().code() == ErrorCode::outcome_unknown) client_.reset();
  return reply.status();
}

Result<ReshardReport> RingConnection::reshard() {
  const Result<std::string> json = ask({"RESHARD"});
  return json ? parse_reshard(*json) : Result<ReshardReport>(json.status());
}

Result<StatusReport> RingConnection::status() {
  const Result<std::string> json = ask({"STATUS", "JSON"});
  return json ? parse_status(*json) : Result<StatusReport>(json.status());
}

std::string RingConnection::where() const { return concat(endpoint_.host, ':', endpoint_.port); }

}  // namespace chainring::cli
