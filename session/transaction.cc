#include "session/transaction.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/text.h"
#include "protocol/resp.h"

namespace chainring::session {
namespace {

using protocol::CommandId;

// What SELECT will make of the database when it runs.
uint8_t selected(std::string_view select, uint8_t db, int64_t databases) {
  protocol::RequestParser parser;
  CHECK(parser.parse(select) == protocol::RequestParser::State::ready, "only whole requests are queued");
  const std::optional<int64_t> index = parse_int(parser.args()[1]);
  return index && *index >= 0 && *index < databases ? static_cast<uint8_t>(*index) : db;
}

// What stands behind the header of an array with so many elements; nothing when `reply` is something else.
std::optional<std::string_view> elements_of(std::string_view reply, size_t count) {
  const std::string header = concat('*', count, "\r\n");
  if (!reply.starts_with(header)) return std::nullopt;
  return reply.substr(header.size());
}

}  // namespace

void Transaction::queue(const protocol::CommandSpec& command, std::span<const std::string_view> args, bool own,
                        std::optional<Place> place) {
  CHECK(open_ && admits(place), "who queues has looked where it goes");
  const size_t before = bytes_.size();
  protocol::append_request(bytes_, args);
  commands_.push_back({&command, bytes_.size() - before, own});
  if (own) ++own_;
  if (place) place_ = place;
  writes_ = writes_ || (command.flags & protocol::kWrite) != 0;
}

std::string Transaction::payload(uint8_t db, int64_t databases) const {
  protocol::TransactionHead head;
  head.marks = marks_;
  std::string commands;
  std::string_view rest = bytes_;
  uint8_t last_db = db;
  for (const Command& command : commands_) {
    const std::string_view bytes = rest.substr(0, command.size);
    rest.remove_prefix(command.size);
    if (command.spec->id == CommandId::select) db = selected(bytes, db, databases);
    if (command.own) continue;
    if (db != last_db) head.databases.push_back({head.commands, db});
    last_db = db;
    ++head.commands;
    if (own_ > 0) commands.append(bytes);
  }
  std::string payload = encode(head);
  payload.append(own_ > 0 ? commands : bytes_);
  return payload;
}

std::string Transaction::merge(std::string_view reply, const Run& run) const {
  std::optional<std::string_view> theirs = elements_of(reply, commands_.size() - own_);
  if (!theirs) return std::string(reply);
  if (own_ == 0) return std::string(reply);
  std::string merged = concat('*', commands_.size(), "\r\n");
  std::string_view rest = bytes_;
  protocol::RequestParser parser;
  for (const Command& command : commands_) {
    if (command.own) {
      CHECK(parser.parse(rest) == protocol::RequestParser::State::ready, "only whole requests are queued");
      run(*command.spec, parser.args(), merged);
      parser.next();
    } else {
      const protocol::ReplyExtent extent = protocol::measure_reply(*theirs);
      if (extent.state != protocol::ReplyExtent::State::ready) return "-ERR a transaction was answered in part\r\n";
      merged.append(theirs->substr(0, extent.size));
      theirs->remove_prefix(extent.size);
    }
    rest.remove_prefix(command.size);
  }
  return merged;
}

void Transaction::watch(std::string_view mark, size_t keys, Place place) {
  CHECK(admits(place), "who watches has looked where it is");
  marks_.emplace_back(mark);
  watched_ += keys;
  place_ = place;
}

void Transaction::unwatch() {
  marks_.clear();
  watched_ = 0;
  watch_lost_ = false;
  if (!open_) place_.reset();
}

}  // namespace chainring::session
