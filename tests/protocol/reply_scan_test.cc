#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/reply.h"
#include "protocol/resp.h"

#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {
namespace {

using State = ReplyExtent::State;
using Kind = ReplyValue::Kind;

const std::vector<std::string> kWhole = {
    "+OK\r\n",
    "+\r\n",
    "-ERR x\r\n",
    ":-12\r\n",
    "$0\r\n\r\n",
    "$4\r\na\r\nb\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "*0\r\n",
    "*2\r\n:1\r\n$1\r\nx\r\n",
    "*2\r\n*1\r\n*0\r\n*-1\r\n",
    "_\r\n",
    "#t\r\n",
    ",1.5\r\n",
    ",inf\r\n",
    "(123456789012345678901234567890\r\n",
    "=6\r\ntxt:hi\r\n",
    "!5\r\nERR x\r\n",
    "%1\r\n+k\r\n%1\r\n:1\r\n_\r\n",
    "~2\r\n#f\r\n+x\r\n",
    ">2\r\n+message\r\n*0\r\n",
    "|1\r\n+ttl\r\n:3600\r\n*2\r\n:1\r\n|1\r\n+a\r\n*1\r\n:0\r\n:2\r\n",
};

ReplyValue parsed(std::string_view input) {
  ReplyValue value;
  const ReplyExtent extent = parse_reply(input, value);
  CHECK(extent.state == State::ready);
  CHECK(extent.size == input.size());
  return value;
}

State parse_state(std::string_view input) {
  ReplyValue value;
  return parse_reply(input, value).state;
}

void append_value(std::string& out, const ReplyValue& value) {
  ReplyWriter reply(out, RespVersion::resp3);
  switch (value.kind) {
    case Kind::simple:
      return reply.simple(value.text);
    case Kind::error:
      return reply.error(value.text);
    case Kind::integer:
      return reply.integer(value.integer);
    case Kind::bulk:
      return reply.bulk(value.text);
    case Kind::null:
      return reply.null();
    case Kind::boolean:
      return reply.boolean(value.integer != 0);
    case Kind::array:
      reply.array(value.items.size());
      break;
    case Kind::set:
      reply.set(value.items.size());
      break;
    case Kind::push:
      reply.push(value.items.size());
      break;
    case Kind::map:
      reply.map(value.items.size() / 2);
      break;
    default:
      return reply.raw(concat(",", value.text, "\r\n"));
  }
  for (const ReplyValue& item : value.items) append_value(out, item);
}

ReplyValue arbitrary_value(int depth) {
  ReplyValue value;
  value.kind = *rc::gen::element(Kind::simple, Kind::error, Kind::integer, Kind::bulk, Kind::null, Kind::boolean,
                                 Kind::array, Kind::set, Kind::push, Kind::map);
  if (value.kind == Kind::integer) value.integer = *rc::gen::arbitrary<int64_t>();
  if (value.kind == Kind::boolean) value.integer = *rc::gen::inRange(0, 2);
  if (value.kind == Kind::bulk) value.text = *rc::gen::arbitrary<std::string>();
  if (value.kind == Kind::simple || value.kind == Kind::error) {
    value.text = *rc::gen::container<std::string>(rc::gen::inRange(' ', '~'));
  }
  const bool list = value.kind == Kind::array || value.kind == Kind::set || value.kind == Kind::push;
  if ((list || value.kind == Kind::map) && depth > 0) {
    const int count = *rc::gen::inRange(0, 4) * (value.kind == Kind::map ? 2 : 1);
    for (int i = 0; i < count; ++i) value.items.push_back(arbitrary_value(depth - 1));
  }
  return value;
}

bool same(const ReplyValue& a, const ReplyValue& b) {
  if (a.kind != b.kind || a.text != b.text || a.integer != b.integer || a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!same(a.items[i], b.items[i])) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("measure_reply: every type ends where it ends, and every shorter input needs more") {
  for (const std::string& reply : kWhole) {
    INFO(reply);
    const ReplyExtent whole = measure_reply(reply + "+next\r\n");
    CHECK(whole.state == State::ready);
    CHECK(whole.size == reply.size());
    for (size_t size = 0; size < reply.size(); ++size) {
      CHECK(measure_reply(std::string_view(reply).substr(0, size)).state == State::need_more);
      CHECK(parse_state(std::string_view(reply).substr(0, size)) == State::need_more);
    }
    parsed(reply);
  }
}

TEST_CASE("ReplyScanner.scan: comes to the same end in pieces") {
  for (const std::string& reply : kWhole) {
    ReplyScanner scanner;
    for (size_t size = 0; size < reply.size(); ++size) {
      const std::string moved = reply.substr(0, size);
      CHECK(scanner.scan(moved).state == State::need_more);
    }
    const ReplyExtent extent = scanner.scan(reply);
    CHECK(extent.state == State::ready);
    CHECK(extent.size == reply.size());
  }
}

TEST_CASE("ReplyScanner.scan: a long reply in many pieces costs linear time") {
  std::string reply = "*1000000\r\n";
  for (int i = 0; i < 1'000'000; ++i) reply.append(":1\r\n");
  ReplyScanner scanner;
  ReplyExtent extent{State::need_more, 0};
  for (size_t size = 0; extent.state == State::need_more;) {
    size = std::min(size + 1024, reply.size());
    extent = scanner.scan(std::string_view(reply).substr(0, size));
  }
  CHECK(extent.state == State::ready);
  CHECK(extent.size == reply.size());
}

TEST_CASE("measure_reply and parse_reply: what is not RESP is an error") {
  const std::string_view bad[] = {"x\r\n",       "\r\n",    ":\r\n",     ":1x\r\n",        ":1\rx",
                                  "$x\r\n",      "$-2\r\n", "$?\r\n",    "*-2\r\n",        "*9999999999\r\n",
                                  "%-1\r\n",     "#x\r\n",  "$1\r\nxyz", "_x\r\n",         ",\r\n",
                                  "*1\r\n?\r\n", "=-1\r\n", "$01\r\n",   "$9999999999\r\n"};
  for (const std::string_view input : bad) {
    INFO(input);
    CHECK(measure_reply(input).state == State::error);
    CHECK(parse_state(input) == State::error);
  }
  CHECK(measure_reply("+" + std::string(kReplyLineBytesMax + 1, 'x')).state == State::error);
}

TEST_CASE("parse_reply: builds the tree") {
  const ReplyValue map = parsed("%2\r\n+a\r\n*2\r\n:1\r\n$-1\r\n$1\r\nb\r\n,2.5\r\n");
  REQUIRE(map.kind == Kind::map);
  REQUIRE(map.items.size() == 4);
  CHECK(map.items[0].text == "a");
  CHECK(map.items[1].kind == Kind::array);
  CHECK(map.items[1].items[0].integer == 1);
  CHECK(map.items[1].items[1].kind == Kind::null);
  CHECK(map.items[2].kind == Kind::bulk);
  CHECK(map.items[3].kind == Kind::number);
  CHECK(map.items[3].text == "2.5");

  CHECK(parsed("!5\r\nERR x\r\n").kind == Kind::error);
  CHECK(parsed("=6\r\ntxt:hi\r\n").text == "txt:hi");
  CHECK(parsed("#t\r\n").integer == 1);
  CHECK(parsed("(99\r\n").kind == Kind::big_number);
}

TEST_CASE("parse_reply: attributes are skipped wherever they stand") {
  const ReplyValue array = parsed("|1\r\n+a\r\n*1\r\n+b\r\n|1\r\n+c\r\n+d\r\n*2\r\n|1\r\n+e\r\n+f\r\n:1\r\n:2\r\n");
  REQUIRE(array.items.size() == 2);
  CHECK(array.items[0].integer == 1);
  CHECK(array.items[1].integer == 2);
}

TEST_CASE("parse_reply: depth is limited, measuring is not") {
  const auto nested = [](size_t depth) {
    std::string reply;
    for (size_t i = 0; i < depth; ++i) reply += "*1\r\n";
    return reply + ":1\r\n";
  };
  CHECK(parse_state(nested(kReplyDepthMax)) == State::ready);
  CHECK(parse_state(nested(kReplyDepthMax + 1)) == State::error);
  CHECK(measure_reply(nested(1'000'000)).state == State::ready);
}

TEST_CASE("parse_reply: a declared count allocates nothing") {
  ReplyValue value;
  CHECK(parse_reply("*2000000000\r\n:1\r\n", value).state == State::need_more);
  CHECK(value.items.capacity() < 16);
}

TEST_CASE("parse_reply: reads back what ReplyWriter wrote") {
  rc::prop("round trip", [] {
    const ReplyValue value = arbitrary_value(3);
    std::string out;
    append_value(out, value);
    ReplyValue back;
    const ReplyExtent extent = parse_reply(out, back);
    RC_ASSERT(extent.state == State::ready);
    RC_ASSERT(extent.size == out.size());
    RC_ASSERT(same(value, back));
    RC_ASSERT(measure_reply(out).size == out.size());
  });
}

}  // namespace chainring::protocol
