// cluster_load: the load of bench/failover.py as a program; --help tells its options, load.h what it is told to do.
// A password is taken from the environment (REDISCLI_AUTH), as redis-cli does.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
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

std::optional<Address> parse_address(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  const std::optional<uint64_t> port = parse_uint(std::string_view(text).substr(colon + 1));
  if (!port || *port > UINT16_MAX) return std::nullopt;
  return Address{text.substr(0, colon), static_cast<uint16_t>(*port)};
}

int fail(std::string_view why) {
  std::fprintf(stderr, "cluster_load: %.*s\n", static_cast<int>(why.size()), why.data());
  return 1;
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

int main(int argc, char** argv) {
  CLI::App app("Loads a cluster as it is told on its control port.", "cluster_load");
  LoadOptions options;
  std::vector<std::string> servers;
  std::string control = "127.0.0.1:0";
  uint32_t timeout_ms = 250;
  app.add_option("--server", servers, "host:port; several may be given")->required();
  app.add_flag("--cluster", options.operations.cluster, "the servers are nodes of a cluster: follow its slots");
  app.add_option("--timeout-ms", timeout_ms, "for one attempt")->check(CLI::Range(1, 600'000));
  app.add_option("--lanes", options.operations.lanes, "connections to each server")->check(CLI::Range(1, 100));
  app.add_option("--control", control, "host:port to be told what to do at");
  app.add_option("--prefix", options.prefix, "of the keys");
  app.add_option("--keys", options.keys, "how many")->check(CLI::Range(1u, kKeysMax));
  app.add_option("--value-bytes", options.value_bytes, "of each value")->check(CLI::Range(size_t{0}, kValueBytesMax));
  app.add_option("--read-percent", options.read_percent, "of the operations")->check(CLI::Range(0, 100));
  CLI11_PARSE(app, argc, argv);

  options.operations.attempt_timeout = timeout_ms * kMicrosPerMilli;
  if (const char* const password = std::getenv("REDISCLI_AUTH")) options.operations.password = password;
  for (const std::string& server : servers) {
    const std::optional<Address> address = parse_address(server);
    if (!address || address->port == 0) return fail(concat("no host:port: ", server));
    options.operations.servers.push_back(*address);
  }
  const std::optional<Address> control_address = parse_address(control);
  if (!control_address) return fail(concat("no host:port: ", control));
  options.control = *control_address;
  return run(options);
}

}  // namespace chainring::load

int main(int argc, char** argv) { return chainring::load::main(argc, argv); }
