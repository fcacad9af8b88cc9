#include "io/logger.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "base/text.h"

namespace chainring::io {
namespace {

constexpr size_t kFileBytesMax = 16 * 1024 * 1024;
constexpr size_t kOldFiles = 4;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// One line stays one line, whatever a peer put into a name.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return out;
}

class SpdLogger final : public Logger {
 public:
  SpdLogger(const LoggerOptions& options, spdlog::sink_ptr sink) : logger_(options.name, std::move(sink)) {
    logger_.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %n: %v");
    logger_.flush_on(spdlog::level::debug);
    set_least(options.least);
  }
  void write(LogLevel level, std::string_view text) override {
    const auto spd_level = to_spdlog(level);
    if (logger_.should_log(spd_level)) logger_.log(spd_level, printable(text));
  }
  void set_least(LogLevel level) override { logger_.set_level(to_spdlog(level)); }

 private:
  spdlog::logger logger_;
};

}  // namespace

Result<std::unique_ptr<Logger>> open_logger(const LoggerOptions& options) {
  try {
    spdlog::sink_ptr sink;
    if (options.file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(options.file, kFileBytesMax, kOldFiles);
    }
    return std::unique_ptr<Logger>(new SpdLogger(options, std::move(sink)));
  } catch (const spdlog::spdlog_ex& error) {
    return Status(ErrorCode::io_error, concat("cannot write the log ", options.file, ": ", error.what(),
                                              "; give a writable file with --logfile"));
  }
}

LogLevel log_level(std::string_view name) {
  if (name == "debug") return LogLevel::debug;
  if (name == "warning") return LogLevel::warning;
  if (name == "error") return LogLevel::error;
  CHECK(name == "info", "the setting has checked it");
  return LogLevel::info;
}

}  // namespace chainring::io
