#include "protocol/placement_rules.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace chainring::protocol {
namespace {

constexpr char kSegmentEnd = ':';

Status refused(std::string_view pattern, std::string_view why) {
  constexpr size_t kShownBytesMax = 64;
  return {ErrorCode::invalid_argument, concat("the rule '", pattern.substr(0, kShownBytesMax), "' ", why)};
}

}  // namespace

Result<PlacementRule> PlacementRule::compile(std::string_view pattern) {
  if (pattern.empty() || pattern.size() > kPlacementPatternBytesMax) {
    return refused(pattern, concat("has to have 1 to ", kPlacementPatternBytesMax, " bytes"));
  }
  PlacementRule rule;
  size_t opened = 0, closed = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    switch (pattern[i]) {
      case '\\':
        if (++i == pattern.size()) return refused(pattern, "ends with a backslash that has nothing to act on");
        rule.parts_.push_back({Kind::literal, pattern[i]});
        break;
      case '*': {
        const bool twice = i + 1 < pattern.size() && pattern[i + 1] == '*';
        rule.parts_.push_back({twice ? Kind::anything : Kind::within_segment, 0});
        i += twice ? 1 : 0;
        break;
      }
      case '(':
        if (++opened > 1) return refused(pattern, "has more than one '('");
        rule.parts_.push_back({Kind::open, 0});
        break;
      case ')':
        if (opened == 0 || ++closed > 1) return refused(pattern, "has a ')' that closes nothing");
        if (rule.parts_.back().kind == Kind::open) return refused(pattern, "has nothing in its parentheses");
        rule.parts_.push_back({Kind::close, 0});
        break;
      default:
        rule.parts_.push_back({Kind::literal, pattern[i]});
    }
  }
  if (closed != 1) return refused(pattern, "needs one part in parentheses, the tag, as in bull:(*):**");
  return rule;
}

// Where the match stands, and where it goes on with one more byte for a wildcard.
struct PlacementRule::Walk {
  size_t part = 0;
  size_t at = 0;
  size_t open = 0;
  size_t close = 0;
  bool begun = false;  // of a place to go back to: there is one
};

// What a wildcard before the last `**` stands for need not be tried again, as that `**` makes up for any other choice;
// and among the `*` behind it the last one makes up for those before it, as all of them end at the same ':' at most.
std::optional<std::string_view> PlacementRule::tag_of(std::string_view key) const {
  if (key.size() > kPlacementKeyBytesMax) return std::nullopt;
  Walk now, within, anything;
  for (;;) {
    if (now.part == parts_.size()) {
      if (now.at == key.size()) break;
    } else if (const Part& part = parts_[now.part]; part.kind != Kind::literal) {
      ++now.part;
      if (part.kind == Kind::open) now.open = now.at;
      if (part.kind == Kind::close) now.close = now.at;
      if (part.kind == Kind::within_segment) {
        within = now;
        within.begun = true;
      }
      if (part.kind == Kind::anything) {
        anything = now;
        anything.begun = true;
        within.begun = false;
      }
      continue;
    } else if (now.at < key.size() && key[now.at] == part.byte) {
      ++now.part;
      ++now.at;
      continue;
    }
    if (within.begun && within.at == key.size()) return std::nullopt;  // it has stood for all that there is
    if (within.begun && key[within.at] != kSegmentEnd) {
      ++within.at;
      now = within;
    } else if (anything.begun && anything.at < key.size()) {
      ++anything.at;
      now = anything;
      within.begun = false;
    } else {
      return std::nullopt;
    }
  }
  if (now.close == now.open) return std::nullopt;
  return key.substr(now.open, now.close - now.open);
}

Result<PlacementRules> PlacementRules::compile(const std::vector<std::string>& patterns) {
  if (patterns.size() > kPlacementRulesMax) {
    return Status(ErrorCode::invalid_argument, concat("there can be ", kPlacementRulesMax, " rules at most"));
  }
  PlacementRules rules;
  for (auto pattern = patterns.begin(); pattern != patterns.end(); ++pattern) {
    if (std::find(patterns.begin(), pattern, *pattern) != pattern) return refused(*pattern, "is there already");
    Result<PlacementRule> rule = PlacementRule::compile(*pattern);
    if (!rule) return rule.status();
    rules.rules_.push_back(*std::move(rule));
  }
  return rules;
}

std::string_view PlacementRules::tag_of(std::string_view key) const {
  const std::string_view in_braces = hash_tag(key);
  if (in_braces.size() != key.size()) return in_braces;
  for (const PlacementRule& rule : rules_) {
    if (const auto tag = rule.tag_of(key)) return *tag;
  }
  return key;
}

}  // namespace chainring::protocol
