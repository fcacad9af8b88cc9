// The log of a process: one line for each thing an operator should know, "time level name: text".
//
// Thread-safety: safe.
#pragma once

#include <memory>
#include <string>

#include "base/process.h"

namespace chainring::io {

struct LoggerOptions {
  std::string name;  // of the process, in every line
  std::string file;  // empty: standard error output
  LogLevel least = LogLevel::info;
};

class Logger : public Log {
 public:
  virtual void set_least(LogLevel level) = 0;
};

// Files are rotated: five of 16 MiB are kept. Lines are written at once, because the last ones before a crash matter
// most and nothing on the path of a request logs.
[[nodiscard]] Result<std::unique_ptr<Logger>> open_logger(const LoggerOptions& options);

// "debug", "info", "warning", "error" (the setting `loglevel`). REQUIRES: one of these.
[[nodiscard]] LogLevel log_level(std::string_view name);

}  // namespace chainring::io
