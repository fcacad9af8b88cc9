// SCAN cursors: a slot and a position within it, in 64 bits, that mean the same on every member (R22).
//
//   bit 63      0, so that clients which read a signed number are content
//   bits 62..48 slot, 0 to 16383; 16384 stands for what comes behind the last slot
//   bits 47..0  position: the leading 48 bits of the hash at which to go on (engine/table.h)
//
// 0 is both the start and, to clients, the end. When all slots that the engine was given are walked, its cursor is the
// start of the slot after the last of them, that is slot 16384 after slot 16383. A router goes on from there with the
// next head, then with the lock keyspace, whose cursors are its own affair from slot kCursorSlotBeyond on; whoever
// walks last says 0. To a client that is connected to a node itself this is the engine (ExecContext::scan_ends).
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "engine/table.h"

namespace chainring::engine {

inline constexpr Slot kCursorSlotBeyond = kSlotCount;

struct Cursor {
  Slot slot = 0;
  uint64_t position = 0;

  [[nodiscard]] uint64_t pack() const { return uint64_t{slot} << Table::kPositionBits | position; }
  // A slot beyond the last becomes kCursorSlotBeyond: a client may send anything.
  [[nodiscard]] static Cursor unpack(uint64_t packed) {
    const uint64_t slot = packed >> Table::kPositionBits;
    if (slot >= kCursorSlotBeyond) return {kCursorSlotBeyond, 0};
    return {static_cast<Slot>(slot), packed & (Table::kEndPosition - 1)};
  }
};

}  // namespace chainring::engine
