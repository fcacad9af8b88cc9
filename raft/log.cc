#include "raft/log.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "raft/log_recovery.h"

namespace chainring::raft {

Result<Log::Opened> Log::open(Disk& disk, uint64_t segment_bytes) {
  Recovery recovery(disk);
  if (Status status = recovery.run(); !status) return status;
  std::unique_ptr<Log> log(new Log(disk, segment_bytes));
  for (const SegmentHeader& header : recovery.segments()) {
    log->segments_.push_back(Segment{header.number, header.last_index});
  }
  log->next_number_ = recovery.next_number();
  Contents contents = recovery.take_contents();
  log->hard_state_ = contents.hard_state;
  log->snapshot_index_ = contents.snapshot.index;
  log->last_index_ = contents.entries.empty() ? contents.snapshot.index : contents.entries.back().index;
  log->last_term_ = contents.entries.empty() ? contents.snapshot.term : contents.entries.back().term;
  return Opened{std::move(log), std::move(contents)};
}

void Log::put(const HardState& hard_state) {
  hard_state_ = hard_state;
  begin_batch();
  put_record(RecordType::hard_state, encode(hard_state));
}

void Log::put(const Entry& entry) {
  CHECK(entry.index > snapshot_index_, "a snapshot is not overwritten");
  CHECK(entry.index <= last_index_ + 1, "a log has no gaps");
  begin_batch();
  put_record(RecordType::entry, encode(entry));
  last_index_ = entry.index;
  last_term_ = entry.term;
}

// A segment is begun only here, before anything is put: all that came before is synced.
void Log::begin_batch() {
  if (!batch_.empty()) return;
  if (file_ && size_ < segment_bytes_) return;
  file_.reset();
  fresh_ = true;
  size_ = synced_ = 0;
  segments_.push_back(Segment{next_number_++, last_index_});
  append_segment_header(batch_, SegmentHeader{segments_.back().number, last_index_, last_term_});
  size_ = batch_.size();
  // A blank one is written only when it is put: it says that the server belongs to a group.
  if (hard_state_ != HardState{}) put_record(RecordType::hard_state, encode(hard_state_));
}

void Log::put_record(RecordType type, std::string_view payload) {
  const size_t before = batch_.size();
  append_record(batch_, segments_.back().number, size_, synced_, type, payload);
  size_ += batch_.size() - before;
}

Status Log::sync() {
  if (batch_.empty()) return {};
  if (fresh_) {
    auto opened = disk_.open(segment_name(segments_.back().number));
    if (!opened) return opened.status();
    file_ = *std::move(opened);
  }
  if (Status status = file_->append(batch_); !status) return status;
  if (Status status = file_->sync(); !status) return status;
  if (fresh_) {
    if (Status status = disk_.sync_directory(); !status) return status;
  }
  fresh_ = false;
  synced_ = size_;
  batch_.clear();
  return {};
}

Status Log::save_snapshot(const Snapshot& snapshot) {
  CHECK(batch_.empty(), "a snapshot rests on entries that are on disk");
  CHECK(snapshot.index > snapshot_index_, "a snapshot never takes the state back");
  CHECK(snapshot.index <= last_index_, "a snapshot of the own state is of an entry of the log");
  if (Status status = write_snapshot_file(snapshot); !status) return status;
  return delete_needless_segments();
}

Status Log::install_snapshot(const Snapshot& snapshot) {
  CHECK(batch_.empty(), "what is put before a snapshot is synced before it");
  CHECK(snapshot.index > snapshot_index_, "a snapshot never takes the state back");
  if (Status status = write_snapshot_file(snapshot); !status) return status;
  last_index_ = snapshot.index;
  last_term_ = snapshot.term;
  file_.reset();  // the next write begins a segment whose header drops what the snapshot replaced
  return delete_needless_segments();
}

Status Log::write_snapshot_file(const Snapshot& snapshot) {
  auto file = disk_.open(kSnapshotTemporaryName);
  if (!file) return file.status();
  if (Status status = (*file)->truncate(0); !status) return status;
  if (Status status = (*file)->append(snapshot_file_head(snapshot)); !status) return status;
  if (Status status = (*file)->append(snapshot.data); !status) return status;
  if (Status status = (*file)->sync(); !status) return status;
  const std::string name = snapshot_name(snapshot.index);
  if (Status status = disk_.rename(kSnapshotTemporaryName, name); !status) return status;
  if (Status status = disk_.sync_directory(); !status) return status;
  const Index replaced = std::exchange(snapshot_index_, snapshot.index);
  return replaced == 0 ? Status() : disk_.remove(snapshot_name(replaced));
}

// A segment is needless when the next one begins at or before the snapshot.
Status Log::delete_needless_segments() {
  while (segments_.size() > 1 && segments_[1].last_index <= snapshot_index_) {
    if (Status status = disk_.remove(segment_name(segments_.front().number)); !status) return status;
    segments_.erase(segments_.begin());
  }
  return {};
}

Result<Snapshot> Log::read_snapshot() const {
  CHECK(snapshot_index_ > 0, "there is no snapshot");
  auto file = disk_.read(snapshot_name(snapshot_index_));
  if (!file) return file.status();
  auto snapshot = decode_snapshot_file(*file);
  if (!snapshot) return Status(ErrorCode::corrupt, "the snapshot's file is damaged");
  return *std::move(snapshot);
}

}  // namespace chainring::raft
