// HELLO, AUTH, PING, ECHO, SELECT, READONLY, READWRITE, ASKING, RESET, QUIT.
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "session/commands.h"
#include "session/names.h"
#include "session/secret.h"
#include "session/version.h"

namespace chainring::session {
namespace {

using protocol::CommandId;
using protocol::ReplyWriter;
using protocol::RespVersion;

constexpr std::string_view kWrongPassword = "WRONGPASS invalid username-password pair or user is disabled.";
constexpr std::string_view kDefaultUser = "default";

// There is one user. Without a password set, it may say any.
bool password_fits(Session& session, std::string_view user, std::string_view password) {
  if (user != kDefaultUser) return false;
  return !session.password_needed() || secrets_equal(session.settings().text(Setting::requirepass), password);
}

void auth(Call& call) {
  if (call.args.size() > 3) return call.reply.error(protocol::errors::kSyntax);
  if (call.args.size() == 2 && !call.session.password_needed()) {
    return call.reply.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?");
  }
  const std::string_view user = call.args.size() == 3 ? call.args[1] : kDefaultUser;
  if (!password_fits(call.session, user, call.args.back())) return call.reply.error(kWrongPassword);
  call.session.set_authenticated(call.client, true);
  call.reply.ok();
}

// What HELLO was given, when it is well formed.
struct HelloRequest {
  std::optional<RespVersion> version;
  struct Login {
    std::string_view user, password;
  };
  std::optional<Login> login;
  std::optional<std::string_view> name;
};

// The error to answer, or the request.
Result<HelloRequest> parse_hello(std::span<const std::string_view> args) {
  const auto invalid = [](std::string text) { return Status(ErrorCode::invalid_argument, std::move(text)); };
  HelloRequest hello;
  if (args.size() > 1) {
    const auto version = parse_int(args[1]);
    if (!version) return invalid("ERR Protocol version is not an integer or out of range");
    if (*version != 2 && *version != 3) return invalid(std::string(protocol::errors::kNoProto));
    hello.version = static_cast<RespVersion>(*version);
  }
  for (size_t i = 2; i < args.size(); ++i) {
    const size_t more = args.size() - 1 - i;
    if (equals_ignoring_case(args[i], "AUTH") && more >= 2) {
      hello.login = {args[i + 1], args[i + 2]};
      i += 2;
    } else if (equals_ignoring_case(args[i], "SETNAME") && more >= 1) {
      hello.name = args[++i];
      std::string error = client_name_error("Client names", *hello.name);
      if (!error.empty()) return invalid(std::move(error));
    } else {
      return invalid(concat("ERR Syntax error in HELLO option '", args[i], "'"));
    }
  }
  return hello;
}

void describe_server(Call& call) {
  ReplyWriter reply(call.reply.out(), call.client.resp);  // in the version that was just chosen
  reply.map(7);
  reply.bulk("server");
  reply.bulk("redis");
  reply.bulk("version");
  reply.bulk(kRedisVersion);
  reply.bulk("proto");
  reply.integer(static_cast<int64_t>(call.client.resp));
  reply.bulk("id");
  reply.integer(static_cast<int64_t>(call.client.id));
  reply.bulk("mode");
  reply.bulk(call.session.speaks_cluster() ? "cluster" : "standalone");
  reply.bulk("role");
  reply.bulk("master");
  reply.bulk("modules");
  reply.array(0);
}

void hello(Call& call) {
  const Result<HelloRequest> hello = parse_hello(call.args);
  if (!hello.ok()) return call.reply.error(hello.status().message());
  if (hello->login) {
    if (!password_fits(call.session, hello->login->user, hello->login->password)) {
      return call.reply.error(kWrongPassword);
    }
    call.session.set_authenticated(call.client, true);
  }
  if (!call.client.authenticated && call.session.password_needed()) {
    return call.reply.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> "
        "<pass> option can be used to authenticate the client and select the RESP protocol version at the same time");
  }
  if (hello->name) call.client.name.assign(*hello->name);
  if (hello->version) call.client.resp = *hello->version;
  describe_server(call);
}

void ping(Call& call) {
  if (call.args.size() > 2) return call.reply.error(protocol::errors::wrong_arity("ping"));
  if (call.args.size() == 2) return call.reply.bulk(call.args[1]);
  call.reply.simple("PONG");
}

void echo(Call& call) { call.reply.bulk(call.args[1]); }

void select(Call& call) {
  const auto index = parse_int(call.args[1]);
  if (!index) return call.reply.error(protocol::errors::kNotInteger);
  if (*index < INT32_MIN || *index > INT32_MAX) {
    return call.reply.error("ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (*index < 0 || *index >= call.session.settings().number(Setting::databases)) {
    return call.reply.error(protocol::errors::kDbIndex);
  }
  call.client.db = static_cast<uint8_t>(*index);
  call.reply.ok();
}

void readonly(Call& call) {
  call.client.readonly = true;
  call.reply.ok();
}

void readwrite(Call& call) {
  call.client.readonly = false;
  call.reply.ok();
}

// Slots change hands at once, so nobody is ever sent on with ASK; who says so nevertheless is where it should be.
void asking(Call& call) { call.reply.ok(); }

void reset(Call& call) {
  Client& client = call.client;
  client.resp = RespVersion::resp2;
  client.db = 0;
  client.no_touch = false;
  client.no_evict = false;
  client.readonly = false;
  client.replies_off = client.skip_this = client.skip_next = false;
  client.name.clear();
  client.transaction = {};
  call.session.set_authenticated(client, !call.session.password_needed());
  call.reply.simple("RESET");
}

void quit(Call& call) {
  call.session.close_after_replies(call.client);
  call.reply.ok();
}

}  // namespace

void add_connection_commands(HandlerTable& table) {
  set_handler(table, CommandId::auth, auth);
  set_handler(table, CommandId::hello, hello);
  set_handler(table, CommandId::ping, ping);
  set_handler(table, CommandId::echo, echo);
  set_handler(table, CommandId::select, select);
  set_handler(table, CommandId::readonly, readonly);
  set_handler(table, CommandId::readwrite, readwrite);
  set_handler(table, CommandId::asking, asking);
  set_handler(table, CommandId::reset, reset);
  set_handler(table, CommandId::quit, quit);
}

}  // namespace chainring::session
