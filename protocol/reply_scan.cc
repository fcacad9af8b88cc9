// Reading replies: measuring them, and taking them apart into a tree.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

#include "base/text.h"
#include "protocol/resp.h"

namespace chainring::protocol {
namespace {

using State = ReplyExtent::State;

constexpr size_t kLineEndBytes = 2;

// The first line of an item: its type and what follows that.
struct Line {
  char type;
  std::string_view text;
  size_t size;  // with type and line end
};

// Looks for the line at input[at]; it has been searched up to `scanned`, which is moved on.
State read_line(std::string_view input, size_t at, size_t& scanned, Line& line) {
  const size_t from = std::max(at, scanned);
  const size_t end = from < input.size() ? input.find('\r', from) : std::string_view::npos;
  scanned = std::min(end, input.size());
  if (scanned - at > kReplyLineBytesMax) return State::error;
  if (end == std::string_view::npos || end + 1 == input.size()) return State::need_more;
  if (end == at || input[end + 1] != '\n') return State::error;
  line = {input[at], input.substr(at + 1, end - at - 1), end + kLineEndBytes - at};
  return State::ready;
}

bool is_bulk(char type) { return type == '$' || type == '=' || type == '!'; }
bool is_aggregate(char type) { return type == '*' || type == '%' || type == '~' || type == '>' || type == '|'; }

// Of "$-1" and "*-1".
bool is_resp2_null(const Line& line) { return (line.type == '$' || line.type == '*') && line.text == "-1"; }

std::optional<uint64_t> count_in(const Line& line, uint64_t max) {
  const std::optional<uint64_t> count = parse_uint(line.text);
  return count && *count <= max ? count : std::nullopt;
}

// Items inside an aggregate; nothing when the count is malformed.
std::optional<uint64_t> items_in(const Line& line) {
  const std::optional<uint64_t> count = count_in(line, kReplyItemsMax / 2);
  if (!count) return std::nullopt;
  return line.type == '%' || line.type == '|' ? *count * 2 : *count;
}

bool well_formed_scalar(const Line& line) {
  switch (line.type) {
    case '+':
    case '-':
      return true;
    case ':':
      return parse_int(line.text).has_value();
    case '#':
      return line.text == "t" || line.text == "f";
    case '_':
      return line.text.empty();
    case ',':
    case '(':
      return !line.text.empty();
    default:
      return false;
  }
}

// The bytes of the bulk string behind `line`, which begins at input[at].
State read_bulk(std::string_view input, size_t at, const Line& line, std::string_view& bytes) {
  const std::optional<uint64_t> size = count_in(line, kReplyBulkBytesMax);
  if (!size) return State::error;
  const size_t begin = at + line.size;
  if (input.size() - begin < *size + kLineEndBytes) return State::need_more;
  if (input.substr(begin + *size, kLineEndBytes) != "\r\n") return State::error;
  bytes = input.substr(begin, *size);
  return State::ready;
}

}  // namespace

ReplyExtent ReplyScanner::scan(std::string_view input) {
  while (missing_ > 0) {
    const State state = scan_item(input);
    if (state != State::ready) return {state, 0};
  }
  return {State::ready, position_};
}

// Moves behind one scalar, or behind the header of one aggregate.
ReplyExtent::State ReplyScanner::scan_item(std::string_view input) {
  Line line{};
  const State state = read_line(input, position_, scanned_, line);
  if (state != State::ready) return state;
  size_t size = line.size;
  uint64_t inside = 0;
  if (is_resp2_null(line)) {
    // nothing follows
  } else if (is_bulk(line.type)) {
    std::string_view bytes;
    const State bulk = read_bulk(input, position_, line, bytes);
    if (bulk != State::ready) return bulk;
    size += bytes.size() + kLineEndBytes;
  } else if (is_aggregate(line.type)) {
    const std::optional<uint64_t> items = items_in(line);
    if (!items) return State::error;
    inside = *items + (line.type == '|' ? 1 : 0);  // attributes stand before what they describe
  } else if (!well_formed_scalar(line)) {
    return State::error;
  }
  if (inside > std::numeric_limits<uint64_t>::max() - missing_) return State::error;
  missing_ += inside;
  --missing_;
  position_ += size;
  scanned_ = position_;
  return State::ready;
}

ReplyExtent measure_reply(std::string_view input) { return ReplyScanner().scan(input); }

std::optional<int64_t> take_number(char type, std::string_view& reply) {
  const size_t end = reply.find("\r\n");
  if (end == std::string_view::npos || reply.front() != type) return std::nullopt;
  const std::optional<int64_t> number = parse_int(reply.substr(1, end - 1));
  if (number) reply.remove_prefix(end + 2);
  return number;
}

namespace {

using Kind = ReplyValue::Kind;

// Builds the tree with a stack of its own, so that a hostile depth costs no stack of ours.
class TreeBuilder {
 public:
  explicit TreeBuilder(std::string_view input) : input_(input) {}

  ReplyExtent build(ReplyValue& root) {
    open_.push_back({&root, 1, false});
    while (!open_.empty()) {
      Open& top = open_.back();
      if (top.missing == 0) {
        open_.pop_back();
        continue;
      }
      --top.missing;
      ReplyValue* target = top.value;
      if (top.nested) target = &top.value->items.emplace_back();
      const State state = read_value(*target);
      if (state != State::ready) return {state, 0};
    }
    return {State::ready, position_};
  }

 private:
  // An aggregate whose items are still to come; for the root, the root itself.
  struct Open {
    ReplyValue* value;
    uint64_t missing;
    bool nested;
  };

  State read_value(ReplyValue& value) {
    value = {};
    Line line{};
    size_t scanned = position_;
    State state = read_line(input_, position_, scanned, line);
    while (state == State::ready && line.type == '|') {
      state = skip_attributes(line);
      scanned = position_;
      if (state == State::ready) state = read_line(input_, position_, scanned, line);
    }
    if (state != State::ready) return state;
    if (is_resp2_null(line)) return take(line.size);
    if (is_bulk(line.type)) return read_text(line, value);
    if (is_aggregate(line.type)) return read_aggregate(line, value);
    return well_formed_scalar(line) ? read_scalar(line, value) : State::error;
  }

  State take(size_t size) {
    position_ += size;
    return State::ready;
  }

  State skip_attributes(const Line& line) {
    const std::optional<uint64_t> items = items_in(line);
    if (!items) return State::error;
    position_ += line.size;
    for (uint64_t i = 0; i < *items; ++i) {
      const ReplyExtent item = measure_reply(input_.substr(position_));
      if (item.state != State::ready) return item.state;
      position_ += item.size;
    }
    return State::ready;
  }

  State read_text(const Line& line, ReplyValue& value) {
    std::string_view bytes;
    const State state = read_bulk(input_, position_, line, bytes);
    if (state != State::ready) return state;
    value.kind = line.type == '$' ? Kind::bulk : line.type == '!' ? Kind::error : Kind::verbatim;
    value.text = bytes;
    return take(line.size + bytes.size() + kLineEndBytes);
  }

  State read_aggregate(const Line& line, ReplyValue& value) {
    const std::optional<uint64_t> items = items_in(line);
    if (!items || open_.size() > kReplyDepthMax) return State::error;
    switch (line.type) {
      case '%':
        value.kind = Kind::map;
        break;
      case '~':
        value.kind = Kind::set;
        break;
      case '>':
        value.kind = Kind::push;
        break;
      default:
        value.kind = Kind::array;
        break;
    }
    open_.push_back({&value, *items, true});
    return take(line.size);
  }

  State read_scalar(const Line& line, ReplyValue& value) {
    switch (line.type) {
      case '+':
        value.kind = Kind::simple;
        break;
      case '-':
        value.kind = Kind::error;
        break;
      case ':':
        value.kind = Kind::integer;
        break;
      case '#':
        value.kind = Kind::boolean;
        break;
      case ',':
        value.kind = Kind::number;
        break;
      case '(':
        value.kind = Kind::big_number;
        break;
      default:
        value.kind = Kind::null;
        break;
    }
    if (value.kind == Kind::integer) {
      value.integer = *parse_int(line.text);
    } else if (value.kind == Kind::boolean) {
      value.integer = line.text == "t" ? 1 : 0;
    } else {
      value.text = line.text;
    }
    return take(line.size);
  }

  std::string_view input_;
  size_t position_ = 0;
  std::vector<Open> open_;
};

}  // namespace

ReplyExtent parse_reply(std::string_view input, ReplyValue& value) { return TreeBuilder(input).build(value); }

}  // namespace chainring::protocol
