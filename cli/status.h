// `chainring status`.
#pragma once

#include "cli/command_line.h"

namespace chainring::cli {

// Returns the exit status.
[[nodiscard]] int run_status(const StatusCommand& command);

}  // namespace chainring::cli
