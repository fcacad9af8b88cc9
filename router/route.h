// Where a request goes: decided from the command table, its keys, the lock prefixes and the placement rules alone.
//
// Thread-safety: pure functions over the caller's values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "protocol/command.h"
#include "protocol/lock_keys.h"
#include "protocol/placement_rules.h"

namespace chainring::router {

// What has an order of its own: a slot, or the lock keyspace, which is one more to the router.
using Place = uint16_t;
inline constexpr Place kLockPlace = kSlotCount;
inline constexpr size_t kPlaceCount = kSlotCount + 1;

// What decides a key's place: the lock prefixes first, then the placement rules. Neither is owned.
struct Placing {
  const std::vector<std::string>& lock_prefixes;
  const protocol::Placement& placement;

  [[nodiscard]] Place place_of(std::string_view key) const {
    return protocol::is_lock_key(key, lock_prefixes) ? kLockPlace : placement.slot_of(key);
  }
};

// The result of route(). Reused from request to request, so that planning does not allocate.
struct Plan {
  enum class Kind : uint8_t {
    one_place,  // the request's own bytes to `place`
    split,      // `keys` says which argument belongs where
    all_slots,  // to all heads, answers merged
    scan,
    info,
    refused,  // `refusal` is the error to answer
  };
  struct Key {
    Place place = 0;
    uint32_t order = 0;     // among the request's keys: the place of its value in the reply
    uint32_t argument = 0;  // its index in the request
  };

  Kind kind = Kind::refused;
  Place place = 0;
  std::vector<Key> keys;  // of a split, by place, and within one in the request's order
  std::string refusal;
  std::vector<size_t> positions;  // scratch
};

// REQUIRES: arity_fits(command, args.size()).
void route(const protocol::CommandSpec& command, std::span<const std::string_view> args, const Placing& placing,
           Plan& plan);

// Whether any member of a chain answers the command as the head would. Not what tells how one member keeps a value (its
// memory, when it was used), and what changes that.
[[nodiscard]] bool any_member_answers(const protocol::CommandSpec& command);

}  // namespace chainring::router
