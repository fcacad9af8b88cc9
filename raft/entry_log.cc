#include "raft/entry_log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/configuration.h"

namespace chainring::raft {

EntryLog::EntryLog(SnapshotMark snapshot)
    : base_index_(snapshot.index), base_term_(snapshot.term), snapshot_(std::move(snapshot)) {
  configurations_ = {Dated{snapshot_.index, snapshot_.configuration}};
}

std::optional<Term> EntryLog::term_at(Index index) const {
  if (index == base_index_) return base_term_;
  if (index < base_index_ || index > last_index()) return std::nullopt;
  return at(index).term;
}

const Entry& EntryLog::at(Index index) const {
  CHECK(index > base_index_, "entries up to the base are gone");
  CHECK(index <= last_index(), "the log ends before this entry");
  return entries_[index - base_index_ - 1];
}

uint64_t EntryLog::bytes_after(Index index) const {
  uint64_t bytes = 0;
  for (Index i = index + 1; i <= last_index(); ++i) bytes += weight(at(i));
  return bytes;
}

std::vector<Entry> EntryLog::slice(Index from, uint64_t bytes_max) const {
  uint64_t bytes = 0;
  Index end = from;
  while (end <= last_index()) {
    bytes += weight(at(end));
    if (bytes > bytes_max && end > from) break;
    ++end;
  }
  std::vector<Entry> entries;
  entries.reserve(end - from);
  for (Index i = from; i < end; ++i) entries.push_back(at(i));
  return entries;
}

void EntryLog::append(Entry entry) {
  CHECK(entry.index == last_index() + 1, "a log has no gaps");
  CHECK(entry.term >= last_term(), "terms never fall along a log");
  if (entry.kind == EntryKind::configuration) {
    auto configuration = configuration_of(entry);
    CHECK(configuration.has_value(), "configurations are judged before they reach the log");
    configurations_.push_back(Dated{entry.index, *std::move(configuration)});
  }
  bytes_ += weight(entry);
  entries_.push_back(std::move(entry));
}

void EntryLog::truncate(Index from) {
  CHECK(from > snapshot_.index, "what a snapshot holds cannot be taken back");
  while (last_index() >= from) {
    bytes_ -= weight(entries_.back());
    entries_.pop_back();
  }
  while (configurations_.back().index >= from) configurations_.pop_back();
}

Index EntryLog::last_agreement(Index index, Term term) const {
  index = std::min(index, last_index());
  while (index > base_index_ && at(index).term > term) --index;
  return index;
}

void EntryLog::compact(SnapshotMark snapshot, Index base) {
  CHECK(base_index_ <= base && base <= snapshot.index, "a base never goes back, nor past its snapshot");
  CHECK(matches(snapshot.index, snapshot.term), "a snapshot is of an entry of this log");
  base_term_ = *term_at(base);
  for (; base_index_ < base; ++base_index_) {
    bytes_ -= weight(entries_.front());
    entries_.pop_front();
  }
  snapshot_ = std::move(snapshot);
  auto first_after = std::find_if(configurations_.begin(), configurations_.end(),
                                  [&](const Dated& dated) { return dated.index > snapshot_.index; });
  configurations_.erase(configurations_.begin(), first_after - 1);
}

const Configuration& EntryLog::configuration_at(Index index) const {
  CHECK(index >= configurations_.front().index, "older configurations are forgotten");
  const auto after = std::find_if(configurations_.begin(), configurations_.end(),
                                  [&](const Dated& dated) { return dated.index > index; });
  return std::prev(after)->configuration;
}

}  // namespace chainring::raft
