#include <cstdio>

#include "cli/command_line.h"
#include "cli/recover.h"
#include "cli/reshard.h"
#include "cli/role_runner.h"
#include "cli/roles.h"
#include "cli/rules.h"
#include "cli/serve_empty.h"
#include "cli/status.h"
#include "cli/up.h"

namespace chainring::cli {
namespace {

struct Runner {
  int operator()(const ShowText& show) const {
    std::fputs(show.text.c_str(), stdout);
    return kDone;
  }
  int operator()(const RoleCommand& role) const {
    return run_role(role.settings, role.config_file, factory_of(role.settings.role()));
  }
  int operator()(const UpCommand& up) const { return run_up(up); }
  int operator()(const StatusCommand& status) const { return run_status(status); }
  int operator()(const RulesCommand& rules) const { return run_rules(rules); }
  int operator()(const ServeEmptyCommand& serve_empty) const { return run_serve_empty(serve_empty); }
  int operator()(const RecoverCommand& recover) const { return run_recover(recover); }
  int operator()(const ReshardCommand& reshard) const { return run_reshard(reshard); }
};

int run(const std::vector<std::string>& arguments) {
  const Result<Invocation> invocation = parse_command_line(arguments);
  if (invocation) return std::visit(Runner{}, *invocation);
  const std::string message(invocation.status().message());
  std::fprintf(stderr, "chainring: %s\n", message.c_str());
  return kUsedWrongly;
}

}  // namespace
}  // namespace chainring::cli

int main(int argc, char** argv) { return chainring::cli::run({argv + 1, argv + argc}); }
