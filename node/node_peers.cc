// Links with other members and with routers.

#include <algorithm>

#include "base/text.h"
#include "node/node.h"
#include "protocol/runs.h"

namespace chainring::node {
namespace {

// Replies that may wait to leave on one router's link before no more of its requests are taken.
constexpr size_t kReplyBacklogMax = size_t{4} << 20;
constexpr size_t kCopyBacklogMax = size_t{4} << 20;  // of a copy that may wait to leave on a learner's link
constexpr size_t kPeersMax = 4096;                   // links of routers and members that may be open
// A router's link that was not read for so long, since this process stood still, or too much waited for commits or to
// leave, is closed and not read: a write among what came may be as old. What a router sends within the time of a
// request and what it sent is not taken later than this: so no write comes when its sender is forgotten as silent
// (R20).
constexpr Micros kUnreadMax = 180 * kMicrosPerSecond;
static_assert(kRequestTimeoutMsMax * kMicrosPerMilli + kUnreadMax < SenderLog::kSenderSilence);
// By an idle link a router asks for a sign every third of a lease, which is shorter than the time of a request (R6).
static_assert(kRequestTimeoutMsMax * kMicrosPerMilli / 3 < kUnreadMax);
constexpr std::string_view kUncertain = "TRYAGAIN the answer has not become certain at this node; try again";

// A read that any member of the chain may answer. Writes and transactions are the head's, whatever the flags say.
bool for_any_member(const protocol::Request& request) {
  constexpr uint8_t kHeadsOwn = protocol::kRequestWrite | protocol::kRequestTransaction;
  return (request.flags & protocol::kRequestAnyMember) != 0 && (request.flags & kHeadsOwn) == 0 && request.number == 0;
}

std::vector<protocol::SlotRange> ranges_of(std::vector<Slot> slots) {
  std::sort(slots.begin(), slots.end());
  std::vector<protocol::SlotRange> ranges;
  for (const Slot slot : slots) {
    protocol::append_run(ranges, {slot, slot});
  }
  return ranges;
}

}  // namespace

MemberId Node::member_of(Incarnation incarnation) const {
  for (const protocol::TableMember& member : table_.message().members) {
    if (member.incarnation == incarnation && member.state != protocol::MemberState::gone) return member.id;
  }
  return kNoMember;
}

ConnId Node::link_from(MemberId member) const {
  const protocol::TableMember* listed = table_.member(member);
  if (listed == nullptr) return kNoConn;
  const auto at = dialled_by_.find(listed->incarnation);
  return at == dialled_by_.end() ? kNoConn : at->second;
}

void Node::welcome_peer(ConnId conn) {
  const std::span<const std::string> said = clients_.peer_args();
  if (const std::optional<Address> to = session::peer_target(said)) {
    const std::vector<protocol::TableMember>& members = table_.message().members;
    const bool known = std::any_of(members.begin(), members.end(),
                                   [&](const auto& one) { return Address{one.host, one.port} == *to; });
    return relays_.answer(log_, told_refusals_, conn, said, identity_, known, now_.mono);
  }
  const auto theirs =
      session::answer_peer(transport_, log_, told_refusals_, conn, said, identity_, peers_.size(), kPeersMax);
  if (!theirs) return;
  Peer& peer = peers_[conn];
  peer.who = *theirs;
  peer.read_at = now_.mono;
  // It dialled again: what is still on its way on the old link is past, and must not come after what it says now.
  if (const auto before = dialled_by_.find(peer.who.incarnation); before != dialled_by_.end()) {
    const ConnId old = before->second;
    drop_peer(old);
  }
  dialled_by_[peer.who.incarnation] = conn;
  store_.chains().ask_for_copies();  // it may be the source of some
  store_.chains().dialled_by(member_of(peer.who.incarnation));
  on_peer_event({NetEvent::Kind::input, conn}, peer);
}

void Node::drop_peer(ConnId conn) {
  const auto at = peers_.find(conn);
  if (at == peers_.end()) return;
  const auto latest = dialled_by_.find(at->second.who.incarnation);
  if (latest != dialled_by_.end() && latest->second == conn) dialled_by_.erase(latest);
  peers_.erase(at);
  transport_.close(conn);
}

void Node::on_peer_event(const NetEvent& event, Peer& peer) {
  switch (event.kind) {
    case NetEvent::Kind::closed:
      return drop_peer(event.conn);
    case NetEvent::Kind::drained:
      peer.full = false;
      return tend_reading(event.conn, peer);
    case NetEvent::Kind::input:
      break;
    default:
      return;
  }
  if (is_stale(peer)) {
    log_.info(concat("link of router ", peer.who.id, " closed: what came by it was left unread for ",
                     (now_.mono - peer.read_at) / kMicrosPerSecond, " s"));
    return drop_peer(event.conn);
  }
  if (!take_frames(event.conn, peer)) {
    log_.warning(concat("link of ", role_name(peer.who.role), " ", peer.who.id, " closed: it sent malformed bytes"));
    drop_peer(event.conn);
  }
}

// Chain links are always read to the end; requests only while there is room for their replies and effects (R11).
bool Node::take_frames(ConnId conn, Peer& peer) {
  const std::string_view input = transport_.input(conn);
  size_t taken = 0;
  protocol::FrameState state = protocol::FrameState::ready;
  for (;;) {
    if (peer.who.role == session::PeerRole::router) {
      mind_the_door();
      peer.full = transport_.unsent(conn) > kReplyBacklogMax;
      if (peer.full || door_closed_) break;
    }
    protocol::Frame frame;
    state = protocol::parse_frame(input.substr(taken), frame);
    if (state != protocol::FrameState::ready) break;
    on_peer_frame(conn, peer, frame);
    taken += frame.size;
  }
  note_read(peer, taken, state == protocol::FrameState::need_more ? 0 : input.size() - taken);
  transport_.consume(conn, taken);
  if (peer.full || door_closed_) tend_reading(conn, peer);
  return state != protocol::FrameState::error;
}

// `left`: what could have been taken, and was not. A link that is always busy may never be read to its end, and is not
// old for that: so one end after another is waited for.
void Node::note_read(Peer& peer, size_t taken, size_t left) {
  if (left == 0) {
    peer.read_at = now_.mono;
    peer.unread_to_mark = 0;
    return;
  }
  const bool reached = peer.unread_to_mark > 0 && peer.unread_to_mark <= taken;
  if (reached) peer.read_at = peer.marked_at;
  if (peer.unread_to_mark > taken) {
    peer.unread_to_mark -= taken;
    return;
  }
  peer.unread_to_mark = left;
  peer.marked_at = now_.mono;
}

bool Node::is_stale(const Peer& peer) const {
  return peer.who.role == session::PeerRole::router && now_.mono - peer.read_at > kUnreadMax;
}

void Node::tend_reading(ConnId conn, const Peer& peer) {
  if (peer.who.role == session::PeerRole::router) transport_.set_reading(conn, !peer.full && !door_closed_);
}

void Node::on_peer_frame(ConnId conn, Peer& peer, const protocol::Frame& frame) {
  const MemberId from = peer.who.role == session::PeerRole::node ? member_of(peer.who.incarnation) : kNoMember;
  switch (frame.type) {
    case protocol::FrameType::ping:
      return pong(conn);
    case protocol::FrameType::request:
      return on_request(conn, peer, frame.payload);
    case protocol::FrameType::slots_request:
      return on_slots_request(conn, frame.payload);
    case protocol::FrameType::records:
      return complain(peer.who.id, store_.chains().on_records(from, frame.payload));
    case protocol::FrameType::copy_part:
      return complain(peer.who.id, store_.chains().on_copy_part(from, frame.payload));
    case protocol::FrameType::copy_end:
      return complain(peer.who.id, store_.chains().on_copy_end(from, frame.payload));
    default:
      return;  // a peer of a later version may say more
  }
}

void Node::complain(std::string_view of_node, const Status& taken) {
  if (!taken.ok()) log_.warning(concat("from node ", of_node, ": ", taken.message()));
}

void Node::on_request(ConnId conn, Peer& peer, std::string_view payload) {
  protocol::Request request;
  std::string_view command;
  if (!protocol::split_payload(payload, request, command)) return;
  if (request.slot >= kSlotCount) {
    return answer(conn, request.id, 0, protocol::ReplyStatus::bounced, {});
  }
  if (for_any_member(request)) {
    if (!may_read(request)) return turn_away(conn, peer, request);
    return run_request(conn, peer, request, command);
  }
  // What comes behind a bounced request of its slot must not overtake it (R10).
  const auto bounced = peer.bounced.find(request.slot);
  const bool behind = bounced != peer.bounced.end() && request.attempt <= bounced->second;
  if (behind || !serving() || !store_.chains().heads(request.slot, request.epoch)) {
    return bounce(conn, peer, request);
  }
  if (bounced != peer.bounced.end()) peer.bounced.erase(bounced);

  const Destination to{conn, request.id, {}, now_.mono};
  if (request.number != 0) {
    const protocol::Sent sent = protocol::sent_of(request.flags);
    switch (store_.settle_again(request.slot, peer.who.incarnation, request.number, sent, to)) {
      case SenderLog::Verdict::fresh:
        break;
      case SenderLog::Verdict::known:
        return;
      case SenderLog::Verdict::expired:
        return answer(conn, request.id, request.slot, protocol::ReplyStatus::expired, {});
    }
  }
  run_request(conn, peer, request, command);
}

// Whether this member may answer a read of the slot (R5, R7), be it the head or not.
bool Node::may_read(const protocol::Request& request) const {
  const Chains::View view = store_.chains().view(request.slot);
  return serving() && view.active && request.epoch <= view.epoch;
}

// What is for any member stands in no order here: it leaves the attempts of its slot alone.
void Node::turn_away(ConnId conn, Peer& peer, const protocol::Request& request) {
  if (!for_any_member(request)) return bounce(conn, peer, request);
  ++routed_.referred;
  answer(conn, request.id, request.slot, protocol::ReplyStatus::ask_head, {});
}

void Node::bounce(ConnId conn, Peer& peer, const protocol::Request& request) {
  uint32_t& attempt = peer.bounced[request.slot];
  attempt = std::max(attempt, request.attempt);
  ++routed_.bounced;
  answer(conn, request.id, request.slot, protocol::ReplyStatus::bounced, {});
}

void Node::run_request(ConnId conn, Peer& peer, const protocol::Request& request, std::string_view command) {
  const auto refuse = [&](std::string_view why) {
    std::string body;
    protocol::ReplyWriter(body, protocol::resp_of(request.flags)).error(why);
    answer(conn, request.id, request.slot, protocol::ReplyStatus::done, body);
  };
  Requested requested;
  requested.slot = request.slot;
  requested.db = request.db;
  requested.resp = protocol::resp_of(request.flags);
  requested.sender = peer.who.incarnation;
  requested.number = request.number;
  requested.answered_below = request.answered_below;
  requested.now = lease_.wall(now_.mono);
  requested.memory_max = memory_max();
  requested.to = {conn, request.id, {}, now_.mono};
  if ((request.flags & protocol::kRequestTransaction) != 0) {
    const Result<protocol::Transaction> transaction = protocol::parse_transaction(command, request.db);
    if (!transaction.ok())
      return refuse(concat("ERR a peer forwarded no transaction: ", transaction.status().message()));
    if (!store_.execute(*transaction, requested)) return turn_away(conn, peer, request);
    ++routed_.requests[static_cast<size_t>(protocol::CommandId::exec)];
    return;
  }
  parser_.next();
  if (parser_.parse(command) != protocol::RequestParser::State::ready || parser_.size() != command.size() ||
      parser_.args().empty()) {
    return refuse("ERR a peer forwarded something that is not one request");
  }
  const protocol::CommandSpec* spec = protocol::find_command(parser_.args());
  if (spec == nullptr || !Store::runs(spec->id) || request.db >= engine::kDatabaseCount) {
    return refuse(
        protocol::errors::unknown_command(parser_.args()[0], parser_.args().data() + 1, parser_.args().size() - 1));
  }
  if (!protocol::arity_fits(*spec, parser_.args().size())) return refuse(protocol::errors::wrong_arity(spec->name));

  const Execution execution{requested, spec, parser_.args()};
  const bool head = store_.chains().heads(request.slot, 0);
  const bool readable = (spec->flags & protocol::kReadonly) != 0 && engine::Database::runs(spec->id);
  if (!head && !readable) return turn_away(conn, peer, request);
  const Millis margin = settings_.number(Setting::drift_margin_ms);
  if (head ? !store_.execute(execution) : !store_.read(execution, margin)) return turn_away(conn, peer, request);
  ++routed_.requests[static_cast<size_t>(spec->id)];
}

void Node::on_slots_request(ConnId conn, std::string_view payload) {
  protocol::SlotsRequest request;
  std::string_view command;
  if (!protocol::split_payload(payload, request, command)) return;
  const Destination to{conn, request.id, {}, now_.mono};
  parser_.next();
  const bool whole = parser_.parse(command) == protocol::RequestParser::State::ready &&
                     parser_.size() == command.size() && !parser_.args().empty();
  const protocol::CommandSpec* spec = whole ? protocol::find_command(parser_.args()) : nullptr;
  const std::vector<protocol::SlotRange> served =
      serving() ? store_.chains().headed(request.slots) : std::vector<protocol::SlotRange>();
  std::vector<Slot> answered;
  for (const protocol::SlotRange& range : served) {
    for (uint32_t slot = range.first; slot <= range.last; ++slot) answered.push_back(static_cast<Slot>(slot));
  }
  if (spec != nullptr && spec->id == protocol::CommandId::info) {
    std::string body;
    protocol::ReplyWriter(body, protocol::resp_of(request.flags))
        .bulk(info_lines(parser_.args().size() > 1 ? parser_.args()[1] : std::string_view("keyspace")));
    return release_all(to, answered, body);
  }
  if (served.empty()) return release_all(to, {}, "*0\r\n");
  const bool reads = spec != nullptr && (spec->flags & protocol::kWrite) == 0 && engine::Database::runs(spec->id);
  if (!reads || !protocol::arity_fits(*spec, parser_.args().size()) || request.db >= engine::kDatabaseCount) {
    return release_all(to, answered, "-ERR a peer forwarded a command that nodes do not run\r\n");
  }
  Execution execution;
  execution.command = spec;
  execution.args = parser_.args();
  execution.db = request.db;
  execution.resp = protocol::resp_of(request.flags);
  execution.now = lease_.wall(now_.mono);
  execution.to = to;
  store_.execute_over(store_.slice(served, spec->id, request.db), execution);
}

void Node::answer(ConnId conn, uint64_t request, Slot slot, protocol::ReplyStatus status, std::string_view body) {
  std::string* out = transport_.output(conn);
  if (out == nullptr) return;
  protocol::Reply reply;
  reply.id = request;
  reply.epoch = store_.chains().epoch(slot);
  reply.status = status;
  protocol::append_frame(*out, protocol::FrameType::reply, reply, body);
}

void Node::release(Slot slot, const Destination& to, std::string_view reply) {
  if (to.link == kNoConn) return clients_.complete(to.ticket, reply);
  routed_.durations.add(now_.mono - to.came_at);
  answer(to.link, to.request, slot, protocol::ReplyStatus::done, reply);
}

void Node::unsettled(Slot slot, const Destination& to) {
  if (to.link != kNoConn) return answer(to.link, to.request, slot, protocol::ReplyStatus::unsettled, {});
  clients_.complete(to.ticket, protocol::error_reply(to.reads ? kUncertain : protocol::errors::kOutcomeUnknown));
}

void Node::release_all(const Destination& to, const std::vector<Slot>& settled, std::string_view reply) {
  if (to.link == kNoConn) return clients_.complete(to.ticket, reply);
  std::string* out = transport_.output(to.link);
  if (out == nullptr) return;
  protocol::append_frame(*out, protocol::FrameType::slots_reply, protocol::SlotsReply{to.request, ranges_of(settled)},
                         reply);
}

// ---- links that we dial -------------------------------------------------------------------------------------------

void Node::tend_links() {
  const std::vector<MemberId>& wanted = store_.chains().wanted_links();
  std::erase_if(links_,
                [&](const auto& link) { return !std::binary_search(wanted.begin(), wanted.end(), link.first); });
  for (const MemberId member : wanted) {
    const protocol::TableMember* listed = table_.member(member);
    if (listed == nullptr) continue;
    std::unique_ptr<session::PeerLink>& link = links_[member];
    if (!link) link = std::make_unique<session::PeerLink>(transport_, random_, Address{listed->host, listed->port});
    link->expect_signs(lease_length());
    link->tick(now_.mono, identity_);
  }
}

// Members that hold something up and do not answer (R19).
std::vector<MemberId> Node::accused() const {
  std::vector<MemberId> accused;
  for (const auto& [member, link] : links_) {
    if (link->silent(now_.mono, lease_length()) && store_.chains().waits_for(member)) accused.push_back(member);
  }
  return accused;
}

void Node::pong(ConnId conn) {
  if (std::string* out = transport_.output(conn)) {
    protocol::append_frame(*out, protocol::FrameType::pong, protocol::Ping{}, {});
  }
}

bool Node::on_link_event(const NetEvent& event) {
  const auto at =
      std::find_if(links_.begin(), links_.end(), [&](const auto& link) { return link.second->conn() == event.conn; });
  if (at == links_.end()) return false;
  const MemberId member = at->first;
  session::PeerLink& link = *at->second;
  const session::PeerLink::Change change = link.on_event(event, now_.mono, identity_);
  const protocol::TableMember* listed = table_.member(member);
  if (change == session::PeerLink::Change::up) {
    if (listed == nullptr || link.theirs().incarnation != listed->incarnation) {
      link.drop(now_.mono);  // another incarnation answers at this address: it is another, empty member (R1)
      return true;
    }
    store_.chains().link_up(member);
  }
  link.frames(now_.mono, [&](const protocol::Frame& frame) {
    Status taken;
    if (frame.type == protocol::FrameType::ack) taken = store_.chains().on_ack(member, frame.payload);
    if (frame.type == protocol::FrameType::gap) taken = store_.chains().on_gap(member, frame.payload);
    if (frame.type == protocol::FrameType::learn) taken = store_.chains().on_learn(member, frame.payload);
    complain(link.theirs().id, taken);
  });
  return true;
}

// How much of a copy the link to a learner can take. Records go first: they are small, and somebody waits for them.
size_t Node::room_on_link(MemberId member) const {
  const auto at = links_.find(member);
  if (at == links_.end() || !at->second->up()) return 0;
  const size_t unsent = transport_.unsent(at->second->conn());
  return unsent >= kCopyBacklogMax ? 0 : kCopyBacklogMax - unsent;
}

void Node::send_chain_messages() {
  for (const ChainMessage& message : store_.chains().take_messages()) {
    std::string* out = nullptr;
    if (message.way == ChainMessage::Way::dialled) {
      const auto at = links_.find(message.to);
      if (at != links_.end() && at->second->up()) out = transport_.output(at->second->conn());
    } else if (const ConnId conn = link_from(message.to); conn != kNoConn) {
      out = transport_.output(conn);
    }
    // Without a link the message is dropped: what it carried is sent again when the link comes up.
    if (out == nullptr) continue;
    protocol::append_frame(*out, message.type, [&](std::string& body) { body.append(message.payload); });
  }
}

}  // namespace chainring::node
