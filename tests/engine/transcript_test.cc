// Replays testdata/*.txt, which hold what a real Redis answered (testdata/record.py), and compares every reply.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/resp.h"
#include "tests/engine/session.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::engine {
namespace {

std::vector<std::filesystem::path> transcripts() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(CHAINRING_ENGINE_TESTDATA)) {
    if (entry.path().extension() == ".txt") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string escape(std::string_view reply) {
  std::string text;
  for (const char c : reply) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto byte = static_cast<uint8_t>(c);
    if (c == '\r') {
      text += "\\r";
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '\\') {
      text += "\\\\";
    } else if (byte < 32 || byte >= 127) {
      append_text(text, "\\x", kHex[byte >> 4], kHex[byte & 15]);
    } else {
      text += c;
    }
  }
  return text;
}

// The elements of the array in order: KEYS promises none.
std::string in_order(const std::string& reply) {
  if (!reply.starts_with('*')) return reply;
  const size_t head = reply.find('\n') + 1;
  std::vector<std::string> items;
  for (size_t at = head; at < reply.size();) {
    const auto extent = protocol::measure_reply(std::string_view(reply).substr(at));
    items.push_back(reply.substr(at, extent.size));
    at += extent.size;
  }
  std::sort(items.begin(), items.end());
  std::string sorted = reply.substr(0, head);
  for (const std::string& item : items) sorted += item;
  return sorted;
}

std::string ask(Session& session, const std::string& line) {
  const std::string input = line + "\r\n";
  protocol::RequestParser parser;
  if (parser.parse(input) != protocol::RequestParser::State::ready) return "a line that is no command";
  const auto args = parser.args();
  if (equals_ignoring_case(args[0], "select")) {
    session.db = static_cast<uint8_t>(parse_uint(args[1]).value());
    return "+OK\r\n";
  }
  const std::string reply = session.run(args);
  return equals_ignoring_case(args[0], "keys") ? in_order(reply) : reply;
}

void replay(const std::filesystem::path& path) {
  Session session;
  std::ifstream in(path);
  int number = 0;
  int replies = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.starts_with("~ ")) session.now += parse_int(line.substr(2)).value();
    if (line == "! resp3") session.version = protocol::RespVersion::resp3;
    if (!line.starts_with("> ")) continue;
    std::string expected;
    REQUIRE(std::getline(in, expected));
    ++number;
    ++replies;
    INFO(path.filename().string() << ":" << number << " " << line);
    CHECK(escape(ask(session, line.substr(2))) == expected);
  }
  CHECK(replies > 0);
}

TEST_CASE("every transcript of Redis is answered as Redis did") {
  const auto paths = transcripts();
  REQUIRE(paths.size() >= 12);
  for (const auto& path : paths) replay(path);
}

}  // namespace
}  // namespace chainring::engine
