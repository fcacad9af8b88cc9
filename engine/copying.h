// How a slot is copied to another member while it is written to (R17).
//
// The copy walks over the slot, database by database, in the order of hashes. Keys that it has passed are kept up to
// date by the effects of the records that come after; keys before it are not told of, since their values will be sent
// when their turn comes. So at the end of the walk the copy is exact, and at no time was anything locked.
//
// Thread-safety: none; part of the Database.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "engine/copying_cursor.h"
#include "engine/store.h"

namespace chainring::engine {

static_assert(CopyCursor::kEnd == kDatabaseCount);

// Appends effects that make the keys from the cursor on, until about `bytes_max` bytes are there or the walk has ended,
// and moves the cursor. Returns the number of keys. The short keys of one bucket are never parted, so it may be more;
// of a long string it is at least a piece.
// REQUIRES: !cursor.at_end().
[[nodiscard]] uint32_t copy_out(const Store& store, Slot slot, CopyCursor& cursor, size_t bytes_max,
                                std::string& effects);

// Appends what a copy at `cursor` has to be told of the effects of one record, which the store holds already. What is
// appended to a long string that is on its way comes with its last pieces.
// REQUIRES: the effects were made by this program; they have been applied.
void copy_effects(const Store& store, Slot slot, CopyCursor& cursor, std::string_view effects, std::string& out);

// How many bytes at the front of `effects` are whole effects of `bytes_max` together; of the first one, if it alone is
// more.
[[nodiscard]] size_t whole_effects(std::string_view effects, size_t bytes_max);

}  // namespace chainring::engine
