// Ctrl-C as an answer instead of an end. Thread-safety: none; one in a process, made before other threads.
#pragma once

#include <csignal>

#include "base/time.h"

namespace chainring::cli {

class Interrupts {
 public:
  // From now on SIGINT and SIGTERM wait to be noticed here.
  Interrupts();
  // Waits for so long, or until one of them has come: then false, and false ever after.
  [[nodiscard]] bool wait(Micros how_long);

 private:
  sigset_t stops_;
  bool came_ = false;
};

}  // namespace chainring::cli
