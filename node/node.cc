#include "node/node.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace chainring::node {
namespace {

// Uncommitted records or held replies beyond this close the door to new requests until half of it is left (R11).
constexpr size_t kUncommittedBytesMax = size_t{256} << 20;
constexpr size_t kHeldBytesMax = size_t{64} << 20;
constexpr size_t kExpiredKeysPerTurnMax = 1000;
constexpr size_t kCheckedKeysPerTurnMax = 5000;  // by new placement rules
constexpr size_t kFreedKeysPerTurnMax = 2000;
constexpr Micros kExpireInterval = 100 * kMicrosPerMilli;
constexpr size_t kSlotsSweptAtOnce = 64;  // of senders that are silent: all slots in half a minute

std::string text_or(std::string_view text, std::string_view otherwise) {
  return std::string(text.empty() ? otherwise : text);
}

session::RoleFacts node_facts(session::RoleFacts facts) {
  facts.mode = "cluster";
  facts.role_name = "node";
  return facts;
}

}  // namespace

Node::Node(Settings settings, Transport& transport, Random& random, Log& log, session::RoleFacts facts)
    : settings_(std::move(settings)),
      transport_(transport),
      random_(random),
      log_(log),
      identity_(session::own_identity(session::PeerRole::node, settings_, random)),
      store_(*this, random),
      clients_(settings_, transport, random, log, *this, node_facts(std::move(facts))),
      coordinator_(transport, random, log, settings_),
      locks_(*this),
      relays_(transport) {}

Node::~Node() = default;

Status Node::start(Now now) {
  now_ = now;
  const Result<uint16_t> port = transport_.listen(
      {std::string(settings_.text(Setting::bind)), static_cast<uint16_t>(settings_.number(Setting::port))});
  if (!port.ok()) return port.status();
  port_ = *port;
  clients_.set_port(port_);
  coordinator_heard_ = now.mono;
  coordinator_.tick(now.mono, identity_);
  return Status();
}

void Node::turn(Now now, std::span<const NetEvent> events) {
  now_ = now;
  store_.chains().note_time(now.mono);
  clients_.begin_turn(now);
  walk_on();
  for (const NetEvent& event : events) {
    on_event(event);
    if (finished_) return;
  }
  mind_the_door();  // acknowledgements may have opened it for what is parked
  tend_parked();
  give_up_replies();
  clients_.flush(now);  // may execute requests that were held back, so what follows sees their effects
  expire();
  tend_links();
  relays_.tick(now.mono);
  copy_to_learners();
  check_rules();
  talk_to_coordinator();
  tend_locks();
  store_.mind_memory(memory_max());
  send_chain_messages();
  mind_the_door();
  mind_the_drain();
  free_memory();
  if (!store_.chains().broken().ok()) end(store_.chains().broken());
  if (stopping_) finished_ = true;
}

Micros Node::next_wake() const {
  Micros next = std::min({heartbeat_at_, coordinator_.next_tick(), clients_.next_tick(), expire_at_, drained_by_,
                          parked_.next_deadline(), locks_.next_tick(), relays_.next_tick()});
  for (const auto& [member, link] : links_) next = std::min(next, link->next_tick());
  if (const Micros oldest = store_.oldest_held_client(); oldest != kNever) {
    next = std::min(next, oldest + request_timeout());
  }
  if (copying_goes_on_) next = std::min(next, copy_rate_.next(now_.mono));
  if (!walks_.empty()) next = std::min(next, serving() ? now_.mono : walks_.front().deadline());
  return freeing_goes_on_ || rules_check_.has_work() ? now_.mono : next;
}

// The slots are handed over first, and served on meanwhile.
void Node::request_stop(Now now) {
  now_ = now;
  if (drained_by_ != kNever) return;
  drained_by_ = now.mono + settings_.number(Setting::drain_timeout_ms) * kMicrosPerMilli;
  heartbeat_due_ = true;  // it tells the coordinators
  if (is_needed()) log_.info("stopping: the slots are handed over to others first");
  mind_the_drain();
}

// Whether a slot is served here, or is about to be.
bool Node::is_needed() const {
  const std::vector<protocol::TableRange>& ranges = table_.message().ranges;
  return self_ != kNoMember && !table_.message().stopped &&
         std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) { return ring::names(range, self_); });
}

void Node::mind_the_drain() {
  if (drained_by_ == kNever || stopping_) return;
  const bool needed = is_needed();
  if (needed && now_.mono < drained_by_) return;
  if (needed && settings_.number(Setting::drain_timeout_ms) != 0) {
    log_.warning("the slots could not be handed over in time; what only this node held is lost");
  }
  stopping_ = true;
  log_.info("stopping: clients are closed");
  clients_.close_all();
}

void Node::end(Status why) {
  if (finished_) return;
  log_.error(why.message());
  outcome_ = std::move(why);
  finished_ = true;
}

void Node::on_event(const NetEvent& event) {
  if (event.kind == NetEvent::Kind::accepted) return clients_.accepted(event.conn, now_);
  if (coordinator_.owns(event.conn)) {
    const session::PeerLink::Change change = coordinator_.on_event(event, now_.mono, identity_);
    if (change == session::PeerLink::Change::up) {
      coordinator_heard_ = now_.mono;
      heartbeat_due_ = true;
      // Who does not know its cluster yet learns it from the first coordinator that it reaches (R2).
      if (identity_.cluster_id == 0) identity_.cluster_id = coordinator_.link().theirs().cluster_id;
    }
    coordinator_.frames(now_.mono, [this](const protocol::Frame& frame) { on_coordinator_frame(frame); });
    return;
  }
  if (on_link_event(event)) return;
  if (relays_.owns(event.conn)) return relays_.on_event(event, now_.mono);
  if (const auto peer = peers_.find(event.conn); peer != peers_.end()) return on_peer_event(event, peer->second);
  if (clients_.owns(event.conn) && clients_.on_event(event, now_) == session::Clients::Outcome::became_peer) {
    welcome_peer(event.conn);
  }
}

void Node::on_coordinator_frame(const protocol::Frame& frame) {
  coordinator_heard_ = now_.mono;
  switch (frame.type) {
    case protocol::FrameType::grant:
      if (const auto grant = decode<protocol::Grant>(frame.payload); grant && grant->member == self_) {
        lease_.grant(*grant, now_);
      }
      break;
    case protocol::FrameType::table:
      if (const auto message = decode<protocol::TableMessage>(frame.payload)) adopt_table(*message);
      break;
    case protocol::FrameType::level:
      if (const auto level = decode<protocol::Level>(frame.payload)) store_.chains().on_level(*level);
      break;
    case protocol::FrameType::reply:
      return on_forwarded_reply(frame.payload);
    default:
      break;  // a newer coordinator may say more; what this node relies on is above
  }
}

void Node::adopt_table(const protocol::TableMessage& message) {
  if (identity_.cluster_id != 0 && message.cluster_id != identity_.cluster_id) {
    log_.warning("a table of another cluster was ignored: is a coordinator of another cluster among --coordinators?");
    return;
  }
  if (message.version <= table_.version()) return;
  Result<ring::Table> table = ring::Table::from_message(message);
  if (!table.ok()) {
    log_.warning(concat("a malformed table was ignored: ", table.status().message()));
    return;
  }
  identity_.cluster_id = message.cluster_id;
  table_ = *std::move(table);
  const MemberId before = std::exchange(self_, member_of(identity_.incarnation));
  if (before != kNoMember && self_ == kNoMember && drained_by_ == kNever) {
    // Nobody comes back from being gone (R1); another incarnation may.
    return end(
        Status(ErrorCode::unavailable,
               "this node was away for longer than repair-after-ms, and its place is another's: it ends, and has "
               "to be started again"));
  }
  if (Status obeyed = store_.obey(table_, self_, lease_.number(now_.mono)); !obeyed.ok()) return end(std::move(obeyed));
  rules_check_.follow(table_);
  heartbeat_due_ = true;  // says at once which table is obeyed: the lease may depend on it (R4)
  coordinator_.of_generation(message.generation);
  coordinator_.follow(message.coordinators, now_.mono);
}

void Node::talk_to_coordinator() {
  const Micros interval = settings_.number(Setting::heartbeat_ms) * kMicrosPerMilli;
  coordinator_.tick(now_.mono, identity_);
  // Without an answer for so long, this coordinator does not lead, or hears us no more: the lease is at stake.
  const Micros patience = std::max(2 * interval, lease_length() / 2);
  if (coordinator_.up() && now_.mono - coordinator_heard_ > patience) {
    coordinator_.suspect(now_.mono);
    coordinator_heard_ = now_.mono;
  }
  const bool regular = now_.mono >= heartbeat_at_;
  if (regular) {
    heartbeat_at_ = now_.mono + interval;
    reassure();
  }
  if (!coordinator_.up()) return;
  if (std::exchange(heartbeat_due_, false) || regular) send_heartbeat();
  if (store_.chains().take_stopped_due() || regular) {
    for (protocol::Stopped& statement : store_.chains().stopped()) {
      statement.member = self_;
      coordinator_.link().send(protocol::FrameType::stopped, statement);
    }
  }
  if (regular) store_.chains().ask_for_copies();
  if (store_.chains().take_learned_due() || (regular && store_.chains().is_learner())) {
    protocol::Learned learned = store_.chains().learned();
    learned.member = self_;
    coordinator_.link().send(protocol::FrameType::learned, learned);
  }
  if (rules_check_.take_due() || (regular && rules_check_.under_way())) {
    coordinator_.link().send(protocol::FrameType::rules_checked, rules_check_.statement(store_.chains(), self_));
  }
}

void Node::send_heartbeat() {
  protocol::Heartbeat heartbeat;
  heartbeat.name = identity_.id;
  heartbeat.incarnation = identity_.incarnation;
  heartbeat.host = settings_.announced_host();
  heartbeat.port = port_;
  heartbeat.failure_host = text_or(settings_.text(Setting::failure_host), heartbeat.host);
  heartbeat.failure_zone = std::string(settings_.text(Setting::failure_zone));
  heartbeat.weight = static_cast<uint32_t>(settings_.number(Setting::weight));
  heartbeat.sent_at = now_.mono;
  heartbeat.obeyed = store_.chains().obeyed();
  heartbeat.leaving = drained_by_ != kNever;
  heartbeat.accused = accused();
  coordinator_.link().send(protocol::FrameType::heartbeat, heartbeat);
}

void Node::expire() {
  if (now_.mono < expire_at_) return;
  expire_at_ = now_.mono + kExpireInterval;
  store_.chains().drop_silent_senders(kSlotsSweptAtOnce);
  if (!serving() || !table_.has_ranges()) return;
  store_.note_time(lease_.wall(now_.mono));
  const std::vector<protocol::SlotRange> headed = store_.chains().headed(table_.headed_by(self_));
  if (headed.empty()) return;
  if (store_.expire(headed, lease_.wall(now_.mono), kExpiredKeysPerTurnMax) == kExpiredKeysPerTurnMax) {
    expire_at_ = now_.mono;  // more are due: go on in the next turn
  }
}

// A turn's worth; more at once, unless the links are full or down: then an event tells when to go on.
void Node::copy_to_learners() {
  Chains& chains = store_.chains();
  const uint64_t before = chains.copies().bytes_sent();
  const auto rate = static_cast<uint64_t>(settings_.number(Setting::copy_rate));
  const uint64_t allowed = copy_rate_.allowed(rate, now_.mono);
  chains.copy([&](MemberId member) { return std::min<uint64_t>(room_on_link(member), allowed); });
  const uint64_t sent = chains.copies().bytes_sent() - before;
  copy_rate_.spend(sent);
  copying_goes_on_ = chains.copies().has_work() && (sent != 0 || allowed == 0);
}

void Node::free_memory() { freeing_goes_on_ = store_.free_some(kFreedKeysPerTurnMax); }

void Node::check_rules() {
  rules_check_.work(store_.database(), store_.chains(), table_.placement(), kCheckedKeysPerTurnMax);
}

// Routers that are not read while the door is closed get no answer to what they ask.
void Node::reassure() {
  if (!door_closed_) return;
  for (const auto& [conn, peer] : peers_) {
    if (peer.who.role == session::PeerRole::router) pong(conn);
  }
}

// Also between two requests: one batch of them may ask for any number of long replies.
void Node::mind_the_door() {
  const auto is_too_much = [this](size_t bytes, size_t max) { return bytes > (door_closed_ ? max / 2 : max); };
  const bool close = is_too_much(store_.chains().uncommitted_bytes(), kUncommittedBytesMax) ||
                     is_too_much(store_.held_bytes(), kHeldBytesMax);
  if (close == door_closed_) return;
  door_closed_ = close;
  for (const auto& [conn, peer] : peers_) tend_reading(conn, peer);
}

}  // namespace chainring::node
