#include "raft/log_recovery.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "raft/configuration.h"

namespace chainring::raft {
namespace {

Status damaged(std::string_view file, std::string_view what) {
  return {ErrorCode::corrupt,
          concat(file, ": ", what, "; remove this server and add it again with an empty directory")};
}

// Whether a crash cut the file off here: no whole record, and none that was synced.
bool is_torn_at(std::string_view file, uint64_t number, uint64_t position) {
  return !read_record(file, number, position) && !was_synced(file, number, position);
}

}  // namespace

Status Log::Recovery::run() {
  // A name can be seen that a crash would still take back: nothing is deleted on its account before it is durable.
  if (Status status = disk_.sync_directory(); !status) return status;
  if (Status status = read_names(); !status) return status;
  if (Status status = load_snapshot(); !status) return status;
  for (const uint64_t number : segment_numbers_) {
    if (Status status = load_segment(number, number == segment_numbers_.back()); !status) return status;
  }
  if (Status status = join_snapshot(); !status) return status;
  return changed_directory_ ? disk_.sync_directory() : Status();
}

Status Log::Recovery::read_names() {
  auto names = disk_.list();
  if (!names) return names.status();
  for (const std::string& name : *names) {
    if (const auto index = parse_snapshot_name(name)) snapshot_indexes_.push_back(*index);
    if (const auto number = parse_segment_name(name)) segment_numbers_.push_back(*number);
    if (name != kSnapshotTemporaryName && name != kSegmentTemporaryName) continue;
    if (Status status = remove(name); !status) return status;
  }
  std::sort(snapshot_indexes_.begin(), snapshot_indexes_.end());
  std::sort(segment_numbers_.begin(), segment_numbers_.end());
  if (segment_numbers_.empty()) return {};
  // Segments are deleted from the front, so only the last unbroken run of numbers counts.
  auto first = segment_numbers_.end() - 1;
  while (first != segment_numbers_.begin() && *(first - 1) + 1 == *first) --first;
  for (auto gone = segment_numbers_.begin(); gone != first; ++gone) {
    if (Status status = remove(segment_name(*gone)); !status) return status;
  }
  segment_numbers_.erase(segment_numbers_.begin(), first);
  return {};
}

Status Log::Recovery::load_snapshot() {
  if (snapshot_indexes_.empty()) return {};
  const std::string name = snapshot_name(snapshot_indexes_.back());
  auto file = disk_.read(name);
  if (!file) return file.status();
  auto snapshot = decode_snapshot_file(*file);
  if (!snapshot || snapshot->index != snapshot_indexes_.back() || !is_valid(snapshot->configuration)) {
    return damaged(name, "damaged snapshot");
  }
  contents_.snapshot = *std::move(snapshot);
  snapshot_indexes_.pop_back();
  for (const Index older : snapshot_indexes_) {
    if (Status status = remove(snapshot_name(older)); !status) return status;
  }
  return {};
}

Status Log::Recovery::load_segment(uint64_t number, bool is_last) {
  const std::string name = segment_name(number);
  auto file = disk_.read(name);
  if (!file) return file.status();
  const auto header = read_segment_header(*file);
  const bool begun = header && header->number == number;
  if (!begun && (!is_last || was_synced(*file, number, 0))) return damaged(name, "damaged header");
  // Without its first record, the hard state, it cannot stand for the segments before it.
  if (is_last && (!begun || is_torn_at(*file, number, kSegmentHeaderBytes))) return remove(name);
  if (Status status = begin_segment(*header); !status) return status;
  uint64_t position = kSegmentHeaderBytes;
  while (position < file->size()) {
    const auto record = read_record(*file, number, position);
    if (!record) {
      if (is_last && is_torn_at(*file, number, position)) break;
      return damaged(name, concat("damaged record at ", position));
    }
    if (Status status = replay(*record); !status) return status;
    position = record->end;
  }
  return is_last ? rewrite(name, std::string_view(*file).substr(0, position)) : Status();
}

// What was read of the last segment may be in the system's cache alone: the process ended before a sync, or because
// one failed, and then a second sync of that file would prove nothing. A new file does.
Status Log::Recovery::rewrite(std::string_view name, std::string_view bytes) {
  auto file = disk_.open(kSegmentTemporaryName);
  if (!file) return file.status();
  if (Status status = (*file)->append(bytes); !status) return status;
  if (Status status = (*file)->sync(); !status) return status;
  changed_directory_ = true;
  return disk_.rename(kSegmentTemporaryName, name);
}

Status Log::Recovery::begin_segment(const SegmentHeader& header) {
  const bool is_first = segments_.empty();
  segments_.push_back(header);
  const bool within = !is_first && header.last_index >= base_index_ && header.last_index <= last_index();
  if (within && term_at(header.last_index) == header.last_term) {
    contents_.entries.resize(header.last_index - base_index_);
    return {};
  }
  if (header.last_index > contents_.snapshot.index) {
    return damaged(segment_name(header.number), "entries before it are missing");
  }
  contents_.entries.clear();
  base_index_ = header.last_index;
  base_term_ = header.last_term;
  return {};
}

Status Log::Recovery::replay(const Record& record) {
  const std::string name = segment_name(segments_.back().number);
  if (record.type == RecordType::hard_state) {
    const auto state = decode<HardState>(record.payload);
    if (!state || state->term < contents_.hard_state.term) return damaged(name, "a hard state that cannot be");
    contents_.hard_state = *state;
    contents_.founded = true;
    return {};
  }
  auto entry = decode<Entry>(record.payload);
  if (!entry) return damaged(name, "an entry that cannot be decoded");
  return replay(*std::move(entry));
}

Status Log::Recovery::replay(Entry entry) {
  const bool misplaced = entry.index == 0 || entry.index > last_index() + 1 || entry.kind > EntryKind::no_op;
  if (misplaced || (entry.kind == EntryKind::configuration && !configuration_of(entry))) {
    return damaged(segment_name(segments_.back().number), "an entry that cannot be");
  }
  std::vector<Entry>& entries = contents_.entries;
  if (entry.index > base_index_) {
    entries.resize(entry.index - base_index_ - 1);
  } else {  // it replaces entries whose segments are deleted already
    entries.clear();
    base_index_ = entry.index - 1;
    base_term_ = 0;
  }
  if (!entries.empty() && entries.back().term > entry.term) {
    return damaged(segment_name(segments_.back().number), "a term that falls");
  }
  entries.push_back(std::move(entry));
  contents_.founded = true;
  return {};
}

Status Log::Recovery::remove(std::string_view name) {
  changed_directory_ = true;
  return disk_.remove(name);
}

Term Log::Recovery::term_at(Index index) const {
  return index == base_index_ ? base_term_ : contents_.entries[index - base_index_ - 1].term;
}

// Leaves the entries that follow the snapshot. One from the leader may be newer than the log, or contradict it.
Status Log::Recovery::join_snapshot() {
  const Snapshot& snapshot = contents_.snapshot;
  std::vector<Entry>& entries = contents_.entries;
  if (base_index_ > snapshot.index) return damaged(snapshot_name(snapshot.index), "the log begins after it");
  if (last_index() <= snapshot.index || term_at(snapshot.index) != snapshot.term) {
    entries.clear();
  } else {
    entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(snapshot.index - base_index_));
  }
  return {};
}

}  // namespace chainring::raft
