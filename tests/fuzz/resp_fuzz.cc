#include <algorithm>
#include <string>
#include <vector>

#include "base/check.h"
#include "protocol/command.h"
#include "protocol/command_docs.h"
#include "protocol/resp.h"
#include "tests/fuzz/targets.h"

namespace chainring::fuzz {
namespace {

using protocol::RequestParser;
using State = RequestParser::State;

// Small enough that inputs reach them.
constexpr protocol::RequestLimits kLimits{
    .bulk_bytes_max = 64, .args_max = 16, .inline_bytes_max = 48, .request_bytes_max = 256};

struct Outcome {
  std::vector<std::vector<std::string>> requests;
  std::string error;
  size_t consumed = 0;
  bool operator==(const Outcome&) const = default;
};

void check_command(std::span<const std::string_view> args) {
  const protocol::CommandSpec* command = protocol::find_command(args);
  if (command == nullptr || !protocol::arity_fits(*command, args.size())) return;
  std::vector<size_t> positions;
  protocol::key_positions(*command, args, positions);
  for (const size_t position : positions) CHECK(position > 0 && position < args.size(), "keys are among the arguments");
  if (!command->name.starts_with("command")) return;
  std::string out;
  protocol::ReplyWriter reply(out, protocol::RespVersion::resp3);
  protocol::answer_command(*command, args, reply);
  CHECK(protocol::measure_reply(out).size == out.size(), "COMMAND answers one reply");
}

// What is ready is the same when written and read again.
void check_rewritten(std::span<const std::string_view> args) {
  std::string bytes;
  protocol::append_request(bytes, args);
  RequestParser parser;
  CHECK(parser.parse(bytes) == State::ready, "our own requests are well-formed");
  CHECK(parser.size() == bytes.size(), "a request ends where it was written to end");
  CHECK(std::ranges::equal(parser.args(), args), "arguments survive");
}

// Feeds the input in pieces of `piece` bytes, each time from another place in memory.
Outcome feed(std::string_view input, size_t piece) {
  Outcome outcome;
  RequestParser parser(kLimits);
  for (size_t end = 0; end < input.size();) {
    end = std::min(end + piece, input.size());
    const std::string moved(input.substr(outcome.consumed, end - outcome.consumed));
    std::string_view rest = moved;
    while (!rest.empty()) {
      const State state = parser.parse(rest);
      if (state == State::need_more) {
        CHECK(parser.wanted() > rest.size(), "more is wanted than is there");
        break;
      }
      if (state == State::error) {
        outcome.error = parser.error();
        CHECK(!outcome.error.empty(), "an error has a text");
        return outcome;
      }
      CHECK(parser.size() > 0 && parser.size() <= rest.size(), "a request takes bytes that are there");
      const auto args = parser.args();
      outcome.requests.emplace_back(args.begin(), args.end());
      if (!args.empty()) {
        check_command(args);
        check_rewritten(args);
      }
      outcome.consumed += parser.size();
      rest.remove_prefix(parser.size());
      parser.next();
    }
  }
  return outcome;
}

}  // namespace

void fuzz_resp(std::string_view input) {
  if (input.empty()) return;
  const size_t piece = 1 + static_cast<uint8_t>(input.front()) % 32;
  input.remove_prefix(1);
  const Outcome whole = feed(input, std::max<size_t>(input.size(), 1));
  CHECK(feed(input, piece) == whole, "pieces come to the same as the whole");
  CHECK(feed(input, 1) == whole, "bytes come to the same as the whole");
}

}  // namespace chainring::fuzz
