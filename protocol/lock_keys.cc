#include "protocol/lock_keys.h"

#include <algorithm>

#include "base/text.h"
#include "protocol/slot.h"

namespace chainring::protocol {

std::vector<std::string> parse_lock_prefixes(std::string_view setting) {
  std::vector<std::string> prefixes;
  while (!setting.empty()) {
    const size_t comma = std::min(setting.find(','), setting.size());
    if (comma > 0) prefixes.emplace_back(setting.substr(0, comma));
    setting.remove_prefix(std::min(comma + 1, setting.size()));
  }
  return prefixes;
}

bool is_lock_key(std::string_view key, const std::vector<std::string>& prefixes) {
  const std::string_view tag = hash_tag(key);
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) {
    return !prefix.empty() && (key.starts_with(prefix) || tag.starts_with(prefix));
  });
}

std::string too_many_lock_keys() {
  return concat("ERR a command or transaction may name at most ", kLockKeysMax, " lock keys");
}

}  // namespace chainring::protocol
