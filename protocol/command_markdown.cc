// docs/commands.md from the command table.
#include <array>

#include "base/text.h"
#include "protocol/command_docs.h"

namespace chainring::protocol {
namespace {

struct Group {
  std::string_view name;
  std::string_view title;
};
constexpr Group kGroups[] = {{"string", "Strings"},
                             {"generic", "Keys of any type"},
                             {"transactions", "Transactions"},
                             {"lock", "Locks"},
                             {"connection", "Connection"},
                             {"server", "Server"},
                             {"cluster", "Cluster clients"},
                             {"ring", "This cluster"}};

std::string_view answered_by(Routing routing) {
  switch (routing) {
    case Routing::session:
      return "the process that the client is connected to";
    case Routing::slot:
      return "the slot of its keys";
    case Routing::split_sum:
      return "the slots of its keys, replies added";
    case Routing::split_values:
      return "the slots of its keys, replies put together";
    case Routing::split_ok:
      return "the slots of its keys";
    case Routing::all_slots:
      return "all slots";
    case Routing::scan:
      return "one slot after the other";
    case Routing::coordinator:
      return "the leader of the coordinators";
  }
  return {};
}

// A bar would end the cell of a table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) append_text(out, c == '|' ? "\\" : "", c);
  return out;
}

// A container does nothing without a subcommand; COMMAND alone does.
bool can_run(const CommandSpec& command) { return (command.flags & kContainer) == 0 || command.arity == -1; }

std::string heading(const CommandSpec& command) {
  std::string name = to_upper(command.name);
  const size_t bar = name.find('|');
  if (bar != std::string::npos) name[bar] = ' ';
  return name;
}

void append_row(std::string& out, const CommandSpec& command) {
  append_text(out, "| `", heading(command), command.syntax.empty() ? "" : " ", cell(command.syntax), "` | ",
              cell(command.summary), " | ", answered_by(command.routing), " | ", command.since, " |\n");
}

}  // namespace

std::string commands_markdown() {
  std::string out =
      "# Commands\n\n"
      "Made from the command table (`protocol/commands/`); `COMMAND DOCS` tells clients the same. Commands of Redis\n"
      "answer as in Redis 7.2, whose documentation describes them in full; *since* is the version of Redis that\n"
      "brought them (of Valkey for DELIFEQ), or of Chainring for PEER and the groups *Locks* and *This cluster*. A\n"
      "command whose keys are in several slots is refused with CROSSSLOT unless its row says how it is split.\n";
  for (const Group& group : kGroups) {
    append_text(out, "\n## ", group.title, "\n\n");
    out.append("| command | what it does | answered by | since |\n| --- | --- | --- | --- |\n");
    for (const CommandSpec& row : command_table()) {
      if (row.group == group.name && can_run(row)) append_row(out, row);
    }
  }
  return out;
}

}  // namespace chainring::protocol
