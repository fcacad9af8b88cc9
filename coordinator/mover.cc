#include "coordinator/mover.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "coordinator/planner.h"
#include "ring/table.h"

namespace chainring::coordinator {
namespace {

using Chain = std::vector<MemberId>;

bool is_planned(const protocol::TableRange& range) { return range.next_epoch != 0 && range.goal == range.next_chain; }

std::string name_of(const RingState& ring, MemberId id) {
  const Member* member = ring.member(id);
  return member == nullptr ? concat("member ", id) : concat("node ", member->listed.name);
}

uint32_t slots_of(const std::vector<IntendedRun>& runs) {
  uint32_t slots = 0;
  for (const IntendedRun& run : runs) slots += run.last - run.first + 1u;
  return slots;
}

// The first of the runs, up to so many slots.
std::vector<IntendedRun> first_slots(const std::vector<IntendedRun>& runs, uint32_t slots_max) {
  std::vector<IntendedRun> taken;
  for (const IntendedRun& run : runs) {
    if (slots_max == 0) break;
    const uint32_t slots = std::min(slots_max, run.last - run.first + 1u);
    taken.push_back(run);
    taken.back().last = static_cast<Slot>(run.first + slots - 1);
    slots_max -= slots;
  }
  return taken;
}

}  // namespace

std::vector<ring::Candidate> placed_candidates(const RingState& ring) {
  std::vector<ring::Candidate> found;
  for (const Member& member : ring.members()) {
    if (member.in_target()) found.push_back(candidate_of(member.listed));
  }
  return found;
}

std::vector<ring::Chain> chains_in_force(const RingState& ring) {
  std::vector<ring::Chain> chains(kSlotCount);
  for (const protocol::TableRange& range : ring.ranges()) {
    for (uint32_t slot = range.first; slot <= range.last; ++slot) chains[slot] = basis(range);
  }
  return chains;
}

void Mover::begin() {
  pupils_.clear();
  heard_from_ = 0;
  forgetting_since_ = 0;  // what an earlier leader took back is not known
  open_since_.clear();
  patience_ = kPatience;
  retry_at_ = 0;
  ready_since_ = kNever;
  next_check_ = kNever;
  progress_ = {};
  was_idle_ = true;
}

void Mover::learned(const protocol::Learned& statement) {
  if (statement.obeyed < heard_from_) return;
  Pupil& pupil = pupils_[statement.member];
  pupil.obeyed = statement.obeyed;
  pupil.runs = statement.runs;
  pupil.keys = statement.keys;
  pupil.bytes = statement.bytes;
}

// By now it is known what has become of the entry. One that was lost took nothing back, and what learners say by the
// table in force counts on: there may be no later one for long.
void Mover::forget_taken_back(const RingState& ring) {
  const std::optional<TableVersion> since = std::exchange(forgetting_since_, std::nullopt);
  if (!since || ring.ranges_version() == *since) return;
  heard_from_ = ring.ranges_version();
  for (auto& [id, pupil] : pupils_) {
    if (pupil.obeyed < heard_from_) pupil.runs.clear();
  }
}

TargetEntry Mover::target_of(const RingState& ring) {
  TargetEntry entry;
  entry.wishes = ring.wishes();
  const std::vector<ring::Candidate> members = placed_candidates(ring);
  const std::vector<ring::Chain> in_force = chains_in_force(ring);
  const std::vector<ring::Chain> target =
      members.empty() ? in_force : ring::target_table(members, ring.copies(), in_force);
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    append_run(entry.runs, static_cast<Slot>(slot), static_cast<Slot>(slot), target[slot]);
  }
  return entry;
}

Mover::Plan Mover::plan(const RingState& ring, const LeaseBook& leases, Micros now) {
  next_check_ = kNever;
  forget_taken_back(ring);
  Plan plan;
  if (ring.ranges().empty() || ring.stopped()) return plan;
  if (ring.target_wishes() != ring.wishes()) {
    plan.target = target_of(ring);
    return plan;
  }
  plan.intention = withdrawal(ring, leases, now);
  plan.withdraws = plan.intention.has_value();
  const Todo todo = look(ring, leases, now);
  tell(ring, todo);
  // The keys of slots that move could not be looked through for new placement rules.
  if (plan.intention || ring.paused() || ring.rules_change().since != 0) return plan;

  if (!todo.to_forget.empty()) {
    plan.goals = GoalsEntry{todo.to_forget, ring.ranges_version()};
    forgetting_since_ = ring.ranges_version();
    return plan;
  }
  if (todo.ready_slots == 0) {
    ready_since_ = kNever;
  } else if (ready_since_ == kNever) {
    ready_since_ = now;
  }
  const bool worth_it = todo.learning_slots == 0 || todo.ready_slots >= kSlotsPerBarrier;
  const Micros due = std::max(retry_at_, worth_it ? now : ready_since_ + kReadyWait);
  const bool can_change = todo.changing_slots == 0 && todo.ready_slots > 0;  // one barrier at a time
  if (can_change && now < due) check_at(due);
  if (can_change && now >= due) {
    ready_since_ = kNever;
    plan.intention.emplace();
    plan.intention->runs = first_slots(todo.ready, kSlotsPerBarrier);
    plan.intention->planned_on = ring.ranges_version();
    plan.intention->planned = true;
    return plan;
  }
  // The next ones are copied while a barrier is open.
  const uint32_t busy = todo.learning_slots + todo.ready_slots;
  if (!todo.to_begin.empty() && busy + kSlotsPerBarrier <= kSlotsLearning) {
    plan.goals = GoalsEntry{first_slots(todo.to_begin, kSlotsLearning - busy), ring.ranges_version()};
  }
  return plan;
}

// A planned change whose barrier stays open keeps its slots waiting: the old chain is to go on (R14). The next attempt
// has more time, so that a slow machine comes to an end too.
std::optional<IntentionEntry> Mover::withdrawal(const RingState& ring, const LeaseBook& leases, Micros now) {
  std::map<Epoch, Micros> open;
  IntentionEntry entry;
  bool late = false;
  for (const protocol::TableRange& range : ring.ranges()) {
    if (!is_planned(range)) continue;
    const auto before = open_since_.find(range.next_epoch);
    const Micros since = before == open_since_.end() ? now : before->second;
    open[range.next_epoch] = since;
    if (now < since + patience_) {
      check_at(since + patience_);
      continue;
    }
    Chain live;
    for (const MemberId id : range.chain) {
      if (!leases.lapsed(id, now)) live.push_back(id);
    }
    if (live.empty()) continue;  // it stands still, and the planner sees to that
    late = true;
    append_run(entry.runs, range.first, range.last, live);
  }
  const bool came_through = !open_since_.empty() && open.empty();
  if (came_through && now >= retry_at_) patience_ = std::max(kPatience, patience_ - patience_ / 4);
  open_since_ = std::move(open);
  if (!late) return std::nullopt;
  patience_ = std::min(2 * patience_, kPatienceMax);
  retry_at_ = now + patience_;
  entry.planned_on = ring.ranges_version();
  return entry;
}

Mover::Todo Mover::look(const RingState& ring, const LeaseBook& leases, Micros now) const {
  Todo todo;
  for_each_part(ring.ranges(), ring.target(),
                [&](Slot first, Slot last, const protocol::TableRange& range, const IntendedRun& run) {
                  judge(ring, leases, now, first, last, range, run.chain, todo);
                });
  // Slots with few copies first.
  std::stable_sort(todo.to_begin.begin(), todo.to_begin.end(), [&](const IntendedRun& a, const IntendedRun& b) {
    const auto copies = [&](const IntendedRun& run) { return ring.range_of(run.first).chain.size(); };
    return copies(a) < copies(b);
  });
  todo.to_begin = first_slots(todo.to_begin, kSlotsLearning);
  std::sort(todo.to_begin.begin(), todo.to_begin.end(),
            [](const IntendedRun& a, const IntendedRun& b) { return a.first < b.first; });
  return todo;
}

void Mover::judge(const RingState& ring, const LeaseBook& leases, Micros now, Slot first, Slot last,
                  const protocol::TableRange& range, const Chain& wanted, Todo& todo) const {
  const uint32_t slots = last - first + 1u;
  if (range.next_epoch != 0) {
    // What stands still may do so for long, and is no reason to leave others short of copies.
    const bool goes_on =
        std::any_of(basis(range).begin(), basis(range).end(), [&](MemberId id) { return !leases.lapsed(id, now); });
    if (goes_on) todo.changing_slots += slots;
    for (const MemberId id : basis(range)) {
      const Member* member = ring.member(id);
      if (!goes_on && member != nullptr && !member->gone()) todo.awaited.insert(name_of(ring, id));
    }
    return;
  }
  if (range.chain == wanted) {
    if (!range.goal.empty()) append_run(todo.to_forget, first, last, {});
    return;
  }
  if (range.chain.empty() || ring.lost(range)) return;
  bool can_go = true;
  for (const Chain* chain : {&range.chain, &wanted}) {
    for (const MemberId id : *chain) {
      const Member* member = ring.member(id);
      const bool is_leaving = chain == &wanted && member != nullptr && member->draining;
      if (!leases.lapsed(id, now) && !is_leaving && !leases.set_aside(id, now)) continue;
      can_go = false;
      todo.awaited.insert(name_of(ring, id));
    }
  }
  if (!can_go || (!range.goal.empty() && range.goal != wanted)) {
    if (!range.goal.empty()) append_run(todo.to_forget, first, last, {});
    return;
  }
  const bool has_learners =
      std::any_of(wanted.begin(), wanted.end(), [&](MemberId id) { return !ring::contains(range.chain, id); });
  if (has_learners && range.goal.empty()) return append_run(todo.to_begin, first, last, wanted);
  for (uint32_t at = first; at <= last;) {
    bool learned = true;
    const Slot through = learned_through(range, wanted, static_cast<Slot>(at), last, learned);
    if (learned) {
      append_run(todo.ready, static_cast<Slot>(at), through, wanted);
      todo.ready_slots += through - at + 1u;
    } else {
      todo.learning_slots += through - at + 1u;
    }
    at = through + 1u;
  }
}

// Whether all learners have learned slot `first`, and up to which slot the answer is the same.
Slot Mover::learned_through(const protocol::TableRange& range, const Chain& wanted, Slot first, Slot last,
                            bool& learned) const {
  learned = true;
  Slot learned_last = last;  // as far as all have learned
  Slot missing_last = last;  // as far as the first that has not has not
  for (const MemberId id : wanted) {
    if (ring::contains(range.chain, id)) continue;
    const auto pupil = pupils_.find(id);
    const protocol::LearnedRun* next = nullptr;  // the first run that ends behind `first`
    if (pupil != pupils_.end()) {
      for (const protocol::LearnedRun& run : pupil->second.runs) {
        if (run.last < first || run.epoch != range.epoch) continue;
        next = &run;
        break;
      }
    }
    if (next != nullptr && next->first <= first) {
      learned_last = std::min(learned_last, next->last);
    } else {
      learned = false;
      if (next != nullptr && next->first <= last) missing_last = std::min<Slot>(missing_last, next->first - 1);
    }
  }
  return learned ? learned_last : missing_last;
}

void Mover::tell(const RingState& ring, const Todo& todo) {
  const bool idle = ring.slots_left() == 0;
  if (was_idle_ && !idle) {
    for (auto& [id, pupil] : pupils_) {
      pupil.keys_before = pupil.keys;
      pupil.bytes_before = pupil.bytes;
    }
  }
  was_idle_ = idle;
  progress_ = {};
  for (const auto& [id, pupil] : pupils_) {
    progress_.keys += pupil.keys - std::min(pupil.keys, pupil.keys_before);
    progress_.bytes += pupil.bytes - std::min(pupil.bytes, pupil.bytes_before);
  }
  progress_.learning = todo.learning_slots + todo.ready_slots;
  const bool moving = progress_.learning + todo.changing_slots + slots_of(todo.to_begin) > 0;
  if (idle || moving) return;
  for (const std::string& who : todo.awaited) {
    append_text(progress_.trouble, progress_.trouble.empty() ? "waiting for " : ", ", who);
  }
  if (progress_.trouble.empty()) progress_.trouble = "every copy of the slots that are left is lost";
}

}  // namespace chainring::coordinator
