#include "tests/router/rig.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "protocol/frame.h"
#include "protocol/resp.h"
#include "protocol/slot.h"

namespace chainring::test {
namespace {

constexpr uint64_t kClusterId = 77;
constexpr int kTurnsMax = 10'000;

Settings settings_of(const RigOptions& options) {
  Settings settings(kRouterRole);
  const auto set = [&settings](Setting id, std::string_view value) {
    CHECK(settings.set(id, value).ok(), "tests set what is allowed");
  };
  set(Setting::name, "r1");
  set(Setting::port, "0");
  set(Setting::coordinators, "c1=127.0.0.1:7301,c2=127.0.0.1:7302,c3=127.0.0.1:7303");
  for (const auto& [id, value] : options.settings) set(id, value);
  return settings;
}

std::vector<std::string> parse_args(std::string_view bytes) {
  protocol::RequestParser parser;
  CHECK(parser.parse(bytes) == protocol::RequestParser::State::ready, "the router forwards whole requests");
  CHECK(parser.size() == bytes.size(), "one at a time");
  return {parser.args().begin(), parser.args().end()};
}

}  // namespace

Rig::Rig(const RigOptions& options) : random(options.seed) {
  router.emplace(settings_of(options), transport, random, log);
  accepts_ = options.linked;
  CHECK(router->start(now_).ok(), "the fake transport listens");
  turn();
}

// ---- time

void Rig::turn() {
  for (int i = 0; i < kTurnsMax; ++i) {
    meet_dials();
    const std::vector<NetEvent> events = transport.take_events();
    if (events.empty() && i > 0 && router->next_wake() > now_.mono) return;
    router->turn(now_, events);
    for (Peer& peer : peers_) read_peer(peer);
  }
  check_failed(__FILE__, __LINE__, "turn", "the router comes to rest");
}

void Rig::advance(Millis duration) {
  const Micros until = now_.mono + duration * kMicrosPerMilli;
  const Millis wall_offset = now_.wall - now_.mono / kMicrosPerMilli;
  turn();
  while (now_.mono < until) {
    now_.mono = std::clamp(router->next_wake(), now_.mono + 100, until);
    now_.wall = wall_offset + now_.mono / kMicrosPerMilli;
    turn();
  }
}

// ---- clients

ConnId Rig::connect() {
  const ConnId client = transport.accept();
  turn();
  return client;
}

void Rig::send(ConnId client, std::string_view bytes) {
  transport.receive(client, bytes);
  turn();
}

void Rig::request(ConnId client, std::vector<std::string_view> args) {
  std::string bytes;
  protocol::append_request(bytes, args);
  send(client, bytes);
}

std::string Rig::read(ConnId client) {
  std::string output = transport.take_output(client);
  turn();  // for `drained`
  return output;
}

// ---- tables

protocol::TableMessage Rig::table(std::vector<MemberId> heads, Epoch epoch) const {
  protocol::TableMessage message;
  message.cluster_id = kClusterId;
  message.generation = 1;
  message.copies = 1;
  message.lock_prefixes = {"lock:", "redlock:"};
  for (uint16_t i = 0; i < 3; ++i) {
    message.coordinators.push_back({concat("c", i + 1), "127.0.0.1", static_cast<uint16_t>(kCoordinatorPort + i)});
  }
  std::vector<MemberId> members = heads;
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  for (const MemberId id : members) {
    if (id == kNoMember) continue;
    protocol::TableMember member;
    member.id = id;
    member.name = concat("n", id);
    member.incarnation = 1000 + id;
    member.host = "127.0.0.1";
    member.port = static_cast<uint16_t>(kNodePort + id);
    member.state = protocol::MemberState::up;
    message.members.push_back(std::move(member));
  }
  const uint32_t part = kSlotCount / static_cast<uint32_t>(heads.size());
  for (uint32_t i = 0; i < heads.size(); ++i) {
    protocol::TableRange range;
    range.first = static_cast<Slot>(i * part);
    range.last = static_cast<Slot>(i + 1 == heads.size() ? kSlotCount - 1 : (i + 1) * part - 1);
    range.epoch = epoch;
    if (heads[i] != kNoMember) range.chain = {heads[i]};
    message.ranges.push_back(std::move(range));
  }
  return message;
}

protocol::TableMessage Rig::chain_table(std::vector<MemberId> chain, Epoch epoch) const {
  protocol::TableMessage message = table(chain, epoch);
  message.copies = static_cast<decltype(message.copies)>(chain.size());
  message.ranges.resize(1);
  message.ranges[0].last = kSlotCount - 1;
  message.ranges[0].chain = std::move(chain);
  return message;
}

void Rig::publish(protocol::TableMessage message) {
  message.version = ++version_;
  send_frame(leader(), protocol::FrameType::table, message);
  turn();
}

// ---- peers

void Rig::accept_all() {
  accepts_ = true;
  turn();
}

void Rig::meet_dials() {
  if (!accepts_) return;
  for (; dials_seen_ < transport.dials().size(); ++dials_seen_) {
    const FakeTransport::Dial& dial = transport.dials()[dials_seen_];
    if (transport.state(dial.conn) != FakeTransport::State::dialling || cut_.contains(dial.address.port)) continue;
    transport.establish(dial.conn);
    Peer& peer = peers_.emplace_back();
    peer.conn = dial.conn;
    peer.dialled = peer.port = dial.address.port;
  }
}

void Rig::read_peer(Peer& peer) {
  if (!peer.reads || transport.state(peer.conn) != FakeTransport::State::open) return;
  peer.received += transport.take_output(peer.conn);
  if (!peer.shaken) shake_hands(peer);
  if (peer.shaken) take_frames(peer);
}

void Rig::shake_hands(Peer& peer) {
  protocol::RequestParser parser;
  if (parser.parse(peer.received) != protocol::RequestParser::State::ready) return;
  const std::vector<std::string> args(parser.args().begin(), parser.args().end());
  if (const std::optional<Address> to = session::peer_target(args)) peer.port = to->port;
  peer.received.erase(0, parser.size());
  peer.shaken = true;
  const bool coordinator = peer.port < kNodePort;
  const session::PeerIdentity ours{
      .cluster_id = kClusterId,
      .role = coordinator ? session::PeerRole::coordinator : session::PeerRole::node,
      .id = concat("p", peer.port),
      .incarnation = coordinator ? Incarnation{peer.port} : incarnation(static_cast<MemberId>(peer.port - kNodePort)),
      .secret = {}};
  transport.receive(peer.conn, session::peer_welcome(ours));
}

void Rig::take_frames(Peer& peer) {
  for (;;) {
    protocol::Frame frame;
    const protocol::FrameState state = protocol::parse_frame(peer.received, frame);
    CHECK(state != protocol::FrameState::error, "the router sends frames");
    if (state == protocol::FrameState::need_more) return;
    ByteReader reader(frame.payload);
    if (frame.type == protocol::FrameType::request) {
      Arrived& arrived = peer.requests.emplace_back();
      reader(arrived.header);
      if ((arrived.header.flags & protocol::kRequestTransaction) != 0) {
        arrived.transaction = reader.rest();
      } else {
        arrived.args = parse_args(reader.rest());
      }
    } else if (frame.type == protocol::FrameType::slots_request) {
      ArrivedCall& arrived = peer.calls.emplace_back();
      reader(arrived.header);
      arrived.args = parse_args(reader.rest());
    } else if (frame.type == protocol::FrameType::ping) {
      send_frame(peer.conn, protocol::FrameType::pong, protocol::Ping{});
    } else if (frame.type == protocol::FrameType::subscribe) {
      reader(peer.subscriptions.emplace_back());
      if (leader_answers) {
        send_frame(peer.conn, protocol::FrameType::grant, protocol::Grant{.lease_us = lease, .generation = 1});
      }
    }
    CHECK(!reader.failed(), "frames are whole");
    peer.received.erase(0, frame.size);
  }
}

template <class Message>
void Rig::send_frame(ConnId conn, protocol::FrameType type, const Message& message, std::string_view tail) {
  std::string bytes;
  protocol::append_frame(bytes, type, message, tail);
  transport.receive(conn, bytes);
}

const Rig::Peer* Rig::find(MemberId member) const {
  for (auto peer = peers_.rbegin(); peer != peers_.rend(); ++peer) {
    const bool fits = member == kNoMember ? peer->port < kNodePort : peer->port == kNodePort + member;
    if (fits && peer->shaken && transport.state(peer->conn) == FakeTransport::State::open) return &*peer;
  }
  return nullptr;
}

Rig::Peer* Rig::find(MemberId member) { return const_cast<Peer*>(std::as_const(*this).find(member)); }

Incarnation Rig::incarnation(MemberId member) const {
  const auto found = incarnations_.find(member);
  return 1000 + member + (found == incarnations_.end() ? 0 : found->second);
}

ConnId Rig::link(MemberId member) const {
  const Peer* peer = find(member);
  return peer == nullptr ? kNoConn : peer->conn;
}

ConnId Rig::leader() const { return link(kNoMember); }

uint16_t Rig::leader_port() const {
  const Peer* peer = find(kNoMember);
  return peer == nullptr ? 0 : peer->port;
}

std::vector<protocol::Subscribe> Rig::subscriptions() {
  Peer* peer = find(kNoMember);
  return peer == nullptr ? std::vector<protocol::Subscribe>() : std::exchange(peer->subscriptions, {});
}

void Rig::say_not_leader(uint16_t leader_port) {
  send_frame(leader(), protocol::FrameType::not_leader,
             protocol::NotLeader{leader_port == 0 ? "" : "127.0.0.1", leader_port});
  turn();
}

std::vector<Arrived> Rig::requests(MemberId member) {
  Peer* peer = find(member);
  return peer == nullptr ? std::vector<Arrived>() : std::exchange(peer->requests, {});
}

std::vector<ArrivedCall> Rig::calls(MemberId member) {
  Peer* peer = find(member);
  return peer == nullptr ? std::vector<ArrivedCall>() : std::exchange(peer->calls, {});
}

void Rig::reply(MemberId member, uint64_t id, std::string_view body, Epoch epoch, protocol::ReplyStatus status) {
  send_frame(link(member), protocol::FrameType::reply, protocol::Reply{id, epoch, status}, body);
  turn();
}

void Rig::bounce(MemberId member, uint64_t id, Epoch epoch) {
  reply(member, id, {}, epoch, protocol::ReplyStatus::bounced);
}

void Rig::answer(MemberId member, const ArrivedCall& call, std::string_view body,
                 std::optional<std::vector<protocol::SlotRange>> answered) {
  send_frame(link(member), protocol::FrameType::slots_reply,
             protocol::SlotsReply{call.header.id, answered ? *answered : call.header.slots}, body);
  turn();
}

void Rig::break_link(MemberId member) {
  transport.disconnect(link(member));
  turn();
}

void Rig::cut(MemberId member) {
  cut_.insert(static_cast<uint16_t>(kNodePort + member));
  if (find(member) != nullptr) stop_reading(member);
}

uint16_t Rig::carrier(MemberId member) const {
  const Peer* peer = find(member);
  return peer == nullptr ? 0 : peer->dialled;
}

void Rig::stop_reading(MemberId member) { find(member)->reads = false; }

void Rig::go_on_reading(MemberId member) {
  find(member)->reads = true;
  read_peer(*find(member));
  turn();
}

std::string key_in(Slot slot) {
  static const std::map<Slot, std::string> keys = [] {
    std::map<Slot, std::string> found;
    for (uint64_t i = 0; found.size() < kSlotCount; ++i) {
      std::string key = concat("k", i);
      found.emplace(protocol::slot_of(key), std::move(key));
    }
    return found;
  }();
  return keys.at(slot);
}

}  // namespace chainring::test
