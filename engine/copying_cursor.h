// How far the copy of a slot has come (engine/copying.h). Means the same whatever is written to the slot meanwhile.
//
// Thread-safety: a plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace chainring::engine {

// A string is sent in pieces of so many bytes, each in its turn, so that neither an effect nor a turn is much longer.
inline constexpr size_t kCopyPieceBytes = size_t{1} << 20;

struct CopyCursor {
  static constexpr uint8_t kEnd = 16;  // behind the last database

  struct LongKey {
    uint8_t db = 0;
    std::string key;
    size_t sent = 0;  // bytes of its value
  };

  uint8_t db = 0;
  uint64_t position = 0;             // in that database (Table::scan)
  std::optional<LongKey> open = {};  // a long string of which a part has been sent
  std::vector<LongKey> ahead = {};   // long strings that have been sent whole although the walk has not passed them
  size_t piece_bytes = kCopyPieceBytes;

  [[nodiscard]] bool at_end() const { return db == kEnd && !open; }
};

}  // namespace chainring::engine
