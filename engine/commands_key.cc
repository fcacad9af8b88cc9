// Keys of any type, one by one.
#include "base/text.h"
#include "engine/dispatch.h"

namespace chainring::engine {
namespace {

using protocol::CommandId;

void del(Call& call) {
  int64_t removed = 0;
  for (size_t i = 1; i < call.args.size(); ++i) {
    const Key key = call.key(i);
    if (call.find(key) == nullptr) continue;
    call.remove(key);
    ++removed;
  }
  call.reply.integer(removed);
}

void count_present(Call& call, Call::Use use) {
  int64_t present = 0;
  for (size_t i = 1; i < call.args.size(); ++i) present += call.find_to_read(call.key(i), use) != nullptr;
  call.reply.integer(present);
}
void exists(Call& call) { count_present(call, Call::Use::leave); }
void touch(Call& call) { count_present(call, Call::Use::touch); }

void type(Call& call) {
  const Entry* entry = call.find_to_read(call.key(1), Call::Use::leave);
  call.reply.simple(entry == nullptr ? "none" : type_name(entry->type()));
}

// Two keys of different slots cannot be changed by one record. Callers answer CROSSSLOT before they come here; this
// keeps a caller's mistake from reaching the store.
bool share_slot(Call& call, const Key& first, const Key& second) {
  if (first.slot == second.slot) return true;
  call.reply.error(protocol::errors::kCrossSlot);
  return false;
}

enum class Renamed { done, no_source, target_present, failed };

Renamed rename_key(Call& call, bool only_if_absent) {
  const Key from = call.key(1);
  const Key to = call.key(2);
  if (!share_slot(call, from, to)) return Renamed::failed;
  if (call.find(from) == nullptr) return Renamed::no_source;
  if (from.text == to.text) return only_if_absent ? Renamed::target_present : Renamed::done;
  if (call.find(to) != nullptr && only_if_absent) return Renamed::target_present;
  call.rename(from, to);
  return Renamed::done;
}

void rename(Call& call) {
  const Renamed result = rename_key(call, false);
  if (result == Renamed::no_source) call.reply.error(protocol::errors::kNoSuchKey);
  if (result == Renamed::done) call.reply.ok();
}

void renamenx(Call& call) {
  const Renamed result = rename_key(call, true);
  if (result == Renamed::no_source) call.reply.error(protocol::errors::kNoSuchKey);
  if (result == Renamed::done) call.reply.integer(1);
  if (result == Renamed::target_present) call.reply.integer(0);
}

struct CopyOptions {
  uint8_t db;
  bool replace = false;
};

// The number behind COPY's DB. Writes the error when it is none.
bool parse_db(Call& call, size_t arg, uint8_t& db) {
  int64_t number = 0;
  if (!call.integer(arg, number)) return false;
  if (number < INT32_MIN || number > INT32_MAX) {
    call.reply.error("ERR value is out of range, value must between -2147483648 and 2147483647");
    return false;
  }
  if (number < 0 || number >= kDatabaseCount) {
    call.reply.error(protocol::errors::kDbIndex);
    return false;
  }
  db = static_cast<uint8_t>(number);
  return true;
}

bool parse_copy_options(Call& call, CopyOptions& options) {
  for (size_t i = 3; i < call.args.size(); ++i) {
    if (call.option(i, "replace")) {
      options.replace = true;
    } else if (call.option(i, "db") && i + 1 < call.args.size()) {
      if (!parse_db(call, ++i, options.db)) return false;
    } else {
      call.reply.error(protocol::errors::kSyntax);
      return false;
    }
  }
  return true;
}

void copy(Call& call) {
  CopyOptions options{.db = call.context.db};
  if (!parse_copy_options(call, options)) return;
  const Key from = call.key(1);
  const Key to = call.key(2, options.db);
  if (from.db == to.db && from.text == to.text) {
    return call.reply.error("ERR source and destination objects are the same");
  }
  if (!share_slot(call, from, to)) return;
  if (call.find_to_read(from) == nullptr) return call.reply.integer(0);
  if (call.find(to) != nullptr && !options.replace) return call.reply.integer(0);
  call.copy(from, to);
  call.reply.integer(1);
}

}  // namespace

void register_key_commands(Dispatch& dispatch) {
  dispatch.add(CommandId::copy, copy);
  dispatch.add(CommandId::del, del);
  dispatch.add(CommandId::exists, exists);
  dispatch.add(CommandId::rename, rename);
  dispatch.add(CommandId::renamenx, renamenx);
  dispatch.add(CommandId::touch, touch);
  dispatch.add(CommandId::type, type);
  dispatch.add(CommandId::unlink, del);
}

}  // namespace chainring::engine
