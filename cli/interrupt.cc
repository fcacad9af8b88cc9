#include "cli/interrupt.h"

namespace chainring::cli {

Interrupts::Interrupts() {
  sigemptyset(&stops_);
  sigaddset(&stops_, SIGINT);
  sigaddset(&stops_, SIGTERM);
  sigprocmask(SIG_BLOCK, &stops_, nullptr);
}

bool Interrupts::wait(Micros how_long) {
  const timespec limit{how_long / kMicrosPerSecond, how_long % kMicrosPerSecond * 1000};
  if (!came_) came_ = ::sigtimedwait(&stops_, nullptr, &limit) > 0;
  return !came_;
}

}  // namespace chainring::cli
