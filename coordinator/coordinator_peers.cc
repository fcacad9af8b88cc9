// Processes that dialled us: nodes, routers and the other coordinators.

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "coordinator/coordinator.h"

namespace chainring::coordinator {
namespace {

// A peer that takes so much less than it is sent is cut off; it dials again and asks again.
constexpr size_t kPeerUnsentBytesMax = size_t{256} << 20;
constexpr size_t kPeersMax = 16384;
// A leader of whom nothing has come for so many of its heartbeats is not there for who asks.
constexpr Micros kHeartbeatsHeard = 3;
constexpr size_t kNameBytesMax = 128;  // of names, hosts and zones that a node says

bool sensible(const protocol::Heartbeat& heartbeat) {
  return !heartbeat.name.empty() && heartbeat.name.size() <= kNameBytesMax && heartbeat.incarnation != 0 &&
         !heartbeat.host.empty() && heartbeat.host.size() <= kNameBytesMax && heartbeat.port != 0 &&
         heartbeat.failure_host.size() <= kNameBytesMax && heartbeat.failure_zone.size() <= kNameBytesMax &&
         heartbeat.weight >= 1 && heartbeat.weight <= kNodeWeightMax;
}

}  // namespace

void Coordinator::welcome_peer(ConnId conn) {
  const std::span<const std::string> said = clients_.peer_args();
  const Result<session::PeerIdentity> dialler =
      session::parse_peer_request(std::vector<std::string_view>(said.begin(), said.end()));
  // Coordinators are of one Raft group; nodes and routers are of the cluster, which may have outlived groups (R31).
  session::PeerIdentity ours = self_;
  const bool in_group = !dialler.ok() || dialler->role == session::PeerRole::coordinator;
  if (!in_group) ours.cluster_id = state_.ring().cluster_id();
  if (const std::optional<Address> to = session::peer_target(said)) {
    const std::vector<ListedCoordinator>& listed = identity_.roster.coordinators;
    const bool known =
        std::any_of(listed.begin(), listed.end(), [&](const auto& one) { return Address{one.host, one.port} == *to; });
    return relays_.answer(log_, told_refusals_, conn, said, ours, known, now_.mono);
  }
  const auto theirs =
      session::answer_peer(transport_, log_, told_refusals_, conn, said, ours, peers_.size(), kPeersMax);
  if (!theirs) return;
  Peer& peer = peers_[conn];
  peer.who = *theirs;
  peer.heard_at = now_.mono;
  on_peer_event({NetEvent::Kind::input, conn});
}

void Coordinator::drop_peer(ConnId conn) {
  if (peers_.erase(conn) != 0) transport_.close(conn);
}

void Coordinator::on_peer_event(const NetEvent& event) {
  if (event.kind == NetEvent::Kind::closed) return drop_peer(event.conn);
  if (event.kind != NetEvent::Kind::input) return;
  Peer& peer = peers_.at(event.conn);
  peer.heard_at = now_.mono;
  const bool intact = session::consume_frames(
      transport_, event.conn, [&](const protocol::Frame& frame) { on_peer_frame(event.conn, peer, frame); });
  if (intact && transport_.unsent(event.conn) <= kPeerUnsentBytesMax) return;
  log_.warning(concat("link of ", session::role_name(peer.who.role), " ", peer.who.id,
                      " closed: ", intact ? "it does not read what it is sent" : "it sent malformed bytes"));
  drop_peer(event.conn);
}

void Coordinator::on_peer_frame(ConnId conn, Peer& peer, const protocol::Frame& frame) {
  using protocol::FrameType;
  if (peer.who.role == session::PeerRole::coordinator) return on_coordinator_frame(conn, peer, frame);
  switch (frame.type) {
    case FrameType::heartbeat:
      return on_heartbeat(conn, peer, frame.payload);
    case FrameType::subscribe:
      return on_subscribe(conn, peer, frame.payload);
    case FrameType::stopped:
      return on_stopped(peer, frame.payload);
    case FrameType::learned:
      return on_learned(peer, frame.payload);
    case FrameType::rules_checked:
      return on_rules_checked(peer, frame.payload);
    case FrameType::request:
      return on_request(conn, peer, frame.payload);
    default:
      return;  // a peer of a later version may say more
  }
}

void Coordinator::on_coordinator_frame(ConnId conn, Peer& peer, const protocol::Frame& frame) {
  if (frame.type == protocol::FrameType::probe) {
    const auto theirs = decode<protocol::Probe>(frame.payload);
    if (!theirs || theirs->name != peer.who.id) return;
    on_probe(*theirs);
    if (std::string* out = transport_.output(conn)) {
      protocol::append_frame(*out, protocol::FrameType::probe, probe(), {});
    }
    const bool foreign =
        leading_ && theirs->founded && find_disk(state_.ring().coordinators(), theirs->disk_id) == nullptr;
    if (!foreign || std::exchange(peer.called_foreign, true)) return;
    return log_.info(concat("coordinator ", theirs->name, " is not of the group: RING COORDINATOR ADD ", theirs->name,
                            " ", theirs->host, ":", theirs->port, " would make it a member"));
  }
  if (frame.type != protocol::FrameType::raft || !replica_->founded()) return;
  const auto message = decode<raft::Message>(frame.payload);
  if (!message) return log_.warning(concat("coordinator ", peer.who.id, " sent a malformed message"));
  links_.heard(*message, now_.mono);
  replica_->step(*message);
}

void Coordinator::tell_leader(ConnId conn) {
  const Address leader = leader_address();
  if (std::string* out = transport_.output(conn)) {
    protocol::append_frame(*out, protocol::FrameType::not_leader,
                           protocol::NotLeader{leader.host, leader.port, hears_leader()}, {});
  }
}

bool Coordinator::hears_leader() const {
  if (!replica_->founded()) return false;
  const GroupLinks::Other* leader = links_.find(replica_->leader());
  const Micros patience = kHeartbeatsHeard * settings_.number(Setting::raft_heartbeat_ms) * kMicrosPerMilli;
  return leader != nullptr && leader->heard_at >= 0 && now_.mono - leader->heard_at <= patience;
}

void Coordinator::on_heartbeat(ConnId conn, Peer& peer, std::string_view payload) {
  if (peer.who.role != session::PeerRole::node) return;
  if (!ready()) return tell_leader(conn);
  const auto heartbeat = decode<protocol::Heartbeat>(payload);
  if (!heartbeat || !sensible(*heartbeat) || heartbeat->name != peer.who.id ||
      heartbeat->incarnation != peer.who.incarnation) {
    return log_.warning(concat("node ", peer.who.id, " sent a heartbeat that cannot be"));
  }
  mind_generation(peer.who.id, heartbeat->obeyed);
  if (finished_) return;
  peer.host = heartbeat->host;
  peer.port = heartbeat->port;
  note_table(peer, heartbeat->obeyed);
  const Member* const member = state_.ring().find(heartbeat->incarnation);
  if (member == nullptr) return register_member(*heartbeat);
  if (heartbeat->leaving) let_leave(*member);
  gray_due_ |= gray_.accused({false, member->listed.id}, heartbeat->accused, now_.mono);
  pending_grants_.push_back({conn, heartbeat->incarnation, heartbeat->sent_at, heartbeat->obeyed});
}

// Whoever tells which table it has wants the newer ones.
void Coordinator::note_table(Peer& peer, TableVersion has) {
  peer.tables.heard(has, now_.mono, settings_.number(Setting::heartbeat_ms) * kMicrosPerMilli);
}

void Coordinator::register_member(const protocol::Heartbeat& heartbeat) {
  if (state_.ring().full()) return log_.warning(concat("node ", heartbeat.name, " is refused: too many members"));
  const auto proposed = registering_.find(heartbeat.incarnation);
  if (proposed != registering_.end() && proposed->second > replica_->applied()) return;
  RegisterEntry entry;
  entry.name = heartbeat.name;
  entry.incarnation = heartbeat.incarnation;
  entry.host = heartbeat.host;
  entry.port = heartbeat.port;
  entry.failure_host = heartbeat.failure_host;
  entry.failure_zone = heartbeat.failure_zone;
  entry.weight = heartbeat.weight;
  if (const auto index = propose_entry(encode_entry(entry))) {
    registering_[heartbeat.incarnation] = *index;
    log_.info(concat("node ", heartbeat.name, " at ", heartbeat.host, ":", heartbeat.port, " registers"));
  }
}

// R31: the cluster was recovered without these coordinators, and has gone on. What they would grant is not theirs to
// give.
void Coordinator::mind_generation(std::string_view peer, TableVersion obeyed) {
  if (obeyed >> kGenerationShift <= state_.ring().version() >> kGenerationShift) return;
  end(Status(ErrorCode::invalid_argument,
             concat(peer, " has a table of a later generation: the cluster was recovered without this coordinator, ",
                    "whose directory is of no use any more")));
}

// Its slots are served by others before it ends.
void Coordinator::let_leave(const Member& member) {
  if (member.draining || member.gone()) return;
  raft::Index& proposed = leaving_[member.listed.incarnation];
  if (proposed > replica_->applied()) return;
  const MemberStatesEntry entry{{{member.listed.id, protocol::MemberState::leaving}}};
  if (const auto index = propose_entry(encode_entry(entry))) proposed = *index;
  log_.info(concat("node ", member.listed.name, " was asked to end: the others take over its slots"));
}

void Coordinator::on_subscribe(ConnId conn, Peer& peer, std::string_view payload) {
  if (peer.who.role != session::PeerRole::router) return;
  if (!ready()) return tell_leader(conn);
  const auto subscribe = decode<protocol::Subscribe>(payload);
  if (!subscribe) return log_.warning(concat("router ", peer.who.id, " sent a malformed frame"));
  mind_generation(peer.who.id, subscribe->version);
  if (finished_) return;
  peer.host = subscribe->host;
  peer.port = subscribe->port;
  note_table(peer, subscribe->version);
  gray_due_ |= gray_.accused({true, subscribe->incarnation}, subscribe->accused, now_.mono);
  // That somebody leads, and is awake: a router has no lease to learn it by.
  if (std::string* out = transport_.output(conn)) {
    protocol::append_frame(*out, protocol::FrameType::grant,
                           protocol::Grant{kNoMember, 0, leases_.lease_us(), now_.wall, state_.ring().generation()},
                           {});
  }
}

// What a member of the ring says of itself. Nothing while this coordinator cannot use it: then it is said again;
// nothing that is another's, since an incarnation speaks for itself alone (R1).
template <class Statement>
std::optional<Statement> Coordinator::statement_of(const Peer& peer, std::string_view payload) const {
  if (!ready()) return std::nullopt;
  auto statement = decode<Statement>(payload);
  if (!statement) {
    log_.warning(concat("node ", peer.who.id, " sent a malformed frame"));
    return std::nullopt;
  }
  const Member* member = state_.ring().find(peer.who.incarnation);
  if (member == nullptr || member->listed.id != statement->member) return std::nullopt;
  return statement;
}

void Coordinator::on_stopped(const Peer& peer, std::string_view payload) {
  if (const auto stopped = statement_of<protocol::Stopped>(peer, payload)) {
    barrier_.stated(*stopped);
    barrier_due_ = true;
  }
}

void Coordinator::on_learned(const Peer& peer, std::string_view payload) {
  if (const auto learned = statement_of<protocol::Learned>(peer, payload)) {
    mover_.learned(*learned);
    plan_due_ = true;
  }
}

void Coordinator::on_rules_checked(const Peer& peer, std::string_view payload) {
  if (const auto checked = statement_of<protocol::RulesChecked>(peer, payload)) {
    rules_check_.stated(*checked);
    rules_due_ = true;
  }
}

void Coordinator::on_request(ConnId conn, const Peer& peer, std::string_view payload) {
  protocol::Request header;
  ByteReader reader(payload);
  reader(header);
  if (reader.failed()) return log_.warning(concat("peer ", peer.who.id, " sent a malformed frame"));
  const Origin origin{conn, header.id, {}, header.attempt};
  // What comes behind a request that was sent back must not overtake it (R10).
  if (peer.bounced && header.attempt <= *peer.bounced) return answer(origin, protocol::ReplyStatus::bounced, {});
  if (!ready()) return answer(origin, protocol::ReplyStatus::not_leader, {});
  const auto refuse = [&](std::string_view why) {
    std::string body;
    protocol::ReplyWriter(body, protocol::resp_of(header.flags)).error(why);
    answer(origin, protocol::ReplyStatus::done, body);
  };
  const auto of_peer = [&](LockRequest request) {
    request.sender = peer.who.incarnation;
    request.number = header.number;
    request.answered_below = header.answered_below;
    request.sent = protocol::sent_of(header.flags);
    request.db = header.db;
    request.resp = protocol::resp_of(header.flags);
    return request;
  };
  const std::string_view command = reader.rest();
  if ((header.flags & protocol::kRequestTransaction) != 0) return desk_.submit(of_peer(LockRequest(origin, command)));
  parser_.next();
  if (parser_.parse(command) != protocol::RequestParser::State::ready || parser_.size() != command.size() ||
      parser_.args().empty() || header.db >= engine::kDatabaseCount) {
    return refuse("ERR a peer forwarded something that is not one request");
  }
  const std::span<const std::string_view> args = parser_.args();
  const protocol::CommandSpec* spec = protocol::find_command(args);
  if (spec == nullptr) return refuse(protocol::errors::unknown_command(args[0], args.data() + 1, args.size() - 1));
  if (!protocol::arity_fits(*spec, args.size())) return refuse(protocol::errors::wrong_arity(spec->name));
  run(of_peer(LockRequest(origin, *spec, args)));
}

ConnId Coordinator::link_of(Incarnation incarnation) const {
  ConnId latest = kNoConn;  // it may have dialled again; connection ids grow
  for (const auto& [conn, peer] : peers_) {
    if (peer.who.role == session::PeerRole::node && peer.who.incarnation == incarnation) {
      latest = std::max(latest, conn);
    }
  }
  return latest;
}

}  // namespace chainring::coordinator
