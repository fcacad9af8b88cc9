#include "router/router.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "protocol/messages.h"
#include "protocol/reply.h"
#include "router/fanout.h"
#include "router/flush.h"
#include "router/node_info.h"
#include "router/scan.h"
#include "router/split.h"

namespace chainring::router {
namespace {

// Cluster-wide commands under way at once; whoever asks for more is not read until half of them are done.
constexpr size_t kWideOperationsMax = 256;
// While clients are held back, how often to look whether they still have to be.
constexpr Micros kHoldRecheck = kMicrosPerMilli;
// A leader that has answered nothing for so many heartbeats, each of which it was told of, is asked no longer.
constexpr int64_t kSilentHeartbeatsMax = 5;

std::string draw_run_id(Random& random) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  for (int i = 0; i < 40; ++i) id.push_back(kDigits[random.below(kDigits.size())]);
  return id;
}

session::RoleFacts router_facts(session::RoleFacts facts, Random& random) {
  facts.mode = "standalone";
  facts.role_name = "router";
  if (facts.run_id.empty()) facts.run_id = draw_run_id(random);
  return facts;
}

}  // namespace

Router::Router(Settings settings, Transport& transport, Random& random, Log& log, session::RoleFacts facts)
    : settings_(std::move(settings)),
      transport_(transport),
      random_(random),
      log_(log),
      identity_(session::own_identity(session::PeerRole::router, settings_, random)),
      lock_prefixes_(protocol::parse_lock_prefixes(settings_.text(Setting::lock_prefixes))),
      clients_(settings_, transport, random, log, *this, router_facts(std::move(facts), random)),
      links_(transport, random, log, settings_, *this),
      dispatcher_(links_, *this, random),
      holds_(clients_),
      services_{links_, dispatcher_, table_, random_, clients_} {}

Router::~Router() = default;

Status Router::start(Now now) {
  now_ = now;
  const Result<uint16_t> port = transport_.listen(
      {std::string(settings_.text(Setting::bind)), static_cast<uint16_t>(settings_.number(Setting::port))});
  if (!port.ok()) return port.status();
  port_ = *port;
  clients_.set_port(port_);
  leader_heard_ = now.mono;
  links_.tick(now.mono, identity_);
  return {};
}

void Router::turn(Now now, std::span<const NetEvent> events) {
  now_ = now;
  reads_roam_ = settings_.text(Setting::read_from) == "any";
  dispatcher_.set_read_locality(static_cast<size_t>(settings_.number(Setting::read_locality)));
  clients_.begin_turn(now);
  for (const NetEvent& event : events) on_event(event);
  tend_coordinators();
  links_.tick(now.mono, identity_);
  dispatcher_.tick(now.mono);
  wide_.for_each([&](Operation& operation) {
    if (operation.next_tick() > now.mono) return;
    operation.tick(now.mono);
    retire_if_finished(operation);
  });
  release_holds();
  clients_.flush(now);
}

void Router::on_event(const NetEvent& event) {
  if (event.kind == NetEvent::Kind::accepted) {
    if (stopping_) return transport_.close(event.conn);
    return clients_.accepted(event.conn, now_);
  }
  if (links_.on_event(event, now_.mono, identity_)) return;
  if (clients_.on_event(event, now_) == session::Clients::Outcome::handled) return;
  if (std::string* out = transport_.output(event.conn)) {
    protocol::ReplyWriter(*out, protocol::RespVersion::resp2)
        .error("ERR peer refused: this is a router, which takes clients only");
  }
  transport_.close_after_flush(event.conn);
}

Micros Router::next_wake() const {
  Micros next = std::min({clients_.next_tick(), links_.next_tick(), dispatcher_.next_tick(), wide_.next_tick()});
  if (links_.leader().open()) next = std::min(next, subscribe_at_);
  return holds_.any() ? std::min(next, now_.mono + kHoldRecheck) : next;
}

void Router::request_stop(Now now) {
  now_ = now;
  stopping_ = true;
  clients_.close_all();
}

// ---- requests of clients ----------------------------------------------------------------------------------------

Micros Router::deadline() const { return now_.mono + settings_.number(Setting::request_timeout_ms) * kMicrosPerMilli; }

void Router::request(const session::ClientRequest& request) {
  const size_t parked_before = before_submitting();
  carry_out(request);
  hold_back(request.ticket.client, parked_before);
}

void Router::carry_out(const session::ClientRequest& request) {
  route(*request.command, request.args, Placing{lock_prefixes_, table_.placement()}, plan_);
  switch (plan_.kind) {
    case Plan::Kind::one_place:
      return forward(request);
    case Plan::Kind::split:
      return begin(std::make_unique<Split>(services_, request, plan_, deadline(), reads_roam_), false);
    case Plan::Kind::all_slots:
      if ((request.command->flags & protocol::kWrite) != 0) {
        return begin(std::make_unique<Flush>(services_, request, deadline()), true);
      }
      return begin(std::make_unique<Fanout>(services_, request, deadline()), true);
    case Plan::Kind::scan:
      return begin(std::make_unique<Scan>(services_, request, deadline()), true);
    case Plan::Kind::info:
      return begin(std::make_unique<NodeInfo>(
                       services_, request, deadline(),
                       [this](const NodeFigures& figures, auto sections) { return info_text(figures, sections); }),
                   true);
    case Plan::Kind::refused:
      break;
  }
  std::string reply;
  protocol::ReplyWriter(reply, request.resp).error(plan_.refusal);
  clients_.complete(request.ticket, reply);
}

void Router::forward(const session::ClientRequest& request) {
  uint8_t flags = protocol::request_flags(request.resp, (request.command->flags & protocol::kWrite) != 0);
  if (reads_roam_ && any_member_answers(*request.command)) flags |= protocol::kRequestAnyMember;
  submit(request.ticket, plan_.place, request.db, flags, request.bytes, request.alone);
}

void Router::submit(const session::Ticket& ticket, Place place, uint8_t db, uint8_t flags, std::string_view bytes,
                    bool alone) {
  dispatcher_.submit({place, db, flags, bytes, Recipient{ticket}, deadline(), alone}, now_.mono);
}

session::Placement Router::placement(const protocol::CommandSpec& command,
                                     std::span<const std::string_view> args) const {
  Plan plan;
  route(command, args, Placing{lock_prefixes_, table_.placement()}, plan);
  // LOCK and RING are more than commands on keys.
  const bool of_keys = command.first_key != 0 && command.routing != protocol::Routing::coordinator;
  if (plan.kind == Plan::Kind::one_place && of_keys) return {plan.place, {}};
  if (plan.kind == Plan::Kind::split) return {{}, std::string(protocol::errors::kCrossSlot)};
  if (plan.kind == Plan::Kind::refused) return {{}, plan.refusal};
  return {{}, session::not_in_transaction(command)};
}

void Router::transaction(const session::ClientTransaction& transaction) {
  const size_t parked_before = before_submitting();
  const uint8_t flags = protocol::request_flags(transaction.resp, transaction.writes) | protocol::kRequestTransaction;
  submit(transaction.ticket, static_cast<Place>(transaction.place), transaction.db, flags, transaction.payload, false);
  hold_back(transaction.ticket.client, parked_before);
}

void Router::begin(std::unique_ptr<Operation> operation, bool wide) {
  operation->wide = wide;
  Operation& begun = (wide ? wide_ : splits_).add(std::move(operation));
  if (begun.blocks_client()) holds_.hold(begun.client(), {HoldCause::Kind::own_operation, begun.client()});
  begun.start(now_.mono);
  retire_if_finished(begun);
}

// The bytes that are parked already. A lane that operations of others have crowded is none of the next client's doing.
size_t Router::before_submitting() {
  static_cast<void>(dispatcher_.take_crowded());
  return dispatcher_.parked_bytes();
}

void Router::hold_back(session::ClientId client, size_t parked_before) {
  const size_t parked = dispatcher_.parked_bytes();
  const std::optional<MemberId> crowded = dispatcher_.take_crowded();
  if (parked > parked_before && parked > static_cast<size_t>(settings_.number(Setting::parked_bytes_max))) {
    holds_.hold(client, {HoldCause::Kind::parked_bytes});
  } else if (crowded) {
    holds_.hold(client, {HoldCause::Kind::lane, *crowded});
  } else if (wide_.size() >= kWideOperationsMax) {
    holds_.hold(client, {HoldCause::Kind::operations});
  }
}

void Router::release_holds() {
  if (!holds_.any()) return;
  holds_.release_if([this](const HoldCause& cause) {
    switch (cause.kind) {
      case HoldCause::Kind::parked_bytes:
        return dispatcher_.parked_bytes() <= static_cast<size_t>(settings_.number(Setting::parked_bytes_max)) / 4 * 3;
      case HoldCause::Kind::operations:
        return wide_.size() <= kWideOperationsMax / 2;
      case HoldCause::Kind::own_operation:
        return wide_.none_of([&](const Operation& operation) {
          return operation.blocks_client() && !operation.answered() && operation.client() == cause.which;
        });
      case HoldCause::Kind::lane:
        break;
    }
    const auto member = static_cast<MemberId>(cause.which);
    const Lane* const lane = member == kNoMember ? &links_.leader() : links_.member_lane(member);
    return lane == nullptr || lane->unsent() <= kLaneBacklogMax / 2;
  });
}

void Router::answered(const Recipient& to, Ending ending, std::string_view reply) {
  if (to.operation == nullptr) return clients_.complete(to.ticket, reply);
  to.operation->end_leg(to.leg, ending, reply, now_.mono);
  retire_if_finished(*to.operation);
}

// ---- operations ---------------------------------------------------------------------------------------------------

Operation& Router::Operations::add(std::unique_ptr<Operation> operation) {
  operation->index = items_.size();
  items_.push_back(std::move(operation));
  return *items_.back();
}

void Router::retire_if_finished(Operation& operation) {
  if (operation.finished()) (operation.wide ? wide_ : splits_).remove(operation);
}

void Router::Operations::remove(Operation& operation) {
  const size_t index = operation.index;
  std::swap(items_[index], items_.back());
  items_[index]->index = index;
  items_.pop_back();
}

Micros Router::Operations::next_tick() const {
  Micros next = kNever;
  for (const auto& operation : items_) next = std::min(next, operation->next_tick());
  return next;
}

// ---- links ----------------------------------------------------------------------------------------------------------

void Router::on_frame(Lane& lane, const protocol::Frame& frame) {
  const bool from_leader = &lane == &links_.leader();
  if (from_leader) leader_heard_ = now_.mono;
  switch (frame.type) {
    case protocol::FrameType::reply:
      return on_reply(lane, frame.payload);
    case protocol::FrameType::slots_reply:
      return on_slots_reply(lane, frame.payload);
    case protocol::FrameType::table:
      if (from_leader) adopt_table(frame.payload);
      return;
    case protocol::FrameType::grant:
      if (const auto grant = decode<protocol::Grant>(frame.payload); from_leader && grant) {
        links_.granted(grant->lease_us, now_.mono);
      }
      return;
    default:
      return;  // a peer of a later version may say more
  }
}

void Router::on_reply(Lane& lane, std::string_view payload) {
  protocol::Reply reply;
  std::string_view body;
  if (!protocol::split_payload(payload, reply, body)) return log_.warning("a peer sent a reply without a header");
  InFlight* const item = lane.take(reply.id);
  if (item == nullptr) return;  // given up
  if (item->kind != InFlight::Kind::request) return lose(*item, lane);
  if (reply.status == protocol::ReplyStatus::not_leader) {
    // When none is named, the answer to the next Subscribe says more.
    if (Address leader = session::parse_address(body); !leader.host.empty()) links_.leader_is(std::move(leader));
  }
  dispatcher_.on_reply(static_cast<Outstanding&>(*item), reply, body, now_.mono);
}

void Router::on_slots_reply(Lane& lane, std::string_view payload) {
  protocol::SlotsReply reply;
  std::string_view body;
  if (!protocol::split_payload(payload, reply, body)) return log_.warning("a peer sent a reply without a header");
  InFlight* const item = lane.take(reply.id);
  if (item == nullptr) return;
  if (item->kind != InFlight::Kind::slots_call) return lose(*item, lane);
  auto& call = static_cast<SlotsCall&>(*item);
  Operation& operation = *call.owner;
  operation.answer_call(call, reply, body, now_.mono);
  retire_if_finished(operation);
}

// The operation of a call stays: others of its calls may be about to be lost, too.
void Router::lose(InFlight& item, const Lane& lane) {
  if (item.kind == InFlight::Kind::request) {
    return dispatcher_.on_lost(static_cast<Outstanding&>(item), lane, now_.mono);
  }
  auto& call = static_cast<SlotsCall&>(item);
  call.owner->lose_call(call, now_.mono);
}

void Router::on_open(Lane& lane) {
  if (&lane == &links_.leader()) subscribe();
  dispatcher_.on_open(now_.mono);
  retry_operations();
}

void Router::on_broken(Lane& lane, const std::vector<InFlight*>& items) {
  for (InFlight* const item : items) lose(*item, lane);
  wide_.for_each([this](Operation& operation) { retire_if_finished(operation); });
}

void Router::on_silent(Lane& lane) { dispatcher_.on_silent(lane, now_.mono); }

void Router::retry_operations() {
  wide_.for_each([this](Operation& operation) {
    operation.retry(now_.mono);
    retire_if_finished(operation);
  });
}

// ---- coordinators -----------------------------------------------------------------------------------------------

void Router::adopt_table(std::string_view payload) {
  const auto message = decode<protocol::TableMessage>(payload);
  if (!message) return log_.warning("the leader sent a table that is cut short");
  const protocol::TableMessage& present = table_.message();
  const bool anew = message->generation != present.generation;
  if (anew ? message->generation < present.generation : message->version <= present.version) return;
  if (identity_.cluster_id != 0 && identity_.cluster_id != message->cluster_id) {
    return log_.error("the leader sent the table of another cluster; it is not used");
  }
  Result<ring::Table> table = ring::Table::from_message(*message);
  if (!table.ok()) return log_.error(concat("the leader sent a table that is not used: ", table.status().message()));
  table_ = *std::move(table);
  identity_.cluster_id = message->cluster_id;
  lock_prefixes_ = message->lock_prefixes;
  links_.use_table(table_, now_.mono);
  dispatcher_.on_table(table_, anew, now_.mono);
  retry_operations();
  log_.debug(concat("table ", table_.version(), " is in use"));
}

void Router::tend_coordinators() {
  if (!links_.leader().open()) {
    leader_heard_ = now_.mono;
    return;
  }
  if (now_.mono >= subscribe_at_) subscribe();
  if (now_.mono - leader_heard_ <= kSilentHeartbeatsMax * heartbeat()) return;
  log_.info("the leading coordinator is silent; another one is asked");
  leader_heard_ = now_.mono;
  links_.suspect_leader(now_.mono);
}

void Router::subscribe() {
  subscribe_at_ = now_.mono + heartbeat();
  protocol::Subscribe message;
  message.name = settings_.text(Setting::name);
  message.incarnation = identity_.incarnation;
  message.host = settings_.announced_host();
  message.port = port_;
  message.version = table_.version();
  for (const Lane* lane : links_.silent_node_lanes(now_.mono)) {
    if (dispatcher_.waits_for(*lane)) message.accused.push_back(lane->member());
  }
  links_.tell_leader(protocol::FrameType::subscribe, message);
}

Micros Router::heartbeat() const { return settings_.number(Setting::heartbeat_ms) * kMicrosPerMilli; }

// ---- INFO ---------------------------------------------------------------------------------------------------------

int64_t Router::replicas() const {
  size_t shortest = SIZE_MAX;
  for (const protocol::TableRange& range : table_.message().ranges) shortest = std::min(shortest, range.chain.size());
  return shortest == SIZE_MAX || shortest == 0 ? 0 : static_cast<int64_t>(shortest) - 1;
}

std::string Router::info_text(const NodeFigures& figures, std::span<const std::string_view> sections) {
  figures_ = figures;
  std::string text = clients_.info(sections, now_);
  figures_ = {};
  return text;
}

void Router::info(std::string_view section, session::InfoWriter& out) {
  if (section == "keyspace") {
    for (const auto& [db, sum] : figures_.keyspace()) {
      const int64_t average_ttl = sum.expires == 0 ? 0 : sum.ttl_sum / sum.expires;
      out.field(concat("db", db), concat("keys=", sum.keys, ",expires=", sum.expires, ",avg_ttl=", average_ttl));
    }
  } else if (section == "chainring") {
    out.field("chainring_table_version", static_cast<int64_t>(table_.version()));
    out.field("chainring_leader_linked", links_.leader().open() ? 1 : 0);
    out.field("chainring_nodes", static_cast<int64_t>(links_.node_count()));
    out.field("chainring_nodes_linked", static_cast<int64_t>(links_.open_node_lanes().size()));
    out.field("chainring_outstanding", static_cast<int64_t>(dispatcher_.outstanding()));
    out.field("chainring_parked_bytes", static_cast<int64_t>(dispatcher_.parked_bytes()));
    out.field("chainring_reads_from_heads", static_cast<int64_t>(dispatcher_.reads().at_heads));
    out.field("chainring_reads_from_others", static_cast<int64_t>(dispatcher_.reads().at_others));
  } else if (const auto* fields = figures_.section(section)) {
    for (const auto& [name, value] : *fields) {
      // maxmemory and its like are the router's own settings, and have been written.
      if (section == "memory" && !name.starts_with("used_memory")) continue;
      if (section == "memory") out.bytes(name, value);
      if (section != "memory") out.field(name, value);
    }
  }
}

}  // namespace chainring::router
