// Patterns as Redis matches them in KEYS, SCAN, CONFIG GET and COMMAND LIST: * ? [abc] [^a-z] and \ before a
// character that stands for itself.
//
// Thread-safety: pure function. Time: at most |pattern| * |text|, for hostile patterns too; no recursion.
#pragma once

#include <string_view>

namespace chainring::protocol {

enum class GlobCase { exact, ignored };  // ignored: of ASCII letters

[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text, GlobCase letters = GlobCase::exact);

}  // namespace chainring::protocol
