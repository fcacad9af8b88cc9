// A line on standard error that tells how far something is: drawn anew in place on a terminal, else written now and
// then. Thread-safety: none; one owner.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"

namespace chainring::cli {

class ProgressDisplay {
 public:
  ProgressDisplay();
  ~ProgressDisplay() { end(); }
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void show(std::string_view line, Micros now);
  void end();  // what is written next begins on a line of its own

 private:
  static constexpr Micros kWriteEvery = 2 * kMicrosPerSecond;  // where lines stay

  const bool in_place_;
  bool open_ = false;  // there is a line without its end
  Micros write_at_ = 0;
};

}  // namespace chainring::cli
