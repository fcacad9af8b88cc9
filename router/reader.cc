#include "router/reader.h"

namespace chainring::router {

Lane* choose_reader(std::span<Lane* const> chain, size_t locality, const Lane* but, Random& random) {
  const auto fits = [but](const Lane* lane) { return lane != but && lane->open() && !lane->silent(); };
  size_t fitting = 0;
  for (const Lane* const lane : chain) fitting += fits(lane) ? 1 : 0;
  if (fitting == 0) return nullptr;
  const uint64_t draw = random.next();
  const size_t one = static_cast<uint32_t>(draw) % fitting;
  const size_t two = fitting == 1 ? one : (one + 1 + (draw >> 32) % (fitting - 1)) % fitting;
  Lane* first = nullptr;
  Lane* second = nullptr;
  for (size_t at = 0; Lane* const lane : chain) {
    if (!fits(lane)) continue;
    if (at == one) first = lane;
    if (at == two) second = lane;
    ++at;
  }
  Lane* const lesser = second->owed() < first->owed() ? second : first;
  Lane* const head = chain.front();
  return fits(head) && head->owed() < lesser->owed() + locality ? head : lesser;
}

}  // namespace chainring::router
