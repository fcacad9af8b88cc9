// hiredis against a router: what a program in C or C++ does. Prints its progress; a failed check ends it with status 1
// after "FAILED hiredis | step | what: expected ..., got ...".

#include <hiredis/hiredis.h>
#include <poll.h>
#include <signal.h>
#include <sys/types.h>

#include <boost/json.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace chainring {
namespace {

namespace json = boost::json;

using Words = std::vector<std::string>;

constexpr int kPipeline = 10'000;
constexpr int kRetryMs = 10;
constexpr std::chrono::seconds kReconnectLimit{20};
constexpr timeval kTimeout{20, 0};

class CheckFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class ConnectionLost : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) throw CheckFailed(std::string(name) + " is not set; router_test.py starts this program");
  return value;
}

// A reply as JSON; an error is an object of one field.
json::value value_of(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      return reply.integer;
    case REDIS_REPLY_NIL:
      return nullptr;
    case REDIS_REPLY_ERROR:
      return {{"error", std::string(reply.str, reply.len)}};
    case REDIS_REPLY_ARRAY: {
      json::array values;
      for (size_t i = 0; i < reply.elements; ++i) values.push_back(value_of(*reply.element[i]));
      return values;
    }
    default:
      return json::string(reply.str, reply.len);
  }
}

class Connection {
 public:
  Connection()
      : context_(redisConnectWithTimeout("127.0.0.1", std::stoi(setting("ROUTER_PORT")), kTimeout), redisFree) {
    check();
    redisSetTimeout(context_.get(), kTimeout);
  }

  json::value call(const Words& words) {
    append(words);
    return read();
  }

  void append(const Words& words) {
    std::vector<const char*> arguments;
    std::vector<size_t> sizes;
    for (const std::string& word : words) {
      arguments.push_back(word.data());
      sizes.push_back(word.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), arguments.data(), sizes.data());
  }

  json::value read() {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) throw ConnectionLost(context_->errstr);
    const std::unique_ptr<void, void (*)(void*)> owner(reply, freeReplyObject);
    return value_of(*static_cast<redisReply*>(reply));
  }

  // hiredis does not reconnect by itself. False while the router is away, or still dying.
  bool reconnects() {
    if (redisReconnect(context_.get()) != REDIS_OK) return false;
    append({"PING"});
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) return false;
    freeReplyObject(reply);
    return true;
  }

 private:
  void check() const {
    if (context_ == nullptr || context_->err != 0) throw ConnectionLost(context_ ? context_->errstr : "no memory");
  }

  std::unique_ptr<redisContext, void (*)(redisContext*)> context_;
};

void equal(const std::string& what, const json::value& got, const json::value& expected) {
  if (got == expected) return;
  throw CheckFailed(what + ": expected " + json::serialize(expected) + ", got " + json::serialize(got));
}

void between(const std::string& what, const json::value& got, int64_t least, int64_t most) {
  if (got.is_int64() && got.as_int64() >= least && got.as_int64() <= most) return;
  throw CheckFailed(what + ": expected " + std::to_string(least) + " to " + std::to_string(most) + ", got " +
                    json::serialize(got));
}

void refused(const std::string& what, const json::value& got, const std::string& text) {
  const json::object* object = got.if_object();
  if (object != nullptr && object->at("error").as_string().starts_with(text)) return;
  throw CheckFailed(what + ": expected an error '" + text + "...', got " + json::serialize(got));
}

void connecting(Connection& connection) {
  equal("PING", connection.call({"PING"}), "PONG");
  equal("ECHO", connection.call({"ECHO", std::string("a\0b", 3)}), json::string(std::string_view("a\0b", 3)));
  equal("SELECT", connection.call({"SELECT", "3"}), "OK");
  equal("SET", connection.call({"SET", "where", "db3"}), "OK");
  equal("SELECT", connection.call({"SELECT", "0"}), "OK");
  equal("GET in database 0", connection.call({"GET", "where"}), nullptr);
  equal("SELECT", connection.call({"SELECT", "3"}), "OK");
  equal("DEL in database 3", connection.call({"DEL", "where"}), 1);
  equal("SELECT", connection.call({"SELECT", "0"}), "OK");
}

void transcript(Connection& connection) {
  std::stringstream text;
  text << std::ifstream(setting("TRANSCRIPT")).rdbuf();
  const json::value entries = json::parse(text.str());
  for (const json::value& entry : entries.as_array()) {
    const json::object& line = entry.as_object();
    const auto words = json::value_to<Words>(line.at("send"));
    const std::string what = json::serialize(line.at("send"));
    const json::value got = connection.call(words);
    if (const json::value* error = line.if_contains("error")) {
      refused(what, got, json::value_to<std::string>(*error));
    } else if (const json::value* limits = line.if_contains("between")) {
      between(what, got, limits->at(0).as_int64(), limits->at(1).as_int64());
    } else {
      equal(what, got, line.at("reply"));
    }
  }
}

void pipelines(Connection& connection) {
  for (int i = 0; i < kPipeline; i += 4) {
    const std::string key = "p:" + std::to_string(i);
    connection.append({"SET", key, "value " + std::to_string(i)});
    connection.append({"GET", key});
    connection.append({"INCR", "p:count"});
    connection.append({"INCR", key});
  }
  for (int i = 0; i < kPipeline; i += 4) {
    equal("SET", connection.read(), "OK");
    equal("GET", connection.read(), json::string("value " + std::to_string(i)));
    equal("INCR", connection.read(), i / 4 + 1);
    refused("INCR of a word", connection.read(), "ERR value is not an integer or out of range");
  }
  equal("DBSIZE", connection.call({"DBSIZE"}), kPipeline / 4 + 1);
  equal("FLUSHALL", connection.call({"FLUSHALL"}), "OK");
}

void transactions(Connection& connection) {
  Connection other;
  equal("WATCH", connection.call({"WATCH", "{tx}:a"}), "OK");
  equal("MULTI", connection.call({"MULTI"}), "OK");
  equal("SET", connection.call({"SET", "{tx}:a", "1"}), "QUEUED");
  equal("INCR", connection.call({"INCR", "{tx}:a"}), "QUEUED");
  equal("EXEC", connection.call({"EXEC"}), json::array{"OK", 2});
  equal("WATCH", connection.call({"WATCH", "{tx}:a"}), "OK");
  equal("a change by another", other.call({"INCR", "{tx}:a"}), 3);
  equal("MULTI", connection.call({"MULTI"}), "OK");
  equal("SET", connection.call({"SET", "{tx}:a", "no"}), "QUEUED");
  equal("EXEC after a change", connection.call({"EXEC"}), nullptr);
  equal("MULTI", connection.call({"MULTI"}), "OK");
  refused("a command that is none", connection.call({"NONSENSE"}), "ERR unknown command");
  refused("EXEC after an error", connection.call({"EXEC"}), "EXECABORT");
  equal("DEL", connection.call({"DEL", "{tx}:a"}), 1);
}

void locks(Connection& connection) {
  equal("SET NX PX", connection.call({"SET", "lock:set", "mine", "NX", "PX", "30000"}), "OK");
  equal("SET NX PX when held", connection.call({"SET", "lock:set", "other", "NX", "PX", "30000"}), nullptr);
  equal("DELIFEQ by another", connection.call({"DELIFEQ", "lock:set", "other"}), 0);
  equal("DELIFEQ", connection.call({"DELIFEQ", "lock:set", "mine"}), 1);
  const json::value grant = connection.call({"LOCK", "ACQUIRE", "lock:native", "me", "TTL", "30000"});
  between("validity", grant.at(1), 20000, 30000);
  equal("ACQUIRE when held", connection.call({"LOCK", "ACQUIRE", "lock:native", "you", "TTL", "30000"}), nullptr);
  equal("TOKEN", connection.call({"LOCK", "TOKEN", "lock:native", "me"}), grant.at(0));
  equal("RELEASE by another", connection.call({"LOCK", "RELEASE", "lock:native", "you"}), 0);
  equal("RELEASE", connection.call({"LOCK", "RELEASE", "lock:native", "me"}), 1);
}

// The connection must be seen to end, and serve again after it was made anew.
void expect_lost_then_reconnect(Connection& connection) {
  bool lost = false;
  try {
    connection.call({"GET", "kept"});
  } catch (const ConnectionLost&) {
    lost = true;
  }
  equal("the connection is lost", lost, true);
  const auto deadline = std::chrono::steady_clock::now() + kReconnectLimit;
  while (!connection.reconnects()) {
    if (std::chrono::steady_clock::now() > deadline) throw CheckFailed("reconnect: expected within 20 s, got none");
    poll(nullptr, 0, kRetryMs);
  }
  equal("GET", connection.call({"GET", "kept"}), "value");
}

void killed_connection(Connection& connection) {
  equal("SET", connection.call({"SET", "kept", "value"}), "OK");
  const json::value id = connection.call({"CLIENT", "ID"});
  Connection other;
  equal("CLIENT KILL", other.call({"CLIENT", "KILL", "ID", std::to_string(id.as_int64())}), 1);
  expect_lost_then_reconnect(connection);
  equal("another connection", connection.call({"CLIENT", "ID"}).as_int64() > id.as_int64(), true);
}

void killed_router(Connection& connection) {
  pid_t router = 0;
  std::ifstream(setting("ROUTER_PID_FILE")) >> router;
  equal("SIGKILL to a process", router > 0 && kill(router, SIGKILL) == 0, true);
  expect_lost_then_reconnect(connection);
  equal("APPEND", connection.call({"APPEND", "kept", " on"}), 8);
  equal("DEL", connection.call({"DEL", "kept"}), 1);
}

int run() {
  const std::vector<std::pair<std::string, std::function<void(Connection&)>>> steps = {
      {"connect", connecting},
      {"every command on strings", transcript},
      {"pipelines of 10000", pipelines},
      {"transactions", transactions},
      {"locks", locks},
      {"connection killed", killed_connection},
      {"router killed", killed_router},
  };
  std::string current = "start";
  try {
    Connection connection;
    for (const auto& [name, step] : steps) {
      current = name;
      step(connection);
      std::cout << "ok hiredis | " << name << std::endl;
    }
  } catch (const std::exception& error) {
    std::cout << "FAILED hiredis | " << current << " | " << error.what() << std::endl;
    return 1;
  }
  std::cout << "done hiredis" << std::endl;
  return 0;
}

}  // namespace
}  // namespace chainring

int main() { return chainring::run(); }
