#include "tests/sim/history_file.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/text.h"

namespace chainring::sim {
namespace {

constexpr size_t kOperationWords = 11;
constexpr size_t kEndingWords = kOperationWords + 2;  // of one after which the key ends
constexpr size_t kOrderWords = 5;
constexpr size_t kGrantWords = 8;
constexpr std::string_view kComplaint = "complaint ";
constexpr std::string_view kAbsent = "-";

constexpr std::array<std::string_view, 9> kKinds = {"set",      "get", "incr",   "getdel", "set_nx",
                                                    "set_ifeq", "del", "set_px", "pexpire"};
constexpr std::array<std::string_view, 3> kOutcomes = {"returned", "unknown", "refused"};

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> words;
  for (;;) {
    const size_t end = line.find(' ');
    words.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return words;
    line.remove_prefix(end + 1);
  }
}

template <class Enum, size_t kCount>
std::optional<Enum> named(const std::array<std::string_view, kCount>& names, std::string_view word) {
  const auto found = std::find(names.begin(), names.end(), word);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(std::distance(names.begin(), found));
}

std::string text(std::string_view word) { return word == kAbsent ? std::string() : std::string(word); }

std::optional<Micros> time(std::string_view word) { return word == kAbsent ? kNever : parse_int(word); }

bool add_operation(const std::vector<std::string_view>& words, Histories& histories) {
  if (words.size() < kOperationWords) return false;
  const auto client = parse_uint(words[1]), place = parse_uint(words[2]);
  const auto kind = named<Operation::Kind>(kKinds, words[3]);
  const auto called = time(words[7]), returned = time(words[8]);
  const auto outcome = named<Operation::Outcome>(kOutcomes, words[9]);
  if (!client || !place || !kind || !called || !returned || !outcome) return false;
  const bool ends = *kind == Operation::Kind::set_px || *kind == Operation::Kind::pexpire;
  if (words.size() != (ends ? kEndingWords : kOperationWords)) return false;
  Operation operation;
  operation.client = *client;
  operation.place = *place;
  operation.kind = *kind;
  operation.key = words[4];
  operation.argument = text(words[5]);
  operation.compare = text(words[6]);
  operation.called = *called;
  operation.returned = *returned;
  operation.outcome = *outcome;
  if (words[10] != kAbsent) operation.result = words[10];
  if (ends) {
    const auto least = parse_int(words[11]), most = parse_int(words[12]);
    if (!least || !most) return false;
    operation.ttl_least = *least;
    operation.ttl_most = *most;
  }
  histories.by_key[operation.key].push_back(std::move(operation));
  return true;
}

bool add_grant(const std::vector<std::string_view>& words, Histories& histories) {
  if (words.size() != kGrantWords) return false;
  const auto token = parse_int(words[3]);
  const auto called = time(words[4]), returned = time(words[5]), ttl = time(words[6]), given_back = time(words[7]);
  if (!token || !called || !returned || !ttl || !given_back) return false;
  histories.grants.push_back({.key = std::string(words[1]),
                              .owner = std::string(words[2]),
                              .token = *token,
                              .called = *called,
                              .returned = *returned,
                              .ttl = *ttl,
                              .given_back = *given_back});
  return true;
}

bool add_order(const std::vector<std::string_view>& words, Histories& histories) {
  if (words.size() != kOrderWords) return false;
  const auto first = parse_int(words[2]), second = parse_int(words[3]), returned = time(words[4]);
  if (!first || !second || !returned) return false;
  histories.ordered_reads[std::string(words[1])].push_back({*first, *second, *returned});
  return true;
}

}  // namespace

Status add_line(std::string_view line, Histories& histories) {
  if (line.starts_with(kComplaint)) {
    histories.complaints.emplace_back(line.substr(kComplaint.size()));
    return {};
  }
  const std::vector<std::string_view> words = split(line);
  if (words[0] == "op" && add_operation(words, histories)) return {};
  if (words[0] == "order" && add_order(words, histories)) return {};
  if (words[0] == "grant" && add_grant(words, histories)) return {};
  return Status(ErrorCode::invalid_argument, concat("no line of a history: ", line));
}

}  // namespace chainring::sim
