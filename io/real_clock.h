// The two clocks of the system. Only the event loop reads them, once a turn after its sockets (R5).
// Thread-safety: safe.
#pragma once

#include "base/time.h"

namespace chainring::io {

// mono: CLOCK_BOOTTIME, which goes on while the machine sleeps, so that a lease ends meanwhile. wall: CLOCK_REALTIME.
[[nodiscard]] Now read_clocks();
[[nodiscard]] Micros read_mono();

}  // namespace chainring::io
