// How a member learns a slot, and how a tail teaches it (R17).

#include <algorithm>

#include "base/text.h"
#include "node/chain.h"
#include "protocol/runs.h"

namespace chainring::node {
namespace {

// Copied in one turn, so that requests are not kept waiting: what is written meanwhile waits for a turn at each member
// of its chain.
constexpr size_t kCopyBytesPerTurn = size_t{16} << 10;

}  // namespace

// ---- the learner ------------------------------------------------------------------------------------------------

void Chains::learn_from(Slot slot, SlotState& state, MemberId source, Epoch epoch) {
  if (state.learning && state.learning->source == source && state.learning->epoch == epoch) return;
  begin_anew(slot, state);
  if (!state.learning) ++learning_slots_;
  state.learning = std::make_unique<Learning>();
  state.learning->source = source;
  state.learning->epoch = epoch;
  state.learning->since = obeying_;
  state.predecessor = source;
  state.successor = kNoMember;
  copies_due_ = true;
}

// Calls visit(slot, state) for the slots of which the newest table makes us a learner.
template <class Visit>
void Chains::for_each_learned_slot(Visit&& visit) const {
  for (const protocol::TableRange& range : ranges_) {
    if (!ring::contains(range.goal, self_) && !ring::contains(range.next_chain, self_)) continue;
    for (uint32_t slot = range.first; slot <= range.last; ++slot) visit(static_cast<Slot>(slot), slots_[slot]);
  }
}

// For all slots, those too of which a copy has come: the source may have begun to think anew of what it has to send, by
// a table that we have not seen.
void Chains::send_asking() {
  if (!std::exchange(copies_due_, false)) return;
  std::vector<std::pair<MemberId, protocol::Learn>> asking;
  for_each_learned_slot([&](Slot slot, const SlotState& state) {
    if (!state.follows()) return;
    const Learning& learning = *state.learning;
    auto at = std::find_if(asking.begin(), asking.end(), [&](const auto& one) { return one.first == learning.source; });
    if (at == asking.end()) at = asking.insert(at, {learning.source, {}});
    protocol::append_run(at->second.runs, protocol::LearnRun{slot, slot, learning.epoch, learning.since});
  });
  for (const auto& [source, learn] : asking) {
    messages_.push_back({source, ChainMessage::Way::accepted, protocol::FrameType::learn, encode(learn)});
  }
}

// Whatever is there is no prefix of what is to come.
void Chains::begin_anew(Slot slot, SlotState& state) {
  const bool has_begun = state.learning && state.learning->stream != 0;
  if (!has_begun && state.applied == 0) return;
  for (const StoredRecord& record : state.uncommitted) forget(record);
  state.uncommitted.clear();
  change_senders(state, [](SenderLog& senders) { senders.clear(); });
  state.applied = state.committed = state.whole_slot = 0;
  state.last_time = 0;
  state.gap_asked = false;
  observer_.dropped(slot, false);
}

void Chains::stop_learning(SlotState& state) {
  if (!state.learning) return;
  state.learning.reset();
  --learning_slots_;
}

template <class Message>
Chains::SlotState* Chains::learning_state(MemberId from, const Message& message) {
  if (message.slot >= kSlotCount || !broken_.ok()) return nullptr;
  SlotState& state = slots_[message.slot];
  if (!state.follows() || from == kNoMember || from != state.learning->source) return nullptr;
  return message.epoch == state.learning->epoch ? &state : nullptr;
}

Status Chains::on_copy_part(MemberId from, std::string_view payload) {
  protocol::CopyPart part;
  std::string_view effects;
  if (!protocol::split_payload(payload, part, effects)) return Status(ErrorCode::corrupt, "malformed part of a copy");
  SlotState* state = learning_state(from, part);
  if (state == nullptr) return Status();
  Learning& learning = *state->learning;
  if (part.part == 0 && part.stream > learning.stream) {
    begin_anew(part.slot, *state);
    learning.stream = part.stream;
    learning.next_part = 0;
    if (std::exchange(learning.copied, false)) learned_due_ = true;
  }
  if (part.stream != learning.stream || part.part != learning.next_part) return Status();
  ++learning.next_part;
  learned_keys_ += part.keys;
  learned_bytes_ += effects.size();
  if (Status applied = observer_.apply(part.slot, effects); !applied.ok()) {
    broken_ =
        Status(ErrorCode::corrupt, concat("the copy of slot ", part.slot, " cannot be applied: ", applied.message()));
  }
  return Status();
}

Status Chains::on_copy_end(MemberId from, std::string_view payload) {
  const auto end = decode<protocol::CopyEnd>(payload);
  if (!end) return Status(ErrorCode::corrupt, "malformed end of a copy");
  SlotState* state = learning_state(from, *end);
  if (state == nullptr || end->stream != state->learning->stream || end->part != state->learning->next_part) {
    return Status();
  }
  ++state->learning->next_part;
  state->learning->copied = true;
  state->applied = state->committed = end->sequence;
  state->last_time = end->time;
  mark_ack_due(end->slot, *state);  // the source does not know whether we are near our limit (R11)
  change_senders(*state, [&](SenderLog& senders) { senders.restore(end->senders, end->forgotten_us, now_); });
  for (const protocol::SenderRecord& sender : end->senders) {
    for (const protocol::SenderAnswer& answer : sender.answers) {
      bound_long_replies({end->slot, sender.sender, answer.number, answer.reply.size()});
    }
  }
  learned_due_ = true;
  return Status();
}

// What the source sends is committed: the source is the tail.
void Chains::accept_as_learner(MemberId from, SlotState& state, const protocol::RecordHead& head, std::string_view body,
                               const protocol::Record& record) {
  const Learning& learning = *state.learning;
  if (!state.follows() || !learning.copied || from != learning.source || head.epoch != learning.epoch) return;
  if (head.sequence > state.applied + 1) return ask_gap(head.slot, state);
  if (head.sequence == state.applied + 1) {
    take(state, head, body, record);
    state.gap_asked = false;
    if (!broken_.ok()) return;
    commit_to(head.slot, state, state.applied);
  }
  mark_ack_due(head.slot, state);
}

protocol::Learned Chains::learned() const {
  protocol::Learned learned;
  learned.obeyed = obeyed_;
  learned.keys = learned_keys_;
  learned.bytes = learned_bytes_;
  for_each_learned_slot([&](Slot slot, const SlotState& state) {
    if (!state.learning || !state.learning->copied) return;
    protocol::append_run(learned.runs, protocol::LearnedRun{slot, slot, state.learning->epoch});
  });
  return learned;
}

// ---- the tail -----------------------------------------------------------------------------------------------------

void Chains::copy_to_learners(Slot slot, const SlotState& state, const protocol::TableRange& range) {
  std::vector<MemberId> learners;
  if (state.member && state.successor == kNoMember) {
    for (const MemberId member : range.goal) {
      if (!ring::contains(range.chain, member)) learners.push_back(member);
    }
  }
  if (!learners.empty() || copies_.copies(slot)) copies_.want(slot, range.epoch, learners);
}

Status Chains::on_learn(MemberId from, std::string_view payload) {
  const auto learn = decode<protocol::Learn>(payload);
  if (!learn) return Status(ErrorCode::corrupt, "malformed asking for a copy");
  for (const protocol::LearnRun& run : learn->runs) {
    for (uint32_t slot = run.first; slot <= run.last && slot < kSlotCount; ++slot) {
      copies_.asked(static_cast<Slot>(slot), run.epoch, from, run.since);
    }
  }
  return Status();
}

void Chains::copy(const std::function<size_t(MemberId)>& room) {
  copies_.work(kCopyBytesPerTurn, room, [this](Slot slot) {
    const SlotState& state = slots_[slot];
    return CopySource::Standing{state.applied, state.last_time, state.senders.records(now_),
                                state.senders.forgotten_for(now_)};
  });
}

}  // namespace chainring::node
