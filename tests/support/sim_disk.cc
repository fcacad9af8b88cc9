#include "tests/support/sim_disk.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace chainring::testing {
namespace {

constexpr uint64_t kBlockBytes = 512;

Status no_power() { return {ErrorCode::io_error, "the simulated disk has no power"}; }

}  // namespace

class SimDisk::File final : public DiskFile {
 public:
  File(SimDisk& disk, std::shared_ptr<Inode> inode) : disk_(disk), inode_(std::move(inode)), life_(disk.life_) {}

  Status append(std::string_view bytes) override {
    if (Status status = usable(); !status) {
      if (life_ == disk_.life_) inode_->data += bytes.substr(0, bytes.size() / 2);
      return status;
    }
    inode_->data += bytes;
    return {};
  }

  Status sync() override {
    if (Status status = usable(); !status) return status;
    if (disk_.syncs_++ == disk_.failing_sync_) {
      inode_->poisoned = true;
      return {ErrorCode::io_error, "the simulated disk failed to sync"};
    }
    if (inode_->poisoned) return {};
    inode_->durable = inode_->data.size();
    inode_->durable_cut.clear();
    return {};
  }

  Status truncate(uint64_t size) override {
    if (Status status = usable(); !status) return status;
    CHECK(size <= inode_->data.size(), "no code here lengthens a file by truncation");
    if (size < inode_->durable) {
      inode_->durable_cut.insert(0, inode_->data, size, inode_->durable - size);
      inode_->durable = size;
    }
    inode_->data.resize(size);
    return {};
  }

  Result<uint64_t> size() const override {
    if (life_ != disk_.life_) return no_power();
    return uint64_t{inode_->data.size()};
  }

 private:
  Status usable() { return life_ == disk_.life_ ? disk_.change() : no_power(); }

  SimDisk& disk_;
  std::shared_ptr<Inode> inode_;
  const uint64_t life_;
};

Status SimDisk::change() { return ++changes_ > power_cut_ ? no_power() : Status(); }

Result<std::unique_ptr<DiskFile>> SimDisk::open(std::string_view name) {
  auto found = names_.find(name);
  if (found == names_.end()) {
    if (Status status = change(); !status) return status;
    found = names_.emplace(std::string(name), std::make_shared<Inode>()).first;
    unsynced_names_.push_back(NameChange{{}, std::string(name), found->second});
  }
  return std::unique_ptr<DiskFile>(std::make_unique<File>(*this, found->second));
}

Result<std::string> SimDisk::read(std::string_view name) const {
  const auto found = names_.find(name);
  if (found == names_.end()) return Status(ErrorCode::not_found, concat("no file ", name));
  return found->second->data;
}

Result<std::vector<std::string>> SimDisk::list() const {
  std::vector<std::string> names;
  for (const auto& [name, inode] : names_) names.push_back(name);
  return names;
}

Status SimDisk::rename(std::string_view from, std::string_view to) {
  if (Status status = change(); !status) return status;
  const auto found = names_.find(from);
  if (found == names_.end()) return {ErrorCode::not_found, concat("no file ", from)};
  unsynced_names_.push_back(NameChange{std::string(from), std::string(to), found->second});
  apply(unsynced_names_.back(), names_);
  return {};
}

Status SimDisk::remove(std::string_view name) {
  if (Status status = change(); !status) return status;
  if (!names_.contains(name)) return {ErrorCode::not_found, concat("no file ", name)};
  unsynced_names_.push_back(NameChange{std::string(name), {}, nullptr});
  apply(unsynced_names_.back(), names_);
  return {};
}

Status SimDisk::sync_directory() {
  if (Status status = change(); !status) return status;
  ++directory_syncs_;
  durable_names_ = names_;
  unsynced_names_.clear();
  return {};
}

void SimDisk::apply(const NameChange& change, Names& names) const {
  if (!change.removed.empty()) names.erase(change.removed);
  if (!change.set.empty()) names[change.set] = change.inode;
}

void SimDisk::crash(Random& random) {
  for (const NameChange& change : unsynced_names_) {
    if (random.percent(50)) apply(change, durable_names_);
  }
  for (auto& [name, inode] : durable_names_) crash_file(*inode, random);
  restart();
}

void SimDisk::crash_file(Inode& inode, Random& random) {
  const uint64_t unsynced = inode.data.size() - inode.durable;
  if (!inode.durable_cut.empty() && random.percent(50)) {  // the truncation was lost, and what came after it
    lost_bytes_ += unsynced;
    inode.data.resize(inode.durable);
    inode.data += inode.durable_cut;
    return;
  }
  if (unsynced == 0 || random.percent(25)) return;
  const uint64_t kept = random.percent(33) ? 0 : random.below(unsynced + 1);
  lost_bytes_ += unsynced - kept;
  inode.data.resize(inode.durable + kept);
  if (kept == 0 || random.percent(50)) return;
  // Blocks reach the disk in any order: one of those that count as written was not.
  const uint64_t first = inode.durable + random.below(kept);
  const uint64_t size = std::min<uint64_t>(kBlockBytes - first % kBlockBytes, inode.data.size() - first);
  inode.data.replace(first, size, size, '\0');
  lost_bytes_ += size;
}

void SimDisk::crash_keeping(uint64_t unsynced_bytes) {
  durable_names_ = names_;
  for (auto& [name, inode] : durable_names_) {
    const uint64_t unsynced = inode->data.size() - inode->durable;
    const uint64_t kept = std::min(unsynced, unsynced_bytes);
    lost_bytes_ += unsynced - kept;
    inode->data.resize(inode->durable + kept);
  }
  restart();
}

void SimDisk::wipe() {
  durable_names_.clear();
  restart();
}

void SimDisk::restart() {
  unsynced_names_.clear();
  names_ = durable_names_;
  for (auto& [name, inode] : names_) {
    inode->durable = inode->data.size();
    inode->durable_cut.clear();
    inode->poisoned = false;
  }
  ++life_;
  power_cut_ = failing_sync_ = UINT64_MAX;
}

const std::string& SimDisk::contents(std::string_view name) const {
  const auto found = names_.find(name);
  CHECK(found != names_.end(), "tests look only into files that are there");
  return found->second->data;
}

void SimDisk::replace_contents(std::string_view name, std::string bytes) {
  const auto found = names_.find(name);
  CHECK(found != names_.end(), "tests damage only files that are there");
  Inode& inode = *found->second;
  inode = Inode{std::move(bytes), 0, {}, false};
  inode.durable = inode.data.size();
}

}  // namespace chainring::testing
