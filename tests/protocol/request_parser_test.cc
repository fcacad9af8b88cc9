#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/resp.h"

#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {
namespace {

using State = RequestParser::State;
using Strings = std::vector<std::string>;

Strings args_of(const RequestParser& parser) { return {parser.args().begin(), parser.args().end()}; }

std::string request(const Strings& args) {
  std::string out;
  append_request(out, std::vector<std::string_view>(args.begin(), args.end()));
  return out;
}

// What a parser made of a whole input: the requests in it, then an error or nothing.
struct Outcome {
  std::vector<Strings> requests;
  std::string error;
  size_t consumed = 0;
  bool operator==(const Outcome&) const = default;
};

// Feeds `input` so that it grows at each of `ends`; the bytes lie elsewhere each time, as in a buffer that grows.
Outcome feed(const std::string& input, const std::vector<size_t>& ends, RequestLimits limits = {}) {
  Outcome outcome;
  RequestParser parser(limits);
  for (const size_t end : ends) {
    const std::string copy = input.substr(outcome.consumed, end - outcome.consumed);
    std::string_view rest = copy;
    while (!rest.empty()) {
      const State state = parser.parse(rest);
      if (state == State::need_more) {
        CHECK(parser.wanted() > rest.size());
        break;
      }
      if (state == State::error) {
        outcome.error = parser.error();
        return outcome;
      }
      outcome.requests.push_back(args_of(parser));
      outcome.consumed += parser.size();
      rest.remove_prefix(parser.size());
      parser.next();
    }
  }
  return outcome;
}

Outcome feed_whole(const std::string& input, RequestLimits limits = {}) { return feed(input, {input.size()}, limits); }

void check_every_split(const std::string& input, RequestLimits limits = {}) {
  const Outcome whole = feed_whole(input, limits);
  for (size_t split = 0; split <= input.size(); ++split) {
    INFO("split at " << split << " of " << input);
    CHECK(feed(input, {split, input.size()}, limits) == whole);
  }
  std::vector<size_t> each(input.size());
  for (size_t i = 0; i < each.size(); ++i) each[i] = i + 1;
  CHECK(feed(input, each, limits) == whole);
}

std::string error_of(const std::string& input, RequestLimits limits = {}) {
  check_every_split(input, limits);
  return feed_whole(input, limits).error;
}

Strings inline_args(const std::string& line) {
  const Outcome outcome = feed_whole(line + "\r\n");
  CHECK(outcome.error.empty());
  REQUIRE(outcome.requests.size() == 1);
  return outcome.requests.front();
}

}  // namespace

TEST_CASE("RequestParser.parse: a request is its arguments, and nothing behind it is touched") {
  const std::string input = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\nv\r\n1\r\n*1\r\n$4\r\nPING\r\n";
  RequestParser parser;
  REQUIRE(parser.parse(input) == State::ready);
  CHECK(args_of(parser) == Strings{"SET", "k", "v\r\n1"});
  CHECK(parser.size() == input.size() - request({"PING"}).size());
  CHECK(parser.args()[1].data() == input.data() + 17);  // a view, no copy
  parser.next();
  REQUIRE(parser.parse(std::string_view(input).substr(input.size() - request({"PING"}).size())) == State::ready);
  CHECK(args_of(parser) == Strings{"PING"});
}

TEST_CASE("RequestParser.parse: empty requests") {
  CHECK(feed_whole("*0\r\n*-1\r\n*-7\r\n\r\n\n   \r\n") ==
        Outcome{{{}, {}, {}, {}, {}, {}}, "", std::string("*0\r\n*-1\r\n*-7\r\n\r\n\n   \r\n").size()});
}

TEST_CASE("RequestParser.parse: empty arguments and bytes of any value") {
  const Strings args = {"", std::string("\0\r\n$*\xff", 6), ""};
  CHECK(feed_whole(request(args)).requests == std::vector<Strings>{args});
  check_every_split(request(args) + request({"GET", ""}));
}

TEST_CASE("RequestParser.parse: inline commands are taken apart as Redis' shell does it") {
  CHECK(inline_args("SET key value") == Strings{"SET", "key", "value"});
  CHECK(inline_args("  SET\t key  value ") == Strings{"SET", "key", "value"});
  CHECK(inline_args(R"(SET "a b" 'c d')") == Strings{"SET", "a b", "c d"});
  CHECK(inline_args(R"(SET "\x41\x7a\n\r\t\b\a\"\\\q")") == Strings{"SET", "Az\n\r\t\b\a\"\\q"});
  CHECK(inline_args(R"(SET '\'\n' "")") == Strings{"SET", "'\\n", ""});
  CHECK(inline_args(R"(SET a\ b)") == Strings{"SET", "a\\", "b"});
  CHECK(inline_args(R"(SET pre"fix a")") == Strings{"SET", "prefix a"});
  CHECK(inline_args(R"("\xZZ\x4")") == Strings{"xZZx4"});
  CHECK(feed_whole("PING\n").requests == std::vector<Strings>{{"PING"}});
  CHECK(feed_whole("PING\r\nGET k\r\n").requests == std::vector<Strings>{{"PING"}, {"GET", "k"}});
}

TEST_CASE("RequestParser.parse: unbalanced quotes are an error") {
  const std::string_view bad[] = {R"(SET "a)", R"(SET 'a)", R"(SET "a"b)", R"(SET 'a'b)", R"(SET "a\)", R"(SET ')"};
  for (const std::string_view line : bad) {
    CHECK(error_of(concat(line, "\r\n")) == "Protocol error: unbalanced quotes in request");
  }
}

TEST_CASE("RequestParser.parse: Redis' errors, word for word") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"*x\r\n", "Protocol error: invalid multibulk length"},
      {"*\r\n", "Protocol error: invalid multibulk length"},
      {"*+1\r\n", "Protocol error: invalid multibulk length"},
      {"*01\r\n", "Protocol error: invalid multibulk length"},
      {"*1\rx", "Protocol error: invalid multibulk length"},
      {"*1048577\r\n", "Protocol error: invalid multibulk length"},
      {"*99999999999999999999\r\n", "Protocol error: invalid multibulk length"},
      {"*1\r\n:1\r\n", "Protocol error: expected '$', got ':'"},
      {"*1\r\nPING\r\n", "Protocol error: expected '$', got 'P'"},
      {"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"},
      {"*1\r\n$x\r\n", "Protocol error: invalid bulk length"},
      {"*1\r\n$\r\n", "Protocol error: invalid bulk length"},
      {"*2\r\n$3\r\nGET\r\n$00\r\n", "Protocol error: invalid bulk length"},
      {"*1\r\n$2147483648\r\n", "Protocol error: invalid bulk length"},
      {"*1\r\n$536870913\r\n", "Protocol error: invalid bulk length"},
      {"*1\r\n$4\r\nPINGxx", "Protocol error: expected the end of a line behind a bulk string"},
  };
  for (const auto& [input, error] : cases) CHECK(error_of(std::string(input)) == error);
}

TEST_CASE("RequestParser.parse: before AUTH the limits and the errors are others") {
  const RequestLimits limits = kUnauthenticatedLimits;
  CHECK(error_of("*11\r\n", limits) == "Protocol error: unauthenticated multibulk length");
  CHECK(error_of("*1\r\n$16385\r\n", limits) == "Protocol error: unauthenticated bulk length");
  CHECK(feed_whole(request({"AUTH", std::string(16384, 'p')}), limits).requests.size() == 1);

  RequestParser parser(limits);
  REQUIRE(parser.parse("*1\r\n$4\r\nPING\r\n") == State::ready);
  parser.next();
  parser.set_limits({});
  CHECK(parser.parse("*11\r\n") == State::need_more);
}

TEST_CASE("RequestParser.parse: lines without an end are refused when they are too long, and not before") {
  const RequestLimits limits{.inline_bytes_max = 32};
  CHECK(feed_whole(std::string(32, 'x'), limits).error.empty());
  CHECK(feed_whole(std::string(33, 'x'), limits).error == "Protocol error: too big inline request");
  CHECK(feed_whole("*" + std::string(33, '1'), limits).error == "Protocol error: too big mbulk count string");
  CHECK(feed_whole("*1\r\n$" + std::string(33, '1'), limits).error == "Protocol error: too big bulk count string");
  check_every_split(std::string(32, 'x') + "\n", limits);
  check_every_split(std::string(33, 'x') + "\n", limits);
  check_every_split("*" + std::string(40, '1') + "\r\n", limits);
  check_every_split("*1\r\n$" + std::string(40, '1') + "\r\n", limits);
}

TEST_CASE("RequestParser.parse: a request is refused as soon as its size is known to be too much") {
  const RequestLimits limits{.request_bytes_max = 100};
  CHECK(error_of("*2\r\n$60\r\n" + std::string(60, 'x') + "\r\n$60\r\n", limits) ==
        "Protocol error: request exceeds client-query-buffer-limit");
  CHECK(feed_whole(request({std::string(80, 'x')}), limits).requests.size() == 1);
}

TEST_CASE("RequestParser.wanted: is the end of the bulk string that is being read") {
  RequestParser parser;
  REQUIRE(parser.parse("*2\r\n$3\r\nGET\r\n$1000000\r\nabc") == State::need_more);
  CHECK(parser.wanted() == std::string("*2\r\n$3\r\nGET\r\n$1000000\r\n").size() + 1000000 + 2);
}

TEST_CASE("RequestParser.parse: a million arguments, in pieces, cost linear time") {
  std::string input = "*1000000\r\n";
  for (int i = 0; i < 1'000'000; ++i) input.append("$1\r\nx\r\n");
  RequestParser parser;
  State state = State::need_more;
  for (size_t end = 0; state == State::need_more;) {
    end = std::min(end + 4096, input.size());  // 1,700 pieces: rescanning would take minutes
    state = parser.parse(std::string_view(input).substr(0, end));
  }
  REQUIRE(state == State::ready);
  CHECK(parser.args().size() == 1'000'000);
  CHECK(parser.size() == input.size());
}

TEST_CASE("RequestParser.parse: is the same for every way to cut the input") {
  rc::prop("requests", [](const std::vector<Strings>& requests) {
    std::string input;
    for (const Strings& args : requests) input += request(args);
    const Outcome whole = feed_whole(input);
    RC_ASSERT(whole.requests == requests);
    const size_t split = *rc::gen::inRange<size_t>(0, input.size() + 1);
    RC_ASSERT(feed(input, {split, input.size()}) == whole);
  });
  rc::prop("bytes that look like requests", [] {
    const auto pieces = *rc::gen::container<Strings>(
        rc::gen::element<std::string>("*", "$", "\r", "\n", "\r\n", "1", "2", "-1", "0", "12", "x", "PING", "\"", "'",
                                      "\\", " ", "*1\r\n", "$4\r\nPING\r\n"));
    std::string input;
    for (const std::string& piece : pieces) input += piece;
    const size_t first = *rc::gen::inRange<size_t>(0, input.size() + 1);
    const size_t second = *rc::gen::inRange<size_t>(first, input.size() + 1);
    RC_ASSERT(feed(input, {first, second, input.size()}) == feed_whole(input));
  });
}

TEST_CASE("append_request: is an array of bulk strings") {
  CHECK(request({"GET", "k"}) == "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
  CHECK(request({}) == "*0\r\n");
}

}  // namespace chainring::protocol
