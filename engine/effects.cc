#include "engine/effects.h"

#include "base/bytes.h"
#include "base/check.h"

namespace chainring::engine {
namespace {
// Beyond so many slots their places are kept in an index, for FLUSHALL.
constexpr size_t kSearchedSlotsMax = 8;
constexpr uint16_t kNowhere = UINT16_MAX;
static_assert(kSlotCount < kNowhere, "places fit the index");
}  // namespace

std::string& Effects::bytes_of(Slot slot) {
  CHECK(slot < kSlotCount, "slots come from keys and judged ranges");
  if (index_.empty()) {
    for (OfSlot& of_slot : slots_) {
      if (of_slot.slot == slot) return of_slot.bytes;
    }
    if (slots_.size() == kSearchedSlotsMax) {
      index_.assign(kSlotCount, kNowhere);
      for (size_t i = 0; i < slots_.size(); ++i) index_[slots_[i].slot] = static_cast<uint16_t>(i);
    }
  } else if (index_[slot] != kNowhere) {
    return slots_[index_[slot]].bytes;
  }
  if (!index_.empty()) index_[slot] = static_cast<uint16_t>(slots_.size());
  return slots_.emplace_back(OfSlot{slot, {}}).bytes;
}

void append_effect(std::string& bytes, uint8_t db, std::span<const std::string_view> args) {
  CHECK(!args.empty(), "an effect begins with its name");
  ByteWriter writer(bytes);
  writer(db);
  writer.varint(args.size());
  for (const std::string_view arg : args) writer(arg);
}

void Effects::add(Slot slot, uint8_t db, std::span<const std::string_view> args) {
  append_effect(bytes_of(slot), db, args);
}

}  // namespace chainring::engine
