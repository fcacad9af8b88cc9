// A disk in memory that forgets what was not synced, tears writes, and fails when told to. It is as unkind as POSIX
// allows: names live by sync_directory(), bytes by sync(), each on its own.
//
// A crash keeps of each file what was synced and, of what was not, any prefix, with blocks of it lost or not; and of
// the directory's unsynced changes any selection. A sync that fails makes nothing durable, and neither does any later
// sync of that file, although it reports success (as Linux does with lost pages).
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/random.h"

namespace chainring::testing {

class SimDisk final : public Disk {
 public:
  [[nodiscard]] Result<std::unique_ptr<DiskFile>> open(std::string_view name) override;
  [[nodiscard]] Result<std::string> read(std::string_view name) const override;
  [[nodiscard]] Result<std::vector<std::string>> list() const override;
  [[nodiscard]] Status rename(std::string_view from, std::string_view to) override;
  [[nodiscard]] Status remove(std::string_view name) override;
  [[nodiscard]] Status sync_directory() override;

  // The power goes: files that are open are dead from now on, and what is on the disk is what survived.
  void crash(Random& random);
  // The same, keeping every name and exactly so many unsynced bytes of each file.
  void crash_keeping(uint64_t unsynced_bytes);

  // The disk was exchanged for an empty one: files that are open are dead from now on.
  void wipe();

  // The next sync of a file, after `syncs` that succeed, fails.
  void fail_sync_after(uint64_t syncs) { failing_sync_ = syncs_ + syncs; }
  // After so many more changes (appends, syncs, names) everything fails, the append among them half done; until
  // crash().
  void cut_power_after(uint64_t changes) { power_cut_ = changes_ + changes; }
  void disarm() { failing_sync_ = power_cut_ = UINT64_MAX; }

  // For tests that damage a file or look into it. REQUIRES: it is there.
  [[nodiscard]] const std::string& contents(std::string_view name) const;
  void replace_contents(std::string_view name, std::string bytes);  // durably

  [[nodiscard]] uint64_t syncs() const { return syncs_; }
  [[nodiscard]] uint64_t directory_syncs() const { return directory_syncs_; }
  [[nodiscard]] uint64_t lost_bytes() const { return lost_bytes_; }  // by all crashes

 private:
  class File;
  struct Inode {
    std::string data;
    uint64_t durable = 0;     // so many bytes of `data` are synced ...
    std::string durable_cut;  // ... and these followed them, until a truncation that is not synced
    bool poisoned = false;    // a sync failed
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>, std::less<>>;
  struct NameChange {
    std::string removed;  // empty: none
    std::string set;      // empty: none
    std::shared_ptr<Inode> inode;
  };

  [[nodiscard]] Status change();
  void apply(const NameChange& change, Names& names) const;
  void crash_file(Inode& inode, Random& random);
  void restart();

  Names names_;
  Names durable_names_;
  std::vector<NameChange> unsynced_names_;
  uint64_t life_ = 0;  // grows with each crash
  uint64_t changes_ = 0;
  uint64_t power_cut_ = UINT64_MAX;
  uint64_t syncs_ = 0;
  uint64_t failing_sync_ = UINT64_MAX;
  uint64_t directory_syncs_ = 0;
  uint64_t lost_bytes_ = 0;
};

}  // namespace chainring::testing
