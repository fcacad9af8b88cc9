#include "base/output_limits.h"

#include <optional>
#include <vector>

#include "base/size.h"
#include "base/text.h"

namespace chainring {
namespace {

constexpr size_t kWordsPerClass = 4;
constexpr std::array<std::string_view, kClientClassCount> kNames = {"normal", "slave", "pubsub"};

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (text.empty()) return words;
    const size_t end = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

std::optional<size_t> parse_class(std::string_view name) {
  if (equals_ignoring_case(name, "replica")) return static_cast<size_t>(ClientClass::replica);
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (equals_ignoring_case(name, kNames.at(i))) return i;
  }
  return std::nullopt;
}

}  // namespace

std::string_view merge_output_limits(std::string_view text, OutputLimits& limits) {
  const std::vector<std::string_view> words = split_words(text);
  if (words.empty() || words.size() % kWordsPerClass != 0) {
    return "Wrong number of arguments in buffer limit configuration.";
  }
  OutputLimits merged = limits;
  for (size_t i = 0; i < words.size(); i += kWordsPerClass) {
    const auto which = parse_class(words[i]);
    if (!which) return "Invalid client class specified in buffer limit configuration.";
    const auto hard = parse_size(words[i + 1]);
    const auto soft = parse_size(words[i + 2]);
    const auto seconds = parse_int(words[i + 3]);
    if (!hard || !soft || !seconds || *seconds < 0 || *seconds > INT32_MAX) {
      return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    }
    merged.at(*which) = {static_cast<uint64_t>(*hard), static_cast<uint64_t>(*soft), *seconds};
  }
  limits = merged;
  return {};
}

std::string output_limits_text(const OutputLimits& limits) {
  std::string text;
  for (size_t i = 0; i < limits.size(); ++i) {
    const OutputLimit& limit = limits.at(i);
    append_text(text, text.empty() ? "" : " ", kNames.at(i), ' ', limit.hard_bytes, ' ', limit.soft_bytes, ' ',
                limit.soft_seconds);
  }
  return text;
}

}  // namespace chainring
