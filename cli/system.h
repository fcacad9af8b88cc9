// Small questions to the system that several commands ask. Thread-safety: safe.
#pragma once

#include <string>

#include "base/result.h"

namespace chainring::cli {

// The path of the running program; empty when the system does not tell.
[[nodiscard]] std::string own_executable();

// The whole file; not_found when it is not there.
[[nodiscard]] Result<std::string> read_file(const std::string& path);

// Readable by its owner only, and either wholly there or as before, also after a crash.
[[nodiscard]] Status write_file(const std::string& path, std::string_view contents);

}  // namespace chainring::cli
