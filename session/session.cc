#include "session/session.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "protocol/reply.h"
#include "session/commands.h"
#include "session/limits.h"

namespace chainring::session {
namespace {

using protocol::CommandId;
using protocol::CommandSpec;
using protocol::RequestParser;

// A client with so many requests under way is read again when half of them have been answered.
constexpr size_t kPendingRepliesMax = 1024;
// Connections beyond maxclients that may stay until their first request shows whether they are peers: a full table of
// clients must not cut the cluster's own links.
constexpr size_t kUnadmittedMax = 128;
constexpr size_t kKeptScratchBytesMax = 1024 * 1024;

// What a browser can be made to send to a port that is not HTTP's.
bool is_http(std::string_view name) {
  return equals_ignoring_case(name, "post") || equals_ignoring_case(name, "host:");
}

std::string unknown_subcommand(std::string_view container, std::string_view name) {
  constexpr size_t kShownBytesMax = 128;  // as Redis cuts it
  return concat("ERR unknown subcommand '", name.substr(0, kShownBytesMax), "'. Try ", to_upper(container), " HELP.");
}

// What is not queued behind MULTI.
bool acts_at_once(CommandId id) {
  return id == CommandId::exec || id == CommandId::discard || id == CommandId::multi || id == CommandId::watch ||
         id == CommandId::quit || id == CommandId::reset;
}

bool would_write(const Client& client, const CommandSpec& command) {
  return (command.flags & protocol::kWrite) != 0 || (command.id == CommandId::exec && client.transaction.writes());
}

bool is_cluster_command(const CommandSpec& command) {
  return command.name == "cluster" || command.name.starts_with("cluster|") || command.id == CommandId::readonly ||
         command.id == CommandId::readwrite || command.id == CommandId::asking;
}

}  // namespace

Session::Session(Settings& settings, Transport& transport, Log& log, Backend& backend, RoleFacts facts)
    : settings_(settings),
      transport_(transport),
      log_(log),
      backend_(backend),
      facts_(std::move(facts)),
      port_(static_cast<uint16_t>(settings.number(Setting::port))) {}

// ---- connections ------------------------------------------------------------------------------------------------

void Session::accepted(ConnId conn, Now now) {
  now_ = now;
  const auto clients_max = static_cast<size_t>(settings_.number(Setting::maxclients));
  if (by_id_.size() >= clients_max + kUnadmittedMax) {
    ++counters_.rejected_connections;
    if (std::string* out = transport_.output(conn)) append_text(*out, '-', too_many_clients(), "\r\n");
    transport_.close_after_flush(conn);
    return;
  }
  auto client = std::make_unique<Client>(++last_id_, conn, now.mono);
  client->admitted = admitted_ < clients_max;
  if (client->admitted) ++admitted_;
  set_authenticated(*client, !password_needed());
  ++counters_.connections;
  account(*client);
  by_id_.emplace(client->id, client.get());
  by_conn_.emplace(conn, std::move(client));
}

Clients::Outcome Session::on_event(const NetEvent& event, Now now) {
  now_ = now;
  const auto found = by_conn_.find(event.conn);
  if (found == by_conn_.end()) return Clients::Outcome::handled;
  Client& client = *found->second;
  client.active_at = now.mono;
  auto outcome = Clients::Outcome::handled;
  switch (event.kind) {
    case NetEvent::Kind::input:
      if (!client.stalled) outcome = serve(client);
      break;
    case NetEvent::Kind::drained:
      client.output_bytes = transport_.unsent(client.conn);
      check_output(client);
      account(client);
      consider_resuming(client);
      break;
    case NetEvent::Kind::closed:
      forget(client);
      break;
    case NetEvent::Kind::accepted:
    case NetEvent::Kind::connected:
      break;
  }
  bury_dead();
  return outcome;
}

bool Session::admit(Client& client) {
  if (client.admitted) return true;
  if (admitted_ < static_cast<size_t>(settings_.number(Setting::maxclients))) {
    client.admitted = true;
    ++admitted_;
    return true;
  }
  ++counters_.rejected_connections;
  close_after_replies(client);
  answer_error(client, too_many_clients());
  return false;
}

void Session::become_peer(std::span<const std::string_view> args) {
  peer_args_.assign(args.begin(), args.end());
  --counters_.connections;
}

void Session::kill(Client& client) {
  if (client.dead) return;
  client.dead = true;
  dead_.push_back({client.id, false});
}

void Session::close_after_replies(Client& client) {
  client.closing = true;
  transport_.set_reading(client.conn, false);
}

void Session::bury_if_done(Client& client) {
  if (!client.closing || client.dead || client.replies.pending() > 0) return;
  client.dead = true;
  dead_.push_back({client.id, true});
}

void Session::bury_dead() {
  while (!dead_.empty()) {
    const Dead dead = dead_.back();
    dead_.pop_back();
    Client* client = find(dead.id);
    if (client == nullptr) continue;
    if (dead.flushes) {
      transport_.close_after_flush(client->conn);
    } else {
      transport_.close(client->conn);
    }
    forget(*client);
  }
}

void Session::forget(Client& client) {
  const ClientId id = client.id;
  const ConnId conn = client.conn;
  if (client.admitted) --admitted_;
  client_bytes_ -= client.counted_bytes;
  by_id_.erase(id);
  by_conn_.erase(conn);
  backend_.client_gone(id);
}

void Session::close_all() {
  for (Client* client : clients()) {
    transport_.close_after_flush(client->conn);
    forget(*client);
  }
}

Client* Session::find(ClientId id) {
  if (current_ != nullptr && current_->id == id) return current_;
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::vector<Client*> Session::clients() const {
  std::vector<Client*> all;
  all.reserve(by_id_.size());
  for (const auto& [id, client] : by_id_) all.push_back(client);
  std::sort(all.begin(), all.end(), [](const Client* a, const Client* b) { return a->id < b->id; });
  return all;
}

// ---- requests ---------------------------------------------------------------------------------------------------

Clients::Outcome Session::serve(Client& client) {
  const std::string_view input = transport_.input(client.conn);
  input_peak_.see(input.size(), now_.mono);
  client.output_bytes = transport_.unsent(client.conn);
  auto verdict = Verdict::executed;
  size_t taken = 0;
  while (verdict == Verdict::executed) {
    enforce_limits(client);
    if (client.dead || client.closing || client.stalled) break;
    const RequestParser::State state = client.parser.parse(input.substr(taken));
    if (state == RequestParser::State::need_more) break;
    if (state == RequestParser::State::error && client.parser.too_big()) {
      close_for_its_query(client);
      break;
    }
    if (state == RequestParser::State::error) {
      close_after_replies(client);
      answer_error(client, concat("ERR ", client.parser.error()));
      break;
    }
    const size_t size = client.parser.size();
    const auto args = client.parser.args();
    if (!args.empty()) verdict = execute(client, args, input.substr(taken, size));
    client.parser.next();
    if (verdict != Verdict::postponed) taken += size;
  }
  counters_.net_input_bytes += taken;
  if (taken > 0) transport_.consume(client.conn, taken);
  account(client);
  bury_if_done(client);
  if (verdict != Verdict::peer) return Clients::Outcome::handled;
  forget(client);
  return Clients::Outcome::became_peer;
}

Session::Verdict Session::execute(Client& client, std::span<const std::string_view> args, std::string_view bytes) {
  const CommandSpec* command = protocol::find_command(args);
  if (!client.asked) {
    client.asked = true;
    if (command != nullptr && command->id == CommandId::peer) {
      become_peer(args);
      return Verdict::peer;
    }
    if (!admit(client)) return Verdict::executed;
  }
  if (command == nullptr && is_http(args[0])) {
    log_.warning(concat("closed ", transport_.peer_name(client.conn),
                        ": it speaks HTTP, as a browser does that a page has sent here"));
    kill(client);
    return Verdict::executed;
  }
  const std::string error = refusal(client, command, args);
  const bool paused = now_.mono < pause_.until;
  if (error.empty() && paused && (pause_.all || would_write(client, *command))) {
    client.postponed = true;
    stall(client);
    return Verdict::postponed;
  }
  client.skip_this = std::exchange(client.skip_next, false);
  if (error.empty()) {
    run(client, *command, args, bytes);
  } else {
    if (command != nullptr) ++counters_.rejected[static_cast<size_t>(command->id)];
    answer_error(client, spoil(client, command, error));
  }
  return Verdict::executed;
}

std::string Session::refusal(const Client& client, const CommandSpec* command,
                             std::span<const std::string_view> args) const {
  if (command == nullptr) return protocol::errors::unknown_command(args[0], args.data() + 1, args.size() - 1);
  const bool cluster_disabled = !speaks_cluster() && is_cluster_command(*command) && args.size() > 1;
  const bool is_container = (command->flags & protocol::kContainer) != 0;
  if (is_container && args.size() > 1 && !cluster_disabled) return unknown_subcommand(command->name, args[1]);
  if (!cluster_disabled && !protocol::arity_fits(*command, args.size())) {
    return protocol::errors::wrong_arity(command->name);
  }
  const bool needs_auth = (command->flags & protocol::kNoAuth) == 0;
  if (needs_auth && !client.authenticated && password_needed()) return std::string(protocol::errors::kNoAuth);
  if (!speaks_cluster() && is_cluster_command(*command)) return "ERR This instance has cluster support disabled";
  if (command->id == CommandId::peer) return "ERR PEER must be the first request of a connection";
  return {};
}

void Session::run(Client& client, const CommandSpec& command, std::span<const std::string_view> args,
                  std::string_view bytes) {
  client.last_command = &command;
  ++counters_.commands;
  ++counters_.calls[static_cast<size_t>(command.id)];
  if (command.id == CommandId::exec) return exec(client);
  if (client.transaction.open() && !acts_at_once(command.id)) return queue(client, command, args);
  Handler handler = find_handler(command.id);
  if (command.id == CommandId::info && backend_.answers_info()) handler = nullptr;
  if (handler != nullptr) {
    scratch_.clear();
    protocol::ReplyWriter reply(scratch_, client.resp);
    Call call{*this, client, args, reply};
    handler(call);
    answer(client, scratch_);
    if (scratch_.capacity() > kKeptScratchBytesMax) scratch_ = {};
    return;
  }
  if (bytes.front() != '*') {
    inline_bytes_.clear();
    protocol::append_request(inline_bytes_, args);
    bytes = inline_bytes_;
  }
  if (command.id == CommandId::watch) return watch(client, command, args, bytes);
  const Ticket ticket{client.id, open_place(client)};
  current_ = &client;
  const bool alone = client.replies.is_first(ticket.place);
  backend_.request({ticket, &command, args, bytes, client.db, client.resp, now_.mono, alone});
  current_ = nullptr;
}

void Session::answer_error(Client& client, std::string_view text) {
  scratch_.clear();
  protocol::ReplyWriter(scratch_, client.resp).error(text);
  answer(client, scratch_);
}

void Session::answer(Client& client, std::string_view reply) { complete(client, open_place(client), reply); }

uint64_t Session::open_place(Client& client) const {
  const uint64_t place = client.replies.open(client.replies_off || client.skip_this);
  client.arrivals.came(place, now_.mono);
  return place;
}

void Session::complete(Ticket ticket, std::string_view reply) {
  Client* client = find(ticket.client);
  if (client == nullptr || client->dead) return;
  if (client->awaited && client->awaited->place == ticket.place) return take_awaited(*client, reply);
  complete(*client, ticket.place, reply);
}

bool Session::is_next(Ticket ticket) const {
  const auto found = by_id_.find(ticket.client);
  return found == by_id_.end() || found->second->replies.is_first(ticket.place);
}

void Session::complete(Client& client, uint64_t place, std::string_view reply) {
  if (reply.starts_with('-')) counters_.count_error(reply);
  if (!client.replies.is_first(place)) {
    client.replies.keep(place, reply);
    add_memory(client, reply.size());
  } else if (std::string* out = transport_.output(client.conn)) {
    const size_t before = out->size();
    client.replies.send(place, reply, *out);
    const size_t added = out->size() - before;
    client.arrivals.left(client.replies.head(), now_.mono, counters_.durations);
    client.output_bytes += added;
    add_memory(client, added);
    counters_.net_output_bytes += added;
  } else {
    return;  // the connection is gone; its `closed` is about to come
  }
  check_output(client);
  if (client.closing) bury_if_done(client);
  if (client.stalled) consider_resuming(client);
}

// ---- holding back ---------------------------------------------------------------------------------------------------

void Session::enforce_limits(Client& client) {
  const size_t bytes = client.output_bytes + client.replies.waiting_bytes();
  if (client.replies.pending() >= kPendingRepliesMax || bytes > kOutputBytesSoftMax) stall(client);
}

void Session::stall(Client& client) {
  if (client.stalled) return;
  client.stalled = true;
  transport_.set_reading(client.conn, false);
}

void Session::consider_resuming(Client& client) {
  const bool waits = client.stalled && !client.resuming && !client.dead && !client.closing;
  if (!waits || client.held || client.postponed || client.awaited) return;
  if (client.replies.pending() > kPendingRepliesMax / 2) return;
  if (client.output_bytes + client.replies.waiting_bytes() > kOutputBytesSoftMax) return;
  client.resuming = true;
  resuming_.push_back(client.id);
}

void Session::resume_all() {
  const std::vector<ClientId> ids = std::exchange(resuming_, {});
  for (const ClientId id : ids) {
    Client* client = find(id);
    if (client == nullptr) continue;
    client->resuming = false;
    if (client->dead) continue;
    if (client->awaited && client->awaited->reply) {
      finish_exec(*client, client->awaited->place, *client->awaited->reply);
    }
    if (client->dead || client->closing || client->held || client->awaited) continue;
    client->stalled = false;
    const Clients::Outcome outcome = serve(*client);
    CHECK(outcome == Clients::Outcome::handled, "nobody is held back before its first request");
    if (!client->stalled && !client->dead && !client->closing) transport_.set_reading(client->conn, true);
  }
}

void Session::hold(ClientId id) {
  Client* client = find(id);
  if (client == nullptr || client->dead) return;
  client->held = true;
  stall(*client);
}

void Session::release(ClientId id) {
  Client* client = find(id);
  if (client == nullptr) return;
  client->held = false;
  consider_resuming(*client);
}

void Session::pause(Micros until, bool all) {
  const bool paused = now_.mono < pause_.until;
  pause_.until = paused ? std::max(pause_.until, until) : until;
  pause_.all = all || (paused && pause_.all);
}

void Session::unpause() {
  pause_ = {};
  for (const auto& [id, client] : by_id_) {
    if (!std::exchange(client->postponed, false)) continue;
    consider_resuming(*client);
  }
}

void Session::flush(Now now) {
  now_ = now;
  rate_.sample(counters_.commands, now.mono);
  if (pause_.until != 0 && now.mono >= pause_.until) unpause();
  resume_all();
  if (now.mono >= check_at_) check_clients();
  evict_clients();
  bury_dead();
}

Micros Session::next_tick() const {
  if (!resuming_.empty() || !dead_.empty()) return 0;
  return std::min(clients_need_checks() ? check_at_ : kNever, pause_.until != 0 ? pause_.until : kNever);
}

// ---- state that commands change ---------------------------------------------------------------------------------

bool Session::password_needed() const { return !settings_.text(Setting::requirepass).empty(); }

void Session::set_authenticated(Client& client, bool authenticated) {
  client.authenticated = authenticated;
  client.parser.set_limits(request_limits(authenticated || !password_needed()));
}

void Session::apply_limits() {
  for (const auto& [id, client] : by_id_) set_authenticated(*client, client->authenticated);
}

int64_t Session::commands_per_second() {
  rate_.sample(counters_.commands, now_.mono);
  return rate_.per_second();
}

void Session::reset_statistics() {
  counters_ = {};
  backend_.reset_stats();
}

}  // namespace chainring::session
