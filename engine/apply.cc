#include "engine/apply.h"

#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"
#include "engine/database.h"

namespace chainring::engine {
namespace {

constexpr uint64_t kEffectArgsMax = 1024 * 1024;  // as for a request

// One effect, decoded but not yet believed.
struct Effect {
  Store& store;
  Slot slot;
  uint8_t db;
  std::span<const std::string_view> args;

  [[nodiscard]] Key key(size_t arg) const { return store.key_in(slot, args[arg], db); }
};

[[nodiscard]] Status corrupt(const Effect& effect, std::string_view why) {
  return {ErrorCode::corrupt, concat("effect '", effect.args[0].substr(0, 32), "' in slot ", effect.slot, ": ", why)};
}

// Whose slot a key is in is the head's word: it may know newer placement rules than this member.
[[nodiscard]] Status sensible_key(const Effect& effect, size_t arg) {
  if (effect.args[arg].size() > kStringBytesMax) return corrupt(effect, "the key is too long");
  return {};
}

// The key has to be there.
[[nodiscard]] Status present(const Effect& effect, size_t arg) {
  if (Status status = sensible_key(effect, arg); !status) return status;
  if (effect.store.find(effect.key(arg)) != nullptr) return {};
  return corrupt(effect, "the key is not there");
}

[[nodiscard]] Status present_string(const Effect& effect, size_t arg) {
  if (Status status = present(effect, arg); !status) return status;
  if (effect.store.find(effect.key(arg))->type() == ValueType::string) return {};
  return corrupt(effect, "the key holds no string");
}

[[nodiscard]] Status read_deadline(const Effect& effect, size_t arg, Millis& deadline) {
  const auto parsed = parse_int(effect.args[arg]);
  if (!parsed || *parsed < 0 || *parsed == kNoDeadline) return corrupt(effect, "the deadline is none");
  deadline = *parsed;
  return {};
}

Status apply_set(const Effect& effect) {
  Millis deadline = kNoDeadline;
  if (effect.args.size() > 3) {
    if (effect.args.size() != 5 || effect.args[3] != "pxat") return corrupt(effect, "unknown option");
    if (Status status = read_deadline(effect, 4, deadline); !status) return status;
  }
  if (Status status = sensible_key(effect, 1); !status) return status;
  if (effect.args[2].size() > kStringBytesMax) return corrupt(effect, "the value is too long");
  effect.store.set(effect.key(1), effect.args[2], deadline);
  return {};
}

Status apply_del(const Effect& effect) {
  if (Status status = present(effect, 1); !status) return status;
  effect.store.remove(effect.key(1));
  return {};
}

Status apply_pexpireat(const Effect& effect) {
  Millis deadline = kNoDeadline;
  if (Status status = read_deadline(effect, 2, deadline); !status) return status;
  if (Status status = present(effect, 1); !status) return status;
  effect.store.set_deadline(effect.key(1), deadline);
  return {};
}

Status apply_persist(const Effect& effect) {
  if (Status status = present(effect, 1); !status) return status;
  effect.store.set_deadline(effect.key(1), kNoDeadline);
  return {};
}

Status apply_append(const Effect& effect) {
  if (Status status = present_string(effect, 1); !status) return status;
  const size_t size = effect.store.find(effect.key(1))->text_size();
  if (effect.args[2].size() > kStringBytesMax - size) return corrupt(effect, "the string gets too long");
  effect.store.overwrite(effect.key(1), size, effect.args[2]);
  return {};
}

Status apply_setrange(const Effect& effect) {
  if (Status status = present_string(effect, 1); !status) return status;
  const auto offset = parse_uint(effect.args[2]);
  if (!offset || *offset > kStringBytesMax || effect.args[3].size() > kStringBytesMax - *offset) {
    return corrupt(effect, "the offset is out of range");
  }
  effect.store.overwrite(effect.key(1), *offset, effect.args[3]);
  return {};
}

Status apply_rename(const Effect& effect) {
  if (Status status = present(effect, 1); !status) return status;
  if (Status status = sensible_key(effect, 2); !status) return status;
  if (effect.args[1] == effect.args[2]) return corrupt(effect, "both keys are the same");
  effect.store.rename(effect.key(1), effect.key(2));
  return {};
}

Status apply_copy(const Effect& effect) {
  if (Status status = present(effect, 1); !status) return status;
  if (Status status = sensible_key(effect, 2); !status) return status;
  const auto db = parse_uint(effect.args[4]);
  if (effect.args[3] != "db" || effect.args[5] != "replace" || !db || *db >= kDatabaseCount) {
    return corrupt(effect, "unknown option");
  }
  if (effect.db == *db && effect.args[1] == effect.args[2]) return corrupt(effect, "both keys are the same");
  effect.store.copy(effect.key(1), effect.store.key_in(effect.slot, effect.args[2], static_cast<uint8_t>(*db)));
  return {};
}

Status apply_flushdb(const Effect& effect) {
  effect.store.clear(effect.slot, effect.db);
  return {};
}

Status apply_flushall(const Effect& effect) {
  effect.store.clear(effect.slot);
  return {};
}

struct Applier {
  std::string_view name;
  size_t args_min;
  size_t args_max;
  Status (*apply)(const Effect& effect);
};

// clang-format off
constexpr Applier kAppliers[] = {
    {"set", 3, 5, apply_set},
    {"del", 2, 2, apply_del},
    {"pexpireat", 3, 3, apply_pexpireat},
    {"append", 3, 3, apply_append},
    {"persist", 2, 2, apply_persist},
    {"setrange", 4, 4, apply_setrange},
    {"rename", 3, 3, apply_rename},
    {"copy", 6, 6, apply_copy},
    {"flushdb", 1, 1, apply_flushdb},
    {"flushall", 1, 1, apply_flushall},
};
// clang-format on

[[nodiscard]] Status apply_one(const Effect& effect) {
  for (const Applier& applier : kAppliers) {
    if (applier.name != effect.args[0]) continue;
    if (effect.args.size() < applier.args_min || effect.args.size() > applier.args_max) {
      return corrupt(effect, "wrong number of arguments");
    }
    return applier.apply(effect);
  }
  return corrupt(effect, "unknown effect");
}

}  // namespace

Status apply_effects(Store& store, Slot slot, std::string_view effects) {
  if (slot >= kSlotCount) return {ErrorCode::corrupt, concat("effects for slot ", slot, ", which is none")};
  ByteReader reader(effects);
  std::vector<std::string_view> args;
  while (!reader.complete()) {
    uint8_t db = 0;
    reader(db);
    const uint64_t count = reader.varint();
    // Every argument takes at least one byte, so the count is bounded by what is there.
    if (reader.failed() || db >= kDatabaseCount || count == 0 || count > kEffectArgsMax ||
        count > reader.rest().size()) {
      return {ErrorCode::corrupt, concat("effects in slot ", slot, " are cut short or malformed")};
    }
    args.resize(count);
    for (std::string_view& arg : args) reader(arg);
    if (reader.failed()) return {ErrorCode::corrupt, concat("effects in slot ", slot, " are cut short")};
    if (Status status = apply_one({store, slot, db, args}); !status) return status;
  }
  return {};
}

}  // namespace chainring::engine
