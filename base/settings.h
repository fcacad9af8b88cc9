// Settings: one declaration each (base/settings.cc). --help, the configuration file, CONFIG GET/SET and
// docs/settings.md all come from that table.
//
// Thread-safety: a Settings is owned by one process; copy it for another thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/output_limits.h"
#include "base/result.h"

namespace chainring {

enum Role : uint8_t { kNodeRole = 1, kRouterRole = 2, kCoordinatorRole = 4, kUpCommand = 8 };

enum class Setting : uint8_t {
#define CHAINRING_SETTING(id) id,
#include "base/setting_ids.inc"
#undef CHAINRING_SETTING
  count_
};
inline constexpr size_t kSettingCount = static_cast<size_t>(Setting::count_);

enum class SettingType : uint8_t {
  text,
  integer,
  bytes,
  milliseconds,
  boolean,
  choice,
  address_list,
  derived_port,      // a port, "auto" or "none"
  bytes_or_percent,  // a share is kept as a negative number
  output_limits,     // client-output-buffer-limit
  secret,            // a text that nothing shows; also taken from the environment
};

struct SettingSpec {
  Setting id;
  std::string_view name;  // "lease-ms": as an option --lease-ms, in TOML, in CONFIG GET
  SettingType type;
  uint8_t roles;             // of Role: who has it
  std::string_view initial;  // the default, as text
  int64_t least, greatest;   // of numbers
  bool live;                 // CONFIG SET may change it
  bool fixed;                // only told (CONFIG GET), because clients ask for it: nothing but the default is accepted
  std::string_view choices;  // "empty|wait"
  std::string_view doc;      // one sentence, with unit
};

[[nodiscard]] std::span<const SettingSpec> setting_table();
[[nodiscard]] const SettingSpec* find_setting(std::string_view name);
[[nodiscard]] std::string_view initial_value(const SettingSpec& spec, Role role);  // a few differ by role
[[nodiscard]] std::string settings_markdown();                                     // docs/settings.md

// The environment variable of a secret, so that it need not stand in a command line that `ps` shows:
// CHAINRING_REQUIREPASS, CHAINRING_PEER_SECRET.
[[nodiscard]] std::string environment_name(const SettingSpec& spec);

inline constexpr int kHttpPortOffset = 1000;  // of http-port "auto", from port
// The greatest request-timeout-ms. What was given up is forgotten where it ran some minutes later (R20).
inline constexpr int64_t kRequestTimeoutMsMax = 300'000;

class Settings {
 public:
  explicit Settings(Role role);  // all at their defaults

  [[nodiscard]] Role role() const { return role_; }
  // Checks type and bounds; the message names the setting, what was given and what is allowed. A refused value
  // changes nothing. Sizes may end in b, k, kb, m, mb, g or gb as in Redis.
  [[nodiscard]] Status set(Setting id, std::string_view value);
  // As CONFIG GET tells it: booleans are yes or no, sizes are plain bytes.
  [[nodiscard]] std::string_view text(Setting id) const;
  [[nodiscard]] int64_t number(Setting id) const;  // integers, bytes, milliseconds, booleans (0/1)
  [[nodiscard]] bool flag(Setting id) const { return number(id) != 0; }
  // "a=host:port,b=host:port" or "host:port,host:port" taken apart.
  struct NamedAddress {
    std::string name;
    std::string host;
    uint16_t port;
  };
  [[nodiscard]] std::vector<NamedAddress> addresses(Setting id) const;
  // At which the others reach this process: announce-host, or what it binds to.
  [[nodiscard]] std::string_view announced_host() const;

  // Where to answer HTTP; 0: the system chooses; nullopt: nowhere.
  [[nodiscard]] std::optional<uint16_t> http_port() const;

  [[nodiscard]] const OutputLimit& output_limit(ClientClass which) const {
    return output_limits_[static_cast<size_t>(which)];
  }

  // Rules between settings (R6, and that a non-loopback bind needs a password); every violation, one per line.
  [[nodiscard]] Status validate() const;

 private:
  Role role_;
  std::array<std::string, kSettingCount> values_;
  std::array<int64_t, kSettingCount> numbers_{};
  OutputLimits output_limits_{};
};

// "name=host:port", "host:port", "name=[::1]:port"; nothing when it is none of these, or the name is not allowed.
[[nodiscard]] std::optional<Settings::NamedAddress> parse_address(std::string_view text);

}  // namespace chainring
