// The disk as an interface, so that a test can fail it, tear it and lose what was not synced.
//
// Names are relative to the directory that the Disk was made for and hold no '/'. All calls block.
// Thread-safety: none; one owner each.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace chainring {

// An open file. Closing (by destruction) does not sync. After a failed sync() nothing is known of what is on
// the disk: the process must end (R2), because a second sync would report success for lost pages.
class DiskFile {
 public:
  virtual ~DiskFile() = default;
  // Appends all of `bytes`, or fails; after a failure the tail of the file may hold a part of them.
  [[nodiscard]] virtual Status append(std::string_view bytes) = 0;
  // Makes all that was appended durable (fdatasync).
  [[nodiscard]] virtual Status sync() = 0;
  [[nodiscard]] virtual Status truncate(uint64_t size) = 0;
  [[nodiscard]] virtual Result<uint64_t> size() const = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;
  // Opens for appending; made when missing. A new name is durable only after sync_directory().
  [[nodiscard]] virtual Result<std::unique_ptr<DiskFile>> open(std::string_view name) = 0;
  [[nodiscard]] virtual Result<std::string> read(std::string_view name) const = 0;
  [[nodiscard]] virtual Result<std::vector<std::string>> list() const = 0;              // sorted
  [[nodiscard]] virtual Status rename(std::string_view from, std::string_view to) = 0;  // replaces `to`
  [[nodiscard]] virtual Status remove(std::string_view name) = 0;
  [[nodiscard]] virtual Status sync_directory() = 0;
};

}  // namespace chainring
