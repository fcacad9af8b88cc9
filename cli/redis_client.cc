#include "cli/redis_client.h"

#include <hiredis/hiredis.h>
#include <csignal>

#include <cerrno>

#include "base/text.h"

namespace chainring::cli {
namespace {

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};

timeval to_timeval(Millis time) { return {time / 1000, (time % 1000) * 1000}; }

Status connection_error(const redisContext& context) {
  const bool late = context.err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
  return Status(ErrorCode::outcome_unknown, late ? "no answer in time" : context.errstr);
}

Status error_reply(std::string_view text) {
  ErrorCode code = ErrorCode::invalid_argument;
  for (const std::string_view passing : {"CLUSTERDOWN", "TRYAGAIN", "NOTLEADER", "LOADING"}) {
    if (text.starts_with(passing)) code = ErrorCode::unavailable;
  }
  if (text.starts_with("TIMEOUT")) code = ErrorCode::outcome_unknown;
  return Status(code, std::string(text));
}

RedisReply to_list(const redisReply& reply) {
  RedisReply list{RedisReply::Kind::list, "", static_cast<int64_t>(reply.elements), {}};
  for (size_t i = 0; i < reply.elements; ++i) {
    const redisReply& element = *reply.element[i];
    if (element.type == REDIS_REPLY_STRING) list.elements.emplace_back(element.str, element.len);
  }
  return list;
}

RedisReply to_reply(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      return {RedisReply::Kind::text, std::string(reply.str, reply.len), 0, {}};
    case REDIS_REPLY_INTEGER:
      return {RedisReply::Kind::integer, "", reply.integer, {}};
    case REDIS_REPLY_ARRAY:
      return to_list(reply);
    default:
      return {};
  }
}

}  // namespace

void RedisClient::Free::operator()(redisContext* context) const { redisFree(context); }

Result<RedisClient> RedisClient::connect(const RedisEndpoint& endpoint, Millis timeout) {
  const timeval limit = to_timeval(timeout);
  std::unique_ptr<redisContext, Free> context(redisConnectWithTimeout(endpoint.host.c_str(), endpoint.port, limit));
  const std::string where = concat("cannot connect to ", endpoint.host, ':', endpoint.port);
  if (context == nullptr) return Status(ErrorCode::resource_exhausted, concat(where, ": out of memory"));
  if (context->err != 0) return Status(ErrorCode::unavailable, concat(where, ": ", context->errstr));
  redisSetTimeout(context.get(), limit);
  RedisClient client(std::move(context));
  if (!endpoint.password.empty()) {
    const Result<RedisReply> answer = client.command({"AUTH", endpoint.password});
    if (!answer) return answer.status();
  }
  return client;
}

Result<RedisClient> RedisClient::connect_local(const std::string& path, Millis timeout) {
  const timeval limit = to_timeval(timeout);
  std::unique_ptr<redisContext, Free> context(redisConnectUnixWithTimeout(path.c_str(), limit));
  if (context == nullptr) return Status(ErrorCode::resource_exhausted, "out of memory");
  if (context->err != 0) return Status(ErrorCode::unavailable, context->errstr);
  redisSetTimeout(context.get(), limit);
  return RedisClient(std::move(context));
}

Result<RedisReply> RedisClient::command(const std::vector<std::string>& arguments) {
  // hiredis writes to sockets without MSG_NOSIGNAL: a server that has closed must be an error, not our end.
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<const char*> starts;
  std::vector<size_t> sizes;
  for (const std::string& argument : arguments) {
    starts.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  errno = 0;
  const std::unique_ptr<redisReply, FreeReply> reply(static_cast<redisReply*>(
      redisCommandArgv(context_.get(), static_cast<int>(starts.size()), starts.data(), sizes.data())));
  if (reply == nullptr) return connection_error(*context_);
  if (reply->type == REDIS_REPLY_ERROR) {
    return error_reply({reply->str, reply->len});
  }
  return to_reply(*reply);
}

}  // namespace chainring::cli
