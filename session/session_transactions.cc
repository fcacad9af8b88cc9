// MULTI, EXEC, DISCARD, WATCH, UNWATCH.

#include <utility>

#include "base/text.h"
#include "protocol/reply.h"
#include "protocol/resp.h"
#include "session/commands.h"
#include "session/session.h"

namespace chainring::session {
namespace {

using protocol::CommandId;
using protocol::CommandSpec;
using protocol::ReplyWriter;

constexpr std::string_view kAborted = "EXECABORT Transaction discarded because of previous errors.";
constexpr std::string_view kAbortedBecause = "EXECABORT Transaction discarded because of: ";
constexpr std::string_view kNotAllowed = "ERR Command not allowed inside a transaction";

// Of the commands that the session answers: those that would change what the array of a transaction looks like while
// it is being written, and those that may need the whole cluster.
bool runs_in_transaction(CommandId id) {
  return id != CommandId::hello && id != CommandId::client_reply && id != CommandId::info;
}

void multi(Call& call) {
  if (call.client.transaction.open()) return call.reply.error("ERR MULTI calls can not be nested");
  call.client.transaction.open_queue();
  call.reply.ok();
}

void discard(Call& call) {
  if (!call.client.transaction.open()) return call.reply.error("ERR DISCARD without MULTI");
  call.client.transaction = {};
  call.reply.ok();
}

void unwatch(Call& call) {
  call.client.transaction.unwatch();
  call.reply.ok();
}

// The bytes of a bulk string; nothing for any other reply.
std::optional<std::string> bulk_of(std::string_view reply) {
  protocol::ReplyValue value;
  const protocol::ReplyExtent extent = protocol::parse_reply(reply, value);
  if (extent.state != protocol::ReplyExtent::State::ready || value.kind != protocol::ReplyValue::Kind::bulk) {
    return std::nullopt;
  }
  return std::move(value.text);
}

}  // namespace

std::string not_in_transaction(const CommandSpec& command) {
  return concat("ERR '", command.name, "' cannot be part of a transaction: it is not about keys of one slot");
}

void add_transaction_commands(HandlerTable& table) {
  set_handler(table, CommandId::multi, multi);
  set_handler(table, CommandId::discard, discard);
  set_handler(table, CommandId::unwatch, unwatch);
}

std::string Session::spoil(Client& client, const CommandSpec* command, std::string error) {
  if (command == nullptr || command->id != CommandId::exec) {
    client.transaction.fail();
    return error;
  }
  client.transaction = {};
  constexpr std::string_view kPlainCode = "ERR ";
  return concat(kAbortedBecause, std::string_view(error).substr(error.starts_with(kPlainCode) ? kPlainCode.size() : 0));
}

void Session::queue(Client& client, const CommandSpec& command, std::span<const std::string_view> args) {
  Transaction& transaction = client.transaction;
  const auto refuse = [&](std::string_view error) {
    transaction.fail();
    answer_error(client, error);
  };
  const bool own = find_handler(command.id) != nullptr;
  if ((command.flags & protocol::kNoMulti) != 0 || (own && !runs_in_transaction(command.id))) {
    return refuse(kNotAllowed);
  }
  Placement where;
  if (!own) where = backend_.placement(command, args);
  if (!own && !where.place) return refuse(where.refusal);
  if (!transaction.admits(where.place)) return refuse(protocol::errors::kCrossSlot);
  size_t bytes = 0;
  for (const std::string_view arg : args) bytes += arg.size();
  if (!transaction.has_room(bytes)) {
    return refuse(concat("ERR a transaction may have at most ", protocol::kTransactionCommandsMax, " commands and ",
                         protocol::kTransactionBytesMax, " bytes"));
  }
  // One that has failed will not run: there is nothing to keep.
  if (!transaction.failed()) transaction.queue(command, args, own, where.place);
  answer(client, "+QUEUED\r\n");
}

void Session::exec(Client& client) {
  Transaction& transaction = client.transaction;
  if (!transaction.open()) return answer_error(client, "ERR EXEC without MULTI");
  if (transaction.failed()) {
    transaction = {};
    return answer_error(client, kAborted);
  }
  const uint64_t place = open_place(client);
  if (transaction.watch_lost()) {
    std::string null;
    ReplyWriter(null, client.resp).null_array();
    return finish_exec(client, place, null);
  }
  if (!transaction.asks_place()) return finish_exec(client, place, "*0\r\n");

  const std::string payload = transaction.payload(client.db, settings_.number(Setting::databases));
  const ClientTransaction request{
      {client.id, place}, *transaction.place(), transaction.writes(), payload, client.db, client.resp, now_.mono};
  if (transaction.has_own()) {
    Awaited reply;
    reply.place = place;
    await(client, std::move(reply));
  } else {
    transaction = {};
  }
  current_ = &client;
  backend_.transaction(request);
  current_ = nullptr;
}

void Session::finish_exec(Client& client, uint64_t place, std::string_view reply) {
  const std::string merged =
      client.transaction.merge(reply, [&](const CommandSpec& command, auto args, std::string& out) {
        ReplyWriter writer(out, client.resp);
        Call call{*this, client, args, writer};
        find_handler(command.id)(call);
      });
  client.transaction = {};
  client.awaited.reset();
  complete(client, place, merged);
}

void Session::watch(Client& client, const CommandSpec& command, std::span<const std::string_view> args,
                    std::string_view bytes) {
  Transaction& transaction = client.transaction;
  if (transaction.open()) return answer_error(client, "ERR WATCH inside MULTI is not allowed");
  const auto refuse = [&](std::string_view error) {
    transaction.lose_watch();
    answer_error(client, error);
  };
  const Placement where = backend_.placement(command, args);
  if (!where.place) return refuse(where.refusal);
  if (!transaction.admits(where.place)) return refuse(protocol::errors::kCrossSlot);
  const size_t keys = args.size() - 1;
  if (transaction.watched() + keys > protocol::kWatchedKeysMax) {
    return refuse(concat("ERR a client may watch at most ", protocol::kWatchedKeysMax, " keys"));
  }
  Awaited mark;
  mark.place = open_place(client);
  mark.what = Awaited::For::watch;
  mark.keys_place = *where.place;
  mark.keys = keys;
  const Ticket ticket{client.id, mark.place};
  await(client, std::move(mark));
  current_ = &client;
  backend_.request({ticket, &command, args, bytes, client.db, client.resp, now_.mono});
  current_ = nullptr;
}

void Session::await(Client& client, Awaited awaited) {
  client.awaited = std::move(awaited);
  stall(client);
}

void Session::take_awaited(Client& client, std::string_view reply) {
  if (client.awaited->what == Awaited::For::exec) {
    // The commands that the session answers may ask the Backend, which is in the midst of something now.
    client.awaited->reply = reply;
    if (!std::exchange(client.resuming, true)) resuming_.push_back(client.id);
    return;
  }
  const Awaited awaited = *std::exchange(client.awaited, std::nullopt);
  if (const std::optional<std::string> mark = bulk_of(reply)) {
    client.transaction.watch(*mark, awaited.keys, awaited.keys_place);
    return complete(client, awaited.place, "+OK\r\n");
  }
  client.transaction.lose_watch();
  complete(client, awaited.place, reply);
}

}  // namespace chainring::session
