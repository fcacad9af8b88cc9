// Effects of any bytes: applying them never does more than refuse, leaves the sums right, and is the same everywhere.
// effects_fuzz_test.cc runs it over mutations of real effects; CHAINRING_FUZZ builds it for libFuzzer
// (tests/fuzz/README.md).
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "engine/database.h"
#include "protocol/slot.h"

namespace chainring::engine {
namespace {

void apply_anything(std::string_view effects) {
  const Slot slot = protocol::slot_of("{a}");  // the slot of the corpus' keys
  Database first({.hash_seed = 1});
  Database second({.hash_seed = 2});
  const bool applied = first.apply(slot, effects).ok();
  CHECK(second.apply(slot, effects).ok() == applied, "members agree on what is malformed");
  CHECK(first.digest(slot) == second.digest(slot), "members agree on what was done before the fault");
  CHECK(first.earliest_deadline() == second.earliest_deadline(), "and on the deadlines");

  Effects expired;
  const protocol::SlotRange slots[] = {{0, kSlotCount - 1}};
  first.expire(slots, INT64_MAX - 1, SIZE_MAX, expired);
  for (const auto& of_slot : expired.slots()) {
    CHECK(second.apply(of_slot.slot, of_slot.bytes).ok(), "our own effects are well-formed and fit");
  }
  CHECK(first.earliest_deadline() == INT64_MAX, "every deadline has come");
  CHECK(first.digest(slot) == second.digest(slot), "members agree after expiry");
  first.clear_slot(slot);
  CHECK(first.memory_bytes() == 0, "what was kept is given back");
}

}  // namespace
}  // namespace chainring::engine

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  chainring::engine::apply_anything({reinterpret_cast<const char*>(data), size});
  return 0;
}
