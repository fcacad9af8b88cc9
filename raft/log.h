// A server's durable memory: entries, term and vote in segments of a write-ahead log, and the newest snapshot.
// raft/log_format.h has the byte tables.
//
// What a crash can leave, and what open() makes of it:
//   - the last segment ends within what was being written: the tail from the first broken record on is cut off, since
//     nothing rested on it. A broken record that a later one proves to have been synced is damage: ErrorCode::corrupt.
//     (Damage to the very last write cannot be told from a torn one.) So is anything broken in an earlier segment,
//     because a segment is begun only when the one before it is synced.
//   - a new segment without its whole header and first record, or a snapshot not yet renamed: removed.
//   - a snapshot from the leader that is newer than the log, or contradicts it: the log's entries are dropped.
//   - deleted files that come back, because a directory was not synced: deleted again.
//   - bytes that can be read although they were never synced, because only the process died: the last segment, the only
//     one that can hold such bytes, is written anew and synced.
// Nothing is ever appended to a segment that open() found; the first write begins a new one.
//
// Thread-safety: none; one owner. Ownership: the disk is not owned and outlives the Log.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/result.h"
#include "raft/limits.h"
#include "raft/log_format.h"
#include "raft/types.h"

namespace chainring::raft {

class Log {
 public:
  struct Contents {
    bool founded = false;  // anything was ever put
    HardState hard_state;
    Snapshot snapshot;           // index 0: none
    std::vector<Entry> entries;  // those after the snapshot
  };
  struct Opened {
    std::unique_ptr<Log> log;
    Contents contents;
  };
  // A segment is full once it has `segment_bytes`.
  [[nodiscard]] static Result<Opened> open(Disk& disk, uint64_t segment_bytes = kSegmentBytesDefault);

  // Taken together and written by the next sync(). An entry replaces what the log holds from its index on.
  // REQUIRES: entry.index is at most one above the last one.
  void put(const HardState& hard_state);
  void put(const Entry& entry);
  // Makes all that was put durable, with one sync of the file (group commit). After an error the process must end.
  [[nodiscard]] Status sync();

  // Both are durable when they return, and delete the segments that the snapshot makes needless.
  // REQUIRES: nothing is put and not yet synced.
  // Of the own state: the log goes on.
  [[nodiscard]] Status save_snapshot(const Snapshot& snapshot);
  // From the leader: it replaces the log.
  [[nodiscard]] Status install_snapshot(const Snapshot& snapshot);
  // The newest one. REQUIRES: there is one.
  [[nodiscard]] Result<Snapshot> read_snapshot() const;

 private:
  struct Segment {
    uint64_t number;
    Index last_index;  // as its header says
  };
  struct Recovery;

  Log(Disk& disk, uint64_t segment_bytes) : disk_(disk), segment_bytes_(segment_bytes) {}
  void begin_batch();
  void put_record(RecordType type, std::string_view payload);
  [[nodiscard]] Status write_snapshot_file(const Snapshot& snapshot);
  [[nodiscard]] Status delete_needless_segments();

  Disk& disk_;
  const uint64_t segment_bytes_;
  std::vector<Segment> segments_;  // ascending by number; the last is being written, once file_ or fresh_
  uint64_t next_number_ = 1;
  std::unique_ptr<DiskFile> file_;  // of the last segment; null until the first write
  bool fresh_ = false;              // the last segment has no file yet
  uint64_t size_ = 0;               // of the last segment, what is put included
  uint64_t synced_ = 0;
  std::string batch_;
  HardState hard_state_;
  Index last_index_ = 0;
  Term last_term_ = 0;
  Index snapshot_index_ = 0;
};

}  // namespace chainring::raft
