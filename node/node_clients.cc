// Clients that are connected to this node itself, and INFO.

#include <array>
#include <utility>

#include "base/text.h"
#include "node/node.h"
#include "protocol/lock_keys.h"

namespace chainring::node {
namespace {

constexpr std::array kAllSlots = {protocol::SlotRange{0, kSlotCount - 1}};
constexpr std::string_view kBetweenChains =
    "TRYAGAIN the slot is between two chains; the command was not executed, try again";

bool only_reads(const protocol::CommandSpec& command) { return (command.flags & protocol::kReadonly) != 0; }
bool writes(const protocol::CommandSpec& command) { return (command.flags & protocol::kWrite) != 0; }

}  // namespace

int64_t Node::replicas() const { return table_.version() == 0 ? 0 : int64_t{table_.message().copies} - 1; }

std::string Node::moved(Slot slot) const {
  const protocol::TableMember* head = table_.member(table_.head(slot));
  CHECK(head != nullptr, "a table lists the members of its chains");
  return concat("MOVED ", slot, " ", head->host, ":", head->port);
}

Door Node::door(Slot slot, bool reads_here) const {
  if (door_closed_) return Door::waits;
  return judge_door(table_, store_.chains(), self_, slot, reads_here, serving());
}

void Node::refuse(const session::ClientRequest& request, std::string_view why) {
  std::string reply;
  protocol::ReplyWriter(reply, request.resp).error(why);
  clients_.complete(request.ticket, reply);
}

void Node::request(const session::ClientRequest& request) {
  mind_the_door();
  const bool runs = Store::runs(request.command->id);
  switch (request.command->routing) {
    case protocol::Routing::slot:
    case protocol::Routing::split_sum:
    case protocol::Routing::split_values:
    case protocol::Routing::split_ok:
      if (runs) return run_on_keys(request);
      break;
    case protocol::Routing::all_slots:
    case protocol::Routing::scan:
      if (runs) return run_everywhere(request);
      break;
    case protocol::Routing::coordinator:
      return request.command->id == protocol::CommandId::ring_table ? state_table(request) : forward(request);
    case protocol::Routing::session:
      return answer_cluster(request);
  }
  refuse(request, protocol::errors::unknown_command(request.args[0], request.args.data() + 1, request.args.size() - 1));
}

Execution Node::execution_for(const session::ClientRequest& request) const {
  Execution execution;
  execution.command = request.command;
  execution.args = request.args;
  execution.db = request.db;
  execution.resp = request.resp;
  execution.now = lease_.wall(now_.mono);
  execution.memory_max = memory_max();
  execution.to.ticket = request.ticket;
  execution.to.came_at = request.came_at;
  execution.to.reads = only_reads(*request.command);
  return execution;
}

// A write promises something of all slots that this node heads, so it waits for those that are between two chains.
bool Node::may_run_everywhere(bool writes) const {
  if (door_closed_ || !serving()) return false;
  return !writes || heads_all_of_its(table_, store_.chains(), self_);
}

void Node::run_everywhere(const session::ClientRequest& request) {
  if (!may_run_everywhere(writes(*request.command))) return park(request, protocol::kNoSlot);
  if (request.command->id == protocol::CommandId::keys) return begin_walk(request);
  Execution execution = execution_for(request);
  execution.scan_ends = true;
  store_.execute_over(store_.chains().headed(kAllSlots), execution);
}

// Clients ignores late replies.
void Node::client_gone(session::ClientId client) {
  parked_.forget(client);
  std::erase_if(walks_, [client](const KeysWalk& walk) { return walk.ticket().client == client; });
}

void Node::begin_walk(const session::ClientRequest& request) {
  KeysWalk walk(request.ticket, request.args[1], request.db, store_.chains().headed(kAllSlots),
                request.came_at + request_timeout());
  if (walk_slice(walk)) return clients_.complete(walk.ticket(), walk.reply());
  clients_.hold(walk.ticket().client);
  walks_.push_back(std::move(walk));
}

// Whether that was the last slice. What has gone to another head meanwhile is left out, as KEYS promises nothing of it.
bool Node::walk_slice(KeysWalk& walk) {
  const std::vector<protocol::SlotRange> here = store_.chains().headed(walk.left());
  if (here.empty()) return true;
  const std::vector<protocol::SlotRange> slots = store_.slice(here, protocol::CommandId::keys, walk.db());
  walk.add(store_.keys(slots, walk.pattern(), walk.db(), lease_.wall(now_.mono)), slots.back().last);
  return walk.ended();
}

// One slice in each turn, whoever's; without a lease they wait.
void Node::walk_on() {
  if (walks_.empty()) return;
  if (!serving() && now_.mono < walks_.front().deadline()) return;
  KeysWalk walk = std::move(walks_.front());
  walks_.pop_front();
  if (serving()) {
    if (!walk_slice(walk)) return walks_.push_back(std::move(walk));
    clients_.complete(walk.ticket(), walk.reply());
  } else {
    clients_.complete(walk.ticket(), protocol::error_reply(kBetweenChains));
  }
  clients_.release(walk.ticket().client);
}

session::Placement Node::place_of(const protocol::CommandSpec& command, std::span<const std::string_view> args) const {
  key_positions_.clear();
  protocol::key_positions(command, args, key_positions_);
  session::Placement found;
  for (const size_t position : key_positions_) {
    const std::string_view key = args[position];
    const bool is_lock = protocol::is_lock_key(key, table_.message().lock_prefixes);
    const session::Place place = is_lock ? kLocks : table_.placement().slot_of(key);
    if (found.place && *found.place != place) return {{}, std::string(protocol::errors::kCrossSlot)};
    found.place = place;
  }
  if (!found.place) found.refusal = protocol::errors::kSyntax;
  return found;
}

void Node::run_on_keys(const session::ClientRequest& request) {
  const session::Placement found = place_of(*request.command, request.args);
  if (!found.place) return refuse(request, found.refusal);
  if (*found.place == kLocks) return forward(request);
  run_on_slot(request, static_cast<Slot>(*found.place));
}

void Node::run_on_slot(const session::ClientRequest& request, Slot slot) {
  Execution execution = execution_for(request);
  execution.slot = slot;
  Door found = door(slot, execution.to.reads);
  if (found == Door::member) {
    const Millis margin = settings_.number(Setting::drift_margin_ms);
    if (store_.read(execution, margin)) return;
    found = door(slot, false);
  }
  switch (found) {
    case Door::head:
      if (!store_.execute(execution)) park(request, slot);
      return;
    case Door::elsewhere:
      view_.outdate();
      return refuse(request, moved(slot));
    case Door::lost:
      return refuse(request, protocol::errors::kClusterDown);
    case Door::waits:
    case Door::member:
      return park(request, slot);
  }
}

// ---- requests that wait ---------------------------------------------------------------------------------------------

void Node::park(const session::ClientRequest& request, Slot slot) {
  ParkedRequest parked;
  parked.ticket = request.ticket;
  parked.slot = slot;
  parked.db = request.db;
  parked.resp = request.resp;
  parked.reads_here = only_reads(*request.command);
  parked.writes = writes(*request.command);
  parked.came_at = request.came_at;
  parked.deadline = request.came_at + request_timeout();
  parked.bytes = request.bytes;
  park(std::move(parked));
}

void Node::park(ParkedRequest parked) {
  const session::Ticket ticket = parked.ticket;
  if (!parked_.park(std::move(parked))) return clients_.complete(ticket, protocol::error_reply(kBetweenChains));
  clients_.hold(ticket.client);
  // It may move back before the end of this turn: a lease that has run out may be granted again.
  if (door_state() != door_state_) door_moved_ = true;
}

Node::DoorState Node::door_state() const { return {table_.version(), serving(), door_closed_}; }

void Node::tend_parked() {
  const bool moved_meanwhile = std::exchange(door_moved_, false);
  const DoorState before = std::exchange(door_state_, door_state());
  if (parked_.count() == 0) return;
  for (const ParkedRequest& late :
       parked_.take([this](const ParkedRequest& parked) { return parked.deadline <= now_.mono; })) {
    clients_.complete(late.ticket, protocol::error_reply(kBetweenChains));
    clients_.release(late.ticket.client);
  }
  if (!moved_meanwhile && before == door_state_) return;
  std::optional<bool> writes_run_everywhere;  // looks at all slots, and thousands may wait for it
  const auto can_go_on = [&](const ParkedRequest& parked) {
    if (parked.slot == protocol::kNoSlot) {
      if (!parked.writes) return may_run_everywhere(false);
      if (!writes_run_everywhere) writes_run_everywhere = may_run_everywhere(true);
      return *writes_run_everywhere;
    }
    return door(parked.slot, parked.reads_here) != Door::waits;
  };
  for (const ParkedRequest& parked : parked_.take(can_go_on)) {
    clients_.release(parked.ticket.client);
    run_parked(parked);
  }
}

// It was checked when it came, so it is whole and known.
void Node::run_parked(const ParkedRequest& parked) {
  if (parked.transaction) {
    return transaction(
        {parked.ticket, parked.slot, parked.writes, parked.bytes, parked.db, parked.resp, parked.came_at});
  }
  parser_.next();
  const bool whole = parser_.parse(parked.bytes) == protocol::RequestParser::State::ready;
  CHECK(whole && !parser_.args().empty(), "what was parked is one request");
  session::ClientRequest again;
  again.ticket = parked.ticket;
  again.command = protocol::find_command(parser_.args());
  again.args = parser_.args();
  again.bytes = parked.bytes;
  again.db = parked.db;
  again.resp = parked.resp;
  again.came_at = parked.came_at;
  request(again);
}

// What was executed and is not committed in time. An acknowledgement that has come in this turn has been heard before.
void Node::give_up_replies() { store_.give_up_clients(now_.mono - request_timeout()); }

std::string Node::info_lines(std::string_view section) {
  session::InfoWriter lines;
  info(section, lines);
  return lines.out();
}

void Node::info(std::string_view section, session::InfoWriter& out) {
  const engine::Database* database = store_.database();
  const Chains& chains = store_.chains();
  if (equals_ignoring_case(section, "memory")) {
    out.bytes("used_memory", static_cast<int64_t>(store_.memory_bytes()));
  } else if (equals_ignoring_case(section, "stats") && database != nullptr) {
    out.field("expired_keys", static_cast<int64_t>(database->statistics().expired));
    out.field("evicted_keys", 0);
    out.field("keyspace_hits", static_cast<int64_t>(database->statistics().hits));
    out.field("keyspace_misses", static_cast<int64_t>(database->statistics().misses));
  } else if (equals_ignoring_case(section, "keyspace") && database != nullptr) {
    const std::vector<protocol::SlotRange> headed = chains.headed(kAllSlots);
    for (uint8_t db = 0; db < engine::kDatabaseCount; ++db) {
      const engine::KeyCounts counts = database->counts(headed, db);
      if (counts.keys == 0) continue;
      out.field(concat("db", int{db}), concat("keys=", counts.keys, ",expires=", counts.expires, ",avg_ttl=0"));
    }
  } else if (equals_ignoring_case(section, "chainring")) {
    out.field("chainring_member", self_);
    out.field("chainring_table_version", static_cast<int64_t>(chains.obeyed()));
    out.field("chainring_lease_left_ms", lease_.left(now_.mono) / kMicrosPerMilli);
    out.field("chainring_uncommitted_bytes", static_cast<int64_t>(chains.uncommitted_bytes()));
    out.field("chainring_parked_requests", static_cast<int64_t>(parked_.count()));
    out.field("chainring_forwarded_requests", static_cast<int64_t>(locks_.count()));
    out.field("chainring_held_replies", static_cast<int64_t>(store_.held()));
    out.field("chainring_held_bytes", static_cast<int64_t>(store_.held_bytes()));
    out.field("chainring_remembered_bytes", static_cast<int64_t>(chains.remembered_bytes()));
  }
}

}  // namespace chainring::node
