// The replicated state with its lock keyspace, spoken to as a client would.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "coordinator/state.h"
#include "protocol/transaction.h"
#include "tests/coordinator/ring_fixture.h"

namespace chainring::coordinator {

// Words separated by single spaces; "" is an empty one.
inline std::vector<std::string> words(std::string_view line) {
  std::vector<std::string> parts;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, end);
    parts.emplace_back(word == "\"\"" ? std::string_view() : word);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return parts;
}

// The payload of an EXEC, as it comes.
inline std::string transaction_payload(const std::vector<std::string_view>& lines,
                                       std::vector<std::string> marks = {}) {
  protocol::TransactionHead head;
  head.marks = std::move(marks);
  head.commands = static_cast<uint32_t>(lines.size());
  std::string bytes = encode(head);
  for (const std::string_view line : lines) {
    const std::vector<std::string> owned = words(line);
    protocol::append_request(bytes, std::vector<std::string_view>(owned.begin(), owned.end()));
  }
  return bytes;
}

struct LockFixture {
  LockFixture() { founded(1000); }
  void founded(uint64_t lock_count_max) {
    state = State();
    FoundEntry entry = found_entry();
    entry.settings.lock_count_max = lock_count_max;
    apply(encode_entry(entry));
  }

  Applied apply(const std::string& entry) {
    return *state.apply(++index, entry);  // the log of a test holds no entry that is refused
  }
  // Runs a command as the leader would: reads and what changes nothing from the state, the rest by an entry.
  std::string run(std::string_view line) {
    const std::vector<std::string> owned = words(line);
    const std::vector<std::string_view> args(owned.begin(), owned.end());
    const protocol::CommandSpec* spec = protocol::find_command(args);
    if (spec == nullptr) return "-unknown\r\n";
    const LockCommand command{spec, args, db, resp};
    if (const std::string refused = refuse_lock_command(command, state.ring().lock_prefixes()); !refused.empty()) {
      return concat("-", refused, "\r\n");
    }
    if (!command.writes()) {
      if (state.locks().rests_on_expiry(command, now)) apply(encode_entry(LockTimeEntry{now}));
      return state.locks().read(command, {now, wall(), &random});
    }
    LockCommandEntry made;
    made.time = now;
    made.db = db;
    made.resp = static_cast<uint8_t>(resp);
    made.args = with_durations(command, wall());
    return apply(encode_entry(made)).lock->reply.render(resp, now);
  }
  [[nodiscard]] Millis wall() const { return 1'700'000'000'000 + now; }
  [[nodiscard]] uint64_t token(std::string_view key) const { return state.locks().find(db, key)->token; }

  State state;
  uint64_t index = 0;
  Millis now = 1'000;
  uint8_t db = 0;
  protocol::RespVersion resp = protocol::RespVersion::resp2;
  SeededRandom random{5};
};

}  // namespace chainring::coordinator
