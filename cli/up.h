// `chainring up`: a whole cluster on this machine, as children of this process.
#pragma once

#include "cli/command_line.h"

namespace chainring::cli {

// Returns the exit status when the cluster has been stopped, or could not start. No child is left then.
[[nodiscard]] int run_up(const UpCommand& command);

}  // namespace chainring::cli
