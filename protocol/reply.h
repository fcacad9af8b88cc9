// Writing replies in RESP2 or RESP3. What has no type in RESP2 is written as Redis 7.2 writes it there.
//
// Thread-safety: none. Ownership: appends to a string that the caller owns and that outlives the writer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/resp.h"

namespace chainring::protocol {

class ReplyWriter {
 public:
  ReplyWriter(std::string& out, RespVersion version) : out_(out), version_(version) {}

  [[nodiscard]] RespVersion version() const { return version_; }
  [[nodiscard]] std::string& out() { return out_; }

  void ok() { out_.append("+OK\r\n"); }
  void simple(std::string_view text);
  // `text` begins with its code: "ERR ...", "WRONGTYPE ...". Line ends in it become spaces.
  void error(std::string_view text);
  void integer(int64_t value);
  void bulk(std::string_view bytes);
  void bulk_integer(int64_t value);  // as a bulk string
  void null();                       // "$-1" or "_"
  void null_array();                 // "*-1" or "_"
  void array(uint64_t count);
  void map(uint64_t pairs);   // an array of 2 * pairs in RESP2
  void set(uint64_t count);   // an array in RESP2
  void push(uint64_t count);  // an array in RESP2
  void number(double value);  // ",1.5", or a bulk string in RESP2; shortest form that reads back
  void boolean(bool value);   // "#t", or :1 in RESP2
  void verbatim(std::string_view bytes, std::string_view format = "txt");  // a bulk string in RESP2
  void raw(std::string_view resp) { out_.append(resp); }                   // already RESP

 private:
  void header(char type, int64_t value);
  std::string& out_;
  RespVersion version_;
};

// Commands that answer with many values, each of which may be long, answer with errors::kReplyTooLong instead of more
// than this: a value of the greatest length, with whatever stands around it.
inline constexpr size_t kReplyBytesMax = size_t{kBulkBytesMax} + (size_t{1} << 20);

// What such a reply takes, reckoned before it is written.
class ReplySize {
 public:
  explicit ReplySize(size_t bytes_max = kReplyBytesMax) : bytes_max_(bytes_max) {}

  void add_bulk(size_t bytes) { bytes_ += bytes + kAroundBulkBytes; }
  [[nodiscard]] bool fits() const { return bytes_ <= bytes_max_; }

 private:
  static constexpr size_t kAroundBulkBytes = 16;  // "$536870912" and two ends of lines

  size_t bytes_max_;
  size_t bytes_ = 0;
};

// Error replies that more than one place sends, word for word as Redis 7.2 has them.
namespace errors {
inline constexpr std::string_view kSyntax = "ERR syntax error";
inline constexpr std::string_view kNotInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotFloat = "ERR value is not a valid float";
inline constexpr std::string_view kWrongType = "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kNoSuchKey = "ERR no such key";
inline constexpr std::string_view kOutOfRange = "ERR index out of range";
inline constexpr std::string_view kCrossSlot = "CROSSSLOT Keys in request don't hash to the same slot";
inline constexpr std::string_view kNoAuth = "NOAUTH Authentication required.";
inline constexpr std::string_view kNoProto = "NOPROTO unsupported protocol version";
inline constexpr std::string_view kDbIndex = "ERR DB index is out of range";
inline constexpr std::string_view kInvalidExpire = "ERR invalid expire time in '";  // + name + "' command"
// Ours. A request that could not be settled in time: it may have run, may run yet, or may never.
inline constexpr std::string_view kOutcomeUnknown =
    "TIMEOUT the outcome of this command is unknown: it may or may not have been executed; read before you retry";
inline constexpr std::string_view kReplyTooLong = "ERR the reply would be too long; ask for less at once";
inline constexpr std::string_view kRepliesTooLong =
    "ERR the replies of the transaction are too long; writes were executed";
inline constexpr std::string_view kClusterDown =
    "CLUSTERDOWN the slot is not served at the moment and the command was not executed; retry, and see RING STATUS";
// "ERR wrong number of arguments for 'get' command"
[[nodiscard]] std::string wrong_arity(std::string_view full_name);
// "ERR unknown command 'foo', with args beginning with: 'a' 'b' " as Redis 7.2 words and cuts it
// `args` are those behind the name.
[[nodiscard]] std::string unknown_command(std::string_view name, const std::string_view* args, size_t count);
// "ERR unknown subcommand 'foo'. Try CLIENT HELP.": of a container, when find_command() knows no more than that
[[nodiscard]] std::string unknown_subcommand(std::string_view container, std::string_view name);
}  // namespace errors

// An error as a reply, which is the same in both versions.
[[nodiscard]] std::string error_reply(std::string_view text);

}  // namespace chainring::protocol
