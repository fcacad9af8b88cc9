// True randomness, for seeds and incarnations. Thread-safety: safe.
#pragma once

#include <sys/random.h>

#include <cstdint>

#include "base/check.h"

namespace chainring::io {

[[nodiscard]] inline uint64_t read_entropy() {
  uint64_t value = 0;
  CHECK(::getrandom(&value, sizeof value, 0) == sizeof value, "small reads of the kernel's pool are never cut short");
  return value;
}

}  // namespace chainring::io
