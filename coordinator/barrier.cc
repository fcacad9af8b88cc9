#include "coordinator/barrier.h"

#include <algorithm>

#include "ring/table.h"

namespace chainring::coordinator {
namespace {

constexpr size_t kLevelItemsMax = 4 * kSlotCount;  // asked of one donor at once; the rest when these have had effect

}  // namespace

Barrier::OpenRange Barrier::opened(const protocol::TableRange& range) {
  OpenRange open;
  open.range = range;
  open.participants = range.chain;
  for (const MemberId member : range.next_chain) {
    if (!ring::contains(range.chain, member)) open.participants.push_back(member);
  }
  open.standings.resize(open.participants.size() * slot_count(range));
  return open;
}

void Barrier::keep_numbers(const OpenRange& from, OpenRange& to) const {
  const Slot first = std::max(from.range.first, to.range.first);
  const Slot last = std::min(from.range.last, to.range.last);
  for (size_t p = 0; p < to.participants.size(); ++p) {
    const auto known = std::find(from.participants.begin(), from.participants.end(), to.participants[p]);
    if (known == from.participants.end()) continue;
    const Standing* source = from.of(static_cast<size_t>(known - from.participants.begin()));
    std::copy(source + (first - from.range.first), source + (last - from.range.first) + 1,
              to.of(p) + (first - to.range.first));
  }
}

std::vector<Barrier::OpenRange>::iterator Barrier::first_reaching(Slot slot) {
  return std::lower_bound(ranges_.begin(), ranges_.end(), slot,
                          [](const OpenRange& open, Slot wanted) { return open.range.last < wanted; });
}

void Barrier::follow(const Ranges& table) {
  std::vector<OpenRange> now_open;
  for (const protocol::TableRange& range : table) {
    if (range.next_epoch == 0) continue;
    OpenRange open = opened(range);
    for (auto before = first_reaching(range.first); before != ranges_.end() && before->range.first <= range.last;
         ++before) {
      if (before->range.next_epoch == range.next_epoch) keep_numbers(*before, open);
    }
    now_open.push_back(std::move(open));
  }
  ranges_ = std::move(now_open);
  const auto is_over = [&](Epoch epoch) {
    return std::none_of(ranges_.begin(), ranges_.end(),
                        [&](const OpenRange& open) { return open.range.next_epoch == epoch; });
  };
  std::erase_if(asked_, [&](const auto& entry) { return is_over(entry.first); });
  std::erase_if(settled_, is_over);
}

void Barrier::begin(const Ranges& table) {
  clear();
  follow(table);
  for (const OpenRange& open : ranges_) {
    asked_[open.range.next_epoch].donors.insert(open.participants.begin(), open.participants.end());
  }
}

void Barrier::clear() {
  ranges_.clear();
  asked_.clear();
  settled_.clear();
  repeat_at_ = kNever;
}

void Barrier::stated(const protocol::Stopped& statement) {
  for (const protocol::StoppedRun& run : statement.runs) {
    if (run.applied.empty() || run.first + run.applied.size() > kSlotCount) continue;
    const Slot run_last = static_cast<Slot>(run.first + run.applied.size() - 1);
    for (auto open = first_reaching(run.first); open != ranges_.end() && open->range.first <= run_last; ++open) {
      if (open->range.next_epoch != statement.epoch) continue;
      const auto at = std::find(open->participants.begin(), open->participants.end(), statement.member);
      if (at == open->participants.end()) continue;
      const Slot first = std::max(run.first, open->range.first);
      const Slot last = std::min(run_last, open->range.last);
      Standing* standing = open->of(static_cast<size_t>(at - open->participants.begin())) + (first - open->range.first);
      for (uint32_t slot = first; slot <= last; ++slot) (standing++)->number = run.applied[slot - run.first];
    }
  }
}

// Whether every member of the old chain has stated a number for every slot or has lapsed, and one at least has stated
// unless there is no old chain.
bool Barrier::everybody_stopped(const OpenRange& open, const std::vector<bool>& gone_quiet) {
  const size_t slots = slot_count(open.range);
  const size_t old_members = open.range.chain.size();
  bool somebody = old_members == 0;
  for (size_t p = 0; p < old_members; ++p) {
    const bool stated = std::all_of(open.of(p), open.of(p) + slots, [](const Standing& one) { return one.stated(); });
    if (!stated && !gone_quiet[p]) return false;
    somebody = somebody || stated;
  }
  return somebody;
}

// The number to reach is the highest among those that can still give what they hold. That is enough: what is committed
// was applied by every member of the old chain, so by each of them that stated. Only when none of these is left has the
// number to be as high as the highest that was ever stated by them. Returns whether the new chain has reached it.
bool Barrier::weigh(OpenRange& open, const std::vector<bool>& gone_quiet, Progress& progress) {
  const size_t slots = slot_count(open.range);
  const size_t old_members = open.range.chain.size();
  std::vector<size_t> next(open.range.next_chain.size());
  for (size_t i = 0; i < next.size(); ++i) {
    const auto at = std::find(open.participants.begin(), open.participants.end(), open.range.next_chain[i]);
    next[i] = static_cast<size_t>(at - open.participants.begin());
  }
  bool ready = true;
  for (size_t s = 0; s < slots; ++s) {
    Sequence reach = 0, committed_at_most = 0;
    size_t highest = open.participants.size();
    bool old_one_left = old_members == 0;
    for (size_t p = 0; p < open.participants.size(); ++p) {
      if (!open.of(p)[s].stated()) continue;
      const Sequence number = open.of(p)[s].number;
      if (p < old_members) committed_at_most = std::max(committed_at_most, number);
      if (gone_quiet[p]) continue;
      old_one_left = old_one_left || p < old_members;
      if (highest == open.participants.size() || number > reach) {
        reach = number;
        highest = p;
      }
    }
    if (highest == open.participants.size() || (!old_one_left && reach < committed_at_most)) {
      ready = false;
      continue;
    }
    for (const size_t p : next) {
      const Sequence number = open.of(p)[s].number;
      if (number == reach) continue;
      ready = false;
      if (!open.of(p)[s].stated() || number > reach) continue;
      const size_t donor = p < old_members ? highest : donor_to_new(open, gone_quiet, s, number, highest);
      ask_for(open, s, p, donor, progress);
    }
  }
  return ready;
}

// Who gives records above `number` to a member that is new. Of an old one, whoever is ahead keeps all that it lacks: it
// is not committed. What a new one lacks may be committed at the head already, and then only the tail keeps it.
size_t Barrier::donor_to_new(const OpenRange& open, const std::vector<bool>& gone_quiet, size_t s, Sequence number,
                             size_t highest) {
  for (size_t p = open.range.chain.size(); p-- > 0;) {
    const Standing& standing = open.of(p)[s];
    if (standing.stated() && !gone_quiet[p] && standing.number > number) return p;
  }
  return highest;
}

// Once: what is sent on a link comes, or the link breaks and the donor sends it again. Only the asking may be lost.
void Barrier::ask_for(OpenRange& open, size_t s, size_t target, size_t donor, Progress& progress) {
  progress.waits = true;
  Standing& standing = open.of(target)[s];
  const Sequence through = open.of(donor)[s].number;
  const MemberId member = open.participants[donor];
  const bool asked = standing.donor == member && !progress.again;
  if (asked && standing.through >= through) return;
  protocol::Level& level = progress.levels[member];
  if (level.items.size() == kLevelItemsMax) return;
  const Sequence after = asked ? std::max(standing.number, standing.through) : standing.number;
  level.items.push_back({static_cast<Slot>(open.range.first + s), open.participants[target], after, through});
  standing.donor = member;
  standing.through = through;
}

// How each open epoch stands that has not been settled.
std::map<Epoch, Barrier::Progress> Barrier::look(Micros now, const Lapsed& lapsed) {
  std::map<Epoch, Progress> epochs;
  for (OpenRange& open : ranges_) {
    const Epoch epoch = open.range.next_epoch;
    Progress& progress = epochs[epoch];
    open.stands_still = false;
    if (settled_.contains(epoch)) continue;
    const auto asked = asked_.find(epoch);
    progress.again = asked != asked_.end() && asked->second.at && now - *asked->second.at >= repeat_us_;
    std::vector<bool> gone_quiet;
    for (const MemberId member : open.participants) {
      gone_quiet.push_back(lapsed(member));
      if (gone_quiet.back() && asked != asked_.end() && asked->second.donors.contains(member)) {
        progress.lost_a_donor = true;
      }
    }
    const bool ready = everybody_stopped(open, gone_quiet) && weigh(open, gone_quiet, progress);
    const auto holders_end = gone_quiet.begin() + static_cast<ptrdiff_t>(basis(open.range).size());
    const bool deserted = std::all_of(gone_quiet.begin(), holders_end, [](bool quiet) { return quiet; });
    open.stands_still = deserted && !ready;
    progress.ready = progress.ready && ready;
    (open.stands_still ? progress.some_stand : progress.some_go_on) = true;
  }
  return epochs;
}

void Barrier::ask(Micros now, Epoch epoch, Progress& progress, Advice& advice) {
  if (!progress.waits) return;
  Asked& asked = asked_[epoch];
  if (!asked.at || progress.again) asked.at = now;
  repeat_at_ = std::min(repeat_at_, *asked.at + repeat_us_);
  for (auto& [donor, level] : progress.levels) {
    level.epoch = epoch;
    asked.donors.insert(donor);
    advice.levels.emplace_back(donor, std::move(level));
  }
}

Barrier::Advice Barrier::advance(Micros now, const Lapsed& lapsed) {
  std::map<Epoch, Progress> epochs = look(now, lapsed);
  Advice advice;
  repeat_at_ = kNever;
  for (auto& [epoch, progress] : epochs) {
    if (progress.falls_apart()) continue;
    if (progress.ready) {
      advice.activate.push_back(epoch);
      settled_.insert(epoch);
    }
    ask(now, epoch, progress, advice);
  }
  for (const OpenRange& open : ranges_) {
    const Progress& progress = epochs.at(open.range.next_epoch);
    if (!progress.falls_apart() || (open.stands_still && !progress.lost_a_donor)) continue;
    append_run(advice.renew, open.range.first, open.range.last, open.range.next_chain);
  }
  return advice;
}

}  // namespace chainring::coordinator
