#include <cmath>
#include <limits>
#include <string>

#include "protocol/reply.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {
namespace {

template <class Write>
std::string written(RespVersion version, Write write) {
  std::string out;
  ReplyWriter reply(out, version);
  write(reply);
  return out;
}

template <class Write>
void check(Write write, std::string_view resp2, std::string_view resp3) {
  CHECK(written(RespVersion::resp2, write) == resp2);
  CHECK(written(RespVersion::resp3, write) == resp3);
}

std::string number(double value) {
  return written(RespVersion::resp3, [&](ReplyWriter& reply) { reply.number(value); });
}

}  // namespace

TEST_CASE("ReplyWriter: types that both versions have") {
  check([](ReplyWriter& r) { r.ok(); }, "+OK\r\n", "+OK\r\n");
  check([](ReplyWriter& r) { r.simple("PONG"); }, "+PONG\r\n", "+PONG\r\n");
  check([](ReplyWriter& r) { r.error(errors::kSyntax); }, "-ERR syntax error\r\n", "-ERR syntax error\r\n");
  check([](ReplyWriter& r) { r.integer(-42); }, ":-42\r\n", ":-42\r\n");
  check([](ReplyWriter& r) { r.integer(std::numeric_limits<int64_t>::min()); }, ":-9223372036854775808\r\n",
        ":-9223372036854775808\r\n");
  check([](ReplyWriter& r) { r.bulk("a\r\nb"); }, "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n");
  check([](ReplyWriter& r) { r.bulk(""); }, "$0\r\n\r\n", "$0\r\n\r\n");
  check([](ReplyWriter& r) { r.bulk_integer(-10); }, "$3\r\n-10\r\n", "$3\r\n-10\r\n");
  check([](ReplyWriter& r) { r.array(3); }, "*3\r\n", "*3\r\n");
  check([](ReplyWriter& r) { r.raw(":1\r\n"); }, ":1\r\n", ":1\r\n");
}

TEST_CASE("ReplyWriter: types of RESP3, and what stands for them in RESP2") {
  check([](ReplyWriter& r) { r.null(); }, "$-1\r\n", "_\r\n");
  check([](ReplyWriter& r) { r.null_array(); }, "*-1\r\n", "_\r\n");
  check([](ReplyWriter& r) { r.map(2); }, "*4\r\n", "%2\r\n");
  check([](ReplyWriter& r) { r.set(2); }, "*2\r\n", "~2\r\n");
  check([](ReplyWriter& r) { r.push(2); }, "*2\r\n", ">2\r\n");
  check([](ReplyWriter& r) { r.boolean(true); }, ":1\r\n", "#t\r\n");
  check([](ReplyWriter& r) { r.boolean(false); }, ":0\r\n", "#f\r\n");
  check([](ReplyWriter& r) { r.number(1.5); }, "$3\r\n1.5\r\n", ",1.5\r\n");
  check([](ReplyWriter& r) { r.verbatim("hi"); }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
}

TEST_CASE("ReplyWriter.error: stays one line, whatever text a client put into it") {
  check([](ReplyWriter& r) { r.error("ERR a\r\n+OK\n"); }, "-ERR a  +OK \r\n", "-ERR a  +OK \r\n");
  check([](ReplyWriter& r) { r.simple("a\rb"); }, "+a b\r\n", "+a b\r\n");
}

TEST_CASE("ReplyWriter.number: shortest digits that read back, as Redis 7.2 lays them out") {
  CHECK(number(0) == ",0\r\n");
  CHECK(number(-0.0) == ",-0\r\n");
  CHECK(number(3) == ",3\r\n");
  CHECK(number(-3) == ",-3\r\n");
  CHECK(number(0.1) == ",0.1\r\n");
  CHECK(number(-0.001) == ",-0.001\r\n");
  CHECK(number(3.1415926535897931) == ",3.141592653589793\r\n");
  CHECK(number(1e15) == ",1000000000000000\r\n");
  CHECK(number(1e16) == ",1e+16\r\n");
  CHECK(number(123456789012345680.0) == ",123456789012345680\r\n");
  CHECK(number(1.5e300) == ",1.5e+300\r\n");
  CHECK(number(1e-6) == ",0.000001\r\n");
  CHECK(number(1e-7) == ",1e-7\r\n");
  CHECK(number(5e-324) == ",5e-324\r\n");
  CHECK(number(std::numeric_limits<double>::infinity()) == ",inf\r\n");
  CHECK(number(-std::numeric_limits<double>::infinity()) == ",-inf\r\n");
  CHECK(number(std::nan("")) == ",nan\r\n");
}

TEST_CASE("errors: are worded and cut as Redis does it") {
  CHECK(errors::wrong_arity("client|setname") == "ERR wrong number of arguments for 'client|setname' command");
  const std::string_view args[] = {"a", "b c"};
  CHECK(errors::unknown_command("FOO", args, 2) == "ERR unknown command 'FOO', with args beginning with: 'a' 'b c' ");
  CHECK(errors::unknown_command("FOO", nullptr, 0) == "ERR unknown command 'FOO', with args beginning with: ");
  CHECK(errors::unknown_subcommand("client", "foo") == "ERR unknown subcommand 'foo'. Try CLIENT HELP.");

  const std::string long_text(1000, 'x');
  const std::string_view long_args[] = {"ab", long_text, "never shown"};
  CHECK(errors::unknown_command(long_text, long_args, 3) == "ERR unknown command '" + std::string(128, 'x') +
                                                                "', with args beginning with: 'ab' '" +
                                                                std::string(123, 'x') + "' ");
}

TEST_CASE("ReplySize: many values fit as long as one of the greatest length would") {
  ReplySize one;
  one.add_bulk(kBulkBytesMax);
  CHECK(one.fits());
  one.add_bulk(0);
  CHECK(one.fits());
  one.add_bulk(1 << 20);
  CHECK_FALSE(one.fits());

  std::string written_out;
  ReplyWriter(written_out, RespVersion::resp2).bulk("12345");
  ReplySize reckoned(written_out.size());
  reckoned.add_bulk(5);
  CHECK_FALSE(reckoned.fits());  // never less than it takes
}

}  // namespace chainring::protocol
