// Makes a directory when it is missing, and holds it for one process. The lock ends with the process, however it ends.
// Thread-safety: a value type with one owner.
#pragma once

#include <string>

#include "base/result.h"
#include "io/fd.h"

namespace chainring::io {

inline constexpr char kLockFileName[] = ".lock";

class DirectoryLock {
 public:
  // Fails when another process holds the directory, or when it cannot be made or written; the message says which
  // and what to do.
  [[nodiscard]] static Result<DirectoryLock> take(const std::string& directory);

 private:
  explicit DirectoryLock(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

// Makes the directory and those above it.
[[nodiscard]] Status make_directory(const std::string& directory);

}  // namespace chainring::io
