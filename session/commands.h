// The commands that the session answers itself. One file for each group; the groups register explicitly.
// Thread-safety: constant after the first use.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "protocol/command.h"
#include "protocol/reply.h"
#include "session/session.h"

namespace chainring::session {

// One execution. REQUIRES of handlers: the arity has been checked. They write one reply, or nothing (CLIENT REPLY).
struct Call {
  Session& session;
  Client& client;
  std::span<const std::string_view> args;
  protocol::ReplyWriter& reply;
};
using Handler = void (*)(Call&);

// nullptr for commands that go to the Backend.
[[nodiscard]] Handler find_handler(protocol::CommandId id);

using HandlerTable = std::array<Handler, protocol::kCommandCount>;
void add_connection_commands(HandlerTable& table);   // HELLO AUTH PING SELECT ...
void add_client_commands(HandlerTable& table);       // CLIENT ...
void add_server_commands(HandlerTable& table);       // CONFIG INFO TIME ROLE WAIT COMMAND ...
void add_transaction_commands(HandlerTable& table);  // MULTI DISCARD UNWATCH

inline void set_handler(HandlerTable& table, protocol::CommandId id, Handler handler) {
  table[static_cast<size_t>(id)] = handler;
}

// INFO's text. An empty list of sections is Redis' default.
[[nodiscard]] std::string info_text(Session& session, std::span<const std::string_view> sections);

}  // namespace chainring::session
