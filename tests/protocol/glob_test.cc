#include <string>

#include "protocol/glob.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {

TEST_CASE("glob_match: stars, question marks and plain text") {
  CHECK(glob_match("", ""));
  CHECK_FALSE(glob_match("", "a"));
  CHECK(glob_match("*", ""));
  CHECK(glob_match("*", "anything"));
  CHECK(glob_match("a*c", "abbbc"));
  CHECK_FALSE(glob_match("a*c", "abbbd"));
  CHECK(glob_match("*a*b*", "xxaxxbxx"));
  CHECK(glob_match("h?llo", "hello"));
  CHECK_FALSE(glob_match("h?llo", "hllo"));
  CHECK_FALSE(glob_match("abc", "abcd"));
  CHECK_FALSE(glob_match("abcd", "abc"));
  CHECK(glob_match("abc**", "abc"));
}

TEST_CASE("glob_match: classes") {
  CHECK(glob_match("h[ae]llo", "hallo"));
  CHECK_FALSE(glob_match("h[ae]llo", "hillo"));
  CHECK(glob_match("h[^e]llo", "hallo"));
  CHECK_FALSE(glob_match("h[^e]llo", "hello"));
  CHECK(glob_match("h[a-b]llo", "hbllo"));
  CHECK(glob_match("h[b-a]llo", "hallo"));  // a range the wrong way round
  CHECK_FALSE(glob_match("h[a-b]llo", "hcllo"));
  CHECK(glob_match("[\\]]", "]"));
  CHECK(glob_match("[a-]", "^"));  // as in Redis: the range from a to ], not closed
  CHECK(glob_match("[abc", "c"));  // not closed: ends with the pattern
  CHECK_FALSE(glob_match("[", "a"));
  CHECK_FALSE(glob_match("[]a]", "a"));
}

TEST_CASE("glob_match: a backslash takes the meaning from the next character") {
  CHECK(glob_match("\\*", "*"));
  CHECK_FALSE(glob_match("\\*", "a"));
  CHECK(glob_match("a\\?b", "a?b"));
  CHECK(glob_match("a\\", "a\\"));
}

TEST_CASE("glob_match: letters of either case when asked for") {
  CHECK_FALSE(glob_match("FOO*", "foobar"));
  CHECK(glob_match("FOO*", "foobar", GlobCase::ignored));
  CHECK(glob_match("[A-C]", "b", GlobCase::ignored));
  CHECK_FALSE(glob_match("[A-C]", "b"));
}

TEST_CASE("glob_match: a hostile pattern takes quadratic time at most") {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  CHECK_FALSE(glob_match(pattern + "b", std::string(20'000, 'a')));  // 10^7 steps; with naive recursion, for ever
}

}  // namespace chainring::protocol
