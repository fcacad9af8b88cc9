// `chainring up` and `status` as real processes around stand-in roles.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "cli/system.h"
#include "io/socket.h"
#include "tests/cli/local_up.h"

namespace chainring::cli {
namespace {

std::vector<pid_t> children(const TempDirectory& directory) {
  std::vector<pid_t> pids;
  for (const char* name : {"c1", "c2", "c3", "n1", "n2", "n3", "r1"}) pids.push_back(pid_of(directory, name));
  return pids;
}

bool none_runs(const std::vector<pid_t>& pids) { return std::none_of(pids.begin(), pids.end(), runs); }

}  // namespace

TEST_CASE("chainring up: prints the endpoints, a line to try, and ready, Ctrl-C leaves nothing") {
  const TempDirectory directory;
  const std::string port = free_port();
  const int p = std::stoi(port);
  Program up(up_arguments(directory, port));
  REQUIRE(until_ready(up));
  const auto at = [&](int offset) { return " 127.0.0.1:" + std::to_string(p + offset) + "\n"; };
  CHECK(up.out == "router r1" + at(0) + "node n1" + at(22) + "node n2" + at(23) + "node n3" + at(24) +
                      "coordinator c1" + at(-78) + "coordinator c2" + at(-77) + "coordinator c3" + at(-76) +
                      "redis-cli -p " + port + " set hello world\nready\n");
  const std::vector<pid_t> pids = children(directory);
  for (const pid_t pid : pids) CHECK(runs(pid));

  const Finished status = run_program({"status", "--port", port});
  CHECK(status.status == 0);
  CHECK(contains(status.out, "slots: 16384 of 16384 served"));
  const Finished json = run_program({"status", "--port", port, "--json"});
  CHECK(json.out.starts_with("{\"leader\":\"c1\""));

  up.signal(SIGINT);
  CHECK(up.wait() == 0);
  CHECK(none_runs(pids));
  CHECK(all_free(static_cast<uint16_t>(p)));
  CHECK(pid_of(directory, "n1") == 0);                                          // the pid files have gone
  CHECK(read_file(directory.path() + "/data/r1/data/told-to-shut-down").ok());  // the stop was announced
}

TEST_CASE("chainring status --watch: shows it again and again until Ctrl-C") {
  const TempDirectory directory;
  const std::string port = free_port();
  Program up(up_arguments(directory, port));
  REQUIRE(until_ready(up));
  Program watch({"status", "--watch", "--port", port});
  const auto screens = [&] {
    size_t count = 0;
    for (size_t at = 0; (at = watch.out.find("\x1b[H\x1b[J", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  REQUIRE(watch.until([&] { return screens() >= 2; }));
  CHECK(contains(watch.out, "slots: 16384 of 16384 served"));
  watch.signal(SIGINT);
  CHECK(watch.wait() == 0);
  up.signal(SIGTERM);
  CHECK(up.wait() == 0);
}

TEST_CASE("chainring up: a child that is killed is started again") {
  const TempDirectory directory;
  Program up(up_arguments(directory, free_port()));
  REQUIRE(until_ready(up));
  const pid_t before = pid_of(directory, "n2");
  ::kill(before, SIGKILL);
  REQUIRE(up.until([&] { return contains(up.err, "node n2 was started again, pid "); }));
  CHECK(contains(up.err, "node n2 (pid " + std::to_string(before) + ") was ended by signal 9\n"));
  const pid_t after = pid_of(directory, "n2");
  CHECK(after != before);
  CHECK(runs(after));
  up.signal(SIGTERM);
  CHECK(up.wait() == 0);
  CHECK_FALSE(runs(after));
}

TEST_CASE("chainring up --no-restart: a child that is killed stays away, and the stop is as orderly") {
  const TempDirectory directory;
  std::vector<std::string> arguments = up_arguments(directory, free_port());
  arguments.push_back("--no-restart");
  Program up(arguments);
  REQUIRE(until_ready(up));
  ::kill(pid_of(directory, "n2"), SIGKILL);
  REQUIRE(up.until([&] { return contains(up.err, "was ended by signal 9"); }));
  CHECK(pid_of(directory, "n2") == 0);
  up.signal(SIGTERM);
  CHECK(up.wait() == 0);
  CHECK_FALSE(contains(up.err, "again"));
}

TEST_CASE("chainring up: its children end with it even when it is killed") {
  const TempDirectory directory;
  const std::string port = free_port();
  Program up(up_arguments(directory, port));
  REQUIRE(until_ready(up));
  const std::vector<pid_t> pids = children(directory);
  up.signal(SIGKILL);
  CHECK(up.wait() == 128 + SIGKILL);
  CHECK(eventually([&] { return none_runs(pids); }));
  CHECK(all_free(static_cast<uint16_t>(std::stoi(port))));
}

TEST_CASE("chainring up: the same directory is the same cluster, and another shape is refused") {
  const TempDirectory directory;
  const std::string port = free_port();
  const auto start_and_stop = [&](const std::vector<std::string>& arguments) {
    Program up(arguments);
    REQUIRE(until_ready(up));
    up.signal(SIGINT);
    CHECK(up.wait() == 0);
    return up.out;
  };
  std::vector<std::string> arguments = up_arguments(directory, port);
  arguments.insert(arguments.end(), {"--coordinators", "1", "--nodes", "2"});
  const std::string first = start_and_stop(arguments);
  CHECK(contains(first, "node n2"));
  CHECK_FALSE(contains(first, "node n3"));
  CHECK(start_and_stop({"up", "--dir", directory.path() + "/data"}) == first);

  const Finished other = run_program({"up", "--dir", directory.path() + "/data", "--nodes", "3"});
  CHECK(other.status == 2);
  CHECK(contains(other.err, "--nodes 3: the cluster in " + directory.path() + "/data has 2; to change that, start it"));
}

TEST_CASE("chainring up: one directory, one cluster at a time") {
  const TempDirectory directory;
  Program up(up_arguments(directory, free_port()));
  REQUIRE(until_ready(up));
  const Finished second = run_program(up_arguments(directory, free_port()));
  CHECK(second.status == 1);
  CHECK(contains(second.err, "is in use by process " + std::to_string(up.pid())));
  up.signal(SIGTERM);
  CHECK(up.wait() == 0);
}

TEST_CASE("chainring up: a port in use is named before anything is started") {
  const TempDirectory directory;
  const std::string port = free_port();
  const auto taken = io::open_listener({"127.0.0.1", static_cast<uint16_t>(std::stoi(port) + 23)});
  REQUIRE(taken.ok());
  const Finished up = run_program(up_arguments(directory, port));
  CHECK(up.status == 1);
  CHECK(contains(up.err, "node n2: cannot listen on 127.0.0.1:" + std::to_string(std::stoi(port) + 23)));
  CHECK(contains(up.err, "--port"));
  CHECK(up.out.empty());
  CHECK_FALSE(std::filesystem::exists(directory.path() + "/data/cluster.toml"));  // another port may be given next
}

TEST_CASE("chainring up: a directory that cannot be made is named") {
  const Finished up = run_program({"up", "--dir", "/proc/nowhere"});
  CHECK(up.status == 1);
  CHECK(contains(up.err, "/proc/nowhere"));
}

TEST_CASE("chainring up: a child that gives up at its start ends it all, in the child's own words") {
  const TempDirectory directory;
  std::filesystem::create_directories(directory.path() + "/data/n3/data");
  std::ofstream(directory.path() + "/data/n3/data/refuse") << "x";
  const std::string port = free_port();
  Program up(up_arguments(directory, port));
  CHECK(up.wait() == 1);
  CHECK(contains(up.err,
                 "n3 could not start: chainring: the files in " + directory.path() + "/data/n3/data are not mine"));
  CHECK(none_runs(children(directory)));
  CHECK(all_free(static_cast<uint16_t>(std::stoi(port))));
}

TEST_CASE("chainring up: a password is asked of the operator's commands and known to up itself") {
  const TempDirectory directory;
  const std::string port = free_port();
  std::vector<std::string> arguments = up_arguments(directory, port);
  arguments.insert(arguments.end(), {"--requirepass", "se cret"});
  Program up(arguments);
  REQUIRE(until_ready(up));
  CHECK(contains(up.out, "redis-cli -p " + port + " --askpass set hello world\n"));
  CHECK_FALSE(contains(up.out + up.err, "se cret"));
  CHECK(run_program({"status", "--port", port, "--password", "se cret"}).status == 0);
  CHECK(run_program({"status", "--port", port, "--password", "wrong"}).status == 1);
  const auto permissions = std::filesystem::status(directory.path() + "/data/n1/config.toml").permissions();
  CHECK((permissions & (std::filesystem::perms::group_all | std::filesystem::perms::others_all)) ==
        std::filesystem::perms::none);
  up.signal(SIGTERM);
  CHECK(up.wait() == 0);
}

}  // namespace chainring::cli
