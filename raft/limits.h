// Bounds on what a server queues, sends and keeps. Tests make them small.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>

namespace chainring::raft {

struct Limits {
  uint64_t proposal_bytes_max = uint64_t{16} << 20;      // data of one entry
  uint64_t append_bytes_max = uint64_t{256} << 10;       // entries of one message, unless the first alone is longer
  uint32_t appends_in_flight_max = 64;                   // to one peer
  uint64_t uncommitted_bytes_max = uint64_t{64} << 20;   // beyond it proposals are refused
  uint64_t uncommitted_entries_max = uint64_t{1} << 16;  // the same by number
  uint64_t reads_pending_max = uint64_t{1} << 16;
  uint64_t snapshot_chunk_bytes = uint64_t{512} << 10;
  uint64_t snapshot_bytes_max = uint64_t{1} << 30;  // a follower refuses to collect more
  // Measured: to make, write and sync one takes 6 to 10 ms a MiB.
  uint64_t leader_snapshot_bytes_max = uint64_t{2} << 20;  // a longer one a leader leaves to a time when it follows
  uint64_t lag_entries_max = 1000;                         // how far behind a server may be and count as caught up
};

inline constexpr uint64_t kSegmentBytesDefault = uint64_t{8} << 20;  // a segment of the log with so many is full
// With so many bytes of applied entries in memory a snapshot is taken at once (raft/snapshot_schedule.h).
inline constexpr uint64_t kLogBytesMax = uint64_t{64} << 20;

}  // namespace chainring::raft
