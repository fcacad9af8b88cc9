// Runs one role: its log, its event loop, its disk, its signals. Knows roles only as Processes.
#pragma once

#include <functional>
#include <memory>

#include "base/disk.h"
#include "base/process.h"
#include "base/random.h"
#include "base/settings.h"
#include "base/transport.h"
#include "session/clients.h"

namespace chainring::cli {

// What a role is made of. All of it outlives the role.
struct RoleParts {
  Settings settings;
  Transport& transport;
  Random& random;
  Log& log;
  session::RoleFacts facts;
};

using RoleFactory = std::function<Result<std::unique_ptr<Process>>(RoleParts parts)>;

// Returns when the process has stopped, in order or by a fault; the latter goes to the log and to standard error.
// Returns the exit status. REQUIRES: settings.validate().ok().
[[nodiscard]] int run_role(const Settings& settings, const std::string& config_file, const RoleFactory& make);

}  // namespace chainring::cli
