// What the command line asks for. Options of the roles come from the table of settings (base/settings.h).
//
// Thread-safety: a pure function of its arguments and of the configuration files that they name.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/settings.h"
#include "cli/ring_change.h"

namespace chainring::cli {

inline constexpr int kDone = 0, kFailed = 1, kUsedWrongly = 2;  // exit statuses

struct RoleCommand {
  Settings settings;  // file, then options; validated
  std::string config_file;
};

struct UpCommand {
  Settings settings;        // of kUpCommand
  std::set<Setting> given;  // by option or file: handed to the children
  // How many of each; what is not given is remembered, or 3, 3 and 1.
  std::optional<int> nodes;
  std::optional<int> coordinators;
  std::optional<int> routers;
  bool no_restart = false;  // of children that end by themselves
};

struct StatusCommand {
  std::string host = "127.0.0.1";
  uint16_t port = 7379;
  std::string password;
  bool json = false;
  bool watch = false;
};

struct ReshardCommand {
  enum class Verb { change, plan, pause, resume, cancel, status };
  Verb verb = Verb::status;
  // Of `change`, and of a `plan` that names one. Adding a node without a name leaves the choice to `chainring up`.
  std::optional<RingChange> change;
  // Not given: of the cluster that `up` runs in `directory`, or 127.0.0.1 and 7379.
  std::optional<std::string> host;
  std::optional<uint16_t> port;
  std::string password;
  std::string directory = "./chainring-data";  // of `chainring up`
  bool json = false;
  bool watch = false;
  bool no_wait = false;
};

struct RulesCommand {
  enum class Verb { list, add, remove };
  Verb verb = Verb::list;
  std::string pattern;  // of add and remove
  std::string host = "127.0.0.1";
  uint16_t port = 7379;
  std::string password;
};

struct ServeEmptyCommand {
  std::vector<std::string> gone;  // names of absent nodes that will never come back
  bool yes = false;               // without asking
  std::string host = "127.0.0.1";
  uint16_t port = 7379;
  std::string password;
};

struct RecoverCommand {
  std::vector<Settings::NamedAddress> nodes;         // to be asked for their tables
  std::vector<Settings::NamedAddress> coordinators;  // new ones, with empty directories
  std::string password;
  bool accept_loss = false;  // also when nobody of them holds some slots
  bool yes = false;          // without asking
};

struct ShowText {  // --help, --version
  std::string text;
};

using Invocation = std::variant<ShowText, RoleCommand, UpCommand, StatusCommand, ReshardCommand, RulesCommand,
                                ServeEmptyCommand, RecoverCommand>;

// `arguments` without the program's name. An error says what is wrong and how it is right; exit with kUsedWrongly.
[[nodiscard]] Result<Invocation> parse_command_line(const std::vector<std::string>& arguments);

}  // namespace chainring::cli
