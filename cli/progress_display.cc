#include "cli/progress_display.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "base/text.h"

namespace chainring::cli {
namespace {

constexpr size_t kColumnsUnknown = 80;

size_t columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : kColumnsUnknown;
}

}  // namespace

ProgressDisplay::ProgressDisplay() : in_place_(::isatty(STDERR_FILENO) == 1) {}

void ProgressDisplay::show(std::string_view line, Micros now) {
  if (in_place_) {
    std::fputs(concat("\r\x1b[K", line.substr(0, columns() - 1)).c_str(), stderr);
    open_ = true;
  } else if (now >= write_at_) {
    std::fputs(concat(line, '\n').c_str(), stderr);
    write_at_ = now + kWriteEvery;
  }
}

void ProgressDisplay::end() {
  if (open_) std::fputc('\n', stderr);
  open_ = false;
}

}  // namespace chainring::cli
