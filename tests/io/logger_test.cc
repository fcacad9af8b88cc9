#include <fstream>
#include <sstream>

#include "tests/io/support.h"

namespace chainring::io {
namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("Logger: a line has its time, level and process, and is written at once") {
  const TempDirectory directory;
  const std::string path = directory.path() + "/log";
  auto logger = open_logger({"n1", path, LogLevel::info});
  REQUIRE(logger.ok());
  (*logger)->warning("the lease of n2 {lapsed}");
  const std::string text = contents(path);
  CHECK(text.find(" warning n1: the lease of n2 {lapsed}\n") != std::string::npos);
  CHECK(text.substr(0, 2) == "20");
}

TEST_CASE("Logger: lines below the least level are left out, and the level can change") {
  const TempDirectory directory;
  const std::string path = directory.path() + "/log";
  auto logger = open_logger({"n1", path, LogLevel::warning});
  REQUIRE(logger.ok());
  (*logger)->info("quiet");
  (*logger)->set_least(log_level("debug"));
  (*logger)->debug("loud");
  const std::string text = contents(path);
  CHECK(text.find("quiet") == std::string::npos);
  CHECK(text.find("debug n1: loud") != std::string::npos);
}

TEST_CASE("Logger: a peer's name cannot forge a line") {
  const TempDirectory directory;
  const std::string path = directory.path() + "/log";
  auto logger = open_logger({"n1", path, LogLevel::info});
  REQUIRE(logger.ok());
  (*logger)->info("client a\nb\x1b[2J");
  CHECK(contents(path).find("client a?b?[2J\n") != std::string::npos);
}

TEST_CASE("Logger: a file that cannot be written is named") {
  const auto logger = open_logger({"n1", "/proc/chainring/log", LogLevel::info});
  REQUIRE_FALSE(logger.ok());
  CHECK(logger.status().message().find("/proc/chainring/log") != std::string_view::npos);
  CHECK(logger.status().message().find("--logfile") != std::string_view::npos);
}

}  // namespace chainring::io
