// What clients send when they connect, and what they are answered: golden transcripts in testdata/.
//
//   # a remark
//   @ setting value      before the connection is made
//   > a request          as one would type it; several in a row go as one pipeline
//   < a line of the reply
//   <~ start             the reply begins with this; the rest is another test's affair
//
// CHAINRING_REWRITE=1 session_test "transcripts*"  writes down what is answered now. Read the diff.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "protocol/resp.h"
#include "tests/session/rig.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

std::string as_resp(std::string_view typed) {
  protocol::RequestParser parser;
  const std::string line = concat(typed, "\r\n");
  REQUIRE(parser.parse(line) == protocol::RequestParser::State::ready);
  std::string out;
  protocol::append_request(out, parser.args());
  return out;
}

// The reply as lines of the transcript.
std::string as_lines(std::string_view reply) {
  std::string lines;
  while (!reply.empty()) {
    const size_t end = reply.find("\r\n");
    REQUIRE(end != std::string_view::npos);
    append_text(lines, end == 0 ? "<" : "< ", reply.substr(0, end), '\n');
    reply.remove_prefix(end + 2);
  }
  return lines;
}

void apply_setting(Rig& rig, std::string_view line) {
  const size_t space = line.find(' ');
  const SettingSpec* spec = find_setting(line.substr(0, space));
  REQUIRE(spec != nullptr);
  rig.set(spec->id, line.substr(space + 1));
}

// Plays a transcript; returns it with the replies of now.
std::string play(const std::string& transcript) {
  Rig rig;
  ConnId conn = kNoConn;
  std::string played, pipeline;
  std::istringstream in(transcript);
  const auto flush_pipeline = [&] {
    if (pipeline.empty()) return std::string();
    if (conn == kNoConn) conn = rig.connect();
    return rig.send(conn, std::exchange(pipeline, {}));
  };
  for (std::string line; std::getline(in, line);) {
    const std::string_view text(line);
    if (text.starts_with("<~ ")) {
      const std::string reply = flush_pipeline();
      append_text(played, reply.starts_with(text.substr(3)) ? line : as_lines(reply), '\n');
    } else if (text.starts_with('<')) {
      played += as_lines(flush_pipeline());
    } else {
      if (!text.starts_with('>')) played += as_lines(flush_pipeline());
      if (text.starts_with("> ")) pipeline += as_resp(text.substr(2));
      if (text.starts_with("@ ")) apply_setting(rig, text.substr(2));
      append_text(played, line, '\n');
    }
  }
  return played + as_lines(flush_pipeline());
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("transcripts: what clients send on connect is answered as written down") {
  std::set<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(CHAINRING_TESTDATA)) paths.insert(entry.path());
  REQUIRE(paths.size() >= 9);
  for (const std::filesystem::path& path : paths) {
    INFO(path.filename());
    const std::string written = read(path);
    const std::string played = play(written);
    if (std::getenv("CHAINRING_REWRITE") != nullptr) {
      std::ofstream(path) << played;
    } else {
      CHECK(played == written);
    }
  }
}

}  // namespace chainring::session
