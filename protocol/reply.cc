#include "protocol/reply.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace chainring::protocol {
namespace {

// Simple strings and errors are one line: what would end it becomes a space.
void append_line(std::string& out, std::string_view text) {
  const size_t start = out.size();
  out.append(text);
  std::replace_if(
      out.begin() + static_cast<ptrdiff_t>(start), out.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
  out.append("\r\n");
}

// The significant digits of a finite number, and the power of ten of the last one.
struct Decimal {
  char digits[24];
  int count = 0;
  int exponent = 0;
};

Decimal shortest_decimal(double magnitude) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, magnitude, std::chars_format::scientific).ptr;
  Decimal decimal;
  const char* at = text;
  for (; at != end && *at != 'e'; ++at) {
    if (*at != '.') decimal.digits[decimal.count++] = *at;
  }
  ++at;                  // 'e'
  if (*at == '+') ++at;  // from_chars takes a '-' only
  std::from_chars(at, end, decimal.exponent);
  decimal.exponent -= decimal.count - 1;
  return decimal;
}

// Redis writes a number with shortest digits (fpconv_dtoa), plainly unless that takes many zeros.
void append_shortest(std::string& out, double magnitude) {
  const Decimal decimal = shortest_decimal(magnitude);
  const std::string_view digits(decimal.digits, static_cast<size_t>(decimal.count));
  const int first_exponent = decimal.exponent + decimal.count - 1;
  const int distance = std::abs(first_exponent);
  if (decimal.exponent >= 0 && distance < decimal.count + 7) {
    out.append(digits).append(static_cast<size_t>(decimal.exponent), '0');
  } else if (decimal.exponent < 0 && (decimal.exponent > -7 || distance < 4)) {
    const int point = decimal.count + decimal.exponent;  // digits before the decimal point
    if (point <= 0) {
      out.append("0.").append(static_cast<size_t>(-point), '0').append(digits);
    } else {
      const auto whole = static_cast<size_t>(point);
      out.append(digits.substr(0, whole)).append(".").append(digits.substr(whole));
    }
  } else {
    out.push_back(digits.front());
    if (digits.size() > 1) out.append(".").append(digits.substr(1));
    append_text(out, 'e', first_exponent < 0 ? '-' : '+', distance);
  }
}

// As Redis' d2string.
void append_number(std::string& out, double value) {
  constexpr double kExactIntegerMax = 4503599627370496.0;  // 2^52
  if (std::isnan(value)) {
    out.append("nan");
  } else if (std::isinf(value)) {
    out.append(value < 0 ? "-inf" : "inf");
  } else {
    if (std::signbit(value)) out.push_back('-');
    const double magnitude = std::fabs(value);
    if (magnitude < kExactIntegerMax && magnitude == std::floor(magnitude)) {
      append_text(out, static_cast<int64_t>(magnitude));
    } else {
      append_shortest(out, magnitude);
    }
  }
}

}  // namespace

void ReplyWriter::header(char type, int64_t value) { append_text(out_, type, value, "\r\n"); }

void ReplyWriter::simple(std::string_view text) {
  out_.push_back('+');
  append_line(out_, text);
}

void ReplyWriter::error(std::string_view text) {
  out_.push_back('-');
  append_line(out_, text);
}

void ReplyWriter::integer(int64_t value) { header(':', value); }

void ReplyWriter::bulk(std::string_view bytes) {
  header('$', static_cast<int64_t>(bytes.size()));
  out_.append(bytes);
  out_.append("\r\n");
}

void ReplyWriter::bulk_integer(int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  bulk({digits, static_cast<size_t>(end - digits)});
}

void ReplyWriter::null() { out_.append(version_ == RespVersion::resp3 ? "_\r\n" : "$-1\r\n"); }
void ReplyWriter::null_array() { out_.append(version_ == RespVersion::resp3 ? "_\r\n" : "*-1\r\n"); }

void ReplyWriter::array(uint64_t count) { header('*', static_cast<int64_t>(count)); }

void ReplyWriter::map(uint64_t pairs) {
  if (version_ == RespVersion::resp3) {
    header('%', static_cast<int64_t>(pairs));
  } else {
    array(2 * pairs);
  }
}

void ReplyWriter::set(uint64_t count) {
  header(version_ == RespVersion::resp3 ? '~' : '*', static_cast<int64_t>(count));
}

void ReplyWriter::push(uint64_t count) {
  header(version_ == RespVersion::resp3 ? '>' : '*', static_cast<int64_t>(count));
}

void ReplyWriter::number(double value) {
  std::string text;
  append_number(text, value);
  if (version_ == RespVersion::resp3) {
    append_text(out_, ',', text, "\r\n");
  } else {
    bulk(text);
  }
}

void ReplyWriter::boolean(bool value) {
  if (version_ == RespVersion::resp3) {
    out_.append(value ? "#t\r\n" : "#f\r\n");
  } else {
    integer(value ? 1 : 0);
  }
}

void ReplyWriter::verbatim(std::string_view bytes, std::string_view format) {
  if (version_ == RespVersion::resp2) return bulk(bytes);
  header('=', static_cast<int64_t>(format.size() + 1 + bytes.size()));
  append_text(out_, format, ':', bytes, "\r\n");
}

namespace errors {
namespace {

constexpr size_t kShownNameBytesMax = 128;
constexpr size_t kShownArgsBytesMax = 128;

// Redis prints names as C strings.
std::string_view shown(std::string_view name) { return name.substr(0, std::min(name.find('\0'), kShownNameBytesMax)); }

}  // namespace

std::string wrong_arity(std::string_view full_name) {
  return concat("ERR wrong number of arguments for '", full_name, "' command");
}

std::string unknown_command(std::string_view name, const std::string_view* args, size_t count) {
  std::string text = concat("ERR unknown command '", shown(name), "', with args beginning with: ");
  size_t shown_bytes = 0;
  for (size_t i = 0; i < count && shown_bytes < kShownArgsBytesMax; ++i) {
    const std::string_view arg = args[i].substr(0, std::min(args[i].find('\0'), kShownArgsBytesMax - shown_bytes));
    append_text(text, '\'', arg, "' ");
    shown_bytes += arg.size() + 3;  // with quotes and space, as Redis counts
  }
  return text;
}

std::string unknown_subcommand(std::string_view container, std::string_view name) {
  return concat("ERR unknown subcommand '", shown(name), "'. Try ", to_upper(container), " HELP.");
}

}  // namespace errors

std::string error_reply(std::string_view text) {
  std::string reply;
  ReplyWriter(reply, RespVersion::resp2).error(text);
  return reply;
}

}  // namespace chainring::protocol
