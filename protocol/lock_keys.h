// Which keys are locks: the coordinators keep those, and all roles have to agree about them.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace chainring::protocol {

// From the setting's text, "lock:,redlock:". Empty prefixes are left out: they would make every key a lock.
[[nodiscard]] std::vector<std::string> parse_lock_prefixes(std::string_view setting);

// Whether the key, or its {hash tag}, begins with one of the prefixes. An empty prefix makes nothing a lock.
[[nodiscard]] bool is_lock_key(std::string_view key, const std::vector<std::string>& prefixes);

}  // namespace chainring::protocol
