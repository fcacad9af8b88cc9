// `chainring serve-empty`: the operator's word that what some slots held is lost for good (R18).
#pragma once

#include "cli/command_line.h"

namespace chainring::cli {

// Returns the exit status.
[[nodiscard]] int run_serve_empty(const ServeEmptyCommand& command);

}  // namespace chainring::cli
