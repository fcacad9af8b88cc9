#include "node/chain.h"

#include <algorithm>

#include "base/text.h"
#include "protocol/runs.h"

namespace chainring::node {
namespace {

// One frame of records holds about so much; a single larger record makes a larger frame.
constexpr size_t kBatchBytes = 1 << 20;

// What goes with the effects of the longest record: hashes of its keys, its reply, earlier ones, numbers.
constexpr size_t kAroundEffectsBytesMax =
    protocol::kRequestArgsMax * sizeof(uint64_t) + 2 * SenderLog::kRepliesBytesMax + SenderLog::kAnswersMax * 16 + 1024;
static_assert(kBatchBytes + kEffectsBytesMax + kAroundEffectsBytesMax <= protocol::kFramePayloadMax);

// The part of a record behind its head: the bytes to store, and the same decoded.
struct ParsedRecord {
  protocol::Record record;  // with the head's fields
  std::string_view body;
};

bool parse_record(ByteReader& reader, ParsedRecord& parsed) {
  static_cast<protocol::RecordHead&>(parsed.record).fields(reader);
  const std::string_view from_body = reader.rest();
  reader(parsed.record.key_hashes, parsed.record.earlier, parsed.record.reply, parsed.record.effects);
  if (reader.failed() || parsed.record.slot >= kSlotCount || parsed.record.sequence == 0) return false;
  if ((parsed.record.sender == 0) != (parsed.record.number == 0)) return false;
  parsed.body = from_body.substr(0, from_body.size() - reader.rest().size());
  return true;
}

std::vector<uint64_t> hashes_of(std::string_view body) {
  std::vector<uint64_t> hashes;
  ByteReader reader(body);
  reader(hashes);
  CHECK(!reader.failed(), "a stored record was parsed when it came");
  return hashes;
}

}  // namespace

Chains::Chains(ChainObserver& observer) : observer_(observer), slots_(kSlotCount), copies_(observer) {}

bool Chains::heads(Slot slot, Epoch epoch) const {
  CHECK(slot < kSlotCount, "slots are judged where requests enter");
  const SlotState& state = slots_[slot];
  return state.active() && state.predecessor == kNoMember && epoch <= state.epoch;
}

std::vector<protocol::SlotRange> Chains::headed(std::span<const protocol::SlotRange> wanted) const {
  std::vector<protocol::SlotRange> ranges;
  for (const protocol::SlotRange& range : wanted) {
    for (uint32_t slot = range.first; slot <= range.last && slot < kSlotCount; ++slot) {
      const Slot here = static_cast<Slot>(slot);
      if (!heads(here, 0)) continue;
      protocol::append_run(ranges, {here, here});
    }
  }
  return ranges;
}

Millis Chains::execution_time(Slot slot, Millis now) const { return std::max(now, slots_[slot].last_time); }

Sequence Chains::append(const LocalRecord& record) {
  CHECK(heads(record.slot, 0), "only the active head makes records");
  SlotState& state = slots_[record.slot];
  protocol::RecordHead head;
  head.slot = record.slot;
  head.epoch = state.epoch;
  head.sequence = state.applied + 1;
  head.sender = record.sender;
  head.number = record.number;
  head.answered_below = record.answered_below;
  head.time = record.time;
  CHECK(record.time >= state.last_time, "time within a slot never goes back (R12)");
  state.last_time = record.time;

  std::string body;
  ByteWriter writer(body);
  writer.varint(record.key_hashes.size());
  for (const uint64_t hash : record.key_hashes) writer(hash);
  const std::string_view reply = SenderLog::kept(record.reply);
  writer(state.senders.take_unrecorded(record.sender, record.answered_below, now_), reply, record.effects);
  if (head.sender != 0) record_answer(head, head.number, reply);
  store(state, head, std::move(body), record.key_hashes);
  pass_on(record.slot, state, record.effects);
  return head.sequence;
}

// The newest record, to the successor; at the tail it is committed, and goes to the learners.
void Chains::pass_on(Slot slot, SlotState& state, std::string_view effects) {
  const StoredRecord& record = state.uncommitted.back();
  if (state.successor != kNoMember) return send_record(state.successor, state, record, protocol::RecordKind::effects);
  if (copies_.copies(slot)) {
    copies_.applied(record, effects,
                    [&](MemberId learner) { send_record(learner, state, record, protocol::RecordKind::effects); });
  }
  commit_to(slot, state, state.applied);
}

void Chains::store(SlotState& state, const protocol::RecordHead& head, std::string body,
                   std::span<const uint64_t> key_hashes) {
  CHECK(head.sequence == state.applied + 1, "records are applied strictly in sequence");
  state.applied = head.sequence;
  for (const uint64_t hash : key_hashes) dirty_[hash] = head.sequence;
  if (key_hashes.empty()) state.whole_slot = head.sequence;
  state.uncommitted.push_back({head, std::move(body)});
  uncommitted_bytes_ += state.uncommitted.back().bytes();
  CHECK(state.uncommitted.size() == state.applied - state.committed, "what is applied and not committed is kept");
}

// ---- what settles a write that comes twice (R20) --------------------------------------------------------------------

// What a record says of a write of its sender.
void Chains::record_answer(const protocol::RecordHead& head, uint64_t number, std::string_view reply) {
  change_senders(slots_[head.slot], [&](SenderLog& senders) {
    senders.record(head.sender, number, head.answered_below, head.sequence, reply, now_);
  });
  bound_long_replies({head.slot, head.sender, number, SenderLog::kept(reply).size()});
}

void Chains::note_answer(Slot slot, Incarnation sender, uint64_t number, uint64_t answered_below, Sequence needs,
                         std::string_view reply) {
  change_senders(slots_[slot],
                 [&](SenderLog& senders) { senders.note(sender, number, answered_below, needs, reply, now_); });
  bound_long_replies({slot, sender, number, SenderLog::kept(reply).size()});
}

void Chains::bound_long_replies(const LongReplies::Reply& added) {
  const auto is_known = [this](const LongReplies::Reply& reply) {
    return slots_[reply.slot].senders.keeps_reply(reply.sender, reply.number);
  };
  const auto forget = [this](const LongReplies::Reply& reply) {
    change_senders(slots_[reply.slot], [&](SenderLog& senders) { senders.forget_reply(reply.sender, reply.number); });
  };
  long_replies_.add(added, is_known, forget);
}

void Chains::drop_silent_senders(size_t slots_max) {
  for (size_t swept = 0; swept < slots_max; ++swept) {
    change_senders(slots_[next_swept_], [&](SenderLog& senders) { senders.drop_silent(now_); });
    next_swept_ = static_cast<Slot>((next_swept_ + 1) % kSlotCount);
  }
}

Sequence Chains::rests_on(Slot slot, std::span<const uint64_t> key_hashes) const {
  const SlotState& state = slots_[slot];
  if (state.applied == state.committed) return 0;
  Sequence last = key_hashes.empty() ? state.applied : state.whole_slot;
  for (const uint64_t hash : key_hashes) {
    // Two keys of different slots may share a hash; then the number means nothing here beyond what is applied.
    if (const auto at = dirty_.find(hash); at != dirty_.end())
      last = std::max(last, std::min(at->second, state.applied));
  }
  return last > state.committed ? last : 0;
}

void Chains::commit_to(Slot slot, SlotState& state, Sequence sequence) {
  CHECK(sequence <= state.applied, "nothing is committed that is not applied here");
  if (sequence <= state.committed) return;
  while (state.committed < sequence) {
    forget(state.uncommitted.front());
    state.uncommitted.pop_front();
    ++state.committed;
  }
  if (state.active() && state.predecessor != kNoMember) mark_ack_due(slot, state);
  observer_.committed(slot, sequence);
}

void Chains::forget(const StoredRecord& record) {
  for (const uint64_t hash : hashes_of(record.body)) {
    const auto at = dirty_.find(hash);
    if (at != dirty_.end() && at->second == record.head.sequence) dirty_.erase(at);
  }
  uncommitted_bytes_ -= record.bytes();
}

Status Chains::on_records(MemberId from, std::string_view payload) {
  ByteReader reader(payload);
  const uint64_t count = reader.varint();
  for (uint64_t i = 0; i < count; ++i) {
    ParsedRecord parsed;
    if (!parse_record(reader, parsed)) return Status(ErrorCode::corrupt, "malformed record");
    if (broken_.ok()) accept(from, parsed.record, parsed.body, parsed.record);
  }
  if (!reader.complete()) return Status(ErrorCode::corrupt, "malformed records frame");
  return Status();
}

void Chains::accept(MemberId from, const protocol::RecordHead& head, std::string_view body,
                    const protocol::Record& record) {
  SlotState& state = slots_[head.slot];
  if (head.kind == protocol::RecordKind::levelling) {
    const bool promised = head.epoch == state.promised && state.promised > state.epoch;
    const bool whole = !state.learning || state.learning->copied;
    if (promised && whole && head.sequence == state.applied + 1) {
      take(state, head, body, record);
      stopped_due_ = true;
    }
    return;
  }
  if (head.epoch > state.epoch) {
    state.refused_ahead = true;
    return;
  }
  if (state.learning) return accept_as_learner(from, state, head, body, record);
  if (!state.active() || head.epoch != state.epoch || from == kNoMember || from != state.predecessor) return;
  if (head.sequence > state.applied + 1) {
    ask_gap(head.slot, state);
  } else if (head.sequence <= state.applied) {
    mark_ack_due(head.slot, state);  // our acknowledgement was lost with a link
  } else {
    take(state, head, body, record);
    state.gap_asked = false;
    if (broken_.ok()) pass_on(head.slot, state, record.effects);
  }
}

void Chains::take(SlotState& state, const protocol::RecordHead& head, std::string_view body,
                  const protocol::Record& record) {
  if (Status applied = observer_.apply(head.slot, record.effects); !applied.ok()) {
    broken_ = Status(ErrorCode::corrupt, concat("record ", head.sequence, " of slot ", head.slot,
                                                " cannot be applied: ", applied.message()));
    return;
  }
  if (head.sender != 0) {
    for (const protocol::EarlierAnswer& answer : record.earlier) record_answer(head, answer.number, answer.reply);
    record_answer(head, head.number, record.reply);
  }
  ++counts_.records_applied;
  state.last_time = std::max(state.last_time, head.time);
  protocol::RecordHead kept = head;
  kept.kind = protocol::RecordKind::effects;
  store(state, kept, std::string(body), record.key_hashes);
}

Status Chains::on_ack(MemberId from, std::string_view payload) {
  const auto ack = decode<protocol::Ack>(payload);
  if (!ack) return Status(ErrorCode::corrupt, "malformed ack");
  for (const protocol::AckItem& item : ack->items) {
    if (item.slot >= kSlotCount) return Status(ErrorCode::corrupt, "ack of a slot that does not exist");
    SlotState& state = slots_[item.slot];
    if (from == kNoMember) continue;
    const bool learns = state.tail() && copies_.acknowledged(item.slot, item.epoch, from, item.committed);
    hear_tight(from, item, learns);
    if (!state.active() || item.epoch != state.epoch || from != state.successor) continue;
    if (item.committed > state.applied) return Status(ErrorCode::corrupt, "ack of a record that was never sent");
    commit_to(item.slot, state, item.committed);
  }
  return Status();
}

Status Chains::on_gap(MemberId from, std::string_view payload) {
  const auto gap = decode<protocol::Gap>(payload);
  if (!gap || gap->slot >= kSlotCount) return Status(ErrorCode::corrupt, "malformed gap");
  SlotState& state = slots_[gap->slot];
  if (!state.active() || gap->epoch != state.epoch || from == kNoMember || from != state.successor) return Status();
  for (const StoredRecord& record : state.uncommitted) {
    if (record.head.sequence >= gap->expected) {
      send_record(from, state, record, protocol::RecordKind::effects);
    }
  }
  return Status();
}

void Chains::on_level(const protocol::Level& level) {
  bool new_target = false;
  for (const protocol::LevelItem& item : level.items) {
    if (item.slot >= kSlotCount) continue;
    const SlotState& state = slots_[item.slot];
    if (state.promised != level.epoch || state.promised == state.epoch) continue;  // an intention that was replaced
    auto levelling = std::find_if(levellings_.begin(), levellings_.end(),
                                  [&](const Levelling& one) { return one.to == item.to && one.epoch == level.epoch; });
    if (levelling == levellings_.end()) {
      levelling = levellings_.insert(levellings_.end(), {item.to, level.epoch, {}});
      new_target = true;
    }
    const auto [at, first] = levelling->slots.try_emplace(item.slot);
    Levelling::Span& span = at->second;
    span.after = first ? item.after : std::min(span.after, item.after);
    span.through = std::max(span.through, item.through);
    // What has been sent comes, or the link breaks: to send it once more would only keep a slow link busy.
    send_levels(*levelling, item.slot, std::max(span.sent, item.after), span.through);
    span.sent = span.through;
  }
  if (new_target) refresh_wanted_links();
}

void Chains::send_levels(const Levelling& levelling, Slot slot, Sequence after, Sequence through) {
  const SlotState& state = slots_[slot];
  const auto send = [&](const Fifo<StoredRecord>& records) {
    for (const StoredRecord& record : records) {
      if (record.head.sequence > after && record.head.sequence <= through) {
        send_record(levelling.to, state, record, protocol::RecordKind::levelling);
      }
    }
  };
  // What a learner has not acknowledged is older than what is uncommitted here.
  if (const Fifo<StoredRecord>* kept = copies_.kept(slot, levelling.to)) send(*kept);
  send(state.uncommitted);
}

// ---- memory (R11) ---------------------------------------------------------------------------------------------------

void Chains::set_near_limit(bool near_limit) {
  if (std::exchange(near_limit_, near_limit) == near_limit) return;
  for (uint32_t number = 0; number < kSlotCount; ++number) {
    const auto slot = static_cast<Slot>(number);
    if (slots_[slot].acknowledges() && !tight_behind(slot)) mark_ack_due(slot, slots_[slot]);
  }
}

// A successor may take up an epoch before we do. Whoever else speaks of the present one is a learner no more.
void Chains::hear_tight(MemberId from, const protocol::AckItem& item, bool from_learner) {
  SlotState& state = slots_[item.slot];
  if (item.epoch < state.epoch) return;
  if (item.epoch == state.epoch && from != state.successor && !from_learner) return;
  const bool before = says_tight(item.slot);
  tight_members_.heard(item.slot, from, item.epoch, item.tight);
  if (says_tight(item.slot) != before) mark_ack_due(item.slot, state);
}

// What was said under an earlier epoch, or by who was to learn the slot and is not any more.
void Chains::forget_tight(Slot slot, const protocol::TableRange& range) {
  SlotState& state = slots_[slot];
  const bool before = tight_behind(slot);
  tight_members_.retain(slot, [&](MemberId member, Epoch epoch) {
    const bool is_behind = member == state.successor || ring::contains(range.goal, member);
    return epoch > state.epoch || (epoch == state.epoch && is_behind);
  });
  if (before && state.acknowledges()) mark_ack_due(slot, state);
}

void Chains::dialled_by(MemberId member) {
  if (member == kNoMember || (!near_limit_ && tight_members_.empty())) return;
  for (uint32_t number = 0; number < kSlotCount; ++number) {
    const auto slot = static_cast<Slot>(number);
    if (slots_[slot].predecessor == member && says_tight(slot)) mark_ack_due(slot, slots_[slot]);
  }
}

// ---- links ----------------------------------------------------------------------------------------------------------

void Chains::link_up(MemberId member) {
  tight_members_.forget(member, [this](Slot slot) { mark_ack_due(slot, slots_[slot]); });
  copies_.link_up(member, [&](Slot slot) { return !slots_[slot].active(); });
  for (SlotState& state : slots_) {
    if (!state.active() || state.successor != member) continue;
    for (const StoredRecord& record : state.uncommitted) {
      send_record(member, state, record, protocol::RecordKind::effects);
    }
  }
  for (const Levelling& levelling : levellings_) {
    if (levelling.to != member) continue;
    for (const auto& [slot, span] : levelling.slots) {
      if (slots_[slot].promised == levelling.epoch) send_levels(levelling, slot, span.after, span.through);
    }
  }
}

void Chains::send_record(MemberId to, const SlotState& state, const StoredRecord& record, protocol::RecordKind kind) {
  CHECK(to != kNoMember, "records go to somebody");
  auto batch = std::find_if(batches_.begin(), batches_.end(), [&](const Batch& b) { return b.to == to; });
  if (batch == batches_.end()) batch = batches_.insert(batches_.end(), Batch{to, 0, {}});
  protocol::RecordHead head = record.head;
  head.kind = kind;
  head.epoch = kind == protocol::RecordKind::levelling ? state.promised : state.epoch;
  ByteWriter writer(batch->bytes);
  writer(head);
  writer.raw(record.body);
  ++batch->count;
  ++counts_.records_sent;
  if (batch->bytes.size() >= kBatchBytes) seal(*batch);
}

void Chains::seal(Batch& batch) {
  if (batch.count == 0) return;
  ChainMessage message;
  message.to = batch.to;
  ByteWriter writer(message.payload);
  writer.varint(batch.count);
  writer.raw(batch.bytes);
  messages_.push_back(std::move(message));
  batch.count = 0;
  batch.bytes.clear();
}

void Chains::mark_ack_due(Slot slot, SlotState& state) {
  if (std::exchange(state.ack_due, true)) return;
  acks_due_.push_back(slot);
}

void Chains::ask_gap(Slot slot, SlotState& state) {
  if (std::exchange(state.gap_asked, true)) return;
  messages_.push_back({state.predecessor, ChainMessage::Way::accepted, protocol::FrameType::gap,
                       encode(protocol::Gap{slot, state.epoch, state.applied + 1})});
}

std::vector<ChainMessage> Chains::take_messages() {
  // The end of a copy comes before the records that follow it.
  for (CopySource::Message& message : copies_.take_messages()) {
    messages_.push_back({message.to, ChainMessage::Way::dialled, message.type, std::move(message.payload)});
  }
  for (Batch& batch : batches_) seal(batch);
  send_asking();
  std::vector<std::pair<MemberId, protocol::Ack>> acks;
  for (const Slot slot : acks_due_) {
    SlotState& state = slots_[slot];
    state.ack_due = false;
    if (!state.acknowledges()) continue;
    auto ack = std::find_if(acks.begin(), acks.end(), [&](const auto& a) { return a.first == state.predecessor; });
    if (ack == acks.end()) ack = acks.insert(acks.end(), {state.predecessor, {}});
    ack->second.items.push_back({slot, state.epoch, state.committed, says_tight(slot)});
  }
  acks_due_.clear();
  for (const auto& [to, ack] : acks) {
    messages_.push_back({to, ChainMessage::Way::accepted, protocol::FrameType::ack, encode(ack)});
  }
  return std::exchange(messages_, {});
}

Chains::View Chains::view(Slot slot) const {
  const SlotState& state = slots_[slot];
  View view{state.epoch,    state.promised,
            state.applied,  state.committed,
            state.member,   state.member && state.predecessor == kNoMember,
            state.active(), state.learning != nullptr};
  if (!state.uncommitted.empty()) {
    view.newest_came_under = state.uncommitted[state.uncommitted.size() - 1].head.epoch;
  }
  return view;
}

}  // namespace chainring::node
