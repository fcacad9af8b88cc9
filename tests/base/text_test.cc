#include "base/text.h"

#include <limits>
#include <string>

#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring {

TEST_CASE("concat: joins texts, characters and integers") {
  CHECK(concat() == "");
  CHECK(concat("a", std::string("b"), 'c', -1, uint8_t{200}, std::numeric_limits<uint64_t>::max()) ==
        "abc-120018446744073709551615");
  std::string out = "x";
  append_text(out, 1, std::string_view("y"));
  CHECK(out == "x1y");
}

TEST_CASE("parse_int: takes what Redis takes as an integer, and nothing else") {
  CHECK(parse_int("0") == 0);
  CHECK(parse_int("-1") == -1);
  CHECK(parse_int("9223372036854775807") == std::numeric_limits<int64_t>::max());
  CHECK(parse_int("-9223372036854775808") == std::numeric_limits<int64_t>::min());
  for (const char* bad : {"", "-", "+1", " 1", "1 ", "01", "-01", "-0", "00", "1.0", "1e3", "0x1", "--1", "a",
                          "9223372036854775808", "-9223372036854775809"}) {
    INFO(bad);
    CHECK_FALSE(parse_int(bad).has_value());
  }
  CHECK_FALSE(parse_int(std::string_view("1\0", 2)).has_value());
  rc::prop("reads what is written", [](int64_t value) { RC_ASSERT(parse_int(std::to_string(value)) == value); });
}

TEST_CASE("parse_uint: the same without a sign") {
  CHECK(parse_uint("0") == 0U);
  CHECK(parse_uint("18446744073709551615") == std::numeric_limits<uint64_t>::max());
  for (const char* bad : {"", "-1", "-0", "+1", "01", "18446744073709551616"}) {
    INFO(bad);
    CHECK_FALSE(parse_uint(bad).has_value());
  }
  rc::prop("reads what is written", [](uint64_t value) { RC_ASSERT(parse_uint(std::to_string(value)) == value); });
}

TEST_CASE("to_lower, to_upper, equals_ignoring_case: of ASCII letters alone") {
  CHECK(to_lower("AbZ[@`{\xc4") == "abz[@`{\xc4");
  CHECK(to_upper("aBz[@`{\xe4") == "ABZ[@`{\xe4");
  CHECK(equals_ignoring_case("GeT", "gEt"));
  CHECK(equals_ignoring_case("", ""));
  CHECK_FALSE(equals_ignoring_case("get", "gets"));
  CHECK_FALSE(equals_ignoring_case("@", "`"));
  CHECK_FALSE(equals_ignoring_case("[", "{"));
}

}  // namespace chainring
