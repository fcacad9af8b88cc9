#include "protocol/transaction.h"

#include <utility>

#include "base/bytes.h"
#include "protocol/resp.h"

namespace chainring::protocol {
namespace {

Status malformed(std::string_view why) { return {ErrorCode::corrupt, std::string(why)}; }

}  // namespace

uint32_t Transaction::flags() const {
  uint32_t flags = 0;
  for (const QueuedCommand& command : commands) flags |= command.spec->flags;
  return flags;
}

Result<Transaction> parse_transaction(std::string_view payload, uint8_t db) {
  TransactionHead head;
  ByteReader reader(payload);
  reader(head);
  if (reader.failed()) return malformed("its head is malformed");
  if (head.commands > kTransactionCommandsMax) return malformed("it has too many commands");
  Transaction transaction;
  transaction.marks = std::move(head.marks);
  transaction.commands.reserve(head.commands);
  auto change = head.databases.begin();
  std::string_view bytes = reader.rest();
  RequestParser parser;
  for (uint32_t index = 0; index < head.commands; ++index) {
    for (; change != head.databases.end() && change->from <= index; ++change) db = change->db;
    if (parser.parse(bytes) != RequestParser::State::ready || parser.args().empty() || bytes.front() != '*') {
      return malformed("a command of it is cut short");
    }
    const auto args = parser.args();
    const CommandSpec* spec = find_command(args);
    if (spec == nullptr || !arity_fits(*spec, args.size())) return malformed("it has a command that nobody knows");
    transaction.commands.push_back({spec, {args.begin(), args.end()}, db});
    bytes.remove_prefix(parser.size());
    parser.next();
  }
  if (!bytes.empty()) return malformed("there is more than its commands");
  return transaction;
}

}  // namespace chainring::protocol
