// Child processes that end when this one does, however it ends.
// Thread-safety: for one thread; a child's life is tied to the thread that started it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace chainring::cli {

struct ChildCommand {
  std::string executable;
  std::vector<std::string> arguments;  // with the program's name first
  std::string output_file;             // standard output and error are appended here
};

// The child has a process group of its own, so that a Ctrl-C in the terminal reaches only this process, which stops
// its children in order; and the kernel kills it when this process dies.
[[nodiscard]] Result<pid_t> start_child(const ChildCommand& command);

// How a child ended, when it has: "ended by signal 9", "ended with status 1".
struct ChildEnd {
  bool by_signal;
  int number;
  [[nodiscard]] std::string text() const;
};
[[nodiscard]] std::optional<ChildEnd> reap_child(pid_t pid);

}  // namespace chainring::cli
