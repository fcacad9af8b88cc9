// What a program of many runs says when one of them ends in abort(): a broken invariant names itself, not the run.
//
// Thread-safety: none; one thread runs.
#pragma once

#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>

namespace chainring::testing {

inline std::string& abort_line() {
  static std::string line;
  return line;
}

// From now on abort() prints this line and ends the process with status 1.
inline void set_abort_line(std::string line) {
  abort_line() = std::move(line);
  std::signal(SIGABRT, [](int) {
    static_cast<void>(!write(STDOUT_FILENO, abort_line().data(), abort_line().size()));
    _exit(1);
  });
}

}  // namespace chainring::testing
