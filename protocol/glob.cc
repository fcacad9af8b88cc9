#include "protocol/glob.h"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace chainring::protocol {
namespace {

uint8_t fold(char c, GlobCase letters) {
  const bool lowered = letters == GlobCase::ignored && c >= 'A' && c <= 'Z';
  return static_cast<uint8_t>(lowered ? c + ('a' - 'A') : c);
}

// Matches one character against the class that begins at pattern[at] == '['; moves `at` behind the class. As in
// Redis, a class that is not closed ends with the pattern.
bool match_class(std::string_view pattern, size_t& at, uint8_t c, GlobCase letters) {
  ++at;
  const bool negated = at < pattern.size() && pattern[at] == '^';
  if (negated) ++at;
  bool found = false;
  while (at < pattern.size() && pattern[at] != ']') {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      ++at;
      found |= fold(pattern[at], letters) == c;
      ++at;
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      uint8_t low = fold(pattern[at], letters);
      uint8_t high = fold(pattern[at + 2], letters);
      if (low > high) std::swap(low, high);
      found |= c >= low && c <= high;
      at += 3;
    } else {
      found |= fold(pattern[at], letters) == c;
      ++at;
    }
  }
  if (at < pattern.size()) ++at;  // ']'
  return found != negated;
}

// Matches one character against one element of the pattern that is not '*'; moves `at` behind the element.
bool match_one(std::string_view pattern, size_t& at, char text, GlobCase letters) {
  const uint8_t c = fold(text, letters);
  if (pattern[at] == '[') return match_class(pattern, at, c, letters);
  if (pattern[at] == '?') {
    ++at;
    return true;
  }
  if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
  return fold(pattern[at++], letters) == c;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text, GlobCase letters) {
  // Where to go on when a match fails: behind the last '*', which then takes one character more. Earlier stars need
  // not be tried again: whatever they could take more, the last one can.
  constexpr size_t kNone = std::string_view::npos;
  size_t star = kNone;
  size_t taken = 0;
  size_t p = 0;
  size_t t = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      taken = t;
      continue;
    }
    if (p < pattern.size() && match_one(pattern, p, text[t], letters)) {
      ++t;
      continue;
    }
    if (star == kNone) return false;
    p = star;
    t = ++taken;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace chainring::protocol
