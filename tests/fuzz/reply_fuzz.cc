#include <algorithm>
#include <string>

#include "base/check.h"
#include "protocol/resp.h"
#include "tests/fuzz/targets.h"

namespace chainring::fuzz {
namespace {

using protocol::ReplyExtent;
using State = ReplyExtent::State;

ReplyExtent scan_in_pieces(std::string_view input, size_t piece) {
  protocol::ReplyScanner scanner;
  ReplyExtent extent{State::need_more, 0};
  for (size_t end = 0; end < input.size() && extent.state == State::need_more;) {
    end = std::min(end + piece, input.size());
    const std::string moved(input.substr(0, end));
    extent = scanner.scan(moved);
  }
  return extent;
}

}  // namespace

void fuzz_reply(std::string_view input) {
  const ReplyExtent whole = protocol::measure_reply(input);
  CHECK(whole.state != State::ready || whole.size > 0, "a reply takes bytes");
  CHECK(whole.state != State::ready || whole.size <= input.size(), "they are there");

  for (const size_t piece : {size_t{1}, size_t{7}}) {
    const ReplyExtent pieces = scan_in_pieces(input, piece);
    CHECK(pieces.state == whole.state, "pieces come to the same as the whole");
    CHECK(pieces.state != State::ready || pieces.size == whole.size, "pieces come to the same end");
  }

  protocol::ReplyValue value;
  const ReplyExtent tree = protocol::parse_reply(input, value);
  CHECK(tree.state == whole.state || tree.state == State::error, "only depth is refused in addition");
  CHECK(tree.state != State::ready || tree.size == whole.size, "a tree takes the bytes that were measured");
}

}  // namespace chainring::fuzz
