// Reads a Log's files after a start, and mends what a crash may leave. raft/log.h says what that is.
//
// Thread-safety: none; used once.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/result.h"
#include "raft/log.h"
#include "raft/log_format.h"

namespace chainring::raft {

struct Log::Recovery {
 public:
  explicit Recovery(Disk& disk) : disk_(disk) {}

  // Afterwards the disk holds only what counts, durably.
  [[nodiscard]] Status run();
  [[nodiscard]] const std::vector<SegmentHeader>& segments() const { return segments_; }
  // Numbers leave no gap, also where a segment that was only begun is removed.
  [[nodiscard]] uint64_t next_number() const { return segments_.empty() ? 1 : segments_.back().number + 1; }
  [[nodiscard]] Contents take_contents() { return std::move(contents_); }

 private:
  [[nodiscard]] Status read_names();
  [[nodiscard]] Status load_snapshot();
  [[nodiscard]] Status load_segment(uint64_t number, bool is_last);
  [[nodiscard]] Status rewrite(std::string_view name, std::string_view bytes);
  [[nodiscard]] Status begin_segment(const SegmentHeader& header);
  [[nodiscard]] Status replay(const Record& record);
  [[nodiscard]] Status replay(Entry entry);
  [[nodiscard]] Status join_snapshot();
  [[nodiscard]] Status remove(std::string_view name);
  [[nodiscard]] Index last_index() const { return base_index_ + contents_.entries.size(); }
  [[nodiscard]] Term term_at(Index index) const;

  Disk& disk_;
  std::vector<Index> snapshot_indexes_;    // ascending
  std::vector<uint64_t> segment_numbers_;  // ascending
  std::vector<SegmentHeader> segments_;
  bool changed_directory_ = false;
  Index base_index_ = 0;  // contents_.entries begin right after it
  Term base_term_ = 0;
  Contents contents_;
};

}  // namespace chainring::raft
