// WATCH and EXEC at the head of a slot.

#include "base/bytes.h"
#include "base/text.h"
#include "node/store.h"

namespace chainring::node {
namespace {

// Keys of one slot whose time is over, removed before the watched ones among them are judged.
constexpr size_t kExpiredBeforeExecMax = 1000;
// Replies of one transaction beyond which its other reads are not executed, and its writes are answered by an error:
// the array has to fit one frame, with the reply that reached this, and must not cost the head its lease (R13).
constexpr size_t kRepliesBytesMax = size_t{256} << 20;
static_assert(kRepliesBytesMax + protocol::kReplyBytesMax +
                  protocol::kTransactionCommandsMax * (protocol::errors::kRepliesTooLong.size() + 8) + 1024 <=
              protocol::kFramePayloadMax);

// The answer to WATCH.
struct WatchMark {
  Epoch epoch = 0;            // under which this member watches the keys; another head has not
  Sequence as_of = 0;         // no key has changed after this record, which is committed when the mark leaves
  uint64_t rules_number = 0;  // of the placement rules: by others, the keys may be in another slot, and change there
  std::vector<uint64_t> key_hashes;
  template <class A>
  void fields(A& a) {
    a(epoch, as_of, rules_number, key_hashes);
  }
};

bool runs_in_transaction(const protocol::CommandSpec& command) {
  using protocol::Routing;
  const bool of_keys = command.routing == Routing::slot || command.routing == Routing::split_sum ||
                       command.routing == Routing::split_values || command.routing == Routing::split_ok;
  return of_keys && engine::Database::runs(command.id);
}

}  // namespace

// A key whose time was over before is gone by now, so that its removal does not count as a change of it.
void Store::watch(const Execution& execution) {
  const Slot slot = execution.slot;
  expire_slot(slot, chains_.execution_time(slot, execution.now));
  const Sequence needs = chains_.rests_on(slot, key_hashes_);
  WatchMark mark;
  mark.epoch = chains_.epoch(slot);
  mark.as_of = std::max(needs, chains_.committed(slot));
  mark.rules_number = rules_number_;
  mark.key_hashes = key_hashes_;
  for (const uint64_t hash : key_hashes_) watches_.watch(slot, hash, mark.as_of);
  reply_.clear();
  protocol::ReplyWriter(reply_, execution.resp).bulk(encode(mark));
  reply_when(slot, needs, execution.to);
}

bool Store::expire_slot(Slot slot, Millis now) {
  const protocol::SlotRange only[] = {{slot, slot}};
  for (size_t removed = 0; removed < kExpiredBeforeExecMax;) {
    const size_t more = expire(only, now, kExpiredBeforeExecMax - removed);
    if (more == 0) return true;
    removed += more;
  }
  return false;
}

bool Store::unchanged(Slot slot, const std::vector<std::string>& marks, std::vector<uint64_t>& watched) const {
  bool unchanged = true;
  for (const std::string& bytes : marks) {
    const auto mark = decode<WatchMark>(bytes);
    if (!mark) return false;
    watched.insert(watched.end(), mark->key_hashes.begin(), mark->key_hashes.end());
    // Under another epoch somebody else may have been head meanwhile, whose changes are not in our book.
    if (mark->epoch != chains_.epoch(slot)) unchanged = false;
    if (mark->rules_number != rules_number_) unchanged = false;
    for (const uint64_t hash : mark->key_hashes) unchanged = unchanged && watches_.unchanged(slot, hash, mark->as_of);
  }
  return unchanged;
}

bool Store::unsettled(const protocol::Transaction& transaction) {
  if (!placement_.changing()) return false;
  for (const protocol::QueuedCommand& command : transaction.commands) {
    key_positions_.clear();
    protocol::key_positions(*command.spec, command.args, key_positions_);
    for (const size_t position : key_positions_) {
      if (placement_.unsettled(command.args[position])) return true;
    }
  }
  return false;
}

std::string Store::refusal(const protocol::Transaction& transaction, const Requested& requested) {
  key_hashes_.clear();
  for (const protocol::QueuedCommand& command : transaction.commands) {
    if (!runs_in_transaction(*command.spec) || command.db >= engine::kDatabaseCount) {
      return concat("ERR '", command.spec->name, "' is not executed in a transaction");
    }
    KeysAt keys = find_keys(*command.spec, command.args, requested.slot);
    if (keys == KeysAt::elsewhere && &command != &transaction.commands.front()) keys = KeysAt::apart;
    if (keys != KeysAt::here) return std::string(error_for(keys));
  }
  if (out_of_memory(transaction.flags(), requested)) {
    return concat("EXECABORT Transaction discarded because of: ", kOutOfMemory);
  }
  return {};
}

bool Store::execute(const protocol::Transaction& transaction, const Requested& requested) {
  CHECK(chains_.heads(requested.slot, 0), "transactions run at the head");
  if (unsettled(transaction)) return false;
  if (const std::string why = refusal(transaction, requested); !why.empty()) {
    refuse(requested, why);
    return true;
  }
  const Slot slot = requested.slot;
  engine::ExecContext context = context_for(requested);
  std::vector<uint64_t> watched;
  const bool may_run =
      transaction.marks.empty() || (expire_slot(slot, context.now) && unchanged(slot, transaction.marks, watched));
  reply_.clear();
  effects_.clear();
  protocol::ReplyWriter writer(reply_, requested.resp);
  if (!may_run) {
    writer.null_array();
    reply_when(slot, chains_.rests_on(slot, watched), requested.to);
    return true;
  }
  writer.array(transaction.commands.size());
  std::string beyond;  // replies for which there is no room
  for (const protocol::QueuedCommand& command : transaction.commands) {
    context.db = command.db;
    const bool room = reply_.size() < kRepliesBytesMax;
    if (room || (command.spec->flags & protocol::kWrite) != 0) {
      beyond.clear();
      protocol::ReplyWriter dropped(beyond, requested.resp);
      database_->execute(*command.spec, command.args, context, room ? writer : dropped, effects_);
    }
    if (!room) writer.error(protocol::errors::kRepliesTooLong);
  }
  settle(requested, context.now);
  return true;
}

}  // namespace chainring::node
