// Deadlines of keys.
#include "base/text.h"
#include "engine/dispatch.h"
#include "engine/set_options.h"

namespace chainring::engine {
namespace {

using protocol::CommandId;

constexpr int64_t kMillisPerSecond = 1000;

struct Conditions {
  bool if_none = false;     // NX
  bool if_any = false;      // XX
  bool if_later = false;    // GT
  bool if_earlier = false;  // LT
};

bool parse_conditions(Call& call, Conditions& conditions) {
  for (size_t i = 3; i < call.args.size(); ++i) {
    if (call.option(i, "nx")) {
      conditions.if_none = true;
    } else if (call.option(i, "xx")) {
      conditions.if_any = true;
    } else if (call.option(i, "gt")) {
      conditions.if_later = true;
    } else if (call.option(i, "lt")) {
      conditions.if_earlier = true;
    } else {
      call.reply.error(concat("ERR Unsupported option ", call.args[i]));
      return false;
    }
  }
  if (conditions.if_none && (conditions.if_any || conditions.if_later || conditions.if_earlier)) {
    call.reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (conditions.if_later && conditions.if_earlier) {
    call.reply.error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

// To GT and LT a key without a deadline has an infinite one, which kNoDeadline is.
bool hold(const Conditions& conditions, const Entry& entry, Millis deadline) {
  if (conditions.if_none && entry.has_deadline()) return false;
  if (conditions.if_any && !entry.has_deadline()) return false;
  if (conditions.if_later && deadline <= entry.deadline()) return false;
  return !conditions.if_earlier || deadline < entry.deadline();
}

void expire_at(Call& call, int64_t unit_ms, Millis base) {
  Conditions conditions;
  if (!parse_conditions(call, conditions)) return;
  int64_t at = 0;
  if (!call.integer(2, at)) return;
  if (__builtin_mul_overflow(at, unit_ms, &at) || __builtin_add_overflow(at, base, &at)) return call.invalid_expire();
  const Millis deadline = as_deadline(at);
  const Key key = call.key(1);
  const Entry* entry = call.find(key);
  if (entry == nullptr || !hold(conditions, *entry, deadline)) return call.reply.integer(0);
  call.set_deadline(key, deadline);
  call.reply.integer(1);
}

void expire(Call& call) { expire_at(call, kMillisPerSecond, call.context.now); }
void pexpire(Call& call) { expire_at(call, 1, call.context.now); }
void expireat(Call& call) { expire_at(call, kMillisPerSecond, 0); }
void pexpireat(Call& call) { expire_at(call, 1, 0); }

void tell_deadline(Call& call, int64_t unit_ms, Millis base) {
  constexpr int64_t kNoKey = -2;
  constexpr int64_t kForEver = -1;
  const Entry* entry = call.find_to_read(call.key(1), Call::Use::leave);
  if (entry == nullptr) return call.reply.integer(kNoKey);
  if (!entry->has_deadline()) return call.reply.integer(kForEver);
  const int64_t left = entry->deadline() - base;
  // To the nearest second; the largest deadlines leave no room to add before the division.
  call.reply.integer(unit_ms == 1 ? left : left / unit_ms + (left % unit_ms >= unit_ms / 2));
}

void ttl(Call& call) { tell_deadline(call, kMillisPerSecond, call.context.now); }
void pttl(Call& call) { tell_deadline(call, 1, call.context.now); }
void expiretime(Call& call) { tell_deadline(call, kMillisPerSecond, 0); }
void pexpiretime(Call& call) { tell_deadline(call, 1, 0); }

void persist(Call& call) {
  const Key key = call.key(1);
  const Entry* entry = call.find(key);
  const bool changes = entry != nullptr && entry->has_deadline();
  if (changes) call.set_deadline(key, kNoDeadline);
  call.reply.integer(changes);
}

}  // namespace

void register_expire_commands(Dispatch& dispatch) {
  dispatch.add(CommandId::expire, expire);
  dispatch.add(CommandId::expireat, expireat);
  dispatch.add(CommandId::expiretime, expiretime);
  dispatch.add(CommandId::persist, persist);
  dispatch.add(CommandId::pexpire, pexpire);
  dispatch.add(CommandId::pexpireat, pexpireat);
  dispatch.add(CommandId::pexpiretime, pexpiretime);
  dispatch.add(CommandId::pttl, pttl);
  dispatch.add(CommandId::ttl, ttl);
}

}  // namespace chainring::engine
