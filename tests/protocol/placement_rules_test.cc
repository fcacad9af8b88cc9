#include "protocol/placement_rules.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::protocol {
namespace {

using Tag = std::optional<std::string>;

PlacementRules rules_of(const std::vector<std::string>& patterns) {
  Result<PlacementRules> rules = PlacementRules::compile(patterns);
  REQUIRE(rules.ok());
  return *std::move(rules);
}

Tag tag_by(const std::string& pattern, std::string_view key) {
  const Result<PlacementRule> rule = PlacementRule::compile(pattern);
  REQUIRE(rule.ok());
  const std::optional<std::string_view> tag = rule->tag_of(key);
  return tag ? Tag(*tag) : std::nullopt;
}

// What is wrong with it, or nothing.
std::string complaint(const std::string& pattern) {
  const Result<PlacementRule> rule = PlacementRule::compile(pattern);
  return rule.ok() ? "" : std::string(rule.status().message());
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// The dumb twin: tries everything, the shortest first.
Tag tag_by_trying(std::string_view pattern, std::string_view key) {
  size_t open = 0, close = 0;
  const std::function<bool(size_t, size_t)> fits = [&](size_t p, size_t k) {
    if (p == pattern.size()) return k == key.size();
    if (pattern[p] == '(') {
      open = k;
      return fits(p + 1, k);
    }
    if (pattern[p] == ')') {
      close = k;
      return fits(p + 1, k);
    }
    if (pattern[p] != '*') return k < key.size() && key[k] == pattern[p] && fits(p + 1, k + 1);
    const bool anything = pattern.substr(p).starts_with("**");
    const size_t behind = p + (anything ? 2 : 1);
    for (size_t end = k;; ++end) {
      const size_t open_before = open, close_before = close;
      if (fits(behind, end)) return true;
      open = open_before;
      close = close_before;
      if (end == key.size() || (!anything && key[end] == ':')) return false;
    }
  };
  if (!fits(0, 0) || open == close) return std::nullopt;
  return std::string(key.substr(open, close - open));
}

TEST_CASE("PlacementRule.tag_of: literal text, a segment, anything, the tag in parentheses") {
  CHECK(tag_by("bull:(*):**", "bull:mail:1") == "mail");
  CHECK(tag_by("bull:(*):**", "bull:mail:events:2") == "mail");
  CHECK(tag_by("bull:(*):**", "bull:mail:") == "mail");
  CHECK(tag_by("bull:(*):**", "bull:mail") == std::nullopt);
  CHECK(tag_by("bull:(*):**", "bulls:mail:1") == std::nullopt);
  CHECK(tag_by("bull:(*):**", "bull::1") == std::nullopt);  // the tag would be empty
  CHECK(tag_by("(user:*):*", "user:7:name") == "user:7");
  CHECK(tag_by("(user:*):*", "user:7:name:first") == std::nullopt);
  CHECK(tag_by("(**):*", "a:b:c") == "a:b");
  CHECK(tag_by("*:(**)", "a:b:c") == "b:c");
  CHECK(tag_by("(config)**", "config:x") == "config");
  CHECK(tag_by(R"(\(\*\):(*))", "(*):x") == "x");
}

TEST_CASE("PlacementRule.compile: what is wrong with a pattern is said") {
  CHECK(complaint("bull:(*):**").empty());
  CHECK(contains(complaint(""), "1 to 256 bytes"));
  CHECK(contains(complaint(std::string(257, 'a')), "1 to 256 bytes"));
  CHECK(contains(complaint("bull:*:**"), "needs one part in parentheses"));
  CHECK(contains(complaint("(a"), "needs one part in parentheses"));
  CHECK(contains(complaint("(a)(b)"), "more than one '('"));
  CHECK(contains(complaint("a)"), "closes nothing"));
  CHECK(contains(complaint("(a))"), "closes nothing"));
  CHECK(contains(complaint("a()"), "nothing in its parentheses"));
  CHECK(contains(complaint("(a)\\"), "backslash"));
}

TEST_CASE("PlacementRules.tag_of: a {tag} first, then the first rule that matches, then the whole key") {
  const PlacementRules rules = rules_of({"bull:(*):**", "(**):meta"});
  CHECK(rules.tag_of("bull:mail:meta") == "mail");
  CHECK(rules.tag_of("x:y:meta") == "x:y");
  CHECK(rules.tag_of("bull:mail:{7}") == "7");
  CHECK(rules.tag_of("bull:{}:1") == "{}");
  CHECK(rules.tag_of("plain") == "plain");
  CHECK(rules.slot_of("bull:mail:1") == slot_of("mail"));
  CHECK(rules.slot_of("bull:mail:1") == rules.slot_of("bull:mail:meta"));
  CHECK(rules.slot_of("plain") == slot_of("plain"));
  CHECK(rules_of({}).slot_of("bull:mail:1") == slot_of("bull:mail:1"));
  CHECK(rules_of({}).slot_of("bull:{mail}:1") == slot_of("mail"));
}

TEST_CASE("PlacementRules.tag_of: keys that are longer than the limit hash whole") {
  const PlacementRules rules = rules_of({"(*):**"});
  const std::string longest = "a:" + std::string(kPlacementKeyBytesMax - 2, 'x');
  CHECK(rules.tag_of(longest) == "a");
  CHECK(rules.tag_of(longest + "x") == longest + "x");
}

TEST_CASE("PlacementRules.compile: so many rules at most, and each once") {
  std::vector<std::string> patterns;
  for (size_t i = 0; i < kPlacementRulesMax; ++i) patterns.push_back("(a" + std::to_string(i) + ")");
  CHECK(PlacementRules::compile(patterns).ok());
  patterns.emplace_back("(one too many)");
  CHECK(contains(PlacementRules::compile(patterns).status().message(), "64 rules at most"));
  CHECK(contains(PlacementRules::compile({"(a)", "(a)"}).status().message(), "is there already"));
}

TEST_CASE("Placement.unsettled: keys that the change under way would give another slot") {
  const Placement still(rules_of({"bull:(*):**"}));
  CHECK_FALSE(still.changing());
  CHECK_FALSE(still.unsettled("bull:mail:1"));
  const Placement changing(rules_of({}), rules_of({"bull:(*):**"}));
  CHECK(changing.changing());
  CHECK(changing.unsettled("bull:mail:1"));
  CHECK(changing.slot_of("bull:mail:1") == slot_of("bull:mail:1"));
  CHECK_FALSE(changing.unsettled("bull:{mail}:1"));
  CHECK_FALSE(changing.unsettled("other"));
}

TEST_CASE("PlacementRule.tag_of: agrees with a matcher that tries everything") {
  rc::prop("same tag", [] {
    const auto piece = rc::gen::elementOf(std::vector<std::string>{"a", "b", ":", "*", "**", "ab", "a:"});
    const auto join = [](const std::vector<std::string>& pieces) {
      std::string text;
      for (const std::string& one : pieces) {
        if (one.starts_with('*') && text.ends_with('*')) continue;  // "***" reads in one way only
        text += one;
      }
      return text;
    };
    const auto pieces = [&] { return *rc::gen::resize(6, rc::gen::container<std::vector<std::string>>(piece)); };
    const std::string before = join(pieces()), inside = join(pieces()), behind = join(pieces());
    RC_PRE(!inside.empty());
    const std::string pattern = before + "(" + inside + ")" + behind;
    const auto key = *rc::gen::resize(14, rc::gen::container<std::string>(rc::gen::element('a', 'b', ':')));
    RC_ASSERT(tag_by(pattern, key) == tag_by_trying(pattern, key));
  });
}

TEST_CASE("PlacementRule.tag_of: patterns that invite trying take no longer than others") {
  std::string pattern = "(**)";
  while (pattern.size() + 5 < kPlacementPatternBytesMax) pattern += "*a**a";
  pattern += "b";
  CHECK(tag_by(pattern, std::string(kPlacementKeyBytesMax, 'a')) == std::nullopt);
}

}  // namespace
}  // namespace chainring::protocol
