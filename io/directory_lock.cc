#include "io/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace chainring::io {
namespace {

constexpr mode_t kOwnerOnly = 0700;

ErrorCode code_of(int error) {
  return error == EACCES || error == EPERM || error == EROFS ? ErrorCode::permission_denied : ErrorCode::io_error;
}

Status directory_error(const std::string& directory, std::string_view what, int error) {
  return Status(code_of(error), concat("cannot ", what, " the directory ", directory, ": ", std::strerror(error),
                                       "; make it writable for this user or give another with --dir"));
}

// Who wrote the lock file last; 0 when it cannot be told.
int64_t holder_of(int fd) {
  char text[32] = "";
  const ssize_t size = ::pread(fd, text, sizeof text - 1, 0);
  return size > 0 ? parse_int(std::string_view(text, static_cast<size_t>(size))).value_or(0) : 0;
}

}  // namespace

Status make_directory(const std::string& directory) {
  for (size_t end = 0; end != std::string::npos;) {
    end = directory.find('/', end + 1);
    const std::string part = directory.substr(0, end);
    if (::mkdir(part.c_str(), kOwnerOnly) == 0 || errno == EEXIST || errno == EISDIR) continue;
    return directory_error(directory, "make", errno);
  }
  struct stat status{};
  if (::stat(directory.c_str(), &status) != 0) return directory_error(directory, "use", errno);
  if (!S_ISDIR(status.st_mode)) return directory_error(directory, "use", ENOTDIR);
  return {};
}

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  if (Status made = make_directory(directory); !made.ok()) return made;
  const std::string path = concat(directory, '/', kLockFileName);
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.is_open()) return directory_error(directory, "write in", errno);
  if (::flock(file.number(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return directory_error(directory, "lock", errno);
    const int64_t holder = holder_of(file.number());
    return Status(ErrorCode::already_exists,
                  concat("the directory ", directory, " is in use by ",
                         holder > 0 ? concat("process ", holder) : std::string("another process"),
                         "; stop that one or give another directory with --dir"));
  }
  const std::string pid = std::to_string(::getpid());
  // The number in the file is only for the message above; the lock is what counts.
  if (::ftruncate(file.number(), 0) != 0 || ::pwrite(file.number(), pid.data(), pid.size(), 0) < 0) {
    return directory_error(directory, "write in", errno);
  }
  return DirectoryLock(std::move(file));
}

}  // namespace chainring::io
