// `chainring up` of a test: on free ports, in a directory of its own.
#pragma once

#include <string>
#include <vector>

#include "tests/cli/program.h"

namespace chainring::cli {

[[nodiscard]] bool all_free(uint16_t port);  // those of a cluster of up to four nodes whose router has this one
[[nodiscard]] std::string free_port();       // such a one

[[nodiscard]] std::vector<std::string> up_arguments(const TempDirectory& directory, const std::string& port);
[[nodiscard]] bool until_ready(Program& up);

// Of one of its processes; 0 when it has none.
[[nodiscard]] pid_t pid_of(const TempDirectory& directory, const std::string& name);
// Whether the process runs; one that waits for its parent to notice its end does not.
[[nodiscard]] bool runs(pid_t pid);

}  // namespace chainring::cli
