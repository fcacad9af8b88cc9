// A Redis client for the operator's commands: one connection, one command at a time, every wait bounded.
// Thread-safety: none; one owner.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

struct redisContext;

namespace chainring::cli {

struct RedisEndpoint {
  std::string host;
  uint16_t port = 0;
  std::string password;  // empty: no AUTH
};

// The message of an error reply without its code, which says nothing to people.
[[nodiscard]] inline std::string_view plain(std::string_view message) {
  if (message.starts_with("ERR ")) message.remove_prefix(4);
  return message;
}

struct RedisReply {
  enum class Kind { text, integer, nil, list };
  Kind kind = Kind::nil;
  std::string text;
  int64_t integer = 0;                // of a list: how many elements it has
  std::vector<std::string> elements;  // of a list, those that are text
};

class RedisClient {
 public:
  // Connects, and authenticates when there is a password. `timeout` bounds that, and each command later.
  [[nodiscard]] static Result<RedisClient> connect(const RedisEndpoint& endpoint, Millis timeout);
  // To a Unix socket. `path` is at most some 100 bytes, as the system has it.
  [[nodiscard]] static Result<RedisClient> connect_local(const std::string& path, Millis timeout);

  // An error reply is an error: unavailable when it says that the command was not executed but may be later,
  // outcome_unknown when it does not know, else invalid_argument. When the connection is lost over a command the
  // outcome is unknown, and the client is of no use any more.
  [[nodiscard]] Result<RedisReply> command(const std::vector<std::string>& arguments);

 private:
  struct Free {
    void operator()(redisContext* context) const;
  };
  explicit RedisClient(std::unique_ptr<redisContext, Free> context) : context_(std::move(context)) {}

  std::unique_ptr<redisContext, Free> context_;
};

}  // namespace chainring::cli
