#include "base/settings.h"

#include <algorithm>

#include "base/ids.h"
#include "base/output_limits.h"
#include "base/size.h"
#include "base/text.h"

namespace chainring {
namespace {

constexpr uint8_t kNode = kNodeRole;
constexpr uint8_t kRouter = kRouterRole;
constexpr uint8_t kCoordinator = kCoordinatorRole;
constexpr uint8_t kMembers = kNode | kCoordinator;  // those that take part in leases
constexpr uint8_t kRoles = kNode | kRouter | kCoordinator;
constexpr uint8_t kEverywhere = kRoles | kUpCommand;

constexpr int64_t kKiB = 1024;
constexpr int64_t kMiB = 1024 * kKiB;
constexpr int64_t kGiB = 1024 * kMiB;
constexpr int64_t kHourMs = 3600 * 1000;
constexpr int64_t kTextBytesMax = 4096;
constexpr size_t kAddressesMax = 64;
constexpr size_t kNameBytesMax = 64;
constexpr int64_t kTwoFsyncsMs = 20;  // what a coordinator's disk may take within one lease (R6)

constexpr int64_t kPortMax = 65535;
constexpr std::string_view kAutomatic = "auto", kNone = "none";  // of derived_port

// As Redis' own, but for a hard limit on normal clients.
constexpr std::string_view kDefaultOutputLimits =
    "normal 268435456 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";

constexpr bool kLive = true, kAtStart = false;

using enum SettingType;
using S = Setting;

constexpr SettingSpec kTable[] = {
    // id, name, type, roles, default, least, greatest, live, fixed, choices, doc
    {S::name, "name", text, kRoles, "", 0, 0, kAtStart, false, "",
     "What this process is called in the cluster, [A-Za-z0-9_.-], at most 64 characters, unique within its role."},
    {S::bind, "bind", text, kEverywhere, "127.0.0.1", 0, 0, kAtStart, false, "",
     "The address to listen on, HTTP included. Any but a loopback address needs requirepass and peer-secret."},
    {S::port, "port", integer, kEverywhere, "0", 0, 65535, kAtStart, false, "",
     "The port to listen on, for clients and peers alike; 0 lets the system choose."},
    {S::http_port, "http-port", derived_port, kRoles, "auto", 0, 65535, kAtStart, false, "",
     "The port for HTTP (/metrics and /healthz); auto is port + 1000, none switches it off."},
    {S::announce_host, "announce-host", text, kEverywhere, "", 0, 0, kAtStart, false, "",
     "The address at which the others and the clients reach this process; empty is the one it binds to."},
    {S::coordinators, "coordinators", address_list, kRoles, "", 0, 0, kAtStart, false, "",
     "The coordinators that found the cluster, or by which it is found, as name=host:port, separated by commas."},
    {S::dir, "dir", text, kEverywhere, ".", 0, 0, kAtStart, false, "",
     "The directory for what is kept on disk; one process each."},
    {S::requirepass, "requirepass", secret, kEverywhere, "", 0, 0, kLive, false, "",
     "The password that clients give with AUTH; empty asks for none."},
    {S::peer_secret, "peer-secret", secret, kEverywhere, "", 0, 0, kAtStart, false, "",
     "What the cluster's own processes show each other; the same at every process."},
    {S::failure_host, "failure-host", text, kNode, "", 0, 0, kAtStart, false, "",
     "The failure domain of this node: copies of a slot go to different ones; empty is the announced host."},
    {S::failure_zone, "failure-zone", text, kNode, "", 0, 0, kAtStart, false, "",
     "The wider failure domain of this node; copies go to different zones as far as there are enough."},
    {S::weight, "weight", integer, kNode, "100", 1, kNodeWeightMax, kAtStart, false, "",
     "The node's share of the slots, relative to the weights of the others."},
    {S::copies, "copies", integer, kCoordinator | kUpCommand, "3", 1, kCopiesMax, kAtStart, false, "",
     "How many members each chain has, as far as there are as many nodes."},
    {S::initial_nodes, "initial-nodes", integer, kCoordinator, "0", 0, 1000, kAtStart, false, "",
     "How many nodes must have registered before the first table is made; 0 waits for the operator's word."},
    {S::on_loss, "on-loss", choice, kCoordinator | kUpCommand, "wait", 0, 0, kAtStart, false, "wait|empty",
     "When every copy of a slot is lost: wait for an operator, or serve the slot again, empty."},
    {S::founding, "founding", choice, kCoordinator, "new", 0, 0, kAtStart, false, "new|recover",
     "What coordinators with empty directories do: found a new cluster, or wait for chainring recover."},
    {S::lock_prefixes, "lock-prefixes", text, kEverywhere, "lock:,redlock:", 0, 0, kAtStart, false, "",
     "Prefixes of the keys that are locks, separated by commas; the same at every process."},
    {S::heartbeat_ms, "heartbeat-ms", milliseconds, kMembers | kUpCommand, "100", 5, 60000, kAtStart, false, "",
     "How often a node renews its lease, in milliseconds."},
    {S::raft_heartbeat_ms, "raft-heartbeat-ms", milliseconds, kCoordinator | kUpCommand, "40", 1, 10000, kAtStart,
     false, "", "How often the leading coordinator is heard by the others, in milliseconds."},
    {S::election_ms, "election-ms", milliseconds, kCoordinator | kUpCommand, "150", 10, 60000, kAtStart, false, "",
     "How long a coordinator waits for its leader, in milliseconds: drawn from one to two times this."},
    {S::lease_ms, "lease-ms", milliseconds, kMembers | kUpCommand, "450", 20, kHourMs, kAtStart, false, "",
     "How long a node may serve after its lease was renewed, in milliseconds."},
    {S::drift_margin_ms, "drift-margin-ms", milliseconds, kMembers | kUpCommand, "20", 1, 60000, kAtStart, false, "",
     "How much two clocks may drift apart during one lease, in milliseconds."},
    {S::request_timeout_ms, "request-timeout-ms", milliseconds, kRoles | kUpCommand, "3000", 10, kRequestTimeoutMsMax,
     kLive, false, "", "How long a request may wait while its slot is not served, in milliseconds."},
    {S::repair_after_ms, "repair-after-ms", milliseconds, kCoordinator | kUpCommand, "60000", 100, 24 * kHourMs,
     kAtStart, false, "", "How long an absent node keeps its place before its slots get new copies, in milliseconds."},
    {S::drain_timeout_ms, "drain-timeout-ms", milliseconds, kNode | kUpCommand, "25000", 0, kHourMs, kLive, false, "",
     "How long a node that was asked to end serves on until others have taken over its slots, in milliseconds."},
    {S::copy_rate, "copy-rate", bytes, kNode | kUpCommand, "0", 0, INT64_MAX, kLive, false, "",
     "How many bytes a second a node copies to those that join chains; 0 is without limit."},
    {S::maxclients, "maxclients", integer, kEverywhere, "10000", 1, 1000000, kLive, false, "",
     "How many clients may be connected to one process."},
    {S::maxmemory, "maxmemory", bytes, kNode | kRouter | kUpCommand, "0", 0, INT64_MAX, kLive, false, "",
     "How many bytes of data a node may hold; 0 is without limit."},
    {S::maxmemory_policy, "maxmemory-policy", choice, kRoles, "noeviction", 0, 0, kAtStart, true, "noeviction",
     "What happens at maxmemory: writes that need memory are refused."},
    {S::timeout, "timeout", integer, kEverywhere, "0", 0, 31536000, kLive, false, "",
     "After how many idle seconds a client is disconnected; 0 is never."},
    {S::databases, "databases", integer, kRoles, "16", 16, 16, kAtStart, true, "", "How many databases there are."},
    {S::proto_max_bulk_len, "proto-max-bulk-len", bytes, kEverywhere, "536870912", kMiB, 512 * kMiB, kLive, false, "",
     "The longest single argument of a request, in bytes."},
    {S::client_query_buffer_limit, "client-query-buffer-limit", bytes, kEverywhere, "1073741824", kMiB, kGiB, kLive,
     false, "", "The longest request of one client, in bytes; beyond it the client is disconnected."},
    {S::client_output_buffer_limit, "client-output-buffer-limit", output_limits, kEverywhere, kDefaultOutputLimits, 0,
     0, kLive, false, "",
     "How many bytes of replies may wait for a client that does not read: class (normal, replica, pubsub), hard limit, "
     "soft limit, and for how many seconds it may be above the soft one; 0 is no limit."},
    {S::maxmemory_clients, "maxmemory-clients", bytes_or_percent, kEverywhere, "0", 0, INT64_MAX, kLive, false, "",
     "How many bytes all clients together may use, or how many percent of maxmemory (5%); beyond it the biggest are "
     "disconnected; 0 is without limit."},
    {S::tcp_keepalive, "tcp-keepalive", integer, kEverywhere, "300", 0, 32767, kAtStart, false, "",
     "After how many silent seconds a connection is probed, so that one whose other end is gone is noticed; 0 is "
     "never."},
    {S::parked_bytes_max, "parked-bytes-max", bytes, kRouter | kUpCommand, "67108864", kMiB, 64 * kGiB, kLive, false,
     "", "How many bytes of requests a router holds while their slots are not served, before it stops reading."},
    {S::read_from, "read-from", choice, kRouter | kUpCommand, "any", 0, 0, kLive, false, "head|any",
     "Which members of a chain a router sends reads to: any of them, by their load, or the head alone. Reads are "
     "linearizable either way."},
    {S::read_locality, "read-locality", integer, kRouter | kUpCommand, "64", 0, 1000000, kLive, false, "",
     "With read-from any: how many more answers a head may owe a router than another member of the chain before reads "
     "of its slots go there, too; 0 spreads reads over the chain at any load. A slot of which several requests are "
     "under way is spread anyway."},
    {S::lock_count_max, "lock-count-max", integer, kCoordinator | kUpCommand, "1000000", 1, 100000000, kAtStart, false,
     "", "How many locks may exist; the same at every coordinator."},
    {S::loglevel, "loglevel", choice, kEverywhere, "info", 0, 0, kAtStart, false, "debug|info|warning|error",
     "The least important lines that are logged."},
    {S::logfile, "logfile", text, kRoles, "", 0, 0, kAtStart, false, "",
     "Where the log goes; empty is the standard error output. The file is rotated."},
    {S::save, "save", text, kRoles, "", 0, 0, kAtStart, true, "", "Snapshots on disk; there are none."},
    {S::appendonly, "appendonly", boolean, kRoles, "no", 0, 1, kAtStart, true, "",
     "An append-only file; there is none."},
    {S::notify_keyspace_events, "notify-keyspace-events", text, kRoles, "", 0, 0, kAtStart, true, "",
     "Keyspace events; there are none."},
    {S::replica_read_only, "replica-read-only", boolean, kRoles, "yes", 0, 1, kAtStart, true, "",
     "Whether replicas refuse writes of clients; the head of a chain alone takes them."},
    {S::cluster_enabled, "cluster-enabled", boolean, kRoles, "no", 0, 1, kAtStart, true, "",
     "Whether clients should speak Redis Cluster to this process: to nodes only."},
    {S::snapshot_entries, "snapshot-entries", integer, kCoordinator | kUpCommand, "20000", 100, 100000000, kAtStart,
     false, "", "After how many log entries a coordinator writes a snapshot and shortens its log."},
};
static_assert(std::size(kTable) == kSettingCount);
static_assert(
    [] {
      for (size_t i = 0; i < kSettingCount; ++i) {
        if (static_cast<size_t>(kTable[i].id) != i) return false;
      }
      return true;
    }(),
    "rows stand in the order of the ids");

struct RoleDefault {
  Setting id;
  Role role;
  std::string_view value;
};
constexpr RoleDefault kRoleDefaults[] = {
    {S::port, kNodeRole, "7401"},  {S::port, kRouterRole, "7379"},         {S::port, kCoordinatorRole, "7301"},
    {S::port, kUpCommand, "7379"}, {S::cluster_enabled, kNodeRole, "yes"}, {S::dir, kUpCommand, "./chainring-data"},
};

const SettingSpec& spec_of(Setting id) { return kTable[static_cast<size_t>(id)]; }

template <class... Why>
Status refuse(const SettingSpec& spec, std::string_view given, const Why&... why) {
  return Status(ErrorCode::invalid_argument, concat(spec.name, ": '", given, "' is not allowed: ", why...));
}

// An empty text has no parts.
std::vector<std::string_view> separate(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
    if (text.empty()) parts.emplace_back();  // "a," has an empty second part
  }
  return parts;
}

// As a negative number, as Redis keeps it.
std::optional<int64_t> parse_percent(std::string_view text) {
  text.remove_suffix(1);
  const std::optional<int64_t> percent = parse_int(text);
  if (!percent || *percent < 0 || *percent > 100) return std::nullopt;
  return -*percent;
}

std::optional<int64_t> parse_boolean(std::string_view text) {
  if (equals_ignoring_case(text, "yes") || equals_ignoring_case(text, "true")) return 1;
  if (equals_ignoring_case(text, "no") || equals_ignoring_case(text, "false")) return 0;
  return std::nullopt;
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kNameBytesMax) return false;
  for (const char c : text) {
    const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter_or_digit && c != '_' && c != '.' && c != '-') return false;
  }
  return true;
}

std::optional<std::vector<Settings::NamedAddress>> parse_addresses(std::string_view text) {
  std::vector<Settings::NamedAddress> addresses;
  for (const std::string_view part : separate(text, ',')) {
    std::optional<Settings::NamedAddress> address = parse_address(part);
    if (!address || addresses.size() == kAddressesMax) return std::nullopt;
    addresses.push_back(*std::move(address));
  }
  return addresses;
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_wildcard(std::string_view host) { return host == "0.0.0.0" || host == "::" || host == "*"; }

bool is_one_of(std::string_view value, std::string_view choices) {
  for (const std::string_view choice : separate(choices, '|')) {
    if (value == choice) return true;
  }
  return false;
}

// Collects the violations of validate(), one per line.
class Violations {
 public:
  template <class... Parts>
  void add_unless(bool holds, const Parts&... parts) {
    if (holds) return;
    if (!lines_.empty()) lines_.push_back('\n');
    append_text(lines_, parts...);
  }
  [[nodiscard]] Status status() && {
    return lines_.empty() ? Status() : Status(ErrorCode::invalid_argument, std::move(lines_));
  }

 private:
  std::string lines_;
};

void check_identity(const Settings& settings, Violations& violations) {
  const std::string_view name = settings.text(S::name);
  violations.add_unless(!name.empty(), "name: is missing; give this process a name of its own, for example --name n1");
  violations.add_unless(name.empty() || is_name(name), "name: '", name,
                        "' is not allowed: 1 to 64 of the characters A-Z a-z 0-9 _ . -");
  const auto coordinators = settings.addresses(S::coordinators);
  violations.add_unless(!coordinators.empty(),
                        "coordinators: is missing; name them all, for example "
                        "--coordinators c1=127.0.0.1:7301,c2=127.0.0.1:7302,c3=127.0.0.1:7303");
  bool all_named = true;
  for (const auto& coordinator : coordinators) {
    all_named = all_named && !coordinator.name.empty();
  }
  if (settings.role() != kCoordinatorRole || coordinators.empty()) return;
  violations.add_unless(all_named, "coordinators: every one needs its name, as in c1=127.0.0.1:7301");
}

void check_exposure(const Settings& settings, Violations& violations) {
  const std::string_view bind = settings.text(S::bind);
  violations.add_unless(
      settings.text(S::http_port) != kAutomatic || settings.number(S::port) + kHttpPortOffset <= kPortMax,
      "http-port: port + ", kHttpPortOffset, " is no port; give a port, or none");
  if (is_loopback(bind)) return;
  violations.add_unless(!settings.text(S::requirepass).empty(), "bind: refusing to listen on ", bind,
                        ", which others can reach, without a password: set requirepass, or bind to 127.0.0.1");
  violations.add_unless(!settings.text(S::peer_secret).empty(), "bind: refusing to listen on ", bind,
                        ", which others can reach, without a secret among peers: set peer-secret to the same text at "
                        "every process of the cluster, or bind to 127.0.0.1");
  violations.add_unless(!is_wildcard(bind) || !settings.text(S::announce_host).empty(),
                        "announce-host: is missing; with bind ", bind,
                        " the others must be told an address at which to reach this process");
}

void check_lease(const Settings& settings, Violations& violations) {
  const int64_t lease = settings.number(S::lease_ms);
  const int64_t heartbeat = settings.number(S::heartbeat_ms);
  violations.add_unless(settings.number(S::drift_margin_ms) < lease,
                        "drift-margin-ms: ", settings.number(S::drift_margin_ms), " must be less than lease-ms, ",
                        lease);
  if (settings.role() == kNodeRole) {
    violations.add_unless(lease > heartbeat + kTwoFsyncsMs, "lease-ms: ", lease, " must be more than heartbeat-ms (",
                          heartbeat, ") + ", kTwoFsyncsMs, " ms for the coordinators' disks");
    return;
  }
  const int64_t election = settings.number(S::election_ms);
  const int64_t raft_heartbeat = settings.number(S::raft_heartbeat_ms);
  violations.add_unless(lease > heartbeat + 2 * election + kTwoFsyncsMs, "lease-ms: ", lease,
                        " must be more than heartbeat-ms (", heartbeat, ") + 2 x election-ms (", 2 * election, ") + ",
                        kTwoFsyncsMs, " ms for the coordinators' disks, or nodes lose their leases when a leader does");
  violations.add_unless(2 * raft_heartbeat < election, "raft-heartbeat-ms: ", raft_heartbeat,
                        " must be less than half of election-ms, ", election);
  violations.add_unless(settings.number(S::repair_after_ms) >= lease,
                        "repair-after-ms: ", settings.number(S::repair_after_ms), " must not be less than lease-ms, ",
                        lease);
  const int64_t pause = 2 * election + lease + settings.number(S::drift_margin_ms);
  violations.add_unless(settings.number(S::request_timeout_ms) > pause,
                        "request-timeout-ms: ", settings.number(S::request_timeout_ms),
                        " must be more than 2 x election-ms + lease-ms + drift-margin-ms (", pause,
                        "), or the loss of a node is an error and not a pause");
}

std::string role_names(uint8_t roles) {
  std::string names;
  const auto add = [&](uint8_t role, std::string_view name) {
    if ((roles & role) != 0) append_text(names, names.empty() ? "" : ", ", name);
  };
  add(kNodeRole, "node");
  add(kRouterRole, "router");
  add(kCoordinatorRole, "coordinator");
  add(kUpCommand, "up");
  return names;
}

std::string allowed_values(const SettingSpec& spec) {
  if (spec.fixed) return "fixed";
  switch (spec.type) {
    case SettingType::boolean:
      return "yes, no";
    case SettingType::choice: {
      std::string values;
      for (const std::string_view value : separate(spec.choices, '|')) {
        append_text(values, values.empty() ? "" : ", ", value);
      }
      return values;
    }
    case SettingType::output_limits:
      return "class hard soft seconds, several times";
    case SettingType::bytes_or_percent:
      return concat(spec.least, " to ", spec.greatest, ", 0% to 100%");
    case SettingType::integer:
    case SettingType::milliseconds:
    case SettingType::bytes:
      return concat(spec.least, " to ", spec.greatest);
    case SettingType::address_list:
      return "addresses";
    case SettingType::derived_port:
      return concat("auto, none, ", spec.least, " to ", spec.greatest);
    case SettingType::secret:
    case SettingType::text:
      break;
  }
  return "text";
}

std::string default_values(const SettingSpec& spec) {
  const auto shown = [](std::string_view value) {
    return value.empty() ? std::string("(empty)") : concat('`', value, '`');
  };
  std::string values;
  for (const RoleDefault& entry : kRoleDefaults) {
    if (entry.id == spec.id) {
      append_text(values, values.empty() ? "" : ", ", shown(entry.value), " (", role_names(entry.role), ")");
    }
  }
  if (spec.id == S::port) return values;
  return values.empty() ? shown(spec.initial) : concat(shown(spec.initial), "; ", values);
}

}  // namespace

std::span<const SettingSpec> setting_table() { return kTable; }

const SettingSpec* find_setting(std::string_view name) {
  for (const SettingSpec& spec : kTable) {
    if (equals_ignoring_case(spec.name, name)) return &spec;
  }
  return nullptr;
}

std::string_view initial_value(const SettingSpec& spec, Role role) {
  for (const RoleDefault& entry : kRoleDefaults) {
    if (entry.id == spec.id && entry.role == role) return entry.value;
  }
  return spec.initial;
}

std::string environment_name(const SettingSpec& spec) {
  std::string name = concat("CHAINRING_", to_upper(spec.name));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

Settings::Settings(Role role) : role_(role) {
  for (const SettingSpec& spec : kTable) {
    CHECK(set(spec.id, initial_value(spec, role)).ok(), "every default obeys its own row");
  }
}

Status Settings::set(Setting id, std::string_view value) {
  const SettingSpec& spec = spec_of(id);
  const std::string_view only = initial_value(spec, role_);
  if (spec.fixed && !equals_ignoring_case(value, only)) return refuse(spec, value, "it is always '", only, "'");
  std::string canonical(value);
  std::optional<int64_t> number;
  switch (spec.type) {
    case SettingType::secret:
    case SettingType::text:
      if (value.size() > kTextBytesMax) return refuse(spec, "...", "at most ", kTextBytesMax, " bytes");
      if (value.find('\0') != std::string_view::npos) return refuse(spec, "...", "it holds a zero byte");
      break;
    case SettingType::address_list:
      if (!parse_addresses(value)) {
        return refuse(spec, value, "expected name=host:port,name=host:port, at most ", kAddressesMax, " of them");
      }
      break;
    case SettingType::choice:
      canonical = to_lower(value);
      if (!is_one_of(canonical, spec.choices)) return refuse(spec, value, "expected ", allowed_values(spec));
      break;
    case SettingType::derived_port:
      canonical = to_lower(value);
      number = canonical == kAutomatic || canonical == kNone ? 0 : parse_int(canonical);
      if (!number || *number < spec.least || *number > spec.greatest) {
        return refuse(spec, value, "expected ", allowed_values(spec));
      }
      break;
    case SettingType::output_limits:
      if (const std::string_view wrong = merge_output_limits(value, output_limits_); !wrong.empty()) {
        return refuse(spec, value, wrong);
      }
      canonical = output_limits_text(output_limits_);
      break;
    case SettingType::bytes_or_percent:
      number = value.ends_with('%') ? parse_percent(value) : parse_size(value);
      if (!number) return refuse(spec, value, "expected ", allowed_values(spec));
      canonical = *number < 0 ? concat(-*number, '%') : concat(*number);
      break;
    case SettingType::boolean:
      number = parse_boolean(value);
      if (!number) return refuse(spec, value, "expected yes or no");
      canonical = *number == 1 ? "yes" : "no";
      break;
    case SettingType::integer:
    case SettingType::milliseconds:
    case SettingType::bytes:
      number = spec.type == SettingType::bytes ? parse_size(value) : parse_int(value);
      if (!number || *number < spec.least || *number > spec.greatest) {
        return refuse(spec, value, "expected a ", spec.type == SettingType::bytes ? "size" : "whole number", " from ",
                      spec.least, " to ", spec.greatest);
      }
      canonical = std::to_string(*number);
      break;
  }
  values_[static_cast<size_t>(id)] = std::move(canonical);
  numbers_[static_cast<size_t>(id)] = number.value_or(0);
  return {};
}

std::string_view Settings::text(Setting id) const { return values_[static_cast<size_t>(id)]; }

int64_t Settings::number(Setting id) const {
  const SettingType type = spec_of(id).type;
  CHECK(type != SettingType::text && type != SettingType::choice && type != SettingType::address_list &&
            type != SettingType::output_limits && type != SettingType::secret,
        "only numbers have a number");
  return numbers_[static_cast<size_t>(id)];
}

std::optional<uint16_t> Settings::http_port() const {
  const std::string_view given = text(S::http_port);
  if (given == kNone) return std::nullopt;
  if (given != kAutomatic) return static_cast<uint16_t>(number(S::http_port));
  const int64_t port = number(S::port);
  return port == 0 ? uint16_t{0} : static_cast<uint16_t>(port + kHttpPortOffset);
}

std::string_view Settings::announced_host() const {
  const std::string_view announced = text(Setting::announce_host);
  return announced.empty() ? text(Setting::bind) : announced;
}

std::vector<Settings::NamedAddress> Settings::addresses(Setting id) const {
  CHECK(spec_of(id).type == SettingType::address_list, "only address lists hold addresses");
  return *parse_addresses(text(id));
}

Status Settings::validate() const {
  Violations violations;
  check_exposure(*this, violations);
  if (role_ != kUpCommand) check_identity(*this, violations);
  if (role_ != kRouterRole) check_lease(*this, violations);
  return std::move(violations).status();
}

std::string settings_markdown() {
  std::string out =
      "# Settings\n\n"
      "Every setting is declared once, in base/settings.cc, and a test keeps this page equal to it. A setting is an\n"
      "option (`--lease-ms 450`), a key of the configuration file (`lease-ms = 450`, TOML, `--config FILE`) and a "
      "name\n"
      "for `CONFIG GET`. Options override the file. `up` hands what it is given to its children. Sizes take the units\n"
      "b, k, kb, m, mb, g and gb as in Redis. *live*: `CONFIG SET` changes it while the process runs. *fixed*: only\n"
      "told, because clients ask for it.\n\n"
      "Secrets (requirepass, peer-secret) do not belong into a command line, which every user of the machine sees in "
      "`ps`:\n"
      "give them in a configuration file that only the process can read, or in the environment, as\n"
      "`CHAINRING_REQUIREPASS` and `CHAINRING_PEER_SECRET`. The environment overrides the file.\n\n"
      "| setting | default | allowed | of | live | what it is |\n| --- | --- | --- | --- | --- | --- |\n";
  for (const SettingSpec& spec : kTable) {
    append_text(out, "| `", spec.name, "` | ", default_values(spec), " | ", allowed_values(spec), " | ",
                role_names(spec.roles), " | ", spec.live ? "live" : "", " | ", spec.doc, " |\n");
  }
  return out;
}

std::optional<Settings::NamedAddress> parse_address(std::string_view part) {
  Settings::NamedAddress address;
  if (const size_t equals = part.find('='); equals != std::string_view::npos) {
    address.name = part.substr(0, equals);
    part.remove_prefix(equals + 1);
    if (!is_name(address.name)) return std::nullopt;
  }
  const size_t colon = part.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<uint64_t> port = parse_uint(part.substr(colon + 1));
  std::string_view host = part.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // an IPv6 address needs its brackets, or its last group would be taken for the port
  }
  if (host.empty() || !port || *port == 0 || *port > 65535) return std::nullopt;
  address.host = host;
  address.port = static_cast<uint16_t>(*port);
  return address;
}

}  // namespace chainring
