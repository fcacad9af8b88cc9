// `chainring rules`: the placement rules, listed and changed.
#pragma once

#include "cli/command_line.h"

namespace chainring::cli {

// Returns the exit status.
[[nodiscard]] int run_rules(const RulesCommand& command);

}  // namespace chainring::cli
