// base/disk.h over a directory of the file system, held by this process alone.
//
// Thread-safety: none; one owner. Files may outlive the RealDisk, but not its lock on the directory.
#pragma once

#include <memory>
#include <string>

#include "base/disk.h"
#include "base/latency.h"
#include "io/directory_lock.h"

namespace chainring::io {

class RealDisk final : public Disk {
 public:
  // Makes the directory when it is missing and locks it.
  [[nodiscard]] static Result<std::unique_ptr<RealDisk>> open_directory(const std::string& directory);

  [[nodiscard]] Result<std::unique_ptr<DiskFile>> open(std::string_view name) override;
  [[nodiscard]] Result<std::string> read(std::string_view name) const override;
  [[nodiscard]] Result<std::vector<std::string>> list() const override;  // regular files, without the lock's
  [[nodiscard]] Status rename(std::string_view from, std::string_view to) override;
  [[nodiscard]] Status remove(std::string_view name) override;
  [[nodiscard]] Status sync_directory() override;

  // How long syncs of files took.
  [[nodiscard]] const LatencyCounts& sync_durations() const { return *sync_durations_; }

 private:
  RealDisk(std::string directory, Fd directory_fd, DirectoryLock lock)
      : directory_(std::move(directory)), directory_fd_(std::move(directory_fd)), lock_(std::move(lock)) {}
  [[nodiscard]] Status error(std::string_view what, std::string_view name, int number) const;

  std::shared_ptr<LatencyCounts> sync_durations_ = std::make_shared<LatencyCounts>();
  std::string directory_;
  Fd directory_fd_;
  DirectoryLock lock_;
};

}  // namespace chainring::io
