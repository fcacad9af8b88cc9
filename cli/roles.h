// The three roles as factories for run_role(). The one place that knows their classes.
#pragma once

#include "cli/role_runner.h"

namespace chainring::cli {

[[nodiscard]] RoleFactory factory_of(Role role);

}  // namespace chainring::cli
