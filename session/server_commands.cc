// COMMAND, CONFIG, INFO, TIME, ROLE, WAIT, LOLWUT, MEMORY DOCTOR and every HELP.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/command_docs.h"
#include "protocol/glob.h"
#include "session/commands.h"
#include "session/version.h"

namespace chainring::session {
namespace {

using protocol::CommandId;

// ---- CONFIG -----------------------------------------------------------------------------------------------------

// Names that Redis knows for a setting beside ours.
struct Alias {
  std::string_view name;
  Setting setting;
};
constexpr Alias kAliases[] = {{"slave-read-only", Setting::replica_read_only}};

bool is_ours(const SettingSpec& spec, const Settings& settings) { return (spec.roles & settings.role()) != 0; }

// The secret that opens the cluster's own conversations is nobody's to read.
bool is_shown(const SettingSpec& spec, const Settings& settings) {
  return is_ours(spec, settings) && spec.id != Setting::peer_secret;
}

const SettingSpec* find_own_setting(std::string_view name, const Settings& settings) {
  for (const Alias& alias : kAliases) {
    if (equals_ignoring_case(alias.name, name)) return &setting_table()[static_cast<size_t>(alias.setting)];
  }
  const SettingSpec* spec = find_setting(name);
  return spec != nullptr && is_ours(*spec, settings) ? spec : nullptr;
}

void config_get(Call& call) {
  const Settings& settings = call.session.settings();
  std::vector<std::pair<std::string_view, std::string_view>> found;
  const auto add_if_wanted = [&](std::string_view name, const SettingSpec& spec) {
    const auto patterns = call.args.subspan(2);
    const bool wanted = std::any_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) {
      return protocol::glob_match(pattern, name, protocol::GlobCase::ignored);
    });
    if (wanted && is_shown(spec, settings)) found.emplace_back(name, settings.text(spec.id));
  };
  for (const SettingSpec& spec : setting_table()) add_if_wanted(spec.name, spec);
  for (const Alias& alias : kAliases) add_if_wanted(alias.name, setting_table()[static_cast<size_t>(alias.setting)]);
  call.reply.map(found.size());
  for (const auto& [name, value] : found) {
    call.reply.bulk(name);
    call.reply.bulk(value);
  }
}

std::string config_failure(std::string_view name, std::string_view why) {
  return concat("ERR CONFIG SET failed (possibly related to argument '", name, "') - ", why);
}

// Sets all pairs in `settings`; the text of the error, or empty.
std::string set_all(Settings& settings, std::span<const std::string_view> pairs) {
  std::vector<Setting> seen;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const SettingSpec* spec = find_own_setting(pairs[i], settings);
    if (spec == nullptr) {
      return concat("ERR Unknown option or number of arguments for CONFIG SET - '", pairs[i], "'");
    }
    if (!spec->live && !spec->fixed) return config_failure(pairs[i], "can't set immutable config");
    if (std::find(seen.begin(), seen.end(), spec->id) != seen.end()) {
      return config_failure(pairs[i], "duplicate parameter");
    }
    seen.push_back(spec->id);
    const Status status = settings.set(spec->id, pairs[i + 1]);
    if (!status.ok()) return config_failure(pairs[i], status.message());
  }
  return {};
}

void config_set(Call& call) {
  if (call.args.size() % 2 != 0) return call.reply.error(protocol::errors::kSyntax);
  Settings& settings = call.session.settings();
  Settings changed = settings;  // all or nothing
  const std::string error = set_all(changed, call.args.subspan(2));
  if (!error.empty()) return call.reply.error(error);
  const Status rules = changed.validate();
  if (!rules.ok() && settings.validate().ok()) {
    return call.reply.error(concat("ERR CONFIG SET failed - ", rules.message()));
  }
  settings = std::move(changed);
  call.session.apply_limits();
  call.reply.ok();
}

void config_resetstat(Call& call) {
  call.session.reset_statistics();
  call.reply.ok();
}

void config_rewrite(Call& call) { call.reply.error("ERR The server is running without a config file"); }

// ---- the server -------------------------------------------------------------------------------------------------

void command(Call& call) { protocol::answer_command(*call.client.last_command, call.args, call.reply); }

void help(Call& call) {
  const protocol::CommandSpec* container = protocol::find_command(call.args[0]);
  CHECK(container != nullptr, "a subcommand has a container");
  protocol::answer_help(*container, call.reply);
}

void info(Call& call) { call.reply.verbatim(info_text(call.session, call.args.subspan(1))); }

void time(Call& call) {
  const Millis now = call.session.now().wall;
  call.reply.array(2);
  call.reply.bulk_integer(now / 1000);
  call.reply.bulk_integer(now % 1000 * kMicrosPerMilli);
}

// To clients every process is the master that they can write to; who copies its data is the cluster's affair.
void role(Call& call) {
  call.reply.array(3);
  call.reply.bulk("master");
  call.reply.integer(0);
  call.reply.array(0);
}

// A write is acknowledged when all members of its chain have it, so there is nothing to wait for.
void wait(Call& call) {
  const auto replicas = parse_int(call.args[1]);
  if (!replicas) return call.reply.error(protocol::errors::kNotInteger);
  const auto timeout = parse_int(call.args[2]);
  if (!timeout) return call.reply.error("ERR timeout is not an integer or out of range");
  if (*timeout < 0) return call.reply.error("ERR timeout is negative");
  call.reply.integer(call.session.backend().replicas());
}

void lolwut(Call& call) {
  constexpr std::string_view kPicture =
      "      o---o\n"
      "     /     \\\n"
      "    o       o     a chain of three,\n"
      "     \\     /      closed to a ring\n"
      "      o---o\n\n";
  call.reply.verbatim(concat(kPicture, "Redis ver. ", kRedisVersion, ", Chainring ver. ", kChainringVersion, '\n'));
}

void memory_doctor(Call& call) {
  call.reply.verbatim(
      "I count the bytes of keys and values and compare them with maxmemory; INFO memory has the figures.\n");
}

}  // namespace

void add_server_commands(HandlerTable& table) {
  for (const CommandId id : {CommandId::command, CommandId::command_count, CommandId::command_docs,
                             CommandId::command_getkeys, CommandId::command_getkeysandflags, CommandId::command_help,
                             CommandId::command_info, CommandId::command_list}) {
    set_handler(table, id, command);
  }
  for (const CommandId id : {CommandId::client_help, CommandId::config_help, CommandId::memory_help,
                             CommandId::object_help, CommandId::ring_help, CommandId::cluster_help}) {
    set_handler(table, id, help);
  }
  set_handler(table, CommandId::config_get, config_get);
  set_handler(table, CommandId::config_set, config_set);
  set_handler(table, CommandId::config_resetstat, config_resetstat);
  set_handler(table, CommandId::config_rewrite, config_rewrite);
  set_handler(table, CommandId::info, info);
  set_handler(table, CommandId::time, time);
  set_handler(table, CommandId::role, role);
  set_handler(table, CommandId::wait, wait);
  set_handler(table, CommandId::lolwut, lolwut);
  set_handler(table, CommandId::memory_doctor, memory_doctor);
}

}  // namespace chainring::session
