// How a member obeys tables: promises, activations, slots that it leaves (R14, R15).

#include <algorithm>

#include "base/text.h"
#include "node/chain.h"

namespace chainring::node {
namespace {

// The parts of `now` that are not the same in `before`; all of it when there was nothing before.
std::vector<protocol::TableRange> changed_parts(const std::vector<protocol::TableRange>& before,
                                                const std::vector<protocol::TableRange>& now) {
  std::vector<protocol::TableRange> changed;
  auto old = before.begin();
  for (const protocol::TableRange& range : now) {
    for (uint32_t first = range.first; first <= range.last;) {
      while (old != before.end() && old->last < first) ++old;
      protocol::TableRange part = range;
      part.first = static_cast<Slot>(first);
      if (old != before.end()) part.last = std::min(range.last, old->last);
      first = part.last + 1u;
      if (old == before.end() || !ring::same_chains(*old, range)) changed.push_back(std::move(part));
    }
  }
  return changed;
}

}  // namespace

Status Chains::obey(const ring::Table& table, MemberId self, uint64_t lease_number) {
  if (table.version() <= obeyed_) return Status();
  lease_number_ = lease_number;
  obeying_ = table.version();
  if (self != self_) ranges_.clear();
  self_ = self;
  std::vector<protocol::TableRange> changed = changed_parts(ranges_, table.message().ranges);
  for (const protocol::TableRange& part : changed) {
    if (!ring::contains(part.chain, self)) continue;
    for (uint32_t slot = part.first; slot <= part.last; ++slot) {
      if (Status kept = check_promise(slots_[slot], part); !kept.ok()) {
        return Status(ErrorCode::corrupt, concat("table ", table.version(), " puts epoch ", part.epoch, " of slot ",
                                                 slot, " in force, ", kept.message()));
      }
    }
  }
  for (const protocol::TableRange& part : changed) {
    for (uint32_t slot = part.first; slot <= part.last; ++slot) obey_slot(static_cast<Slot>(slot), part, self);
  }
  ranges_ = table.message().ranges;
  obeyed_ = table.version();
  if (is_learner()) learned_due_ = true;  // it says by which table
  refresh_wanted_links();
  return Status();
}

// A member of a chain in force has promised its epoch, and holds the slot: the activation waited for both.
Status Chains::check_promise(const SlotState& state, const protocol::TableRange& range) {
  if (state.promised < range.epoch) return Status(ErrorCode::corrupt, "which this member never promised");
  if (range.epoch > state.epoch && state.learning && !state.learning->copied) {
    return Status(ErrorCode::corrupt, "which has not been copied to this member");
  }
  return Status();
}

void Chains::obey_slot(Slot slot, const protocol::TableRange& range, MemberId self) {
  SlotState& state = slots_[slot];
  const bool in_chain = ring::contains(range.chain, self);
  const bool in_next = range.next_epoch != 0 && ring::contains(range.next_chain, self);
  if (range.next_epoch > state.promised && (in_chain || in_next)) {
    state.promised = range.next_epoch;
    state.promised_in = lease_number_;
    stopped_due_ = true;
  }
  if (in_chain) {
    if (range.epoch > state.epoch) activate(slot, state, range, self);
  } else if (!range.chain.empty() && (in_next || ring::contains(range.goal, self))) {
    if (state.member) drop(slot, state, range.epoch);
    learn_from(slot, state, range.chain.back(), range.epoch);
  } else if (state.member || state.applied != 0 || state.learning) {
    drop(slot, state, range.epoch);
  }
  copy_to_learners(slot, state, range);
  state.promised = std::max(state.promised, range.epoch);
  if (!state.member) state.epoch = std::max(state.epoch, range.epoch);
  forget_tight(slot, range);
}

void Chains::activate(Slot slot, SlotState& state, const protocol::TableRange& range, MemberId self) {
  const auto place = std::find(range.chain.begin(), range.chain.end(), self);
  stop_learning(state);
  state.epoch = range.epoch;
  state.member = true;
  state.predecessor = place == range.chain.begin() ? kNoMember : *(place - 1);
  state.successor = place + 1 == range.chain.end() ? kNoMember : *(place + 1);
  state.gap_asked = false;
  // All members of the new chain were brought to the same number before the activation was committed.
  commit_to(slot, state, state.applied);
  if (says_tight(slot)) mark_ack_due(slot, state);  // the new epoch's predecessor has not been told
  if (std::exchange(state.refused_ahead, false) && state.active() && state.predecessor != kNoMember) {
    ask_gap(slot, state);  // the head was quicker to take up the epoch than we were
  }
}

// What we have executed has outlived us here when we said under an unbroken lease how far we had come: the change had
// to wait for that, and has brought the new chain as far.
void Chains::drop(Slot slot, SlotState& state, Epoch in_force) {
  for (const StoredRecord& record : state.uncommitted) forget(record);
  const bool outlived =
      state.member && state.promised == in_force && lease_number_ != 0 && state.promised_in == lease_number_;
  const Epoch promised = state.promised;  // a promise is never taken back
  stop_learning(state);
  change_senders(state, [](SenderLog& senders) { senders.clear(); });
  state = SlotState{};
  state.promised = promised;
  state.epoch = in_force;  // replies that leave now speak of what is in force
  observer_.dropped(slot, outlived);
}

// What is promised and not in force is intended by the newest table.
std::vector<protocol::Stopped> Chains::stopped() const {
  std::vector<protocol::Stopped> statements;
  for (const protocol::TableRange& range : ranges_) {
    if (range.next_epoch == 0) continue;
    for (uint32_t slot = range.first; slot <= range.last; ++slot) state_number(static_cast<Slot>(slot), statements);
  }
  return statements;
}

void Chains::state_number(Slot slot, std::vector<protocol::Stopped>& statements) const {
  const SlotState& state = slots_[slot];
  if (state.promised == state.epoch) return;
  if (state.learning && !state.learning->copied) return;  // no number says what we hold
  auto at = std::find_if(statements.begin(), statements.end(),
                         [&](const protocol::Stopped& s) { return s.epoch == state.promised; });
  if (at == statements.end()) {
    at = statements.insert(statements.end(), protocol::Stopped{});
    at->epoch = state.promised;
  }
  if (at->runs.empty() || at->runs.back().first + at->runs.back().applied.size() != slot) {
    at->runs.push_back({slot, {}});
  }
  at->runs.back().applied.push_back(state.applied);
}

bool Chains::waits_for(MemberId member) const {
  const std::vector<MemberId> learners = copies_.learners();
  return std::binary_search(learners.begin(), learners.end(), member) ||
         std::any_of(levellings_.begin(), levellings_.end(),
                     [member](const Levelling& levelling) { return levelling.to == member; }) ||
         std::any_of(slots_.begin(), slots_.end(), [member](const SlotState& state) {
           return state.active() && state.successor == member && state.applied > state.committed;
         });
}

void Chains::refresh_wanted_links() {
  wanted_links_.clear();
  for (const protocol::TableRange& range : ranges_) {
    const auto place = std::find(range.chain.begin(), range.chain.end(), self_);
    if (place != range.chain.end() && place + 1 != range.chain.end()) wanted_links_.push_back(*(place + 1));
  }
  std::erase_if(levellings_, [&](const Levelling& levelling) {
    return std::none_of(ranges_.begin(), ranges_.end(),
                        [&](const protocol::TableRange& range) { return range.next_epoch == levelling.epoch; });
  });
  for (const Levelling& levelling : levellings_) wanted_links_.push_back(levelling.to);
  for (const MemberId learner : copies_.learners()) wanted_links_.push_back(learner);
  std::sort(wanted_links_.begin(), wanted_links_.end());
  wanted_links_.erase(std::unique(wanted_links_.begin(), wanted_links_.end()), wanted_links_.end());
}

}  // namespace chainring::node
