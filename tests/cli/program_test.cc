// The program from outside: exit statuses and what is said on which stream.
#include "tests/cli/program.h"

#include <csignal>
#include <fstream>

#include "io/socket.h"

namespace chainring::cli {
namespace {

const std::vector<std::string> kCoordinators = {"--coordinators", "c1=127.0.0.1:7301"};

Finished run_role(const std::string& role, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {role, "--name", "x1", kCoordinators[0], kCoordinators[1]});
  return run_program(arguments);
}

}  // namespace

TEST_CASE("chainring: --version and --help are done, on standard output") {
  const Finished version = run_program({"--version"});
  CHECK(version.status == 0);
  CHECK(version.out.starts_with("chainring "));
  CHECK(version.err.empty());
  CHECK(run_program({"up", "--help"}).status == 0);
}

TEST_CASE("chainring: wrong use is status 2, with a message on standard error") {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{}, {"frobnicate"}, {"node", "--frobnicate"}, {"node"}, {"up", "--copies", "x"}}) {
    const Finished finished = run_program(arguments);
    CHECK(finished.status == 2);
    CHECK(finished.err.starts_with("chainring: "));
    CHECK(finished.out.empty());
  }
}

TEST_CASE("chainring node: a typo in the configuration file names file and line, status 2") {
  const TempDirectory directory;
  const std::string file = directory.path() + "/node.toml";
  std::ofstream(file) << "# a node\nname = \"n1\"\nlese-ms = 450\n";
  const Finished finished = run_program({"node", "--config", file});
  CHECK(finished.status == 2);
  CHECK(finished.err == "chainring: " + file + ":3: unknown setting 'lese-ms'; did you mean 'lease-ms'?\n");
}

TEST_CASE("chainring node: an address that others reach needs a password, status 2") {
  const Finished finished = run_role("node", {"--bind", "0.0.0.0"});
  CHECK(finished.status == 2);
  CHECK(contains(finished.err, "refusing to listen on 0.0.0.0, which others can reach, without a password"));
}

TEST_CASE("chainring node: a port in use is status 1, and the message names it") {
  const auto taken = io::open_listener({"127.0.0.1", 0});
  REQUIRE(taken.ok());
  const TempDirectory directory;
  const Finished finished = run_role("node", {"--port", std::to_string(taken->port), "--dir", directory.path()});
  CHECK(finished.status == 1);
  CHECK(contains(finished.err, "cannot listen on 127.0.0.1:" + std::to_string(taken->port)));
}

TEST_CASE("chainring node: a directory or log that cannot be written is status 1, and the message names it") {
  const Finished directory = run_role("node", {"--port", "0", "--dir", "/proc/nowhere"});
  CHECK(directory.status == 1);
  CHECK(contains(directory.err, "/proc/nowhere"));
  const Finished log = run_role("node", {"--port", "0", "--logfile", "/proc/nowhere/log"});
  CHECK(log.status == 1);
  CHECK(contains(log.err, "cannot write the log /proc/nowhere/log"));
}

TEST_CASE("chainring node: SIGTERM stops it in order, status 0") {
  const TempDirectory directory;
  Program node(
      {"node", "--name", "n1", kCoordinators[0], kCoordinators[1], "--port", "0", "--dir", directory.path() + "/data"});
  // Its directory is made when it starts, and signals are watched before that.
  REQUIRE(node.until([&] { return std::ifstream(directory.path() + "/data").good(); }));
  node.signal(SIGTERM);
  CHECK(node.wait() == 0);
  CHECK(contains(node.err, "info n1: stopped in order"));
}

TEST_CASE("chainring status: nobody there is status 1, and the message says what to give") {
  uint16_t port = 0;
  {
    const auto free = io::open_listener({"127.0.0.1", 0});
    REQUIRE(free.ok());
    port = free->port;
  }
  const Finished finished = run_program({"status", "--port", std::to_string(port)});
  CHECK(finished.status == 1);
  CHECK(contains(finished.err, "no status from 127.0.0.1:" + std::to_string(port) + ": "));
  CHECK(contains(finished.err, "--host and --port"));
}

}  // namespace chainring::cli
