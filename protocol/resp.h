// Reading RESP: requests from clients, replies from servers. Streaming, and without copies: every argument is a
// view into the caller's input buffer.
//
// Thread-safety: none; one parser for each connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace chainring::protocol {

enum class RespVersion : uint8_t { resp2 = 2, resp3 = 3 };

// Redis' own limits (networking.c of 7.2); a client that passes one gets the same error text and is closed.
struct RequestLimits {
  uint64_t bulk_bytes_max = 512ULL * 1024 * 1024;  // proto-max-bulk-len
  uint64_t args_max = 1024 * 1024;
  uint64_t inline_bytes_max = 64 * 1024;
  uint64_t request_bytes_max = 1024ULL * 1024 * 1024;  // client-query-buffer-limit
};

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
  // Set from AUTH on: before it Redis allows 10 arguments of 16 KiB.
  void set_limits(RequestLimits limits) { limits_ = limits; }

 private:
  struct Range {
    size_t offset;
    size_t size;
  };
  State parse_multibulk(std::string_view input);
  State parse_inline(std::string_view input);
  State fail(std::string text);

  RequestLimits limits_;
  size_t position_ = 0;           // how far the input has been understood
  size_t scanned_ = 0;            // how far it has been searched for a line end
  size_t wanted_ = 0;
  uint64_t args_left_ = 0;
  int64_t bulk_size_ = -1;        // of the argument whose header has been read; -1 for none
  bool in_multibulk_ = false;
  std::vector<Range> ranges_;
  std::vector<std::string_view> args_;
  std::vector<std::string> unpacked_;
  std::string error_;
};

// Finds the end of one reply (of any RESP2 or RESP3 type, nested) at the front of `input`.
// Used where replies are forwarded whole.
struct ReplyExtent {
  enum class State { need_more, ready, error } state;
  size_t size;  // when ready
};
[[nodiscard]] ReplyExtent measure_reply(std::string_view input);

// A reply as a tree, for merging and for tests. Depth and counts are limited by the bytes that are there.
struct ReplyValue {
  enum class Kind { simple, error, integer, bulk, null, array, map, set, push, number, boolean, verbatim, big_number };
  Kind kind = Kind::null;
  std::string text;     // simple, error, bulk, verbatim, big_number, and number as it was written
  int64_t integer = 0;  // integer and boolean
  std::vector<ReplyValue> items;  // array, set, push; map: key, value, key, value ...
};
// Parses one whole reply; `size` tells how many bytes it took.
[[nodiscard]] ReplyExtent parse_reply(std::string_view input, ReplyValue& value);

// Appends a request as an array of bulk strings.
void append_request(std::string& out, std::span<const std::string_view> args);

}  // namespace chainring::protocol
