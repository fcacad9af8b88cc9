// What one client has queued since MULTI, and what it watches.
//
// The queue is the client's own bytes. At EXEC the commands for the cluster go to their place as one request, and those
// that the session answers itself (PING, SELECT, CLIENT GETNAME ...) run when the reply is put together, in their
// places among the others.
//
// Thread-safety: none; owned by its Client. Limits: protocol/transaction.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/command.h"
#include "protocol/transaction.h"
#include "session/clients.h"

namespace chainring::session {

class Transaction {
 public:
  // ---- MULTI to EXEC
  [[nodiscard]] bool open() const { return open_; }
  void open_queue() { open_ = true; }
  // An error came while queueing: EXEC will not run it.
  void fail() { failed_ = open_; }
  [[nodiscard]] bool failed() const { return failed_; }

  // Whether keys of this place may be watched or queued beside what there is; nothing for a command without keys.
  [[nodiscard]] bool admits(std::optional<Place> place) const { return !place || !place_ || *place == *place_; }
  // Whether there is room for one more command of so many bytes.
  [[nodiscard]] bool has_room(size_t bytes) const {
    return commands_.size() < protocol::kTransactionCommandsMax &&
           bytes_.size() + bytes <= protocol::kTransactionBytesMax;
  }
  // `own`: the session answers it. REQUIRES: open(), has_room(), admits(place).
  void queue(const protocol::CommandSpec& command, std::span<const std::string_view> args, bool own,
             std::optional<Place> place);

  [[nodiscard]] size_t count() const { return commands_.size(); }
  [[nodiscard]] size_t bytes() const { return bytes_.size(); }
  [[nodiscard]] bool writes() const { return writes_; }
  // Whether the session answers some of the commands, and whether the cluster is asked at all.
  [[nodiscard]] bool has_own() const { return own_ > 0; }
  [[nodiscard]] bool asks_place() const { return own_ < commands_.size() || !marks_.empty(); }
  [[nodiscard]] std::optional<Place> place() const { return place_; }

  // What goes to the place, as protocol/transaction.h has it: the commands that are not own, each in its database.
  // `db` is the client's when the first of them runs, `databases` how many there are.
  [[nodiscard]] std::string payload(uint8_t db, int64_t databases) const;

  // Puts the reply together from the place's, an array of the replies to the commands that are not own, and from what
  // `run` appends to `out` for each of the others. When `reply` is no such array, it is the answer to them all.
  using Run = std::function<void(const protocol::CommandSpec& command, std::span<const std::string_view> args,
                                 std::string& out)>;
  [[nodiscard]] std::string merge(std::string_view reply, const Run& run) const;

  // ---- WATCH
  [[nodiscard]] size_t watched() const { return watched_; }
  void watch(std::string_view mark, size_t keys, Place place);
  // A WATCH came to nothing: the client may not have noticed, so that no transaction may rely on it.
  void lose_watch() { watch_lost_ = true; }
  [[nodiscard]] bool watch_lost() const { return watch_lost_; }
  void unwatch();

 private:
  struct Command {
    const protocol::CommandSpec* spec;
    size_t size;  // of its bytes
    bool own;
  };
  bool open_ = false;
  bool failed_ = false;
  bool writes_ = false;
  bool watch_lost_ = false;
  std::optional<Place> place_;
  std::vector<Command> commands_;
  std::string bytes_;  // of the commands, one after the other
  size_t own_ = 0;
  std::vector<std::string> marks_;
  size_t watched_ = 0;  // keys
};

}  // namespace chainring::session
