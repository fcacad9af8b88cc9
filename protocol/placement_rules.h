// Placement rules: which part of a key is its tag, for keys that carry no {tag} (R23; docs/architecture.md).
//
// A pattern is literal text with wildcards: `*` stands for anything but ':', also nothing; `**` for anything at all; a
// backslash takes the meaning from the byte behind it. The part between the one pair of parentheses is the tag. Where a
// pattern fits a key in several ways, each wildcard stands for as little as possible, the first one first. A rule whose
// tag would be empty does not match. The first rule that matches decides; a key that none matches hashes whole.
//
// Thread-safety: immutable values. Cost: none without rules; with rules at most the square of kPlacementKeyBytesMax
// for each wildcard rule, and hardly ever more than the length of the key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "protocol/slot.h"

namespace chainring::protocol {

inline constexpr size_t kPlacementRulesMax = 64;
inline constexpr size_t kPlacementPatternBytesMax = 256;
inline constexpr size_t kPlacementKeyBytesMax = 512;  // longer keys match no rule

class PlacementRule {
 public:
  // The error says what is wrong with the pattern, for the operator.
  [[nodiscard]] static Result<PlacementRule> compile(std::string_view pattern);

  // The tag of a key that matches. Lifetime: the key's.
  [[nodiscard]] std::optional<std::string_view> tag_of(std::string_view key) const;

 private:
  enum class Kind : uint8_t { literal, within_segment, anything, open, close };
  struct Part {
    Kind kind;
    char byte;  // of a literal
  };
  struct Walk;
  std::vector<Part> parts_;
};

// A list of rules, in the order in which they were added.
class PlacementRules {
 public:
  // Refuses more than kPlacementRulesMax, and the same pattern twice.
  [[nodiscard]] static Result<PlacementRules> compile(const std::vector<std::string>& patterns);

  [[nodiscard]] bool empty() const { return rules_.empty(); }
  // What decides the slot: the {tag}, else the tag of the first rule that matches, else the whole key.
  [[nodiscard]] std::string_view tag_of(std::string_view key) const;
  [[nodiscard]] Slot slot_of(std::string_view key) const {
    return empty() ? protocol::slot_of(key) : protocol::slot_of_tag(tag_of(key));
  }

 private:
  std::vector<PlacementRule> rules_;
};

// The rules in force, and those that are about to replace them.
class Placement {
 public:
  Placement() = default;
  explicit Placement(PlacementRules in_force) : in_force_(std::move(in_force)) {}
  Placement(PlacementRules in_force, PlacementRules next)
      : in_force_(std::move(in_force)), next_(std::move(next)), changing_(true) {}

  // The one way from a key to its slot.
  [[nodiscard]] Slot slot_of(std::string_view key) const { return in_force_.slot_of(key); }
  [[nodiscard]] bool changing() const { return changing_; }
  // Whether the change that is under way would give the key another slot. Nobody serves such a key meanwhile (R23).
  [[nodiscard]] bool unsettled(std::string_view key) const {
    return changing_ && next_.slot_of(key) != in_force_.slot_of(key);
  }

 private:
  PlacementRules in_force_;
  PlacementRules next_;
  bool changing_ = false;
};

}  // namespace chainring::protocol
