// `chainring reshard`: changes of the ring, asked for and watched.
#pragma once

#include "cli/command_line.h"

namespace chainring::cli {

// Returns the exit status.
[[nodiscard]] int run_reshard(const ReshardCommand& command);

}  // namespace chainring::cli
