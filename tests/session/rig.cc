#include "tests/session/rig.h"

#include "base/text.h"
#include "protocol/resp.h"
#include "protocol/slot.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

RoleFacts facts_of(std::string_view mode, const ProcessFigures& figures) {
  RoleFacts facts;
  facts.mode = mode;
  facts.role_name = mode == "cluster" ? "node" : "router";
  facts.run_id = std::string(40, 'a');
  facts.pid = 4711;
  facts.os = "Linux 6.1 x86_64";
  facts.executable = "/usr/bin/chainring";
  facts.figures = &figures;
  return facts;
}

std::vector<std::string_view> split(std::string_view words) {
  std::vector<std::string_view> args;
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    args.push_back(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return args;
}

}  // namespace

void FakeBackend::request(const ClientRequest& request) {
  seen.push_back({request.ticket,
                  {request.args.begin(), request.args.end()},
                  std::string(request.bytes),
                  request.db,
                  request.resp});
  if (!at_once) return;
  clients->complete(request.ticket, answer ? answer(request) : bulk(request.args.back()));
}

Placement FakeBackend::placement(const protocol::CommandSpec& command, std::span<const std::string_view> args) const {
  std::vector<size_t> positions;
  protocol::key_positions(command, args, positions);
  if (positions.empty()) return {{}, not_in_transaction(command)};
  const Slot slot = protocol::slot_of(args[positions[0]]);
  for (const size_t position : positions) {
    if (protocol::slot_of(args[position]) != slot) return {{}, std::string(protocol::errors::kCrossSlot)};
  }
  return {slot, {}};
}

void FakeBackend::transaction(const ClientTransaction& transaction) {
  const auto parsed = protocol::parse_transaction(transaction.payload, transaction.db);
  REQUIRE(parsed.ok());
  SeenTransaction& noted = transactions.emplace_back(
      SeenTransaction{transaction.ticket, transaction.place, transaction.writes, {}, parsed->marks});
  std::string reply = concat('*', parsed->commands.size(), "\r\n");
  for (const protocol::QueuedCommand& command : parsed->commands) {
    std::string words = std::to_string(command.db);
    for (const std::string_view arg : command.args) append_text(words, ' ', arg);
    noted.commands.push_back(words);
    reply += bulk(command.args.back());
  }
  if (at_once) clients->complete(transaction.ticket, transaction_reply.empty() ? reply : transaction_reply);
}

void FakeBackend::info(std::string_view section, InfoWriter& out) {
  if (section == "memory") out.bytes("used_memory", 1536);
  if (section == "keyspace") out.field("db0", "keys=1,expires=0,avg_ttl=0");
}

Rig::Rig(std::string_view mode) : clients(settings, transport, random, log, backend, facts_of(mode, figures)) {
  backend.clients = &clients;
}

ConnId Rig::connect() {
  const ConnId conn = transport.accept();
  turn();
  return conn;
}

std::string Rig::send(ConnId conn, std::string_view bytes) {
  transport.receive(conn, bytes);
  turn();
  return transport.take_output(conn);
}

std::string Rig::ask(ConnId conn, std::string_view words) { return send(conn, request(words)); }

void Rig::turn() {
  clients.begin_turn(now);
  for (const NetEvent& event : transport.take_events()) {
    if (event.kind == NetEvent::Kind::accepted) {
      clients.accepted(event.conn, now);
    } else if (clients.owns(event.conn) && clients.on_event(event, now) == Clients::Outcome::became_peer) {
      peers.push_back(event.conn);
    }
  }
  clients.flush(now);
}

void Rig::pass(Micros time) {
  now.mono += time;
  now.wall += time / kMicrosPerMilli;
  turn();
}

void Rig::set(Setting id, std::string_view value) {
  const Status status = settings.set(id, value);
  INFO(status.message());
  REQUIRE(status.ok());
}

std::string request(std::string_view words) {
  std::string out;
  protocol::append_request(out, split(words));
  return out;
}

std::string request(std::initializer_list<std::string_view> args) {
  std::string out;
  protocol::append_request(out, std::vector<std::string_view>(args));
  return out;
}

std::string bulk(std::string_view bytes) { return concat('$', bytes.size(), "\r\n", bytes, "\r\n"); }

}  // namespace chainring::session
