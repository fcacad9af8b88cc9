// Strings as numbers. What goes to the other members is the result.
#include "base/text.h"
#include "engine/dispatch.h"
#include "engine/float_text.h"

namespace chainring::engine {
namespace {

using protocol::CommandId;

void increment(Call& call, int64_t by) {
  const Key key = call.key(1);
  const Entry* entry = call.find(key);
  if (!call.is_string_or_absent(entry)) return;
  int64_t value = 0;
  Millis deadline = kNoDeadline;
  if (entry != nullptr) {
    // Text may be a number and not kept as one, such as what APPEND made.
    IntegerText scratch;
    const auto parsed = parse_int(entry->text(scratch));
    if (!parsed) return call.reply.error(protocol::errors::kNotInteger);
    value = *parsed;
    deadline = entry->deadline();
  }
  if (__builtin_add_overflow(value, by, &value)) {
    return call.reply.error("ERR increment or decrement would overflow");
  }
  call.set_integer(key, value, deadline);
  call.reply.integer(value);
}

void incr(Call& call) { increment(call, 1); }
void decr(Call& call) { increment(call, -1); }

void incrby(Call& call) {
  int64_t by = 0;
  if (call.integer(2, by)) increment(call, by);
}

void decrby(Call& call) {
  int64_t by = 0;
  if (!call.integer(2, by)) return;
  if (by == INT64_MIN) return call.reply.error("ERR decrement would overflow");
  increment(call, -by);
}

void incrbyfloat(Call& call) {
  const Key key = call.key(1);
  const Entry* entry = call.find(key);
  if (!call.is_string_or_absent(entry)) return;
  IntegerText scratch;
  const auto value = entry == nullptr ? std::optional<long double>(0) : parse_long_double(entry->text(scratch));
  const auto by = parse_long_double(call.args[2]);
  if (!value || !by) return call.reply.error(protocol::errors::kNotFloat);
  const auto text = long_double_text(*value + *by);
  if (!text) return call.reply.error("ERR increment would produce NaN or Infinity");
  call.set(key, *text, entry == nullptr ? kNoDeadline : entry->deadline());
  call.reply.bulk(*text);
}

}  // namespace

void register_counter_commands(Dispatch& dispatch) {
  dispatch.add(CommandId::decr, decr);
  dispatch.add(CommandId::decrby, decrby);
  dispatch.add(CommandId::incr, incr);
  dispatch.add(CommandId::incrby, incrby);
  dispatch.add(CommandId::incrbyfloat, incrbyfloat);
}

}  // namespace chainring::engine
