#include "tests/raft/transcript.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::raft::testing {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::filesystem::path> transcripts() {
  std::vector<std::filesystem::path> paths;
  for (const auto& item : std::filesystem::directory_iterator(CHAINRING_RAFT_TESTDATA)) paths.push_back(item.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

TEST_CASE("Core: transcripts are as they were reviewed") {
  REQUIRE(transcripts().size() >= 8);
  for (const auto& path : transcripts()) {
    INFO(path.filename().string() << ": if the change is meant, run with CHAINRING_REWRITE=1 and read the difference");
    const std::string before = read_file(path);
    const std::string now = replay_transcript(before);
    if (std::getenv("CHAINRING_REWRITE") != nullptr) std::ofstream(path) << now;
    CHECK(now == read_file(path));
    CHECK(now.find("unknown command") == std::string::npos);
  }
}

TEST_CASE("replay_transcript: answers what it does not understand") {
  CHECK(replay_transcript("> dance\n") == "> dance\nbegin with a group\n");
  CHECK(replay_transcript("> group 1\n> dance 1\n") == "> group 1\n> dance 1\nunknown command\n");
  CHECK(replay_transcript("# why\n> group 1\nold answer\n\n> status\n") ==
        "# why\n> group 1\n\n> status\n1: follower term 1 log 1..1 committed 0 voters 1\n");
}

}  // namespace chainring::raft::testing
