#include "cli/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>

#include "base/text.h"
#include "cli/config_file.h"
#include "cli/suggest.h"
#include "session/version.h"

namespace chainring::cli {
namespace {

constexpr int kNodesMax = 200, kCoordinatorsMax = 7, kRoutersMax = 32;  // of `up`, on one machine

std::string value_name(const SettingSpec& spec) {
  switch (spec.type) {
    case SettingType::integer:
      return "N";
    case SettingType::milliseconds:
      return "MS";
    case SettingType::bytes:
      return "SIZE";
    case SettingType::boolean:
      return "yes|no";
    case SettingType::choice:
      return std::string(spec.choices);
    case SettingType::address_list:
      return "ADDRESSES";
    case SettingType::bytes_or_percent:
      return "SIZE|N%";
    case SettingType::output_limits:
      return "LIMITS";
    case SettingType::derived_port:
      return "auto|none|N";
    case SettingType::secret:
    case SettingType::text:
      break;
  }
  return "TEXT";
}

// The options of a role, generated, and what was given for them.
class SettingOptions {
 public:
  SettingOptions(CLI::App& app, Role role) : app_(&app) {
    app.add_option("--config", config_file_, "A TOML file with settings by the same names; options override it.")
        ->type_name("FILE");
    for (const SettingSpec& spec : setting_table()) {
      if ((spec.roles & role) == 0 || spec.fixed) continue;
      const std::string_view initial = initial_value(spec, role);
      const std::string from = spec.type == SettingType::secret ? concat(" [$", environment_name(spec), "]") : "";
      const std::string doc = concat(spec.doc, initial.empty() ? from : concat(" [", initial, "]"));
      app.add_option(concat("--", spec.name), values_[spec.id], doc)->type_name(value_name(spec))->group("Settings");
    }
  }

  // The settings from file and options, validated. `given` gets the ids that either names.
  [[nodiscard]] Status resolve(Settings& settings, std::set<Setting>& given) const {
    if (!config_file_.empty()) {
      if (Status read = apply_config_file(config_file_, settings, given); !read.ok()) return read;
    }
    if (Status read = apply_environment(settings, given); !read.ok()) return read;
    for (const auto& [id, value] : values_) {
      if (app_->count(concat("--", spec_name(id))) == 0) continue;
      if (Status set = settings.set(id, value); !set.ok()) {
        return Status(ErrorCode::invalid_argument, concat("--", set.message()));
      }
      given.insert(id);
    }
    return settings.validate();
  }

  [[nodiscard]] const std::string& config_file() const { return config_file_; }

 private:
  static Status apply_environment(Settings& settings, std::set<Setting>& given) {
    for (const SettingSpec& spec : setting_table()) {
      if (spec.type != SettingType::secret || (spec.roles & settings.role()) == 0) continue;
      const std::string name = environment_name(spec);
      const char* value = std::getenv(name.c_str());
      if (value == nullptr) continue;
      if (Status set = settings.set(spec.id, value); !set.ok()) {
        return Status(ErrorCode::invalid_argument, concat(name, ": ", set.message()));
      }
      given.insert(spec.id);
    }
    return {};
  }
  static std::string_view spec_name(Setting id) { return setting_table()[static_cast<size_t>(id)].name; }

  const CLI::App* app_;
  std::string config_file_;
  std::map<Setting, std::string> values_;  // nodes of a map stay where CLI11 has been told that they are
};

struct Parser {
  Parser() {
    app.require_subcommand(1);
    app.set_version_flag("--version", concat("chainring ", session::kChainringVersion));
    app.footer("Every command tells its options with --help. Settings are described in docs/settings.md.");
    add_up();
    add_status();
  }

  void add_up() {
    const auto count = [&](const char* name, std::optional<int>& value, int least, int greatest, const char* doc) {
      up->add_option(name, value, doc)->type_name("N")->check(CLI::Range(least, greatest));
    };
    count("--nodes", up_command.nodes, 1, kNodesMax, "How many nodes. [3]");
    count("--coordinators", up_command.coordinators, 1, kCoordinatorsMax, "How many coordinators: 1, 3 or 5. [3]");
    count("--routers", up_command.routers, 1, kRoutersMax, "How many routers; the second has port - 1, and so on. [1]");
    up->add_flag("--no-restart", up_command.no_restart, "Leave processes that end by themselves ended.");
  }

  void add_status() {
    status->add_option("--host", status_command.host, "Of a router or a coordinator. [127.0.0.1]")->type_name("HOST");
    status->add_option("--port", status_command.port, "Of it. [7379]")->type_name("N")->check(CLI::Range(1, 65535));
    status->add_option("--password", status_command.password, "The cluster's requirepass. [$REDISCLI_AUTH]")
        ->envname("REDISCLI_AUTH")
        ->type_name("TEXT");
    status->add_flag("--json", status_command.json, "The JSON of docs/status.md instead of tables.");
    status->add_flag("--watch", status_command.watch, "Again each second, until Ctrl-C.");
  }

  CLI::App app{"Chainring: a strongly consistent, self-resharding distributed cache that speaks the Redis protocol.",
               "chainring"};
  CLI::App* up = app.add_subcommand("up", "Start a whole cluster on this machine; Ctrl-C stops it.");
  CLI::App* status = app.add_subcommand("status", "Show members, leases, slots and what moves.");
  CLI::App* node = app.add_subcommand("node", "Run one node: it holds data.");
  CLI::App* router = app.add_subcommand("router", "Run one router: clients use it like one Redis.");
  CLI::App* coordinator = app.add_subcommand("coordinator", "Run one member of the Raft group.");
  SettingOptions up_options{*up, kUpCommand};
  SettingOptions node_options{*node, kNodeRole};
  SettingOptions router_options{*router, kRouterRole};
  SettingOptions coordinator_options{*coordinator, kCoordinatorRole};
  UpCommand up_command{Settings(kUpCommand), {}, {}, {}, {}};
  StatusCommand status_command;
};

// The subcommand that was meant, to name its own --help.
const CLI::App* chosen(const CLI::App& app) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  return chosen.empty() ? nullptr : chosen.front();
}

std::string hint_for_unknown(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> owned;
  for (const CLI::Option* option : app.get_options()) owned.push_back(option->get_name());
  for (const CLI::App* subcommand : app.get_subcommands({})) owned.push_back(subcommand->get_name());
  const std::vector<std::string_view> known(owned.begin(), owned.end());
  for (const std::string& argument : arguments) {
    const std::string name = argument.substr(0, argument.find('='));
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (name.starts_with("--") || app.get_parent() == nullptr) return did_you_mean(name, known);
  }
  return "";
}

Status usage_error(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments) {
  const CLI::App* subcommand = chosen(app);
  const CLI::App& place = subcommand == nullptr ? app : *subcommand;
  const bool unknown = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                       dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  return Status(ErrorCode::invalid_argument,
                concat(error.what(), unknown ? hint_for_unknown(place, arguments) : "", "\ntry: chainring",
                       subcommand == nullptr ? "" : concat(" ", subcommand->get_name()), " --help"));
}

Result<Invocation> role_invocation(Role role, const SettingOptions& options) {
  RoleCommand command{Settings(role), options.config_file()};
  std::set<Setting> given;
  if (Status resolved = options.resolve(command.settings, given); !resolved.ok()) return resolved;
  return Invocation(std::move(command));
}

Result<Invocation> invocation(Parser& parser) {
  if (parser.node->parsed()) return role_invocation(kNodeRole, parser.node_options);
  if (parser.router->parsed()) return role_invocation(kRouterRole, parser.router_options);
  if (parser.coordinator->parsed()) return role_invocation(kCoordinatorRole, parser.coordinator_options);
  if (parser.status->parsed()) return Invocation(parser.status_command);
  UpCommand& up = parser.up_command;
  if (Status resolved = parser.up_options.resolve(up.settings, up.given); !resolved.ok()) return resolved;
  return Invocation(std::move(up));
}

}  // namespace

Result<Invocation> parse_command_line(const std::vector<std::string>& arguments) {
  Parser parser;
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 takes them
  try {
    parser.app.parse(std::move(reversed));
  } catch (const CLI::Success& success) {  // --help and --version
    std::ostringstream text;
    parser.app.exit(success, text, text);
    return Invocation(ShowText{text.str()});
  } catch (const CLI::ParseError& error) {
    return usage_error(parser.app, error, arguments);
  }
  return invocation(parser);
}

}  // namespace chainring::cli
