// TOML as a flat list of keys, so that toml++ stays in one file. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace chainring::cli {

struct TomlEntry {
  // monostate stands for all types that no setting has: tables, fractions, dates, lists of other things than texts.
  using Value = std::variant<std::monostate, int64_t, bool, std::string, std::vector<std::string>>;
  std::string key;
  uint64_t line;
  Value value;
};

// The keys of the root table in their order in the text. Errors begin with `file`:line.
[[nodiscard]] Result<std::vector<TomlEntry>> parse_toml(std::string_view text, const std::string& file);

// A basic string: in quotes, escaped.
[[nodiscard]] std::string toml_quoted(std::string_view text);

}  // namespace chainring::cli
