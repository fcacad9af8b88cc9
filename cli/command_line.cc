#include "cli/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>

#include "base/ids.h"
#include "base/text.h"
#include "cli/cluster_plan.h"
#include "cli/config_file.h"
#include "cli/suggest.h"
#include "session/version.h"

namespace chainring::cli {
namespace {

constexpr int kCoordinatorsMax = 7, kRoutersMax = 32;  // of `up`, on one machine

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

// `chainring reshard VERB`: what each verb takes.
class ReshardParser {
 public:
  explicit ReshardParser(CLI::App& app) : app_(&app) {
    app.require_subcommand(1);
    app.fallthrough();  // options may stand behind the verb too
    add_options();
    add_changes(app, ReshardCommand::Verb::change);
    CLI::App* plan = add_verb(app, "plan", ReshardCommand::Verb::plan, "Show what a change would move; moves nothing.");
    plan->require_subcommand(0, 1);
    plan->footer("Without a change: of the one that is under way, or would come next.");
    add_changes(*plan, ReshardCommand::Verb::plan);
    add_verb(app, "pause", ReshardCommand::Verb::pause, "Begin no more moves; those of a few slots come to their end.");
    add_verb(app, "resume", ReshardCommand::Verb::resume, "Go on after a pause.");
    add_verb(app, "cancel", ReshardCommand::Verb::cancel, "Undo the change that is under way: slots move back.");
    add_verb(app, "status", ReshardCommand::Verb::status, "Show how far the change is.");
    app.footer(
        "A change goes on in the coordinators, whatever becomes of this command: Ctrl-C ends the watching only.\n"
        "Exit status: 0 the ring is in place, 1 it is not, 2 used wrongly.");
  }
  [[nodiscard]] Result<Invocation> invocation() const {
    using Verb = ReshardCommand::Verb;
    const Verb verb = command_.verb;
    const auto misplaced = [](const char* option) {
      return Status(ErrorCode::invalid_argument,
                    concat(option, " does not go with this\ntry: chainring reshard --help"));
    };
    if (command_.json && verb != Verb::plan && verb != Verb::status) return misplaced("--json");
    if (command_.watch && (verb != Verb::status || command_.json)) return misplaced("--watch");
    if (command_.no_wait && verb != Verb::change && verb != Verb::cancel) return misplaced("--no-wait");
    return Invocation(command_);
  }

 private:
  using Kind = RingChange::Kind;

  void add_options() {
    app_->add_option("--host", command_.host, "Of a router or a coordinator. [of the cluster in --dir, or 127.0.0.1]")
        ->type_name("HOST");
    app_->add_option("--port", command_.port, "Of it. [of the cluster in --dir, or 7379]")
        ->type_name("N")
        ->check(CLI::Range(1, 65535));
    app_->add_option("--password", command_.password, "The cluster's requirepass. [$REDISCLI_AUTH]")
        ->envname("REDISCLI_AUTH")
        ->type_name("TEXT");
    app_->add_option("--dir", command_.directory,
                     "Where `chainring up` runs the cluster, if it does. [./chainring-data]")
        ->type_name("DIR");
    app_->add_flag("--no-wait", command_.no_wait, "End when the change has begun; show no progress.");
    app_->add_flag("--watch", command_.watch, "With status: until nothing moves any more.");
    app_->add_flag("--json", command_.json, "With plan and status: the JSON of docs/status.md, for programs.");
  }

  CLI::App* add_verb(CLI::App& app, const char* name, ReshardCommand::Verb verb, const char* doc) {
    CLI::App* added = app.add_subcommand(name, doc);
    added->fallthrough();
    added->callback([this, verb] { command_.verb = verb; });
    return added;
  }

  void add_changes(CLI::App& app, ReshardCommand::Verb verb) {
    const auto add = [&](Kind kind, const char* name, const char* doc) {
      CLI::App* added = app.add_subcommand(name, doc);
      added->fallthrough();
      added->callback([this, kind, verb] {
        command_.verb = verb;
        command_.change = RingChange{kind, name_, number_};
      });
      return added;
    };
    CLI::App* added = add(Kind::add, "add", "Give slots to a node that has registered.");
    CLI::Option* name = added->add_option("NAME", name_, "Of the node. [`chainring up` starts one more]");
    if (verb == ReshardCommand::Verb::plan) name->required();
    add(Kind::remove, "remove", "Move all slots of a node away; `chainring up` stops it then.")
        ->add_option("NAME", name_, "Of the node.")
        ->required();
    CLI::App* weight = add(Kind::weight, "weight", "Change how many slots a node has beside the others.");
    weight->add_option("NAME", name_, "Of the node.")->required();
    weight->add_option("N", number_, "Its weight; 100 is usual.")->required()->check(CLI::Range(1u, kNodeWeightMax));
    add(Kind::copies, "copies", "Change how many copies of each slot there are.")
        ->add_option("N", number_, "The length of a chain.")
        ->required()
        ->check(CLI::Range(1u, kCopiesMax));
  }

  CLI::App* app_;
  ReshardCommand command_;
  std::string name_;
  int64_t number_ = 0;
};

struct Parser {
  Parser() {
    app.require_subcommand(1);
    app.set_version_flag("--version", concat("chainring ", session::kChainringVersion));
    app.footer("Every command tells its options with --help. Settings are described in docs/settings.md.");
    add_up();
    add_endpoint(*status, status_command.host, status_command.port, status_command.password);
    status->add_flag("--json", status_command.json, "The JSON of docs/status.md instead of tables.");
    status->add_flag("--watch", status_command.watch, "Again each second, until Ctrl-C.");
    add_rules();
    add_serve_empty();
    add_recover();
  }

  void add_up() {
    const auto count = [&](const char* name, std::optional<int>& value, int least, int greatest, const char* doc) {
      up->add_option(name, value, doc)->type_name("N")->check(CLI::Range(least, greatest));
    };
    count("--nodes", up_command.nodes, 1, kNodesMax, "How many nodes a new cluster begins with. [3]");
    count("--coordinators", up_command.coordinators, 1, kCoordinatorsMax, "How many coordinators: 1, 3 or 5. [3]");
    count("--routers", up_command.routers, 1, kRoutersMax, "How many routers; the second has port - 1, and so on. [1]");
    up->add_flag("--no-restart", up_command.no_restart, "Leave processes that end by themselves ended.");
  }

  static void add_endpoint(CLI::App& to, std::string& host, uint16_t& port, std::string& password) {
    to.add_option("--host", host, "Of a router or a coordinator. [127.0.0.1]")->type_name("HOST");
    to.add_option("--port", port, "Of it. [7379]")->type_name("N")->check(CLI::Range(1, 65535));
    to.add_option("--password", password, "The cluster's requirepass. [$REDISCLI_AUTH]")
        ->envname("REDISCLI_AUTH")
        ->type_name("TEXT");
  }

  void add_rules() {
    rules->require_subcommand(1);
    rules->fallthrough();  // options may stand behind the verb too
    add_endpoint(*rules, rules_command.host, rules_command.port, rules_command.password);
    rules->footer(
        "A rule says which part of a key without a {tag} is its tag: bull:(*):** keeps all keys of one BullMQ queue "
        "in\n"
        "one slot. * is anything without ':', ** is anything, (the tag) in parentheses. The first rule that matches "
        "wins.\n"
        "A change is refused while there are keys that it would place elsewhere.");
    const auto add_verb = [&](RulesCommand::Verb verb, const char* name, const char* doc) {
      CLI::App* added = rules->add_subcommand(name, doc);
      added->fallthrough();
      added->callback([this, verb] { rules_command.verb = verb; });
      if (verb == RulesCommand::Verb::list) return;
      added->add_option("PATTERN", rules_command.pattern, "As in bull:(*):**, quoted for the shell.")->required();
    };
    add_verb(RulesCommand::Verb::list, "list", "Show the rules in force, in their order.");
    add_verb(RulesCommand::Verb::add, "add", "Add a rule behind the others.");
    add_verb(RulesCommand::Verb::remove, "remove", "Take a rule away.");
  }

  void add_serve_empty() {
    add_endpoint(*serve_empty, serve_empty_command.host, serve_empty_command.port, serve_empty_command.password);
    serve_empty
        ->add_option("--gone", serve_empty_command.gone,
                     "An absent node that will never run again; may be given several times.")
        ->type_name("NAME");
    serve_empty->add_flag("--yes", serve_empty_command.yes, "Do not ask.");
    serve_empty->footer(
        "A slot is lost when nobody of its chain is left. It is served again, empty, by this command alone, once, and\n"
        "for good. Who is only absent may be frozen or cut off and goes on when it is back: see docs/operations.md.");
  }

  void add_recover() {
    recover->add_option("--nodes", recover_nodes, "All nodes that live.")->type_name("HOST:PORT,...")->required();
    recover->add_option("--coordinators", recover_coordinators, "The new coordinators.")
        ->type_name("NAME=HOST:PORT,...")
        ->required();
    recover->add_option("--password", recover_command.password, "The cluster's requirepass. [$REDISCLI_AUTH]")
        ->envname("REDISCLI_AUTH")
        ->type_name("TEXT");
    recover->add_flag("--accept-loss", recover_command.accept_loss, "Also when none of the nodes holds some slots.");
    recover->add_flag("--yes", recover_command.yes, "Do not ask.");
    recover->footer(
        "For a cluster that has lost all its coordinators for good while its nodes live. Start new coordinators at "
        "the\n"
        "old addresses, with empty directories and --founding recover, then run this: docs/operations.md.");
  }

  CLI::App app{"Chainring: a strongly consistent, self-resharding distributed cache that speaks the Redis protocol.",
               "chainring"};
  CLI::App* up = app.add_subcommand("up", "Start a whole cluster on this machine; Ctrl-C stops it.");
  CLI::App* status = app.add_subcommand("status", "Show members, leases, slots and what moves.");
  CLI::App* reshard = app.add_subcommand("reshard", "Add, remove and weigh nodes while the cluster serves.");
  CLI::App* rules = app.add_subcommand("rules", "List, add and remove the rules that place keys together.");
  CLI::App* serve_empty = app.add_subcommand("serve-empty", "Serve slots again whose every copy is lost, empty.");
  CLI::App* recover = app.add_subcommand("recover", "Go on with the nodes after the loss of all coordinators.");
  CLI::App* node = app.add_subcommand("node", "Run one node: it holds data.");
  CLI::App* router = app.add_subcommand("router", "Run one router: clients use it like one Redis.");
  CLI::App* coordinator = app.add_subcommand("coordinator", "Run one member of the Raft group.");
  SettingOptions up_options{*up, kUpCommand};
  SettingOptions node_options{*node, kNodeRole};
  SettingOptions router_options{*router, kRouterRole};
  SettingOptions coordinator_options{*coordinator, kCoordinatorRole};
  UpCommand up_command{Settings(kUpCommand), {}, {}, {}, {}};
  StatusCommand status_command;
  RulesCommand rules_command;
  ServeEmptyCommand serve_empty_command;
  RecoverCommand recover_command;
  std::string recover_nodes, recover_coordinators;
  ReshardParser reshard_parser{*reshard};
};

// The subcommand that was meant, to name its own --help: the innermost.
const CLI::App& chosen(const CLI::App& app) {
  const CLI::App* inner = &app;
  while (!inner->get_subcommands().empty()) inner = inner->get_subcommands().front();
  return *inner;
}

// "chainring reshard add"
std::string path_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? "chainring" : concat(path_of(*app.get_parent()), ' ', app.get_name());
}

std::string hint_for_unknown(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> owned;
  for (const CLI::App* place = &app; place != nullptr; place = place->get_parent()) {
    for (const CLI::Option* option : place->get_options()) owned.push_back(option->get_name());
    owned.push_back(place->get_name());
    if (!place->get_fallthrough()) break;
  }
  const std::vector<const CLI::App*> subcommands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* subcommand : subcommands) owned.push_back(subcommand->get_name());
  const std::vector<std::string_view> known(owned.begin(), owned.end());
  for (const std::string& argument : arguments) {
    const std::string name = argument.substr(0, argument.find('='));
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (name.starts_with("--") || !subcommands.empty()) return did_you_mean(name, known);
  }
  return "";
}

Status usage_error(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments) {
  const CLI::App& place = chosen(app);
  const bool unknown = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                       dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  return Status(ErrorCode::invalid_argument, concat(error.what(), unknown ? hint_for_unknown(place, arguments) : "",
                                                    "\ntry: ", path_of(place), " --help"));
}

Result<Invocation> role_invocation(Role role, const SettingOptions& options) {
  RoleCommand command{Settings(role), options.config_file()};
  std::set<Setting> given;
  if (Status resolved = options.resolve(command.settings, given); !resolved.ok()) return resolved;
  return Invocation(std::move(command));
}

// Addresses are written as in the setting `coordinators`.
Result<std::vector<Settings::NamedAddress>> parse_addresses(std::string_view option, const std::string& text) {
  Settings settings(kNodeRole);
  if (Status set = settings.set(Setting::coordinators, text); !set.ok() || text.empty()) {
    return Status(ErrorCode::invalid_argument,
                  concat(option, ": '", text, "' is not host:port,host:port\n", "try: chainring recover --help"));
  }
  return settings.addresses(Setting::coordinators);
}

Result<Invocation> recover_invocation(Parser& parser) {
  const auto nodes = parse_addresses("--nodes", parser.recover_nodes);
  if (!nodes) return nodes.status();
  const auto coordinators = parse_addresses("--coordinators", parser.recover_coordinators);
  if (!coordinators) return coordinators.status();
  parser.recover_command.nodes = *nodes;
  parser.recover_command.coordinators = *coordinators;
  return Invocation(std::move(parser.recover_command));
}

Result<Invocation> invocation(Parser& parser) {
  if (parser.node->parsed()) return role_invocation(kNodeRole, parser.node_options);
  if (parser.router->parsed()) return role_invocation(kRouterRole, parser.router_options);
  if (parser.coordinator->parsed()) return role_invocation(kCoordinatorRole, parser.coordinator_options);
  if (parser.status->parsed()) return Invocation(parser.status_command);
  if (parser.rules->parsed()) return Invocation(parser.rules_command);
  if (parser.serve_empty->parsed()) return Invocation(parser.serve_empty_command);
  if (parser.recover->parsed()) return recover_invocation(parser);
  if (parser.reshard->parsed()) return parser.reshard_parser.invocation();
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
