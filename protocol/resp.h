// Reading RESP: requests from clients, replies from servers. Streaming, and without copies: every argument is a
// view into the caller's input buffer.
//
// Thread-safety: none; one parser for each connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace chainring::protocol {

enum class RespVersion : uint8_t { resp2 = 2, resp3 = 3 };

// The most that settings can allow: longer values are nowhere kept, and longer requests fit no frame and no record.
inline constexpr uint64_t kBulkBytesMax = uint64_t{512} << 20;
inline constexpr uint64_t kRequestBytesMax = uint64_t{1} << 30;
inline constexpr uint64_t kRequestArgsMax = 1024 * 1024;

// Redis' own limits (networking.c); a client that passes one gets the same error text and is closed. args_max is that
// of Redis up to 6; later ones let a client declare 2^31.
struct RequestLimits {
  uint64_t bulk_bytes_max = kBulkBytesMax;  // proto-max-bulk-len
  uint64_t args_max = kRequestArgsMax;
  uint64_t inline_bytes_max = 64 * 1024;          // of an inline command, and of a line that tells a count or a length
  uint64_t request_bytes_max = kRequestBytesMax;  // client-query-buffer-limit
  bool authenticated = true;                      // false: the errors say that it is for want of a password
};
// Until AUTH has succeeded, when a password is set.
inline constexpr RequestLimits kUnauthenticatedLimits{
    .bulk_bytes_max = 16 * 1024, .args_max = 10, .authenticated = false};

// One request: an array of bulk strings or an inline command.
class RequestParser {
 public:
  enum class State {
    need_more,  // call again with the same bytes and more behind them
    ready,      // args() and size() describe one request; none (args().empty()) for "*0" and for a blank line
    error,      // error() is the text behind "-ERR "; the connection is to be closed after sending it
  };

  explicit RequestParser(RequestLimits limits = {}) : limits_(limits) {}

  // Looks for one request at the front of `input`. Remembers between calls how far it came, so that nothing is
  // scanned twice. REQUIRES: since the last next(), `input` begins with the bytes that it began with before (they may
  // have moved); after `error`, no further call.
  [[nodiscard]] State parse(std::string_view input);

  // REQUIRES: the last parse() returned `ready`. Lifetime: that of the input given to it. Inline commands with quotes
  // and escapes are the only arguments that are unpacked, into storage of the parser that lives until next().
  [[nodiscard]] std::span<const std::string_view> args() const { return args_; }
  // Bytes of the request at the front of the input. The same precondition.
  [[nodiscard]] size_t size() const { return position_; }
  // Forgets the request, to parse what follows it.
  void next();

  // While `need_more`: at least so many bytes of input are needed in all (a hint for the buffer's size).
  [[nodiscard]] size_t wanted() const { return wanted_; }
  [[nodiscard]] std::string_view error() const { return error_; }
  // Whether that error is a request longer than request_bytes_max: Redis then closes without a word.
  [[nodiscard]] bool too_big() const { return too_big_; }
  // Takes effect with what is read from now on: kUnauthenticatedLimits before AUTH, the settings' limits after it.
  void set_limits(RequestLimits limits) { limits_ = limits; }

 private:
  struct Range {
    size_t offset;
    size_t size;
  };
  // What came of looking for a line "<number>\r\n".
  enum class Line { need_more, number, malformed, too_long };

  State parse_multibulk(std::string_view input);
  State parse_inline(std::string_view input);
  State parse_bulk_header(std::string_view input);
  Line read_number(std::string_view input, int64_t& number);
  Line search_number(std::string_view input, int64_t& number);
  State ready(std::string_view source);
  State need(size_t bytes);
  State fail(std::string text);

  RequestLimits limits_;
  size_t position_ = 0;  // how far the input has been understood
  size_t scanned_ = 0;   // how far it has been searched for a line end
  size_t wanted_ = 1;
  uint64_t args_left_ = 0;
  int64_t bulk_size_ = -1;  // of the argument whose header has been read; -1 for none
  bool in_multibulk_ = false;
  bool too_big_ = false;
  std::vector<Range> ranges_;  // arguments so far; offsets, because the input may move before it is complete
  std::vector<std::string_view> args_;
  std::string unpacked_;  // the arguments of an inline command with quotes
  std::string error_;
};

// How many bytes a reply takes. `error` means that the peer does not speak RESP: close the connection.
struct ReplyExtent {
  enum class State { need_more, ready, error } state;
  size_t size;  // when ready
};

// Limits on replies, beyond any that a well-meant peer sends.
inline constexpr size_t kReplyLineBytesMax = 64 * 1024;  // of a line: simple strings, errors, numbers
inline constexpr uint64_t kReplyBulkBytesMax = 1ULL << 30;
inline constexpr uint64_t kReplyItemsMax = 1ULL << 32;  // of one array, set, push; half as many pairs
inline constexpr size_t kReplyDepthMax = 64;            // of a tree; measuring needs no limit

// Finds the end of one reply of any RESP2 or RESP3 type, nested, at the front of an input that grows. It remembers
// how far it came, so a reply that arrives in many pieces costs time linear in its size, and keeps no more than a count
// of what is missing, however deep the reply is.
class ReplyScanner {
 public:
  // REQUIRES: since the last reset(), `input` begins with the bytes that it began with before.
  [[nodiscard]] ReplyExtent scan(std::string_view input);
  void reset() { *this = ReplyScanner(); }

 private:
  ReplyExtent::State scan_item(std::string_view input);

  size_t position_ = 0;   // whole items end here
  size_t scanned_ = 0;    // searched for a line end up to here
  uint64_t missing_ = 1;  // items
};

// The same for a reply of which all is there, or that is short. Called again and again for a long reply that
// arrives in pieces it would take quadratic time: use a ReplyScanner there.
[[nodiscard]] ReplyExtent measure_reply(std::string_view input);

// Takes "<type><number>\r\n" off the front of a whole reply: an integer, or the header of an array, whose items remain.
// Nothing is taken when it begins otherwise.
[[nodiscard]] std::optional<int64_t> take_number(char type, std::string_view& reply);

// A reply as a tree, for merging and for tests. Attributes ("|") are skipped.
struct ReplyValue {
  enum class Kind { simple, error, integer, bulk, null, array, map, set, push, number, boolean, verbatim, big_number };
  Kind kind = Kind::null;
  std::string text;               // simple, error, bulk, verbatim, big_number, and number as it was written
  int64_t integer = 0;            // integer and boolean
  std::vector<ReplyValue> items;  // array, set, push; map: key, value, key, value ...
};
// Parses one whole reply; `size` tells how many bytes it took. Allocates in proportion to the bytes that are there,
// whatever counts they declare. Deeper than kReplyDepthMax is an error. `value` is valid only when ready.
[[nodiscard]] ReplyExtent parse_reply(std::string_view input, ReplyValue& value);

// Appends a request as an array of bulk strings.
void append_request(std::string& out, std::span<const std::string_view> args);

}  // namespace chainring::protocol
