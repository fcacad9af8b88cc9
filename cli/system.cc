#include "cli/system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "io/fd.h"

namespace chainring::cli {
namespace {

Status file_error(std::string_view what, const std::string& path) {
  return Status(errno == ENOENT ? ErrorCode::not_found : ErrorCode::io_error,
                concat("cannot ", what, ' ', path, ": ", std::strerror(errno)));
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

std::string own_executable() {
  char path[4096];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
  return size <= 0 ? std::string() : std::string(path, static_cast<size_t>(size));
}

Result<std::string> read_file(const std::string& path) {
  const io::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) return file_error("open", path);
  std::string contents;
  char buffer[16 * 1024];
  for (;;) {
    const ssize_t got = ::read(fd.number(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", path);
    if (got == 0) return contents;
    contents.append(buffer, static_cast<size_t>(got));
  }
}

Status write_file(const std::string& path, std::string_view contents) {
  const std::string unfinished = path + ".new";
  {
    const io::Fd fd(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd.is_open()) return file_error("write", unfinished);
    if (!write_all(fd.number(), contents) || ::fdatasync(fd.number()) != 0) return file_error("write", unfinished);
  }
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return file_error("write", path);
  return {};
}

}  // namespace chainring::cli
