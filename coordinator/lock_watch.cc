// WATCH and EXEC on the lock keyspace.

#include "base/bytes.h"
#include "coordinator/state_locks.h"
#include "protocol/reply.h"
#include "protocol/slot.h"

namespace chainring::coordinator {
namespace {

// The answer to WATCH. It is as good under another leader: what it counts is part of the replicated state.
struct WatchedLock {
  uint8_t db = 0;
  std::string key;
  bool present = false;
  template <class A>
  void fields(A& a) {
    a(db, key, present);
  }
};
struct WatchMark {
  uint64_t as_of = 0;  // the number of the last change of any lock
  std::vector<WatchedLock> locks;
  template <class A>
  void fields(A& a) {
    a(as_of, locks);
  }
};

}  // namespace

size_t LockSpace::removal_place(uint8_t db, std::string_view key) {
  return (protocol::key_hash(key) + db) % kRemovalPlaces;
}

std::string LockSpace::watch(const LockCommand& command) const {
  WatchMark mark;
  mark.as_of = changes_;
  for (const std::string_view key : command.keys()) {
    mark.locks.push_back({command.db, std::string(key), find(command.db, key) != nullptr});
  }
  std::string out;
  protocol::ReplyWriter(out, command.resp).bulk(encode(mark));
  return out;
}

std::vector<std::string> LockSpace::watched_keys(std::string_view bytes) {
  std::vector<std::string> keys;
  if (auto mark = decode<WatchMark>(bytes)) {
    for (WatchedLock& watched : mark->locks) keys.push_back(std::move(watched.key));
  }
  return keys;
}

// A watched lock that has expired goes first: that is a change.
bool LockSpace::unchanged(std::string_view bytes) {
  const auto mark = decode<WatchMark>(bytes);
  if (!mark) return false;
  for (const WatchedLock& watched : mark->locks) {
    remove_if_expired(watched.db, watched.key);
    const Lock* lock = find(watched.db, watched.key);
    if (lock != nullptr && lock->changed > mark->as_of) return false;
    if (lock != nullptr) continue;
    if (watched.present || removals_[removal_place(watched.db, watched.key)] > mark->as_of) return false;
  }
  return true;
}

LockReply LockSpace::run(const protocol::Transaction& transaction, protocol::RespVersion resp,
                         uint64_t lock_count_max) {
  LockReply reply;
  protocol::ReplyWriter writer(reply.resp, resp);
  for (const std::string& mark : transaction.marks) {
    if (unchanged(mark)) continue;
    writer.null_array();
    return reply;
  }
  writer.array(transaction.commands.size());
  size_t room = kLockTransactionReplyBytesMax;  // for what is told; one short error a command comes on top
  bool full = false;
  for (const protocol::QueuedCommand& queued : transaction.commands) {
    const LockCommand command{queued.spec, queued.args, queued.db, resp};
    const bool in_vain = full && !command.writes();
    const std::string answer = in_vain ? std::string() : run(command, lock_count_max, room).render(resp, now_);
    if (in_vain || answer.size() > room) {
      full = true;
      writer.error(protocol::errors::kRepliesTooLong);
    } else {
      writer.raw(answer);
      room -= answer.size();
    }
  }
  return reply;
}

}  // namespace chainring::coordinator
