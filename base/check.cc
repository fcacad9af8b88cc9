#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace chainring {

void check_failed(const char* file, int line, const char* condition, const char* why) noexcept {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s: %s\n", file, line, condition, why);
  std::fflush(stderr);
  std::abort();
}

}  // namespace chainring
