// How far the copy of a slot has come (engine/copying.h). Means the same whatever is written to the slot meanwhile.
//
// Thread-safety: a plain value.
#pragma once

#include <cstdint>

namespace chainring::engine {

struct CopyCursor {
  static constexpr uint8_t kEnd = 16;  // behind the last database
  uint8_t db = 0;
  uint64_t position = 0;  // in that database (Table::scan)
  [[nodiscard]] bool at_end() const { return db == kEnd; }
};

}  // namespace chainring::engine
