// Effects: what a command did, as deterministic commands with absolute times, the way Redis propagates them. Chains
// carry them; applying them to the same state gives the same state on every member, and never fails (R9).
//
// Encoding of one slot's effects: for each, db u8, argument count varint, then each argument as a varint length and
// its bytes. args[0] is the command's lower-case name.
//
// Thread-safety: value types.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/ids.h"

namespace chainring::engine {

// Appends one effect to those of a slot.
void append_effect(std::string& bytes, uint8_t db, std::span<const std::string_view> args);
inline void append_effect(std::string& bytes, uint8_t db, std::initializer_list<std::string_view> args) {
  append_effect(bytes, db, std::span<const std::string_view>(args.begin(), args.size()));
}

class Effects {
 public:
  struct OfSlot {
    Slot slot;
    std::string bytes;
  };

  void add(Slot slot, uint8_t db, std::span<const std::string_view> args);
  void add(Slot slot, uint8_t db, std::initializer_list<std::string_view> args) {
    add(slot, db, std::span<const std::string_view>(args.begin(), args.size()));
  }
  [[nodiscard]] bool empty() const { return slots_.empty(); }
  // One entry for each slot touched, in order of first touch. Most commands touch one.
  [[nodiscard]] const std::vector<OfSlot>& slots() const { return slots_; }
  void clear() {
    slots_.clear();
    index_.clear();
  }

 private:
  [[nodiscard]] std::string& bytes_of(Slot slot);

  std::vector<OfSlot> slots_;
  std::vector<uint16_t> index_;  // by slot, the place in slots_; made only when there are many slots
};

// Calls visit(db, args, bytes) for each effect of one slot, with the effect's own part of the bytes.
// REQUIRES: `bytes` were made by Effects, or applied.
template <class Visit>
void for_each_effect(std::string_view bytes, Visit&& visit) {
  ByteReader reader(bytes);
  std::vector<std::string_view> args;
  while (!reader.rest().empty()) {
    const std::string_view from = reader.rest();
    uint8_t db = 0;
    reader(db);
    args.resize(reader.varint());
    for (std::string_view& arg : args) reader(arg);
    CHECK(!reader.failed() && !args.empty(), "effects are made whole");
    visit(db, args, from.substr(0, from.size() - reader.rest().size()));
  }
}

}  // namespace chainring::engine
