// A transaction on its way: the commands between MULTI and EXEC as one request to the one place that they are for,
// behind a Request with kRequestTransaction. It is the head below, and then the commands' own bytes.
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/command.h"

namespace chainring::protocol {

// As much as one transaction may queue. All of it is executed without a pause, and its reply and its effects are one
// message each; a head must not lose its lease meanwhile (R13).
inline constexpr size_t kTransactionCommandsMax = 65'536;
inline constexpr size_t kTransactionBytesMax = size_t{64} << 20;
inline constexpr size_t kWatchedKeysMax = 1024;  // of one client

// From the command with this index on, the database is another one: a SELECT was queued before it.
struct DatabaseChange {
  uint32_t from = 0;
  uint8_t db = 0;
  template <class A>
  void fields(A& a) {
    a(from, db);
  }
};

struct TransactionHead {
  // What the place answered to WATCH, whatever it means by it. The transaction runs only if all are still true.
  std::vector<std::string> marks;
  std::vector<DatabaseChange> databases;  // by ascending `from`
  uint32_t commands = 0;
  template <class A>
  void fields(A& a) {
    a(marks, databases, commands);
  }
};

// One queued command. Lifetime of the views: the payload's.
struct QueuedCommand {
  const CommandSpec* spec = nullptr;
  std::vector<std::string_view> args;
  uint8_t db = 0;
};
struct Transaction {
  std::vector<std::string> marks;
  std::vector<QueuedCommand> commands;

  [[nodiscard]] uint32_t flags() const;  // of all commands, together
};

// `db` is the request's. Of the commands it is certain that the table knows them and that their arity fits; the error
// says why a payload is no transaction.
[[nodiscard]] Result<Transaction> parse_transaction(std::string_view payload, uint8_t db);

}  // namespace chainring::protocol
