#include "node/store.h"

#include <array>

#include "protocol/slot.h"

namespace chainring::node {
namespace {

constexpr std::string_view kOtherRules =
    "TRYAGAIN the keys are placed elsewhere by the rules in force; the command was not executed, try again";
constexpr std::string_view kCommandTooLong = "ERR the command is too long to be executed as one; send less at once";
// Of one argument among effects, with the name and the numbers that stand around it.
constexpr size_t kAroundArgBytes = 64;

// A member says that it is near its limit when less than one part in kNearLimitParts of it is left, for what is on its
// way meanwhile, and takes that back when twice as much is: what comes and goes at the bound is not told each time.
constexpr uint64_t kNearLimitParts = 32;

bool is_near_limit(uint64_t bytes, uint64_t max, bool was_near) {
  const uint64_t left = (was_near ? 2 : 1) * (max / kNearLimitParts);
  return max != 0 && bytes > max - left;
}

}  // namespace

Store::Store(HeldReplies::Sink& sink, Random& random) : sink_(sink), random_(random), chains_(*this) {}

Status Store::obey(const ring::Table& table, MemberId self, uint64_t lease_number) {
  if (!database_) {
    database_ = std::make_unique<engine::Database>(engine::DatabaseOptions{.hash_seed = table.message().hash_seed});
  }
  placement_ = table.placement();
  if (table.message().rules != rules_) {
    rules_ = table.message().rules;
    ++rules_number_;
  }
  return chains_.obey(table, self, lease_number);
}

SenderLog::Verdict Store::settle_again(Slot slot, Incarnation sender, uint64_t number, SenderLog::Sent sent,
                                       const Destination& to) {
  const SenderLog::Found found = chains_.find_answer(slot, sender, number, sent);
  if (found.verdict == SenderLog::Verdict::known) {
    reply_ = found.answer->reply;
    reply_when(slot, found.answer->sequence, to);
  }
  return found.verdict;
}

bool Store::runs(protocol::CommandId id) { return id == protocol::CommandId::watch || engine::Database::runs(id); }

Store::KeysAt Store::find_keys(const protocol::CommandSpec& command, std::span<const std::string_view> args,
                               Slot slot) {
  key_positions_.clear();
  protocol::key_positions(command, args, key_positions_);
  Slot first = slot;
  for (const size_t position : key_positions_) {
    const std::string_view key = args[position];
    if (placement_.unsettled(key)) return KeysAt::unsettled;
    const Slot of_key = placement_.slot_of(key);
    if (position == key_positions_.front()) first = of_key;
    if (of_key != first) return KeysAt::apart;
    key_hashes_.push_back(protocol::key_hash(key));
  }
  return first == slot ? KeysAt::here : KeysAt::elsewhere;
}

std::string_view Store::error_for(KeysAt keys) {
  CHECK(keys == KeysAt::elsewhere || keys == KeysAt::apart, "the keys are not where they should be");
  return keys == KeysAt::apart ? protocol::errors::kCrossSlot : kOtherRules;
}

void Store::reply_when(Slot slot, Sequence needs, const Destination& to) {
  if (needs <= chains_.committed(slot)) {
    sink_.release(slot, to, reply_);
  } else {
    held_.hold(slot, needs, to, reply_);
  }
}

bool Store::out_of_memory(uint32_t command_flags, const Requested& requested) const {
  if ((command_flags & protocol::kDenyOom) == 0) return false;
  const bool full = requested.memory_max != 0 && memory_bytes() > requested.memory_max;
  return full || chains_.tight_behind(requested.slot);
}

void Store::mind_memory(uint64_t memory_max) {
  chains_.set_near_limit(is_near_limit(memory_bytes(), memory_max, chains_.near_limit()));
}

// By what the engine promises of effects (Database::execute).
bool Store::fits_record(const Execution& execution) const {
  size_t bytes = 0;
  for (const std::string_view arg : execution.args) bytes += arg.size() + kAroundArgBytes;
  for (const size_t position : key_positions_) bytes += 2 * (execution.args[position].size() + kAroundArgBytes);
  return bytes <= kEffectsBytesMax;
}

void Store::refuse(const Requested& requested, std::string_view error) {
  reply_.clear();
  protocol::ReplyWriter(reply_, requested.resp).error(error);
  note_answer(requested, 0);
  sink_.release(requested.slot, requested.to, reply_);
}

bool Store::execute(const Execution& execution) {
  CHECK(chains_.heads(execution.slot, 0), "commands run at the head");
  key_hashes_.clear();
  const KeysAt keys = find_keys(*execution.command, execution.args, execution.slot);
  if (keys == KeysAt::unsettled) return false;
  if (keys != KeysAt::here) {
    refuse(execution, error_for(keys));
  } else if (execution.command->id == protocol::CommandId::watch) {
    watch(execution);
  } else if (out_of_memory(execution.command->flags, execution)) {
    refuse(execution, kOutOfMemory);
  } else if (!fits_record(execution)) {
    refuse(execution, kCommandTooLong);
  } else {
    run(execution);
  }
  return true;
}

engine::ExecContext Store::context_for(const Requested& requested) const {
  engine::ExecContext context;
  context.now = chains_.execution_time(requested.slot, requested.now);
  context.random = &random_;
  context.db = requested.db;
  context.slot = requested.slot;
  return context;
}

void Store::run(const Execution& execution) {
  reply_.clear();
  effects_.clear();
  protocol::ReplyWriter writer(reply_, execution.resp);
  const std::array here = {protocol::SlotRange{execution.slot, execution.slot}};
  engine::ExecContext context = context_for(execution);
  context.slots = here;  // of FLUSHALL
  database_->execute(*execution.command, execution.args, context, writer, effects_);
  settle(execution, context.now);
}

void Store::settle(const Requested& requested, Millis time) {
  Sequence needs = chains_.rests_on(requested.slot, key_hashes_);
  if (!effects_.empty()) {
    CHECK(effects_.slots().size() == 1 && effects_.slots()[0].slot == requested.slot,
          "a command for one slot changes that slot");
    LocalRecord record;
    record.slot = requested.slot;
    record.sender = requested.number != 0 ? requested.sender : 0;
    record.number = requested.number;
    record.answered_below = requested.answered_below;
    record.time = time;
    record.key_hashes = key_hashes_;
    record.reply = requested.number != 0 ? std::string_view(reply_) : std::string_view();
    record.effects = effects_.slots()[0].bytes;
    needs = append(record);
  } else {
    note_answer(requested, needs);
  }
  reply_when(requested.slot, needs, requested.to);
}

Sequence Store::append(const LocalRecord& record) {
  const Sequence sequence = chains_.append(record);
  watches_.changed(record.slot, record.key_hashes, sequence);
  return sequence;
}

void Store::note_answer(const Requested& requested, Sequence needs) {
  if (requested.number == 0) return;
  chains_.note_answer(requested.slot, requested.sender, requested.number, requested.answered_below, needs, reply_);
}

bool Store::read(const Execution& execution, Millis margin) {
  CHECK(chains_.view(execution.slot).active, "a member of the chain reads");
  CHECK((execution.command->flags & protocol::kReadonly) != 0, "only the head writes");
  key_hashes_.clear();
  const KeysAt keys = find_keys(*execution.command, execution.args, execution.slot);
  if (keys == KeysAt::unsettled) return false;
  if (keys != KeysAt::here) {
    refuse(execution, error_for(keys));
    return true;
  }
  reply_.clear();
  effects_.clear();
  protocol::ReplyWriter writer(reply_, execution.resp);
  const engine::ExecContext context = context_for(execution);
  const bool some_expire = database_->earliest_deadline() - margin <= context.now;  // saves a look at each key
  for (const size_t position : key_positions_) {
    if (!some_expire) break;
    const Millis deadline = database_->deadline_of(execution.slot, execution.args[position], execution.db);
    if (deadline - margin <= context.now) return false;
  }
  database_->execute(*execution.command, execution.args, context, writer, effects_);
  CHECK(effects_.empty(), "a read of keys that have not expired changes nothing");
  ++member_reads_;
  reply_when(execution.slot, chains_.rests_on(execution.slot, key_hashes_), execution.to);
  return true;
}

std::vector<protocol::SlotRange> Store::slice(std::vector<protocol::SlotRange> slots, protocol::CommandId command,
                                              uint8_t db) const {
  if (command != protocol::CommandId::keys) return slots;
  return database_->first_slots(slots, db, kKeysPerSlice);
}

std::string Store::keys(std::span<const protocol::SlotRange> slots, std::string_view pattern, uint8_t db, Millis now) {
  constexpr std::string_view kName = "KEYS";
  const std::array args = {kName, pattern};
  std::string found;
  protocol::ReplyWriter writer(found, protocol::RespVersion::resp2);  // what it writes is the same in both
  engine::ExecContext context;
  context.now = now;
  context.db = db;
  context.slots = slots;
  effects_.clear();
  database_->execute(*protocol::find_command(args), args, context, writer, effects_);
  CHECK(effects_.empty(), "KEYS changes nothing");
  return found;
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
  context.scan_ends = execution.scan_ends;
  database_->execute(*execution.command, execution.args, context, writer, effects_);

  // A write rests on all that is uncommitted in a slot, also where it has found nothing left to remove (R7).
  const bool writes = (execution.command->flags & protocol::kWrite) != 0;
  std::vector<bool> rests(kSlotCount, writes);
  for (const engine::Effects::OfSlot& effect : effects_.slots()) {
    LocalRecord record;
    record.slot = effect.slot;
    record.time = chains_.execution_time(effect.slot, execution.now);
    record.effects = effect.bytes;
    append(record);
    rests[effect.slot] = true;
  }
  std::vector<std::pair<Slot, Sequence>> needs;
  std::vector<Slot> at_once;
  for (const protocol::SlotRange& range : slots) {
    for (uint32_t number = range.first; number <= range.last; ++number) {
      const auto slot = static_cast<Slot>(number);
      if (const Sequence last = rests[slot] ? chains_.rests_on(slot, {}) : 0; last != 0) {
        needs.emplace_back(slot, last);
      } else {
        at_once.push_back(slot);
      }
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
    std::vector<uint64_t> hashes;
    engine::for_each_effect(effect.bytes, [&](uint8_t, const auto& args, std::string_view) {
      hashes.push_back(protocol::key_hash(args[1]));
    });
    LocalRecord record;
    record.slot = effect.slot;
    record.time = chains_.execution_time(effect.slot, now);
    record.key_hashes = hashes;
    record.effects = effect.bytes;
    append(record);
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

void Store::copy_effects(Slot slot, engine::CopyCursor& cursor, std::string_view record_effects, std::string& out) {
  database_->copy_effects(slot, cursor, record_effects, out);
}

}  // namespace chainring::node
