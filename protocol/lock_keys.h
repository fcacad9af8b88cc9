// Which keys are locks: the coordinators keep those, and all roles have to agree about them.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace chainring::protocol {

// From the setting's text, "lock:,redlock:". Empty prefixes are left out: they would make every key a lock.
[[nodiscard]] std::vector<std::string> parse_lock_prefixes(std::string_view setting);

// Whether the key, or its {hash tag}, begins with one of the prefixes. An empty prefix makes nothing a lock.
[[nodiscard]] bool is_lock_key(std::string_view key, const std::vector<std::string>& prefixes);

// How many of them one command or transaction may name, those that it watches included: it is one entry of the log, and
// each key takes some microseconds of one turn at every coordinator (R13).
inline constexpr size_t kLockKeysMax = 1024;
// The error for more.
[[nodiscard]] std::string too_many_lock_keys();

}  // namespace chainring::protocol
