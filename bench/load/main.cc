// cluster_load NAME VALUE...: the load of bench/failover.py as a program; kOptions has the names, load.h says what it
// is told to do. A password is taken from the environment (REDISCLI_AUTH), as redis-cli does.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "base/text.h"
#include "bench/load/load.h"
#include "io/entropy.h"
#include "io/logger.h"
#include "io/loop.h"

namespace chainring::load {

namespace {

std::optional<Address> parse_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<uint64_t> port = parse_uint(text.substr(colon + 1));
  if (!port || *port > UINT16_MAX) return std::nullopt;
  return Address{std::string(text.substr(0, colon)), static_cast<uint16_t>(*port)};
}

// Sets `to` when the text is a number within the bounds.
template <class Number>
bool set_number(Number& to, std::string_view text, uint64_t least, uint64_t most) {
  const std::optional<uint64_t> number = parse_uint(text);
  if (!number || *number < least || *number > most) return false;
  to = static_cast<Number>(*number);
  return true;
}

bool add_server(LoadOptions& options, std::string_view text) {
  const std::optional<Address> address = parse_address(text);
  if (!address || address->port == 0) return false;
  options.operations.servers.push_back(*address);
  return true;
}

struct Option {
  std::string_view name;
  std::string_view help;
  bool (*set)(LoadOptions& options, std::string_view value);
};

constexpr std::array kOptions{
    Option{"--server", "host:port; to be given at least once", add_server},
    Option{"--cluster", "1: the servers are nodes of a cluster, whose slots are followed",
           [](LoadOptions& o, std::string_view v) { return set_number(o.operations.cluster, v, 0, 1); }},
    Option{"--lanes", "connections to each server",
           [](LoadOptions& o, std::string_view v) { return set_number(o.operations.lanes, v, 1, 100); }},
    Option{"--attempt-ms", "how long an attempt waits for its answer",
           [](LoadOptions& o, std::string_view v) {
             if (!set_number(o.operations.attempt_timeout, v, 1, 600'000)) return false;
             o.operations.attempt_timeout *= kMicrosPerMilli;
             return true;
           }},
    Option{"--control", "host:port at which it is told what to do",
           [](LoadOptions& o, std::string_view v) {
             const std::optional<Address> address = parse_address(v);
             if (address) o.control = *address;
             return address.has_value();
           }},
    Option{"--prefix", "of the keys",
           [](LoadOptions& o, std::string_view v) {
             o.prefix = v;
             return true;
           }},
    Option{"--keys", "how many there are",
           [](LoadOptions& o, std::string_view v) { return set_number(o.keys, v, 1, kKeysMax); }},
    Option{"--value-bytes", "of each value",
           [](LoadOptions& o, std::string_view v) { return set_number(o.value_bytes, v, 0, kValueBytesMax); }},
    Option{"--read-percent", "of the operations",
           [](LoadOptions& o, std::string_view v) { return set_number(o.read_percent, v, 0, 100); }},
};

int fail(std::string_view why) {
  std::fprintf(stderr, "cluster_load: %.*s\n", static_cast<int>(why.size()), why.data());
  return 1;
}

std::string usage() {
  std::string text = "what is wanted:";
  for (const Option& option : kOptions) append_text(text, "\n  ", option.name, " VALUE  ", option.help);
  return text;
}

std::optional<LoadOptions> parse(std::span<char*> words) {
  LoadOptions options;
  if (words.size() % 2 != 0) return std::nullopt;
  for (size_t i = 0; i < words.size(); i += 2) {
    const auto option =
        std::find_if(kOptions.begin(), kOptions.end(), [&](const Option& o) { return o.name == words[i]; });
    if (option == kOptions.end() || !option->set(options, words[i + 1])) return std::nullopt;
  }
  if (options.operations.servers.empty()) return std::nullopt;
  if (const char* const password = std::getenv("REDISCLI_AUTH")) options.operations.password = password;
  return options;
}

int run(const LoadOptions& options) {
  auto logger = io::open_logger({.name = "load", .file = {}, .least = LogLevel::info});
  if (!logger) return fail(logger.status().message());
  io::Loop loop(**logger);
  loop.watch_signals();
  SeededRandom random(io::read_entropy());
  Load load(options, loop.transport(), random, **logger);
  const Status outcome = loop.run(load);
  return outcome.ok() ? 0 : fail(outcome.message());
}

}  // namespace

int main(std::span<char*> words) {
  const std::optional<LoadOptions> options = parse(words);
  return options ? run(*options) : fail(usage());
}

}  // namespace chainring::load

int main(int argc, char** argv) { return chainring::load::main({argv + 1, argv + argc}); }
