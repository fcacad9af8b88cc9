// What operators wish of the ring, and the target that follows from it.

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "coordinator/state_ring.h"

namespace chainring::coordinator {
namespace {

std::string text_of(const ReshardEntry& entry) {
  switch (entry.verb) {
    case ReshardVerb::add:
      return concat("add ", entry.name);
    case ReshardVerb::remove:
      return concat("remove ", entry.name);
    case ReshardVerb::weight:
      return concat("weight ", entry.name, " ", entry.value);
    case ReshardVerb::copies:
      return concat("copies ", entry.value);
    default:
      return {};
  }
}

constexpr std::string_view kBetweenWishes = ", ";
constexpr std::string_view kEarlierWishes = "..., ";

// A change that does not end takes any number of wishes, and its text is in every snapshot and status.
void keep_latest(std::string& wishes) {
  if (wishes.size() <= kChangeTextBytesMax) return;
  const size_t end = wishes.find(kBetweenWishes, wishes.size() - (kChangeTextBytesMax - kEarlierWishes.size()));
  const size_t kept = std::min(end, wishes.rfind(kBetweenWishes)) + kBetweenWishes.size();
  wishes.replace(0, kept, kEarlierWishes);
}

Status refused(std::string why) { return {ErrorCode::invalid_argument, std::move(why)}; }

Status unknown_node(std::string_view wished) {
  const std::string_view name = wished.substr(0, 128);
  return refused(concat("no node '", name, "' has registered: start it with --name ", name,
                        " and the coordinators' addresses; RING STATUS lists the members"));
}

}  // namespace

const Member* RingState::newest(std::string_view name) const {
  for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
    if (member->listed.name == name && !member->gone()) return &*member;
  }
  return nullptr;
}

Member* RingState::mutable_newest(std::string_view name) {
  const Member* const member = newest(name);
  return member == nullptr ? nullptr : mutable_member(member->listed.id);
}

Status RingState::check(const ReshardEntry& entry) const {
  const Member* const member = newest(entry.name);
  switch (entry.verb) {
    case ReshardVerb::add:
      if (member == nullptr) return unknown_node(entry.name);
      if (member->draining) return refused(concat("node '", entry.name, "' is about to end; start it again first"));
      if (member->struck && member->placed) {
        return refused(concat("node '", entry.name, "' is absent; it takes its place again when it comes back"));
      }
      if (member->placed) return refused(concat("node '", entry.name, "' is in the ring already"));
      return {};
    case ReshardVerb::remove:
      if (member == nullptr) return unknown_node(entry.name);
      if (!member->placed) return refused(concat("node '", entry.name, "' is not in the ring"));
      if (!member->struck && placed_count() == 1) {
        return refused(concat("node '", entry.name, "' is the last of the ring: add another one first, or stop the ",
                              "cluster with RING SHUTDOWN"));
      }
      return {};
    case ReshardVerb::weight:
      if (member == nullptr) return unknown_node(entry.name);
      if (entry.value < 1 || entry.value > kNodeWeightMax) {
        return refused(concat("a weight is a number from 1 to ", kNodeWeightMax, "; 100 is the usual one"));
      }
      return {};
    case ReshardVerb::copies:
      if (entry.value < 1 || entry.value > kCopiesMax) return refused(concat("copies are 1 to ", kCopiesMax));
      return {};
    case ReshardVerb::pause:
      return paused_ ? refused("moving is paused already; RING RESUME goes on") : Status();
    case ReshardVerb::resume:
      return paused_ ? Status() : refused("moving is not paused");
    case ReshardVerb::cancel:
      if (change_.text.empty()) return refused("no change is under way");
      if (change_.undo_copies == 0) return refused("the change is being undone already");
      return {};
  }
  return refused("unknown change of the ring");
}

void RingState::apply(const ReshardEntry& entry) {
  if (!check(entry).ok()) return;
  begin_change(entry);
  Member* const member = mutable_newest(entry.name);
  switch (entry.verb) {
    case ReshardVerb::add:
    case ReshardVerb::remove:
      member->placed = entry.verb == ReshardVerb::add;
      ++wishes_;
      break;
    case ReshardVerb::weight:
      member->listed.weight = entry.value;
      member->weighed = true;
      ++wishes_;
      break;
    case ReshardVerb::copies:
      copies_ = entry.value;
      ++wishes_;
      break;
    case ReshardVerb::pause:
    case ReshardVerb::resume:
      paused_ = entry.verb == ReshardVerb::pause;
      break;
    case ReshardVerb::cancel:
      undo_change();
      break;
  }
  refresh_states();
  ++version_;
}

// Changes that come while another is under way become part of it, and are undone together.
void RingState::begin_change(const ReshardEntry& entry) {
  const std::string text = text_of(entry);
  if (text.empty()) return;
  if (change_.text.empty() || change_.undo_copies == 0) {
    change_ = {text, {}, copies_};
  } else {
    append_text(change_.text, kBetweenWishes, text);
    keep_latest(change_.text);
  }
  const Member* const named = newest(entry.name);
  const bool known = std::any_of(change_.undo.begin(), change_.undo.end(),
                                 [&](const Change::Undo& before) { return before.name == entry.name; });
  if (named == nullptr || known) return;
  change_.undo.push_back({entry.name, named->placed, named->weighed, named->listed.weight});
}

void RingState::undo_change() {
  for (const Change::Undo& before : change_.undo) {
    Member* const member = mutable_newest(before.name);
    if (member == nullptr) continue;
    member->placed = before.placed;
    member->weighed = before.weighed;
    member->listed.weight = before.weight;
  }
  copies_ = change_.undo_copies;
  change_ = {concat("undo ", change_.text), {}, 0};
  paused_ = false;
  ++wishes_;
}

uint32_t RingState::slots_left() const {
  uint32_t left = 0;
  for_each_part(ranges_, target_,
                [&](Slot first, Slot last, const protocol::TableRange& range, const IntendedRun& run) {
                  if (range.chain != run.chain) left += last - first + 1u;
                });
  return left;
}

void RingState::end_change_when_done() {
  if (target_wishes_ != wishes_ || slots_left() != 0) return;
  change_ = {};
  slots_total_ = 0;
}

void RingState::apply(const TargetEntry& entry) {
  if (entry.wishes != wishes_ || !well_formed(entry.runs, false)) return;
  target_ = entry.runs;
  target_wishes_ = entry.wishes;
  slots_total_ = slots_left();
  end_change_when_done();
}

void RingState::apply(const GoalsEntry& entry) {
  if (entry.planned_on != ranges_version_ || !well_formed(entry.runs, true)) return;
  change_runs(ranges_, entry.runs, [](protocol::TableRange& part, const IntendedRun& run) {
    if (part.next_epoch == 0 && !part.chain.empty()) part.goal = run.chain;
  });
  ranges_version_ = ++version_;
  forget_gone();
}

}  // namespace chainring::coordinator
