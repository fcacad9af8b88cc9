#include "protocol/resp.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace chainring::protocol {
namespace {

constexpr size_t kLineEndBytes = 2;  // "\r\n"
// What next() keeps of the vectors' capacity: a request of a million arguments must not cost its memory for ever.
constexpr size_t kKeptArgsMax = 1024;
constexpr size_t kKeptUnpackedBytesMax = 16 * 1024;

// Reads a canonical, non-negative decimal of up to 9 digits and its line end, when all of it is there: the form of
// every count and length that is not a fault. Returns the bytes it took, or 0 when the line is anything else.
size_t quick_number(const char* at, size_t available, int64_t& number) {
  constexpr size_t kDigitsMax = 9;
  int64_t value = 0;
  size_t i = 0;
  for (; i < available && i < kDigitsMax; ++i) {
    const auto digit = static_cast<unsigned char>(at[i] - '0');
    if (digit > 9) break;
    value = value * 10 + digit;
  }
  const bool leading_zero = i > 1 && at[0] == '0';
  if (i == 0 || leading_zero || available - i < kLineEndBytes || at[i] != '\r' || at[i + 1] != '\n') return 0;
  number = value;
  return i + kLineEndBytes;
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Appends what the escape at line[at] == '\\' stands for; returns the position behind it.
// REQUIRES: at + 1 < line.size().
size_t unpack_escape(std::string_view line, size_t at, std::string& out) {
  if (line[at + 1] == 'x' && at + 3 < line.size()) {
    const int high = hex_digit(line[at + 2]);
    const int low = hex_digit(line[at + 3]);
    if (high >= 0 && low >= 0) {
      out.push_back(static_cast<char>(high * 16 + low));
      return at + 4;
    }
  }
  const char c = line[at + 1];
  switch (c) {
    case 'n':
      out.push_back('\n');
      break;
    case 'r':
      out.push_back('\r');
      break;
    case 't':
      out.push_back('\t');
      break;
    case 'b':
      out.push_back('\b');
      break;
    case 'a':
      out.push_back('\a');
      break;
    default:
      out.push_back(c);
      break;
  }
  return at + 2;
}

// Unpacks the quoted part that begins at line[at]; returns the position behind its closing quote, or npos when there
// is none or something other than a space follows it.
size_t unpack_quoted(std::string_view line, size_t at, std::string& out) {
  const char quote = line[at++];
  while (at < line.size() && line[at] != quote) {
    const bool escaped = line[at] == '\\' && at + 1 < line.size();
    if (escaped && quote == '"') {
      at = unpack_escape(line, at, out);
    } else if (escaped && line[at + 1] == '\'') {
      out.push_back('\'');
      at += 2;
    } else {
      out.push_back(line[at++]);
    }
  }
  if (at == line.size()) return std::string_view::npos;
  ++at;
  return at == line.size() || is_space(line[at]) ? at : std::string_view::npos;
}

}  // namespace

RequestParser::State RequestParser::parse(std::string_view input) {
  if (!in_multibulk_) {
    if (input.empty()) return need(1);
    if (input.front() != '*') return parse_inline(input);
  }
  return parse_multibulk(input);
}

void RequestParser::next() {
  position_ = 0;
  scanned_ = 0;
  wanted_ = 1;
  args_left_ = 0;
  bulk_size_ = -1;
  in_multibulk_ = false;
  if (ranges_.capacity() > kKeptArgsMax) ranges_ = {};
  if (args_.capacity() > kKeptArgsMax) args_ = {};
  if (unpacked_.capacity() > kKeptUnpackedBytesMax) unpacked_ = {};
  ranges_.clear();
  args_.clear();
}

RequestParser::State RequestParser::parse_multibulk(std::string_view input) {
  if (!in_multibulk_) {
    position_ = 1;  // behind '*'
    int64_t count = 0;
    switch (read_number(input, count)) {
      case Line::need_more:
        position_ = 0;
        return need(input.size() + 1);
      case Line::too_long:
        return fail("Protocol error: too big mbulk count string");
      case Line::malformed:
        return fail("Protocol error: invalid multibulk length");
      case Line::number:
        break;
    }
    if (count > 0 && static_cast<uint64_t>(count) > limits_.args_max) {
      return fail(limits_.authenticated ? "Protocol error: invalid multibulk length"
                                        : "Protocol error: unauthenticated multibulk length");
    }
    in_multibulk_ = true;
    args_left_ = count > 0 ? static_cast<uint64_t>(count) : 0;
  }
  while (args_left_ > 0) {
    if (bulk_size_ < 0) {
      const State header = parse_bulk_header(input);
      if (header != State::ready) return header;
    }
    const auto size = static_cast<size_t>(bulk_size_);
    const size_t end = position_ + size + kLineEndBytes;
    if (input.size() < end) return need(end);
    if (input[end - 2] != '\r' || input[end - 1] != '\n') {
      return fail("Protocol error: expected the end of a line behind a bulk string");
    }
    ranges_.push_back({position_, size});
    position_ = end;
    bulk_size_ = -1;
    --args_left_;
  }
  return ready(input);
}

// Reads "$<length>\r\n" at position_ into bulk_size_; `ready` when that is done.
RequestParser::State RequestParser::parse_bulk_header(std::string_view input) {
  if (position_ == input.size()) return need(input.size() + 1);
  if (input[position_] != '$') return fail(concat("Protocol error: expected '$', got '", input[position_], "'"));
  const size_t start = position_++;  // behind '$'
  int64_t size = 0;
  switch (read_number(input, size)) {
    case Line::need_more:
      position_ = start;
      return need(input.size() + 1);
    case Line::too_long:
      return fail("Protocol error: too big bulk count string");
    case Line::malformed:
      return fail("Protocol error: invalid bulk length");
    case Line::number:
      break;
  }
  if (size < 0) return fail("Protocol error: invalid bulk length");
  if (static_cast<uint64_t>(size) > limits_.bulk_bytes_max) {
    return fail(limits_.authenticated ? "Protocol error: invalid bulk length"
                                      : "Protocol error: unauthenticated bulk length");
  }
  if (position_ + static_cast<size_t>(size) + kLineEndBytes > limits_.request_bytes_max) {
    too_big_ = true;
    return fail("Protocol error: request exceeds client-query-buffer-limit");
  }
  bulk_size_ = size;
  return State::ready;
}

// Reads "<number>\r\n" at position_ and moves behind it.
RequestParser::Line RequestParser::read_number(std::string_view input, int64_t& number) {
  const size_t size = quick_number(input.data() + position_, input.size() - position_, number);
  if (size == 0) return search_number(input, number);
  position_ += size;
  scanned_ = position_;
  return Line::number;
}

// The same for lines that are incomplete, faulty, or negative.
RequestParser::Line RequestParser::search_number(std::string_view input, int64_t& number) {
  const size_t from = std::max(scanned_, position_);
  const size_t end = from < input.size() ? input.find('\r', from) : std::string_view::npos;
  scanned_ = std::min(end, input.size());
  if (scanned_ - position_ > limits_.inline_bytes_max) return Line::too_long;
  if (end == std::string_view::npos || end + 1 == input.size()) return Line::need_more;
  const std::optional<int64_t> value = parse_int(input.substr(position_, end - position_));
  if (!value || input[end + 1] != '\n') return Line::malformed;
  number = *value;
  position_ = end + kLineEndBytes;
  scanned_ = position_;
  return Line::number;
}

RequestParser::State RequestParser::parse_inline(std::string_view input) {
  const size_t end = input.find('\n', scanned_);
  scanned_ = std::min(end, input.size());
  if (scanned_ > limits_.inline_bytes_max) return fail("Protocol error: too big inline request");
  if (end == std::string_view::npos) return need(input.size() + 1);

  const std::string_view line = input.substr(0, end > 0 && input[end - 1] == '\r' ? end - 1 : end);
  const bool plain = line.find_first_of("\"'") == std::string_view::npos;
  unpacked_.clear();
  for (size_t at = 0; at < line.size();) {
    if (is_space(line[at])) {
      ++at;
      continue;
    }
    const size_t start = plain ? at : unpacked_.size();
    while (at < line.size() && !is_space(line[at])) {
      if (plain) {
        ++at;
      } else if (line[at] == '"' || line[at] == '\'') {
        at = unpack_quoted(line, at, unpacked_);
        if (at == std::string_view::npos) return fail("Protocol error: unbalanced quotes in request");
      } else {
        unpacked_.push_back(line[at++]);
      }
    }
    ranges_.push_back({start, (plain ? at : unpacked_.size()) - start});
  }
  position_ = end + 1;
  return ready(plain ? input : unpacked_);
}

RequestParser::State RequestParser::ready(std::string_view source) {
  args_.resize(ranges_.size());
  for (size_t i = 0; i < ranges_.size(); ++i) args_[i] = {source.data() + ranges_[i].offset, ranges_[i].size};
  return State::ready;
}

RequestParser::State RequestParser::need(size_t bytes) {
  wanted_ = bytes;
  return State::need_more;
}

RequestParser::State RequestParser::fail(std::string text) {
  error_ = std::move(text);
  return State::error;
}

void append_request(std::string& out, std::span<const std::string_view> args) {
  append_text(out, '*', args.size(), "\r\n");
  for (const std::string_view arg : args) append_text(out, '$', arg.size(), "\r\n", arg, "\r\n");
}

}  // namespace chainring::protocol
