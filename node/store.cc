#include "node/store.h"

#include "protocol/slot.h"

namespace chainring::node {

Store::Store(HeldReplies::Sink& sink, Random& random) : sink_(sink), random_(random), chains_(*this) {}

Status Store::obey(const ring::Table& table, MemberId self, uint64_t lease_number) {
  if (!database_) {
    database_ = std::make_unique<engine::Database>(engine::DatabaseOptions{.hash_seed = table.message().hash_seed});
  }
  return chains_.obey(table, self, lease_number);
}

SenderLog::Verdict Store::settle_again(Slot slot, Incarnation sender, uint64_t number, const Destination& to) {
  const SenderLog::Found found = chains_.find_answer(slot, sender, number);
  if (found.verdict == SenderLog::Verdict::known) {
    reply_ = found.answer->reply;
    reply_when(slot, found.answer->sequence, to);
  }
  return found.verdict;
}

bool Store::hash_keys(const Execution& execution) {
  key_hashes_.clear();
  protocol::key_positions(*execution.command, execution.args, key_positions_);
  for (const size_t position : key_positions_) {
    const std::string_view key = execution.args[position];
    if (protocol::slot_of(key) != execution.slot) return false;
    key_hashes_.push_back(protocol::key_hash(key));
  }
  return true;
}

void Store::reply_when(Slot slot, Sequence needs, const Destination& to) {
  if (needs <= chains_.committed(slot)) {
    sink_.release(slot, to, reply_);
  } else {
    held_.hold(slot, needs, to, reply_);
  }
}

void Store::execute(const Execution& execution) {
  CHECK(chains_.heads(execution.slot, 0), "commands run at the head");
  reply_.clear();
  effects_.clear();
  protocol::ReplyWriter writer(reply_, execution.resp);
  if (!hash_keys(execution)) {
    writer.error(protocol::errors::kCrossSlot);
    sink_.release(execution.slot, execution.to, reply_);
    return;
  }
  if (execution.memory_max != 0 && (execution.command->flags & protocol::kDenyOom) != 0 &&
      database_->memory_bytes() > execution.memory_max) {
    writer.error("OOM command not allowed when used memory > 'maxmemory'.");
    note_answer(execution, 0);
    sink_.release(execution.slot, execution.to, reply_);
    return;
  }
  engine::ExecContext context;
  context.now = chains_.execution_time(execution.slot, execution.now);
  context.random = &random_;
  context.db = execution.db;
  database_->execute(*execution.command, execution.args, context, writer, effects_);

  Sequence needs = chains_.rests_on(execution.slot, key_hashes_);
  if (!effects_.empty()) {
    CHECK(effects_.slots().size() == 1 && effects_.slots()[0].slot == execution.slot,
          "a command for one slot changes that slot");
    LocalRecord record;
    record.slot = execution.slot;
    record.sender = execution.number != 0 ? execution.sender : 0;
    record.number = execution.number;
    record.answered_below = execution.answered_below;
    record.time = context.now;
    record.key_hashes = key_hashes_;
    record.reply = execution.number != 0 ? std::string_view(reply_) : std::string_view();
    record.effects = effects_.slots()[0].bytes;
    needs = chains_.append(record);
  } else {
    note_answer(execution, needs);
  }
  reply_when(execution.slot, needs, execution.to);
}

void Store::note_answer(const Execution& execution, Sequence needs) {
  if (execution.number == 0) return;
  chains_.note_answer(execution.slot, execution.sender, execution.number, execution.answered_below, needs, reply_);
}

bool Store::read(const Execution& execution, Millis margin) {
  CHECK(chains_.view(execution.slot).active, "a member of the chain reads");
  CHECK((execution.command->flags & protocol::kReadonly) != 0, "only the head writes");
  reply_.clear();
  effects_.clear();
  protocol::ReplyWriter writer(reply_, execution.resp);
  if (!hash_keys(execution)) {
    writer.error(protocol::errors::kCrossSlot);
    sink_.release(execution.slot, execution.to, reply_);
    return true;
  }
  engine::ExecContext context;
  context.now = chains_.execution_time(execution.slot, execution.now);
  context.random = &random_;
  context.db = execution.db;
  for (const size_t position : key_positions_) {
    const Millis deadline = database_->deadline_of(execution.args[position], execution.db);
    if (deadline - margin <= context.now) return false;
  }
  database_->execute(*execution.command, execution.args, context, writer, effects_);
  CHECK(effects_.empty(), "a read of keys that have not expired changes nothing");
  reply_when(execution.slot, chains_.rests_on(execution.slot, key_hashes_), execution.to);
  return true;
}

void Store::execute_over(std::span<const protocol::SlotRange> slots, const Execution& execution) {
  reply_.clear();
  effects_.clear();
  protocol::ReplyWriter writer(reply_, execution.resp);
  engine::ExecContext context;
  context.now = execution.now;
  context.random = &random_;
  context.db = execution.db;
  context.slots = slots;
  database_->execute(*execution.command, execution.args, context, writer, effects_);

  std::vector<std::pair<Slot, Sequence>> needs;
  std::vector<bool> waits(kSlotCount);
  for (const engine::Effects::OfSlot& effect : effects_.slots()) {
    LocalRecord record;
    record.slot = effect.slot;
    record.time = chains_.execution_time(effect.slot, execution.now);
    record.effects = effect.bytes;
    const Sequence sequence = chains_.append(record);
    if (sequence <= chains_.committed(effect.slot)) continue;
    needs.emplace_back(effect.slot, sequence);
    waits[effect.slot] = true;
  }
  std::vector<Slot> at_once;
  for (const protocol::SlotRange& range : slots) {
    for (uint32_t slot = range.first; slot <= range.last; ++slot) {
      if (!waits[slot]) at_once.push_back(static_cast<Slot>(slot));
    }
  }
  if (needs.empty()) {
    sink_.release_all(execution.to, at_once, reply_);
  } else {
    held_.hold_all(needs, std::move(at_once), execution.to, reply_);
  }
}

size_t Store::expire(std::span<const protocol::SlotRange> headed, Millis now, size_t keys_max) {
  if (!database_ || database_->earliest_deadline() > now) return 0;
  effects_.clear();
  const size_t removed = database_->expire(headed, now, keys_max, effects_);
  for (const engine::Effects::OfSlot& effect : effects_.slots()) {
    LocalRecord record;
    record.slot = effect.slot;
    record.time = chains_.execution_time(effect.slot, now);
    record.effects = effect.bytes;
    chains_.append(record);
  }
  return removed;
}

Status Store::apply(Slot slot, std::string_view effects) { return database_->apply(slot, effects); }

void Store::committed(Slot slot, Sequence sequence) { held_.committed(slot, sequence, sink_); }

void Store::dropped(Slot slot, bool outlived) {
  database_->clear_slot(slot);
  held_.dropped(slot, outlived, sink_);
}

uint32_t Store::copy_out(Slot slot, engine::CopyCursor& cursor, size_t bytes_max, std::string& effects) {
  return database_->copy_out(slot, cursor, bytes_max, effects);
}

void Store::copy_effects(Slot slot, const engine::CopyCursor& cursor, std::string_view record_effects,
                         std::string& out) {
  database_->copy_effects(slot, cursor, record_effects, out);
}

}  // namespace chainring::node
