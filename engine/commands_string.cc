// Strings: reading and writing them whole or in part.
#include <algorithm>
#include <optional>
#include <vector>

#include "engine/dispatch.h"
#include "engine/lcs.h"
#include "engine/set_options.h"

namespace chainring::engine {
namespace {

using protocol::CommandId;
using Condition = SetOptions::Condition;
using Lifetime = SetOptions::Lifetime;

constexpr int64_t kMillisPerSecond = 1000;

// REQUIRES: a string or nullptr.
void reply_text(Call& call, const Entry* entry) {
  if (entry == nullptr) return call.reply.null();
  IntegerText scratch;
  call.reply.bulk(entry->text(scratch));
}

bool has_text(const Entry& entry, std::string_view text) {
  IntegerText scratch;
  return entry.type() == ValueType::string && entry.text(scratch) == text;
}

void get(Call& call) {
  const Entry* entry = call.find_to_read(call.key(1));
  if (call.is_string_or_absent(entry)) reply_text(call, entry);
}

void mget(Call& call) {
  std::vector<const Entry*> entries;
  entries.reserve(call.args.size() - 1);
  protocol::ReplySize size(call.context.reply_bytes_max);
  for (size_t i = 1; i < call.args.size(); ++i) {
    const Entry* entry = call.find_to_read(call.key(i));
    const bool is_string = entry != nullptr && entry->type() == ValueType::string;
    entries.push_back(is_string ? entry : nullptr);
    size.add_bulk(is_string ? entry->text_size() : 0);
  }
  if (!size.fits()) return call.reply.error(protocol::errors::kReplyTooLong);
  call.reply.array(entries.size());
  for (const Entry* entry : entries) reply_text(call, entry);
}

void getdel(Call& call) {
  const Key key = call.key(1);
  const Entry* entry = call.find_to_read(key);
  if (!call.is_string_or_absent(entry)) return;
  reply_text(call, entry);
  if (entry != nullptr) call.remove(key);
}

void getset(Call& call) {
  const Key key = call.key(1);
  const Entry* entry = call.find_to_read(key);
  if (!call.is_string_or_absent(entry)) return;
  reply_text(call, entry);
  call.set(key, call.args[2], kNoDeadline);
}

void getex(Call& call) {
  const auto options = parse_getex_options(call, 2);
  if (!options) return;
  const Key key = call.key(1);
  const Entry* entry = call.find_to_read(key);
  if (!call.is_string_or_absent(entry)) return;
  if (entry == nullptr) return call.reply.null();
  std::optional<Millis> deadline;
  if (options->lifetime == Lifetime::until) {
    deadline = to_deadline(call, options->expire);
    if (!deadline) return;
  }
  reply_text(call, entry);
  if (deadline) {
    call.set_deadline(key, *deadline);
  } else if (options->lifetime == Lifetime::persist && entry->has_deadline()) {
    call.set_deadline(key, kNoDeadline);
  }
}

bool condition_holds(const SetOptions& options, const Entry* entry) {
  switch (options.condition) {
    case Condition::none:
      return true;
    case Condition::absent:
      return entry == nullptr;
    case Condition::present:
      return entry != nullptr;
    case Condition::equal:
      break;
  }
  return entry != nullptr && has_text(*entry, options.expected);
}

void set(Call& call) {
  const auto options = parse_set_options(call, 3);
  if (!options) return;
  std::optional<Millis> deadline = kNoDeadline;
  if (options->lifetime == Lifetime::until) deadline = to_deadline(call, options->expire);
  if (!deadline) return;
  const Key key = call.key(1);
  const Entry* entry = options->get ? call.find_to_read(key) : call.find(key);
  const bool reads = options->get || options->condition == Condition::equal;
  if (reads && !call.is_string_or_absent(entry)) return;
  const bool holds = condition_holds(*options, entry);
  if (options->get) {
    reply_text(call, entry);
  } else if (!holds) {
    call.reply.null();
  } else {
    call.reply.ok();
  }
  if (!holds) return;
  if (options->lifetime == Lifetime::keep && entry != nullptr) deadline = entry->deadline();
  call.set(key, call.args[2], *deadline);
}

void setnx(Call& call) {
  const Key key = call.key(1);
  const bool absent = call.find(key) == nullptr;
  if (absent) call.set(key, call.args[2], kNoDeadline);
  call.reply.integer(absent);
}

void set_for(Call& call, int64_t unit_ms) {
  const auto deadline = to_deadline(call, {call.args[2], unit_ms});
  if (!deadline) return;
  call.set(call.key(1), call.args[3], *deadline);
  call.reply.ok();
}
void setex(Call& call) { set_for(call, kMillisPerSecond); }
void psetex(Call& call) { set_for(call, 1); }

// Whether the arguments are pairs; the error when they are not.
bool are_pairs(Call& call) {
  if (call.args.size() % 2 == 1) return true;
  call.reply.error(protocol::errors::wrong_arity(call.command.name));
  return false;
}

void set_pairs(Call& call) {
  for (size_t i = 1; i + 1 < call.args.size(); i += 2) call.set(call.key(i), call.args[i + 1], kNoDeadline);
}

void mset(Call& call) {
  if (!are_pairs(call)) return;
  set_pairs(call);
  call.reply.ok();
}

void msetnx(Call& call) {
  if (!are_pairs(call)) return;
  for (size_t i = 1; i < call.args.size(); i += 2) {
    if (call.find(call.key(i)) != nullptr) return call.reply.integer(0);
  }
  set_pairs(call);
  call.reply.integer(1);
}

void delete_if_equal(Call& call, std::string_view expected) {
  const Key key = call.key(1);
  const Entry* entry = call.find(key);
  if (!call.is_string_or_absent(entry)) return;
  const bool equal = entry != nullptr && has_text(*entry, expected);
  if (equal) call.remove(key);
  call.reply.integer(equal);
}

void delifeq(Call& call) { delete_if_equal(call, call.args[2]); }

void delex(Call& call) {
  if (call.args.size() == 4 && call.option(2, "ifeq")) return delete_if_equal(call, call.args[3]);
  if (call.args.size() != 2) return call.reply.error(protocol::errors::kSyntax);
  const Key key = call.key(1);
  const bool present = call.find(key) != nullptr;
  if (present) call.remove(key);
  call.reply.integer(present);
}

void strlen(Call& call) {
  const Entry* entry = call.find_to_read(call.key(1));
  if (!call.is_string_or_absent(entry)) return;
  call.reply.integer(entry == nullptr ? 0 : static_cast<int64_t>(entry->text_size()));
}

void append(Call& call) {
  const Key key = call.key(1);
  const Entry* entry = call.find(key);
  if (!call.is_string_or_absent(entry)) return;
  const std::string_view text = call.args[2];
  if (entry == nullptr) {
    call.set(key, text, kNoDeadline);
    return call.reply.integer(static_cast<int64_t>(text.size()));
  }
  const size_t size = entry->text_size();
  if (size + text.size() > kStringBytesMax) return call.reply.error(kStringTooLong);
  call.append(key, text);
  call.reply.integer(static_cast<int64_t>(size + text.size()));
}

void setrange(Call& call) {
  int64_t offset = 0;
  if (!call.integer(2, offset)) return;
  if (offset < 0) return call.reply.error("ERR offset is out of range");
  const Key key = call.key(1);
  const Entry* entry = call.find(key);
  if (!call.is_string_or_absent(entry)) return;
  const std::string_view text = call.args[3];
  const size_t size = entry == nullptr ? 0 : entry->text_size();
  if (text.empty()) return call.reply.integer(static_cast<int64_t>(size));
  const uint64_t end = static_cast<uint64_t>(offset) + text.size();
  if (end > kStringBytesMax) return call.reply.error(kStringTooLong);
  if (entry == nullptr) call.set(key, {}, kNoDeadline);
  call.overwrite(key, static_cast<size_t>(offset), text);
  call.reply.integer(static_cast<int64_t>(std::max<uint64_t>(size, end)));
}

void getrange(Call& call) {
  int64_t start = 0;
  int64_t end = 0;
  if (!call.integer(2, start) || !call.integer(3, end)) return;
  const Entry* entry = call.find_to_read(call.key(1));
  if (!call.is_string_or_absent(entry)) return;
  IntegerText scratch;
  const std::string_view text = entry == nullptr ? std::string_view() : entry->text(scratch);
  const auto size = static_cast<int64_t>(text.size());
  if (size == 0 || (start < 0 && end < 0 && start > end)) return call.reply.bulk({});
  if (start < 0) start = std::max<int64_t>(start + size, 0);
  if (end < 0) end = std::max<int64_t>(end + size, 0);
  end = std::min(end, size - 1);
  if (start > end) return call.reply.bulk({});
  call.reply.bulk(text.substr(static_cast<size_t>(start), static_cast<size_t>(end - start + 1)));
}

struct LcsOptions {
  bool length = false;
  bool ranges = false;
  bool match_lengths = false;
  int64_t match_length_min = 0;
};

bool parse_lcs_options(Call& call, LcsOptions& options) {
  for (size_t i = 3; i < call.args.size(); ++i) {
    if (call.option(i, "idx")) {
      options.ranges = true;
    } else if (call.option(i, "len")) {
      options.length = true;
    } else if (call.option(i, "withmatchlen")) {
      options.match_lengths = true;
    } else if (call.option(i, "minmatchlen") && i + 1 < call.args.size()) {
      if (!call.integer(++i, options.match_length_min)) return false;
    } else {
      call.reply.error(protocol::errors::kSyntax);
      return false;
    }
  }
  if (options.ranges && options.length) {
    call.reply.error("ERR If you want both the length and indexes, please just use IDX.");
    return false;
  }
  return true;
}

void reply_ranges(Call& call, const Lcs& lcs, const LcsOptions& options) {
  std::vector<Lcs::Match> matches = lcs.matches;
  std::erase_if(matches, [&](const Lcs::Match& match) { return match.size < options.match_length_min; });
  const auto range = [&](uint32_t first, uint32_t size) {
    call.reply.array(2);
    call.reply.integer(first);
    call.reply.integer(int64_t{first} + size - 1);
  };
  call.reply.map(2);
  call.reply.bulk("matches");
  call.reply.array(matches.size());
  for (const Lcs::Match& match : matches) {
    call.reply.array(options.match_lengths ? 3 : 2);
    range(match.in_first, match.size);
    range(match.in_second, match.size);
    if (options.match_lengths) call.reply.integer(match.size);
  }
  call.reply.bulk("len");
  call.reply.integer(lcs.length);
}

void lcs(Call& call) {
  const Entry* first = call.find_to_read(call.key(1));
  const Entry* second = call.find_to_read(call.key(2));
  for (const Entry* entry : {first, second}) {
    if (entry != nullptr && entry->type() != ValueType::string) {
      return call.reply.error("ERR The specified keys must contain string values");
    }
  }
  LcsOptions options;
  if (!parse_lcs_options(call, options)) return;
  IntegerText scratch[2];
  const std::string_view a = first == nullptr ? std::string_view() : first->text(scratch[0]);
  const std::string_view b = second == nullptr ? std::string_view() : second->text(scratch[1]);
  if (!lcs_fits(a.size(), b.size())) {
    return call.reply.error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  if (options.length) return call.reply.integer(lcs_length(a, b));
  const Lcs result = longest_common_subsequence(a, b);
  if (options.ranges) return reply_ranges(call, result, options);
  call.reply.bulk(result.text);
}

}  // namespace

void register_string_commands(Dispatch& dispatch) {
  dispatch.add(CommandId::append, append);
  dispatch.add(CommandId::delex, delex);
  dispatch.add(CommandId::delifeq, delifeq);
  dispatch.add(CommandId::get, get);
  dispatch.add(CommandId::getdel, getdel);
  dispatch.add(CommandId::getex, getex);
  dispatch.add(CommandId::getrange, getrange);
  dispatch.add(CommandId::getset, getset);
  dispatch.add(CommandId::lcs, lcs);
  dispatch.add(CommandId::mget, mget);
  dispatch.add(CommandId::mset, mset);
  dispatch.add(CommandId::msetnx, msetnx);
  dispatch.add(CommandId::psetex, psetex);
  dispatch.add(CommandId::set, set);
  dispatch.add(CommandId::setex, setex);
  dispatch.add(CommandId::setnx, setnx);
  dispatch.add(CommandId::setrange, setrange);
  dispatch.add(CommandId::strlen, strlen);
  dispatch.add(CommandId::substr, getrange);
}

}  // namespace chainring::engine
