#include "base/bytes.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring {
namespace {

enum class Colour : uint8_t { red = 1, blue = 200 };

struct Everything {
  bool flag = false;
  uint8_t u8 = 0;
  uint16_t u16 = 0;
  uint32_t u32 = 0;
  uint64_t u64 = 0;
  int64_t i64 = 0;
  Colour colour = Colour::red;
  std::string text;
  std::vector<std::string> list;
  std::optional<uint16_t> maybe;
  template <class A>
  void fields(A& a) {
    a(flag, u8, u16, u32, u64, i64, colour, text, list, maybe);
  }
  bool operator==(const Everything&) const = default;
};

struct View {
  std::string_view bytes;
  template <class A>
  void fields(A& a) {
    a(bytes);
  }
};

std::string varint(uint64_t value) {
  std::string out;
  ByteWriter(out).varint(value);
  return out;
}

}  // namespace

TEST_CASE("ByteWriter: integers are little-endian, lists and texts tell their length first") {
  const Everything value{true, 2, 0x0304, 0x05060708, 0x090a0b0c0d0e0f10, -2, Colour::blue, "ab", {"c", ""}, 0x1112};
  CHECK(encode(value) == std::string("\1"
                                     "\2"
                                     "\4\3"
                                     "\10\7\6\5"
                                     "\20\17\16\15\14\13\12\11"
                                     "\376\377\377\377\377\377\377\377"
                                     "\310"
                                     "\2ab"
                                     "\2\1c\0"
                                     "\1\22\21",
                                     35));
}

TEST_CASE("ByteWriter.varint: seven bits a byte, the lowest first") {
  CHECK(varint(0) == std::string("\0", 1));
  CHECK(varint(127) == "\177");
  CHECK(varint(128) == "\200\1");
  CHECK(varint(300) == "\254\2");
  CHECK(varint(std::numeric_limits<uint64_t>::max()) == std::string(9, '\377') + '\1');
}

TEST_CASE("ByteReader.varint: reads back, and refuses what does not end") {
  rc::prop("round trip", [](uint64_t value) {
    const std::string bytes = varint(value);
    ByteReader reader(bytes);
    RC_ASSERT(reader.varint() == value);
    RC_ASSERT(reader.complete());
  });
  ByteReader cut("\200\200");
  CHECK(cut.varint() == 0);
  CHECK(cut.failed());
  const std::string endless(11, '\200');
  ByteReader reader(endless);
  CHECK(reader.varint() == 0);
  CHECK(reader.failed());
}

TEST_CASE("decode: is the inverse of encode") {
  rc::prop("round trip", [] {
    Everything value;
    value.flag = *rc::gen::arbitrary<bool>();
    value.u8 = *rc::gen::arbitrary<uint8_t>();
    value.u16 = *rc::gen::arbitrary<uint16_t>();
    value.u32 = *rc::gen::arbitrary<uint32_t>();
    value.u64 = *rc::gen::arbitrary<uint64_t>();
    value.i64 = *rc::gen::arbitrary<int64_t>();
    value.text = *rc::gen::arbitrary<std::string>();
    value.list = *rc::gen::arbitrary<std::vector<std::string>>();
    if (*rc::gen::arbitrary<bool>()) value.maybe = *rc::gen::arbitrary<uint16_t>();
    const auto back = decode<Everything>(encode(value));
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == value);
  });
}

TEST_CASE("decode: refuses what is cut short, too long or malformed") {
  const std::string bytes = encode(Everything{true, 1, 2, 3, 4, 5, Colour::red, "text", {"a", "b"}, 6});
  REQUIRE(decode<Everything>(bytes).has_value());
  for (size_t size = 0; size < bytes.size(); ++size) CHECK_FALSE(decode<Everything>(bytes.substr(0, size)).has_value());
  CHECK_FALSE(decode<Everything>(bytes + '\0').has_value());
  std::string bad_bool = bytes;
  bad_bool[0] = '\2';
  CHECK_FALSE(decode<Everything>(bad_bool).has_value());
}

TEST_CASE("ByteReader: once failed it yields zeros and nothing more") {
  ByteReader reader("\1\2\3");
  uint32_t number = 7;
  uint8_t byte = 7;
  reader(number, byte);
  CHECK(reader.failed());
  CHECK(number == 0);
  CHECK(byte == 0);
  CHECK(reader.rest().empty());
  CHECK_FALSE(reader.complete());
}

TEST_CASE("ByteReader: a declared count allocates no more than the bytes that are there") {
  std::vector<uint64_t> items;
  const std::string bytes = varint(uint64_t{1} << 60) + "x";
  ByteReader reader(bytes);
  reader(items);
  CHECK(reader.failed());
  CHECK(items.capacity() == 0);
}

TEST_CASE("ByteReader: views point into the input") {
  const std::string bytes = encode(View{"some bytes"});
  const auto view = decode<View>(bytes);
  REQUIRE(view.has_value());
  CHECK(view->bytes.data() == bytes.data() + 1);
}

}  // namespace chainring
