// Carrying out effects on another member: no conditions, no clock, no reply (R9).
//
// The vocabulary, in the words of Redis:
//   set key value [pxat ms]      (over any value; without pxat the deadline goes)
//   del key                      pexpireat key ms          persist key
//   append key text              setrange key offset text
//   rename key new               copy key new db n replace
//   flushdb                      flushall                  (of the slot)
// A key that an effect needs and that is not there, or one of another slot, shows that the two members differ.
//
// Thread-safety: none.
#pragma once

#include <string_view>

#include "base/result.h"
#include "engine/store.h"

namespace chainring::engine {

// On an error the effects before the faulty one have been carried out.
[[nodiscard]] Status apply_effects(Store& store, Slot slot, std::string_view effects);

}  // namespace chainring::engine
