// What COMMAND answers, and docs/commands.md: all of it from the command table.
//
// Thread-safety: pure functions over the caller's ReplyWriter.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "protocol/command.h"
#include "protocol/reply.h"

namespace chainring::protocol {

// Answers COMMAND and all of its subcommands, as Redis 7.2 does; of at most 1024 names at once.
// REQUIRES: `command` is what find_command(args) said, is COMMAND or one of its subcommands, and its arity fits.
void answer_command(const CommandSpec& command, std::span<const std::string_view> args, ReplyWriter& reply);

// Answers "CLIENT HELP", "CONFIG HELP" ...: the subcommands of any container. REQUIRES: it is a container.
void answer_help(const CommandSpec& container, ReplyWriter& reply);

// docs/commands.md.
[[nodiscard]] std::string commands_markdown();

}  // namespace chainring::protocol
