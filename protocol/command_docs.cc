#include "protocol/command_docs.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "protocol/glob.h"
#include "protocol/syntax.h"

namespace chainring::protocol {
namespace {

using Args = std::span<const std::string_view>;

// A request of a few bytes for each name is answered with kilobytes for each: this bounds the reply.
constexpr size_t kNamesMax = 1024;
// Names are short; a longer pattern only costs time.
constexpr size_t kPatternBytesMax = 1024;

constexpr std::pair<uint32_t, std::string_view> kFlagNames[] = {
    {kWrite, "write"},          {kReadonly, "readonly"},
    {kDenyOom, "denyoom"},      {kAdmin, "admin"},
    {kPubSub, "pubsub"},        {kNoScript, "noscript"},
    {kBlocking, "blocking"},    {kLoading, "loading"},
    {kStale, "stale"},          {kFast, "fast"},
    {kNoAuth, "no_auth"},       {kNoMulti, "no_multi"},
    {kAllowBusy, "allow_busy"}, {kMovableKeys, "movablekeys"}};

// ACL categories in Redis' order.
constexpr std::string_view kCategories[] = {
    "keyspace", "read",   "write",       "set",       "sortedset",  "list",        "hash",
    "string",   "bitmap", "hyperloglog", "geo",       "stream",     "pubsub",      "admin",
    "fast",     "slow",   "blocking",    "dangerous", "connection", "transaction", "scripting"};

// The parts of `text` between separators, without the spaces around them.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    std::string_view part = text.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    if (!part.empty()) parts.push_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool is_subcommand(const CommandSpec& command) { return command.name.find('|') != std::string_view::npos; }

// Rows of the subcommands of a container. The table is sorted, so they stand behind it, "name|...".
std::span<const CommandSpec> subcommands(const CommandSpec& container) {
  const std::span<const CommandSpec> table = command_table();
  const std::string prefix = concat(container.name, "|");
  const auto of_container = [&](const CommandSpec& row) { return row.name.starts_with(prefix); };
  const auto first = std::find_if(table.begin(), table.end(), of_container);
  const auto last = std::find_if_not(first, table.end(), of_container);
  return table.subspan(static_cast<size_t>(first - table.begin()), static_cast<size_t>(last - first));
}

std::vector<const CommandSpec*> top_level_commands() {
  std::vector<const CommandSpec*> commands;
  for (const CommandSpec& row : command_table()) {
    if (!is_subcommand(row)) commands.push_back(&row);
  }
  return commands;
}

bool has_category(const CommandSpec& command, std::string_view category) {
  if (category == "write") return (command.flags & kWrite) != 0;
  if (category == "read") return (command.flags & kReadonly) != 0;
  if (category == "fast") return (command.flags & kFast) != 0;
  if (category == "slow") return (command.flags & kFast) == 0;
  if (category == "blocking") return (command.flags & kBlocking) != 0;
  if (category == "pubsub") return (command.flags & kPubSub) != 0;
  if ((category == "admin" || category == "dangerous") && (command.flags & kAdmin) != 0) return true;
  const std::vector<std::string_view> named = split(command.categories, ' ');
  return std::find(named.begin(), named.end(), category) != named.end();
}

// ---- COMMAND INFO ------------------------------------------------------------------------------------------

void write_statuses(const std::vector<std::string_view>& texts, ReplyWriter& reply) {
  reply.set(texts.size());
  for (const std::string_view text : texts) reply.simple(text);
}

void write_flags(const CommandSpec& command, ReplyWriter& reply) {
  std::vector<std::string_view> names;
  for (const auto& [flag, name] : kFlagNames) {
    if ((command.flags & flag) != 0) names.push_back(name);
  }
  write_statuses(names, reply);
}

void write_categories(const CommandSpec& command, ReplyWriter& reply) {
  std::vector<std::string_view> names;
  for (const std::string_view category : kCategories) {
    if (has_category(command, category)) names.push_back(category);
  }
  reply.set(names.size());
  for (const std::string_view name : names) reply.simple(concat("@", name));
}

void write_bulks(const std::vector<std::string_view>& texts, ReplyWriter& reply) {
  reply.set(texts.size());
  for (const std::string_view text : texts) reply.bulk(text);
}

// One key specification: where its keys begin, how far they go, what is done to them.
struct KeySpec {
  std::string_view use;
  int first;
  int last;  // counted from `first`; when negative, from the end of the arguments
  int step;
};

std::vector<KeySpec> key_specs(const CommandSpec& command) {
  const std::vector<std::string_view> uses = split(command.key_use, ';');
  if (uses.empty()) return {};
  const int last = command.last_key < 0 ? command.last_key : command.last_key - command.first_key;
  if (uses.size() == 1) return {{uses.front(), command.first_key, last, command.step}};
  std::vector<KeySpec> specs;  // one key each
  for (size_t i = 0; i < uses.size(); ++i) specs.push_back({uses[i], command.first_key + static_cast<int>(i), 0, 1});
  return specs;
}

void write_key_spec(const KeySpec& spec, ReplyWriter& reply) {
  reply.map(3);
  reply.bulk("flags");
  write_statuses(split(spec.use, ' '), reply);
  reply.bulk("begin_search");
  reply.map(2);
  reply.bulk("type");
  reply.bulk("index");
  reply.bulk("spec");
  reply.map(1);
  reply.bulk("index");
  reply.integer(spec.first);
  reply.bulk("find_keys");
  reply.map(2);
  reply.bulk("type");
  reply.bulk("range");
  reply.bulk("spec");
  reply.map(3);
  reply.bulk("lastkey");
  reply.integer(spec.last);
  reply.bulk("keystep");
  reply.integer(spec.step);
  reply.bulk("limit");
  reply.integer(0);
}

void write_info(const CommandSpec& command, ReplyWriter& reply) {
  reply.array(10);
  reply.bulk(command.name);
  reply.integer(command.arity);
  write_flags(command, reply);
  reply.integer(command.first_key);
  reply.integer(command.last_key);
  reply.integer(command.step);
  write_categories(command, reply);
  write_bulks(split(command.tips, ' '), reply);
  const std::vector<KeySpec> specs = key_specs(command);
  reply.set(specs.size());
  for (const KeySpec& spec : specs) write_key_spec(spec, reply);
  const std::span<const CommandSpec> inside = subcommands(command);
  reply.set(inside.size());
  for (const CommandSpec& sub : inside) write_info(sub, reply);
}

// False, with an error written, for more names than are answered at once.
bool accept_names(Args names, ReplyWriter& reply) {
  if (names.size() <= kNamesMax) return true;
  reply.error(concat("ERR at most ", kNamesMax, " command names at once"));
  return false;
}

void answer_info(Args names, ReplyWriter& reply) {
  if (!accept_names(names, reply)) return;
  if (names.empty()) {
    const std::vector<const CommandSpec*> commands = top_level_commands();
    reply.array(commands.size());
    for (const CommandSpec* command : commands) write_info(*command, reply);
    return;
  }
  reply.array(names.size());
  for (const std::string_view name : names) {
    const CommandSpec* command = find_command(name);
    if (command != nullptr) {
      write_info(*command, reply);
    } else {
      reply.null_array();
    }
  }
}

// ---- COMMAND DOCS ------------------------------------------------------------------------------------------

std::string_view type_name(Argument::Type type) {
  switch (type) {
    case Argument::Type::key:
      return "key";
    case Argument::Type::string:
      return "string";
    case Argument::Type::integer:
      return "integer";
    case Argument::Type::floating:
      return "double";
    case Argument::Type::pattern:
      return "pattern";
    case Argument::Type::unix_time:
      return "unix-time";
    case Argument::Type::pure_token:
      return "pure-token";
    case Argument::Type::one_of:
      return "oneof";
    case Argument::Type::block:
      return "block";
  }
  return "string";
}

// Groups have no name in the syntax: they get that of their first member.
std::string name_of(const Argument& argument) {
  return argument.arguments.empty() ? to_lower(argument.name) : name_of(argument.arguments.front());
}

void write_arguments(const std::vector<Argument>& arguments, ReplyWriter& reply);

void write_argument(const Argument& argument, ReplyWriter& reply) {
  std::vector<std::string_view> flags;
  if (argument.optional) flags.push_back("optional");
  if (argument.multiple) flags.push_back("multiple");
  reply.map(2u + (argument.key_spec >= 0) + !argument.token.empty() + !flags.empty() + !argument.arguments.empty());
  reply.bulk("name");
  reply.bulk(name_of(argument));
  reply.bulk("type");
  reply.bulk(type_name(argument.type));
  if (argument.key_spec >= 0) {
    reply.bulk("key_spec_index");
    reply.integer(argument.key_spec);
  }
  if (!argument.token.empty()) {
    reply.bulk("token");
    reply.bulk(argument.token);
  }
  if (!flags.empty()) {
    reply.bulk("flags");
    write_statuses(flags, reply);
  }
  if (!argument.arguments.empty()) {
    reply.bulk("arguments");
    write_arguments(argument.arguments, reply);
  }
}

void write_arguments(const std::vector<Argument>& arguments, ReplyWriter& reply) {
  reply.array(arguments.size());
  for (const Argument& argument : arguments) write_argument(argument, reply);
}

void write_field(std::string_view name, std::string_view value, ReplyWriter& reply) {
  reply.bulk(name);
  reply.bulk(value);
}

void write_docs(const CommandSpec& command, ReplyWriter& reply) {
  const std::vector<Argument> arguments = parse_syntax(command);
  const std::span<const CommandSpec> inside = subcommands(command);
  const bool deprecated = !command.deprecated.empty();
  reply.bulk(command.name);
  reply.map(4u + 3u * deprecated + !arguments.empty() + !inside.empty());
  write_field("summary", command.summary, reply);
  write_field("since", command.since, reply);
  write_field("group", command.group, reply);
  write_field("complexity", command.complexity, reply);
  if (deprecated) {
    const size_t space = command.deprecated.find(' ');
    reply.bulk("doc_flags");
    write_statuses({"deprecated"}, reply);
    write_field("deprecated_since", command.deprecated.substr(0, space), reply);
    write_field("replaced_by", command.deprecated.substr(space + 1), reply);
  }
  if (!arguments.empty()) {
    reply.bulk("arguments");
    write_arguments(arguments, reply);
  }
  if (!inside.empty()) {
    reply.bulk("subcommands");
    reply.map(inside.size());
    for (const CommandSpec& sub : inside) write_docs(sub, reply);
  }
}

void answer_docs(Args names, ReplyWriter& reply) {
  if (!accept_names(names, reply)) return;
  std::vector<const CommandSpec*> commands;
  if (names.empty()) commands = top_level_commands();
  for (const std::string_view name : names) {
    const CommandSpec* command = find_command(name);
    if (command != nullptr) commands.push_back(command);  // Redis leaves out what it does not know
  }
  reply.map(commands.size());
  for (const CommandSpec* command : commands) write_docs(*command, reply);
}

// ---- COMMAND LIST, GETKEYS, GETKEYSANDFLAGS ---------------------------------------------------------------------

// `args` is the whole request: COMMAND LIST [FILTERBY MODULE|ACLCAT|PATTERN value].
void answer_list(Args args, ReplyWriter& reply) {
  std::vector<std::string_view> names;
  const auto list_if = [&](auto&& wanted) {
    for (const CommandSpec& row : command_table()) {
      if (wanted(row)) names.push_back(row.name);
    }
  };
  if (args.size() == 2) {
    list_if([](const CommandSpec& row) { return !is_subcommand(row); });
  } else if (args.size() != 5 || !equals_ignoring_case(args[2], "FILTERBY") || args[4].size() > kPatternBytesMax) {
    return reply.error(errors::kSyntax);
  } else if (equals_ignoring_case(args[3], "ACLCAT")) {
    const std::string category = to_lower(args[4]);
    list_if([&](const CommandSpec& row) { return has_category(row, category); });
  } else if (equals_ignoring_case(args[3], "PATTERN")) {
    list_if([&](const CommandSpec& row) { return glob_match(args[4], row.name, GlobCase::ignored); });
  } else if (!equals_ignoring_case(args[3], "MODULE")) {  // there are no modules
    return reply.error(errors::kSyntax);
  }
  write_bulks(names, reply);
}

// `request` is the command whose keys are asked for.
void answer_getkeys(Args request, bool with_flags, ReplyWriter& reply) {
  const CommandSpec* command = find_command(request);
  const bool unknown_subcommand = command != nullptr && (command->flags & kContainer) != 0 && request.size() > 1;
  if (command == nullptr || unknown_subcommand) return reply.error("ERR Invalid command specified");
  if (command->first_key == 0) return reply.error("ERR The command has no key arguments");
  if (!arity_fits(*command, request.size())) {
    return reply.error("ERR Invalid number of arguments specified for command");
  }
  std::vector<size_t> positions;
  key_positions(*command, request, positions);
  const std::vector<KeySpec> specs = key_specs(*command);
  reply.array(positions.size());
  for (size_t i = 0; i < positions.size(); ++i) {
    if (with_flags) reply.array(2);
    reply.bulk(request[positions[i]]);
    if (with_flags) write_statuses(split(specs[std::min(i, specs.size() - 1)].use, ' '), reply);
  }
}

}  // namespace

void answer_command(const CommandSpec& command, std::span<const std::string_view> args, ReplyWriter& reply) {
  switch (command.id) {
    case CommandId::command:
      if (args.size() > 1) return reply.error(errors::unknown_subcommand("command", args[1]));
      return answer_info({}, reply);
    case CommandId::command_count:
      return reply.integer(static_cast<int64_t>(top_level_commands().size()));
    case CommandId::command_docs:
      return answer_docs(args.subspan(2), reply);
    case CommandId::command_getkeys:
      return answer_getkeys(args.subspan(2), false, reply);
    case CommandId::command_getkeysandflags:
      return answer_getkeys(args.subspan(2), true, reply);
    case CommandId::command_help:
      return answer_help(protocol::command(CommandId::command), reply);
    case CommandId::command_info:
      return answer_info(args.subspan(2), reply);
    case CommandId::command_list:
      return answer_list(args, reply);
    default:
      CHECK(false, "answer_command() is for COMMAND and its subcommands");
  }
}

void answer_help(const CommandSpec& container, ReplyWriter& reply) {
  CHECK((container.flags & kContainer) != 0, "only a container has subcommands to list");
  const std::span<const CommandSpec> inside = subcommands(container);
  reply.array(1 + 2 * inside.size());
  reply.simple(concat(to_upper(container.name), " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
  for (const CommandSpec& sub : inside) {
    const std::string_view name = sub.name.substr(container.name.size() + 1);
    reply.simple(concat(to_upper(name), sub.syntax.empty() ? "" : " ", sub.syntax));
    reply.simple(concat("    ", sub.summary));
  }
}

}  // namespace chainring::protocol
