// `chainring recover`: the next generation of a cluster that has lost all its coordinators (R31).
#pragma once

#include "cli/command_line.h"

namespace chainring::cli {

// Returns the exit status.
[[nodiscard]] int run_recover(const RecoverCommand& command);

}  // namespace chainring::cli
