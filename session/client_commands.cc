// CLIENT and its subcommands.
#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "base/text.h"
#include "session/commands.h"
#include "session/names.h"

namespace chainring::session {
namespace {

using protocol::CommandId;
using protocol::errors::kSyntax;

// Every client is one of type "normal"; the others are names that Redis knows and that match nobody here.
enum class ClientType { normal, other };

std::optional<ClientType> parse_type(std::string_view text) {
  if (equals_ignoring_case(text, "normal")) return ClientType::normal;
  for (const std::string_view other : {"slave", "replica", "pubsub", "master"}) {
    if (equals_ignoring_case(text, other)) return ClientType::other;
  }
  return std::nullopt;
}

std::string unknown_type(std::string_view text) { return concat("ERR Unknown client type '", text, "'"); }

std::optional<bool> parse_switch(std::string_view text, std::string_view on, std::string_view off) {
  if (equals_ignoring_case(text, on)) return true;
  if (equals_ignoring_case(text, off)) return false;
  return std::nullopt;
}

std::string local_name(Session& session) { return concat(session.settings().text(Setting::bind), ':', session.port()); }

std::string flags_of(const Client& client) {
  std::string flags;
  if (client.transaction.open()) flags.push_back('x');
  if (client.closing) flags.push_back('c');
  if (client.readonly) flags.push_back('r');
  if (client.no_evict) flags.push_back('e');
  if (client.no_touch) flags.push_back('T');
  return flags.empty() ? "N" : flags;
}

std::string_view last_command_name(const Client& client) {
  return client.last_command == nullptr ? "NULL" : client.last_command->name;
}

// A line of CLIENT LIST. A process sees connections and not file descriptors, so fd is -1, as of Redis' own
// clients without a socket.
void append_description(Session& session, const Client& client, std::string& out) {
  Transport& transport = session.transport();
  const Micros now = session.now().mono;
  const size_t input_bytes = transport.input(client.conn).size();
  const size_t unsent_bytes = transport.unsent(client.conn);
  const size_t waiting_bytes = client.replies.waiting_bytes();
  const int64_t queued = client.transaction.open() ? static_cast<int64_t>(client.transaction.count()) : -1;
  append_text(out, "id=", client.id, " addr=", transport.peer_name(client.conn), " laddr=", local_name(session),
              " fd=-1 name=", client.name, " age=", (now - client.created_at) / kMicrosPerSecond,
              " idle=", (now - client.active_at) / kMicrosPerSecond, " flags=", flags_of(client), " db=", client.db,
              " sub=0 psub=0 ssub=0 multi=", queued, " watch=", client.transaction.watched(), " qbuf=", input_bytes,
              " qbuf-free=0 argv-mem=0 multi-mem=", client.transaction.bytes(), " rbs=0 rbp=0 obl=", unsent_bytes,
              " oll=", client.replies.waiting_count(), " omem=", waiting_bytes, " tot-mem=", session.memory_of(client),
              " events=", client.stalled ? "" : "r", unsent_bytes > 0 ? "w" : "", " cmd=", last_command_name(client),
              " user=default redir=-1 resp=", static_cast<int>(client.resp), " lib-name=", client.library,
              " lib-ver=", client.library_version, '\n');
}

void id(Call& call) { call.reply.integer(static_cast<int64_t>(call.client.id)); }

void getname(Call& call) {
  if (call.client.name.empty()) return call.reply.null();
  call.reply.bulk(call.client.name);
}

void setname(Call& call) {
  const std::string error = client_name_error("Client names", call.args[2]);
  if (!error.empty()) return call.reply.error(error);
  call.client.name.assign(call.args[2]);
  call.reply.ok();
}

void setinfo(Call& call) {
  const std::string_view option = call.args[2];
  const std::string_view value = call.args[3];
  const auto is_library = parse_switch(option, "lib-name", "lib-ver");
  if (!is_library) return call.reply.error(concat("ERR Unrecognized option '", option, "'"));
  const std::string error = client_name_error(option, value);
  if (!error.empty()) return call.reply.error(error);
  (*is_library ? call.client.library : call.client.library_version).assign(value);
  call.reply.ok();
}

void info(Call& call) {
  std::string text;
  append_description(call.session, call.client, text);
  call.reply.verbatim(text);
}

void list_all(Call& call) {
  std::string text;
  for (const Client* client : call.session.clients()) append_description(call.session, *client, text);
  call.reply.verbatim(text);
}

void list_by_id(Call& call) {
  std::string text;
  for (const std::string_view arg : call.args.subspan(3)) {
    const auto wanted = parse_int(arg);
    if (!wanted) return call.reply.error("ERR Invalid client ID");
    const Client* client = call.session.find(static_cast<ClientId>(*wanted));
    if (client != nullptr) append_description(call.session, *client, text);
  }
  call.reply.verbatim(text);
}

void list(Call& call) {
  if (call.args.size() == 2) return list_all(call);
  if (call.args.size() == 4 && equals_ignoring_case(call.args[2], "type")) {
    const auto type = parse_type(call.args[3]);
    if (!type) return call.reply.error(unknown_type(call.args[3]));
    return *type == ClientType::normal ? list_all(call) : call.reply.verbatim("");
  }
  if (call.args.size() > 3 && equals_ignoring_case(call.args[2], "id")) return list_by_id(call);
  call.reply.error(kSyntax);
}

// What CLIENT KILL chooses by; all that are given must fit.
struct KillFilter {
  std::optional<ClientId> id;
  std::optional<ClientType> type;
  std::optional<std::string_view> address, local_address;
  bool skip_me = true;
};

// An option of CLIENT KILL; the text of the error, or empty.
std::string add_to_filter(KillFilter& filter, std::string_view option, std::string_view value) {
  if (equals_ignoring_case(option, "id")) {
    const auto wanted = parse_int(value);
    if (!wanted || *wanted < 1) return "ERR client-id should be greater than 0";
    filter.id = static_cast<ClientId>(*wanted);
  } else if (equals_ignoring_case(option, "type")) {
    filter.type = parse_type(value);
    if (!filter.type) return unknown_type(value);
  } else if (equals_ignoring_case(option, "addr")) {
    filter.address = value;
  } else if (equals_ignoring_case(option, "laddr")) {
    filter.local_address = value;
  } else if (equals_ignoring_case(option, "user")) {
    if (value != "default") return concat("ERR No such user '", value, "'");  // every client is the default user
  } else if (equals_ignoring_case(option, "skipme")) {
    const auto skip = parse_switch(value, "yes", "no");
    if (!skip) return std::string(kSyntax);
    filter.skip_me = *skip;
  } else {
    return std::string(kSyntax);
  }
  return {};
}

bool fits(Call& call, const KillFilter& filter, const Client& client) {
  if (client.closing || client.dead) return false;
  if (filter.skip_me && &client == &call.client) return false;
  if (filter.id && *filter.id != client.id) return false;
  if (filter.type && *filter.type != ClientType::normal) return false;
  if (filter.address && *filter.address != call.session.transport().peer_name(client.conn)) return false;
  return !filter.local_address || *filter.local_address == local_name(call.session);
}

int64_t kill_fitting(Call& call, const KillFilter& filter) {
  int64_t killed = 0;
  for (Client* client : call.session.clients()) {
    if (!fits(call, filter, *client)) continue;
    ++killed;
    if (client == &call.client) {
      call.session.close_after_replies(*client);
    } else {
      call.session.kill(*client);
    }
  }
  return killed;
}

void kill(Call& call) {
  KillFilter filter;
  if (call.args.size() == 3) {  // the old form: by address, oneself included
    filter.address = call.args[2];
    filter.skip_me = false;
    if (kill_fitting(call, filter) == 0) return call.reply.error("ERR No such client");
    return call.reply.ok();
  }
  for (size_t i = 2; i < call.args.size(); i += 2) {
    if (i + 1 == call.args.size()) return call.reply.error(kSyntax);
    const std::string error = add_to_filter(filter, call.args[i], call.args[i + 1]);
    if (!error.empty()) return call.reply.error(error);
  }
  call.reply.integer(kill_fitting(call, filter));
}

void no_evict(Call& call) {
  const auto on = parse_switch(call.args[2], "on", "off");
  if (!on) return call.reply.error(kSyntax);
  call.client.no_evict = *on;
  call.reply.ok();
}

void no_touch(Call& call) {
  const auto on = parse_switch(call.args[2], "on", "off");
  if (!on) return call.reply.error(kSyntax);
  call.client.no_touch = *on;
  call.reply.ok();
}

void reply_mode(Call& call) {
  Client& client = call.client;
  if (equals_ignoring_case(call.args[2], "on")) {
    client.replies_off = client.skip_this = false;
    call.reply.ok();
  } else if (equals_ignoring_case(call.args[2], "off")) {
    client.replies_off = true;
  } else if (equals_ignoring_case(call.args[2], "skip")) {
    client.skip_next = !client.replies_off;
  } else {
    call.reply.error(kSyntax);
  }
}

void pause(Call& call) {
  bool all = true;
  if (call.args.size() == 4) {
    const auto mode = parse_switch(call.args[3], "all", "write");
    if (!mode) return call.reply.error("ERR CLIENT PAUSE mode must be WRITE or ALL");
    all = *mode;
  } else if (call.args.size() > 4) {
    return call.reply.error("ERR CLIENT PAUSE mode must be WRITE or ALL");
  }
  const auto length_ms = parse_int(call.args[2]);
  const Micros now = call.session.now().mono;
  constexpr int64_t kLengthMaxMs = std::numeric_limits<Micros>::max() / kMicrosPerMilli / 2;
  if (!length_ms || *length_ms > kLengthMaxMs) {
    return call.reply.error("ERR timeout is not an integer or out of range");
  }
  if (*length_ms < 0) return call.reply.error("ERR timeout is negative");
  call.session.pause(now + *length_ms * kMicrosPerMilli, all);
  call.reply.ok();
}

void unpause(Call& call) {
  call.session.unpause();
  call.reply.ok();
}

// No command blocks a client yet, so there is nobody to unblock.
void unblock(Call& call) {
  if (call.args.size() > 4) return call.reply.error(kSyntax);
  if (call.args.size() == 4 && !parse_switch(call.args[3], "timeout", "error")) {
    return call.reply.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  if (!parse_int(call.args[2])) return call.reply.error(protocol::errors::kNotInteger);
  call.reply.integer(0);
}

// Keys are not tracked.
void getredir(Call& call) { call.reply.integer(-1); }

void trackinginfo(Call& call) {
  call.reply.map(3);
  call.reply.bulk("flags");
  call.reply.set(1);
  call.reply.bulk("off");
  call.reply.bulk("redirect");
  call.reply.integer(-1);
  call.reply.bulk("prefixes");
  call.reply.array(0);
}

}  // namespace

void add_client_commands(HandlerTable& table) {
  set_handler(table, CommandId::client_id, id);
  set_handler(table, CommandId::client_getname, getname);
  set_handler(table, CommandId::client_setname, setname);
  set_handler(table, CommandId::client_setinfo, setinfo);
  set_handler(table, CommandId::client_info, info);
  set_handler(table, CommandId::client_list, list);
  set_handler(table, CommandId::client_kill, kill);
  set_handler(table, CommandId::client_no_evict, no_evict);
  set_handler(table, CommandId::client_no_touch, no_touch);
  set_handler(table, CommandId::client_reply, reply_mode);
  set_handler(table, CommandId::client_pause, pause);
  set_handler(table, CommandId::client_unpause, unpause);
  set_handler(table, CommandId::client_unblock, unblock);
  set_handler(table, CommandId::client_getredir, getredir);
  set_handler(table, CommandId::client_trackinginfo, trackinginfo);
}

}  // namespace chainring::session
