#include "io/real_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/text.h"
#include "io/real_clock.h"

namespace chainring::io {
namespace {

Status disk_error(std::string_view what, std::string_view path, int error) {
  const std::string message = concat("cannot ", what, ' ', path, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return Status(ErrorCode::not_found, message);
    case EACCES:
    case EPERM:
    case EROFS:
      return Status(ErrorCode::permission_denied, message);
    case ENOSPC:
    case EDQUOT:
      return Status(ErrorCode::resource_exhausted, concat(message, "; free some space"));
    default:
      return Status(ErrorCode::io_error, message);
  }
}

// A name inside the directory, ended by a zero as the system wants it.
std::string checked(std::string_view name) {
  CHECK(!name.empty() && name != "." && name != "..", "a file has a name");
  CHECK(name.find('/') == std::string_view::npos, "names are inside the directory");
  return std::string(name);
}

class RealFile final : public DiskFile {
 public:
  RealFile(Fd fd, std::string path, std::shared_ptr<LatencyCounts> sync_durations)
      : fd_(std::move(fd)), path_(std::move(path)), sync_durations_(std::move(sync_durations)) {}

  Status append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_.number(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return disk_error("write", path_, errno);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return {};
  }
  Status sync() override {
    const Micros begun = read_mono();
    if (::fdatasync(fd_.number()) != 0) return disk_error("sync", path_, errno);
    sync_durations_->add(read_mono() - begun);
    return {};
  }
  Status truncate(uint64_t size) override {
    if (::ftruncate(fd_.number(), static_cast<off_t>(size)) != 0) return disk_error("truncate", path_, errno);
    return {};
  }
  Result<uint64_t> size() const override {
    struct stat status{};
    if (::fstat(fd_.number(), &status) != 0) return disk_error("measure", path_, errno);
    return static_cast<uint64_t>(status.st_size);
  }

 private:
  Fd fd_;
  std::string path_;
  std::shared_ptr<LatencyCounts> sync_durations_;  // shared with the disk and its other files
};

}  // namespace

Result<std::unique_ptr<RealDisk>> RealDisk::open_directory(const std::string& directory) {
  Result<DirectoryLock> lock = DirectoryLock::take(directory);
  if (!lock) return lock.status();
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_open()) return disk_error("open", directory, errno);
  return std::unique_ptr<RealDisk>(new RealDisk(directory, std::move(fd), *std::move(lock)));
}

Result<std::unique_ptr<DiskFile>> RealDisk::open(std::string_view name) {
  Fd fd(::openat(directory_fd_.number(), checked(name).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.is_open()) return error("open", name, errno);
  return std::unique_ptr<DiskFile>(new RealFile(std::move(fd), concat(directory_, '/', name), sync_durations_));
}

Result<std::string> RealDisk::read(std::string_view name) const {
  const Fd fd(::openat(directory_fd_.number(), checked(name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) return error("open", name, errno);
  struct stat status{};
  if (::fstat(fd.number(), &status) != 0) return error("measure", name, errno);
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::pread(fd.number(), bytes.data() + filled, bytes.size() - filled, static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error("read", name, errno);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

Result<std::vector<std::string>> RealDisk::list() const {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory_.c_str()), &::closedir);
  if (stream == nullptr) return error("list", "", errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    struct stat status{};
    const bool there = ::fstatat(directory_fd_.number(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && S_ISREG(status.st_mode) && name != kLockFileName) names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return error("list", "", errno);
  std::sort(names.begin(), names.end());
  return names;
}

Status RealDisk::rename(std::string_view from, std::string_view to) {
  const int directory = directory_fd_.number();
  if (::renameat(directory, checked(from).c_str(), directory, checked(to).c_str()) != 0) {
    return error("rename", from, errno);
  }
  return {};
}

Status RealDisk::remove(std::string_view name) {
  if (::unlinkat(directory_fd_.number(), checked(name).c_str(), 0) != 0) return error("remove", name, errno);
  return {};
}

Status RealDisk::sync_directory() {
  if (::fsync(directory_fd_.number()) != 0) return error("sync", "", errno);
  return {};
}

Status RealDisk::error(std::string_view what, std::string_view name, int number) const {
  return disk_error(what, name.empty() ? directory_ : concat(directory_, '/', name), number);
}

}  // namespace chainring::io
