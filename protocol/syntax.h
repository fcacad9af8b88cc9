// The arguments of a command as a tree, read from the `syntax` of its row. COMMAND DOCS tells it to clients.
//
// Syntax:
//   key              an argument, named in lower case
//   NX               a token: the word itself
//   EX seconds       a token and its value; "AUTH username password": a token and several values
//   [ ... ]          may be left out
//   < a | b >        one of them; "[ a | b ]": one of them or none
//   key [key ...]    again as often as wanted; "key value [key value ...]": both together
//
// Thread-safety: pure functions. Ownership: names and tokens are views into the syntax.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/command.h"

namespace chainring::protocol {

struct Argument {
  enum class Type { key, string, integer, floating, pattern, unix_time, pure_token, one_of, block };
  Type type = Type::string;
  std::string_view name;   // empty for one_of and block
  std::string_view token;  // stands before it; of a pure_token, the token itself
  bool optional = false;
  bool multiple = false;
  int key_spec = -1;                // of a key: which of the command's key specifications it belongs to
  std::vector<Argument> arguments;  // of one_of and block
};

// Malformed syntax is a fault of the table and ends the process.
[[nodiscard]] std::vector<Argument> parse_syntax(const CommandSpec& command);

// The tree as syntax again.
[[nodiscard]] std::string format_syntax(const std::vector<Argument>& arguments);

}  // namespace chainring::protocol
