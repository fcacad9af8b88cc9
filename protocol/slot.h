// Slots of keys: CRC16 (XMODEM) of the key or of its {hash tag}, as the Redis Cluster specification has it.
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.h"

namespace chainring::protocol {

[[nodiscard]] uint16_t crc16(std::string_view bytes);
// What decides the slot: the part between the first '{' and the next '}' when it is not empty, else the whole key.
[[nodiscard]] std::string_view hash_tag(std::string_view key);
// By Redis' rule alone. Whoever serves requests asks a Placement (protocol/placement_rules.h), which knows the rules.
[[nodiscard]] Slot slot_of(std::string_view key);
[[nodiscard]] Slot slot_of_tag(std::string_view tag);

// XXH3 of the key: what records carry to say which keys they touch (R7). The same on every machine.
[[nodiscard]] uint64_t key_hash(std::string_view key);

}  // namespace chainring::protocol
