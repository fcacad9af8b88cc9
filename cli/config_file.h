// The configuration file: TOML whose keys are the settings of one role (docs/settings.md).
// Thread-safety: pure functions over their arguments.
#pragma once

#include <set>
#include <string>

#include "base/settings.h"

namespace chainring::cli {

// Sets in `settings` what the text says. Every mistake (TOML, unknown key, another role's key, wrong type or value) is
// told, one per line, with `file`:line. `given` gets the settings that it names.
[[nodiscard]] Status apply_config(std::string_view text, const std::string& file, Settings& settings,
                                  std::set<Setting>& given);

// The same for the file of this name.
[[nodiscard]] Status apply_config_file(const std::string& file, Settings& settings, std::set<Setting>& given);

// One line `key = value` of such a file, in TOML's syntax for the setting's type.
[[nodiscard]] std::string config_line(const SettingSpec& spec, std::string_view value);

}  // namespace chainring::cli
