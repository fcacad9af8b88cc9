// The bytes of raft/log.h's files. Everything is little-endian; checksums are XXH3-64.
//
// Segment "log-<number, 16 hex digits>.wal":
//
//   offset  size  field
//        0     8  "CRWAL001"
//        8     8  number of the segment; consecutive
//       16     8  index of the last entry of the log when the segment was begun (0: none). What earlier segments hold
//                 beyond it, or at it with another term, no longer counts: a snapshot replaced it.
//       24     8  term of that entry
//       32     8  checksum of bytes 0..31
//       40     -  records, one after the other
//
// Record:
//
//        0     8  checksum of bytes 8.., seeded with the segment's number and the record's position, so that no old or
//                 misplaced block passes for a record
//        8     8  synced: how many bytes of the segment were on disk for certain when the record was written
//       16     4  length of the payload
//       20     1  type: 1 entry, 2 hard state (pinned)
//       21     3  zero
//       24     -  payload: Entry or HardState, encoded by base/bytes.h
//
// An entry replaces what the log holds from its index on. The first record of each segment is the hard state, unless
// that is still blank, so that earlier segments can be deleted.
//
// Snapshot "snapshot-<index, 16 hex digits>.snap", written as "snapshot.tmp", synced, then renamed:
//
//        0     8  "CRSNAP01"
//        8     8  checksum of bytes 16..
//       16     -  Snapshot, encoded by base/bytes.h; its data comes last
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "raft/types.h"

namespace chainring::raft {

inline constexpr size_t kSegmentHeaderBytes = 40;
inline constexpr size_t kRecordHeaderBytes = 24;
inline constexpr std::string_view kSnapshotTemporaryName = "snapshot.tmp";
inline constexpr std::string_view kSegmentTemporaryName = "log.tmp";  // a segment that open() rewrites

enum class RecordType : uint8_t { entry = 1, hard_state = 2 };

struct SegmentHeader {
  uint64_t number = 0;
  Index last_index = 0;
  Term last_term = 0;
};

struct Record {
  RecordType type{};
  uint64_t synced = 0;
  std::string_view payload;
  uint64_t end = 0;  // position behind it
};

[[nodiscard]] std::string segment_name(uint64_t number);
[[nodiscard]] std::string snapshot_name(Index index);
[[nodiscard]] std::optional<uint64_t> parse_segment_name(std::string_view name);
[[nodiscard]] std::optional<Index> parse_snapshot_name(std::string_view name);

void append_segment_header(std::string& out, const SegmentHeader& header);
// Nothing when cut short or damaged.
[[nodiscard]] std::optional<SegmentHeader> read_segment_header(std::string_view file);

// Appends a record that will stand at `position` of segment `number`.
void append_record(std::string& out, uint64_t number, uint64_t position, uint64_t synced, RecordType type,
                   std::string_view payload);
// The record at `position`; nothing when cut short or damaged. Lifetime of the payload: that of `file`.
[[nodiscard]] std::optional<Record> read_record(std::string_view file, uint64_t number, uint64_t position);

// Whether some record behind `position` proves that the bytes at `position` were on disk for certain once. If so what
// is broken there was damaged later; if not it is a write that a crash cut off.
[[nodiscard]] bool was_synced(std::string_view file, uint64_t number, uint64_t position);

// What stands before the snapshot's data, which ends the file: hundreds of megabytes are not copied.
[[nodiscard]] std::string snapshot_file_head(const Snapshot& snapshot);
[[nodiscard]] std::optional<Snapshot> decode_snapshot_file(std::string_view file);

}  // namespace chainring::raft
