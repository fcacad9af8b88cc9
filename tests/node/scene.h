// A node whose coordinator, router, successor and clients are played by the test.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "node/node.h"
#include "protocol/slot.h"
#include "tests/support/fake_transport.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::node::test {

using chainring::test::FakeTransport;

class NullLog final : public Log {
 public:
  void write(LogLevel, std::string_view) override {}
};

inline constexpr Incarnation kRouter = 0xabc, kCoordinator = 0xc0, kSuccessor = 0x52, kThirdIncarnation = 0x53;
inline constexpr uint64_t kCluster = 0x77;
inline constexpr MemberId kSelf = 1, kOther = 2, kThird = 3;
inline constexpr Micros kSecond = kMicrosPerSecond;

inline Settings node_settings() {
  Settings settings(kNodeRole);
  REQUIRE(settings.set(Setting::name, "n1").ok());
  REQUIRE(settings.set(Setting::coordinators, "c1=127.0.0.1:7301").ok());
  return settings;
}

struct Frame {
  protocol::FrameType type;
  std::string payload;
};

class Scene {
 public:
  Scene() : node(node_settings(), net, random, log) {
    REQUIRE(node.start(now).ok());
    turn();
    coordinator = net.dials().back().conn;
    net.establish(coordinator);
    turn();
    own_incarnation_ = incarnation_in(net.take_output(coordinator));
    net.receive(coordinator, concat("+PEER 6 77 coordinator c1 ", "c0", "\r\n"));
    turn();
  }

  void turn() { node.turn(now, net.take_events()); }
  void advance(Micros by) {
    now.mono += by;
    now.wall += by / 1000;
    turn();
  }

  // One chain for all slots, with a lease.
  void table(Epoch epoch, std::vector<MemberId> chain, Epoch next_epoch = 0, std::vector<MemberId> next = {}) {
    protocol::TableMessage message;
    message.cluster_id = kCluster;
    message.generation = 1;
    message.version = ++version_;
    message.copies = 3;
    message.lock_prefixes = {"lock:"};
    message.rules = rules;
    if (next_rules) {
      message.rules_change = message.version;
      message.next_rules = *next_rules;
    }
    message.members = {member(kSelf, "n1", own_incarnation_, 7401), member(kOther, "n2", kSuccessor, 7402),
                       member(kThird, "n3", kThirdIncarnation, 7403)};
    message.members[0].state = self_state;
    message.members[1].state = other_state;
    message.ranges = {{0, kSlotCount - 1, epoch, std::move(chain), next_epoch, std::move(next), {}}};
    send(coordinator, protocol::FrameType::table, message);
  }
  void lease(Micros length = 100 * kSecond) {
    send(coordinator, protocol::FrameType::grant, protocol::Grant{kSelf, now.mono, length, now.wall, 1});
  }
  void serve(std::vector<MemberId> chain, Micros lease_length = 100 * kSecond) {
    table(0, {}, 1, chain);
    table(1, chain);
    lease(lease_length);
  }
  // Time passes while coordinators renew the lease.
  void pass(Micros time) {
    while (time > 0) {
      const Micros step = std::min<Micros>(time, 50'000);
      advance(step);
      lease();
      time -= step;
    }
  }

  ConnId router(std::string_view incarnation = "abc") {
    const ConnId conn = net.accept("router:1");
    std::string peer;
    const std::string_view words[] = {"PEER", "6", "77", "router", "r1", incarnation, ""};
    protocol::append_request(peer, words);
    net.receive(conn, peer);
    turn();
    const std::string welcome = net.take_output(conn);
    REQUIRE(welcome.starts_with("+PEER 6 77 node n1 "));
    return conn;
  }

  // The link to a coordinator that was dialled last, after the one before was given up.
  void relink() {
    while (net.state(net.dials().back().conn) != FakeTransport::State::dialling) advance(50'000);
    coordinator = net.dials().back().conn;
    net.establish(coordinator);
    turn();
    net.take_output(coordinator);
    net.receive(coordinator, "+PEER 6 77 coordinator c1 c0\r\n");
    turn();
  }

  ConnId client() { return net.accept("client:1"); }
  // A request as one would type it; what the client has got by then.
  std::string say(ConnId conn, std::string_view line) {
    net.receive(conn, concat(line, "\r\n"));
    turn();
    return net.take_output(conn);
  }

  template <class Message>
  void send(ConnId conn, protocol::FrameType type, const Message& message, std::string_view tail = {}) {
    std::string bytes;
    protocol::append_frame(bytes, type, message, tail);
    net.receive(conn, bytes);
    turn();
  }

  // Sends a request for its key's slot; `words[1]` is the key.
  void ask(ConnId conn, uint64_t id, std::vector<std::string_view> words, uint64_t number = 0, uint32_t attempt = 1,
           uint64_t answered_below = 0, Epoch epoch = 0) {
    protocol::Request request;
    request.attempt = attempt;
    request.epoch = epoch;
    request.number = number;
    request.answered_below = answered_below;
    ask(conn, id, words, request);
  }
  // The same as a read for any member.
  void ask_any(ConnId conn, uint64_t id, std::vector<std::string_view> words, Epoch epoch = 0, uint8_t more_flags = 0) {
    protocol::Request request;
    request.flags = protocol::kRequestAnyMember | more_flags;
    request.epoch = epoch;
    ask(conn, id, words, request);
  }
  void ask(ConnId conn, uint64_t id, const std::vector<std::string_view>& words, protocol::Request request) {
    request.id = id;
    request.slot = protocol::slot_of(words.at(1));
    std::string command;
    protocol::append_request(command, words);
    send(conn, protocol::FrameType::request, request, command);
  }

  std::vector<Frame> frames(ConnId conn) { return frames_in(net.take_output(conn)); }
  static std::vector<Frame> frames_in(std::string_view bytes) {
    std::vector<Frame> found;
    std::string_view rest = bytes;
    protocol::Frame frame;
    while (protocol::parse_frame(rest, frame) == protocol::FrameState::ready) {
      found.push_back({frame.type, std::string(frame.payload)});
      rest.remove_prefix(frame.size);
    }
    REQUIRE(rest.empty());
    return found;
  }
  // "id status epoch body" of each reply frame.
  std::vector<std::string> replies(ConnId conn) {
    std::vector<std::string> said;
    for (const Frame& frame : frames(conn)) {
      REQUIRE(frame.type == protocol::FrameType::reply);
      ByteReader reader(frame.payload);
      protocol::Reply reply;
      reader(reply);
      REQUIRE_FALSE(reader.failed());
      said.push_back(concat(reply.id, " ", static_cast<int>(reply.status), " ", reply.epoch, " ", reader.rest()));
    }
    return said;
  }

  // The link that the node dials to its successor, brought up.
  ConnId successor(MemberId id = kOther) {
    turn();
    const ConnId conn = net.dials().back().conn;
    REQUIRE(net.dials().back().address.port == 7400 + id);
    net.establish(conn);
    turn();
    net.take_output(conn);
    net.receive(conn, concat("+PEER 6 77 node n", id, " 5", id, "\r\n"));
    turn();
    return conn;
  }
  // A member that dials this node as its predecessor in the chain, and the frames that it is sent at once.
  ConnId predecessor() { return predecessor_and_frames().first; }
  std::pair<ConnId, std::vector<Frame>> predecessor_and_frames() {
    const ConnId conn = net.accept("n2:1");
    net.receive(conn, "*7\r\n$4\r\nPEER\r\n$1\r\n6\r\n$2\r\n77\r\n$4\r\nnode\r\n$2\r\nn2\r\n$2\r\n52\r\n$0\r\n\r\n");
    turn();
    const std::string said = net.take_output(conn);
    REQUIRE(said.starts_with("+PEER "));
    return {conn, frames_in(std::string_view(said).substr(said.find("\r\n") + 2))};
  }
  void acknowledge(ConnId conn, Slot slot, Sequence sequence, Epoch epoch = 1) {
    send(conn, protocol::FrameType::ack, protocol::Ack{{{slot, epoch, sequence}}});
  }

  FakeTransport net;
  SeededRandom random{42};
  NullLog log;
  Now now{kSecond, 1'700'000'000'000};
  node::Node node;
  ConnId coordinator = kNoConn;
  protocol::MemberState self_state = protocol::MemberState::up;
  protocol::MemberState other_state = protocol::MemberState::up;
  std::vector<std::string> rules;                      // of placement, of later tables
  std::optional<std::vector<std::string>> next_rules;  // when these are about to replace them

 private:
  static protocol::TableMember member(MemberId id, std::string name, Incarnation incarnation, uint16_t port) {
    protocol::TableMember made;
    made.id = id;
    made.name = std::move(name);
    made.incarnation = incarnation;
    made.host = "127.0.0.1";
    made.port = port;
    made.state = protocol::MemberState::up;
    return made;
  }
  static Incarnation incarnation_in(const std::string& peer_request) {
    protocol::RequestParser parser;
    REQUIRE(parser.parse(peer_request) == protocol::RequestParser::State::ready);
    return std::stoull(std::string(parser.args()[5]), nullptr, 16);
  }
  Incarnation own_incarnation_ = 0;
  TableVersion version_ = 0;
};

using Said = std::vector<std::string>;

inline protocol::Record record(Slot slot, Sequence sequence, std::string_view key, std::string_view effects) {
  protocol::Record made;
  made.slot = slot;
  made.epoch = 1;
  made.sequence = sequence;
  made.time = 1'700'000'000'000;
  made.key_hashes = {protocol::key_hash(key)};
  made.effects = effects;
  return made;
}

inline std::string effects_of(Slot slot, std::initializer_list<std::string_view> words) {
  engine::Effects effects;
  effects.add(slot, 0, words);
  return std::string(effects.slots()[0].bytes);
}

// This node in the middle of all chains; the head is played, too.
struct Middle {
  explicit Middle(Micros lease_length = 100 * kSecond) {
    scene.serve({kOther, kSelf, kThird}, lease_length);
    successor = scene.successor(kThird);
    head = scene.predecessor();
    client = scene.client();
  }
  void replicate(Sequence sequence, std::string_view key, std::initializer_list<std::string_view> words) {
    const Slot slot = protocol::slot_of(key);
    const std::string effects = effects_of(slot, words);
    scene.send(head, protocol::FrameType::records, protocol::Records{{record(slot, sequence, key, effects)}});
  }
  Scene scene;
  ConnId successor, head, client;
};

}  // namespace chainring::node::test
