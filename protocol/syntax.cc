#include "protocol/syntax.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace chainring::protocol {
namespace {

using Type = Argument::Type;

constexpr std::string_view kKeyNames[] = {"key", "key1", "key2", "source", "destination", "newkey"};
constexpr std::string_view kIntegerNames[] = {"client-id",   "count",     "cursor",   "decrement",    "destination-db",
                                              "end",         "increment", "index",    "milliseconds", "min-match-len",
                                              "numreplicas", "offset",    "protover", "seconds",      "slot",
                                              "start",       "timeout",   "version"};

template <size_t N>
bool contains(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool has_two_key_specs(const CommandSpec& command) { return command.key_use.find(';') != std::string_view::npos; }

bool is_token(std::string_view word) { return !word.empty() && word.front() >= 'A' && word.front() <= 'Z'; }

// Splits syntax into brackets, bars, dots and words.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  [[nodiscard]] std::string_view peek() const {
    const size_t start = text_.find_first_not_of(' ');
    if (start == std::string_view::npos) return {};
    const size_t end = is_mark(text_[start]) ? start + 1 : text_.find_first_of(" []<>|", start);
    return text_.substr(start, end == std::string_view::npos ? end : end - start);
  }
  std::string_view take() {
    const std::string_view word = peek();
    if (word.empty()) {
      text_ = {};
    } else {
      text_.remove_prefix(static_cast<size_t>(word.data() - text_.data()) + word.size());
    }
    return word;
  }
  bool take_if(std::string_view word) {
    if (peek() != word) return false;
    take();
    return true;
  }

 private:
  static bool is_mark(char c) { return c == '[' || c == ']' || c == '<' || c == '>' || c == '|'; }
  std::string_view text_;
};

class SyntaxParser {
 public:
  explicit SyntaxParser(const CommandSpec& command) : command_(command), lexer_(command.syntax) {}

  std::vector<Argument> parse() {
    std::vector<Argument> arguments = sequence();
    CHECK(lexer_.peek().empty(), "brackets of a command's syntax are balanced");
    return arguments;
  }

 private:
  // Arguments up to a closing bracket, a bar or the end.
  std::vector<Argument> sequence() {
    std::vector<Argument> arguments;
    while (true) {
      const std::string_view word = lexer_.peek();
      if (word.empty() || word == "]" || word == ">" || word == "|") return arguments;
      if (word == "[") {
        bracket(arguments);
      } else {
        arguments.push_back(word == "<" ? one_of() : is_token(word) ? token() : plain(lexer_.take()));
      }
    }
  }

  // "[...]": an optional argument, or "[key value ...]": the repetition of what stands before it.
  void bracket(std::vector<Argument>& before) {
    lexer_.take();
    std::vector<std::vector<Argument>> choices = alternatives();
    const bool closed = lexer_.take_if("]");
    CHECK(closed, "brackets of a command's syntax are balanced");
    if (choices.size() == 1 && choices.front().back().name == "...") return repeat(before, choices.front().size() - 1);
    Argument argument = choices.size() == 1 ? together(std::move(choices.front())) : one_of(std::move(choices));
    argument.optional = true;
    before.push_back(std::move(argument));
  }

  void repeat(std::vector<Argument>& before, size_t count) {
    CHECK(count > 0 && count <= before.size(), "a repetition repeats what stands before it");
    if (count > 1) {
      std::vector<Argument> group(before.end() - static_cast<ptrdiff_t>(count), before.end());
      before.resize(before.size() - count);
      before.push_back(together(std::move(group)));
    }
    before.back().multiple = true;
  }

  std::vector<std::vector<Argument>> alternatives() {
    std::vector<std::vector<Argument>> choices;
    do {
      choices.push_back(sequence());
      CHECK(!choices.back().empty(), "an alternative of a command's syntax is not empty");
    } while (lexer_.take_if("|"));
    return choices;
  }

  Argument one_of() {
    lexer_.take();
    Argument argument = one_of(alternatives());
    const bool closed = lexer_.take_if(">");
    CHECK(closed, "brackets of a command's syntax are balanced");
    return argument;
  }
  Argument one_of(std::vector<std::vector<Argument>> choices) {
    Argument argument;
    argument.type = Type::one_of;
    for (std::vector<Argument>& choice : choices) argument.arguments.push_back(together(std::move(choice)));
    return argument;
  }

  Argument together(std::vector<Argument> arguments) {
    if (arguments.size() == 1) return std::move(arguments.front());
    Argument block;
    block.type = Type::block;
    block.arguments = std::move(arguments);
    return block;
  }

  // A token with the values that follow it.
  Argument token() {
    const std::string_view word = lexer_.take();
    Argument argument;
    if (lexer_.peek() == "<") {
      argument = one_of();
    } else {
      std::vector<Argument> values;
      while (is_value(lexer_.peek())) values.push_back(plain(lexer_.take()));
      if (values.empty()) {
        argument.type = Type::pure_token;
        argument.name = word;
      } else {
        argument = together(std::move(values));
      }
    }
    argument.token = word;
    return argument;
  }

  static bool is_value(std::string_view word) {
    return !word.empty() && !is_token(word) && std::string_view("[]<>|").find(word.front()) == std::string_view::npos;
  }

  Argument plain(std::string_view word) {
    Argument argument;
    argument.name = word;
    if (command_.first_key != 0 && contains(kKeyNames, word)) {
      argument.type = Type::key;
      argument.key_spec = has_two_key_specs(command_) ? keys_++ : 0;
    } else if (word.starts_with("unix-time")) {
      argument.type = Type::unix_time;
    } else if (word == "pattern") {
      argument.type = Type::pattern;
    } else if (command_.id == CommandId::incrbyfloat) {
      argument.type = Type::floating;
    } else if (contains(kIntegerNames, word)) {
      argument.type = Type::integer;
    }
    return argument;
  }

  const CommandSpec& command_;
  Lexer lexer_;
  int keys_ = 0;
};

std::string format(const Argument& argument);

std::string format_all(const std::vector<Argument>& arguments, std::string_view separator) {
  std::string out;
  for (const Argument& argument : arguments) append_text(out, out.empty() ? "" : separator, format(argument));
  return out;
}

std::string format(const Argument& argument) {
  std::string value(argument.name);
  if (argument.type == Type::block) value = format_all(argument.arguments, " ");
  if (argument.type == Type::one_of) {
    value = format_all(argument.arguments, " | ");
    if (!argument.optional || !argument.token.empty()) value = concat("<", value, ">");
  }
  if (argument.multiple) value = concat(value, " [", value, " ...]");
  if (argument.type != Type::pure_token && !argument.token.empty()) value = concat(argument.token, " ", value);
  return argument.optional ? concat("[", value, "]") : value;
}

}  // namespace

std::vector<Argument> parse_syntax(const CommandSpec& command) { return SyntaxParser(command).parse(); }

std::string format_syntax(const std::vector<Argument>& arguments) { return format_all(arguments, " "); }

}  // namespace chainring::protocol
