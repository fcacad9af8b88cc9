// A router under test with everything around it played by hand: coordinators, nodes, clients and the clock.
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "base/random.h"
#include "base/settings.h"
#include "protocol/messages.h"
#include "protocol/reply.h"
#include "router/router.h"
#include "tests/support/fake_transport.h"

namespace chainring::test {

// A request as it came to a node or a coordinator.
struct Arrived {
  protocol::Request header;
  std::vector<std::string> args;  // of a single command
  std::string transaction;        // the payload of one
};
struct ArrivedCall {
  protocol::SlotsRequest header;
  std::vector<std::string> args;
};

class SilentLog final : public Log {
 public:
  void write(LogLevel, std::string_view) override {}
};

struct RigOptions {
  uint64_t seed = 1;
  std::map<Setting, std::string> settings = {};
  bool linked = true;  // the coordinators can be reached from the beginning
};

class Rig {
 public:
  static constexpr uint16_t kCoordinatorPort = 7301;  // of the first of three
  static constexpr uint16_t kNodePort = 7400;         // of member 0; member m listens at 7400 + m

  explicit Rig(const RigOptions& options = {});

  // ---- time
  void turn();                    // lets the router handle what has happened, until it wants no more turns
  void advance(Millis duration);  // turn by turn, as its own wakes ask for
  [[nodiscard]] Micros now() const { return now_.mono; }

  // ---- clients
  ConnId connect();
  void send(ConnId client, std::string_view inline_or_resp);
  // One request as an array of bulk strings.
  void request(ConnId client, std::vector<std::string_view> args);
  [[nodiscard]] std::string read(ConnId client);

  // ---- tables
  // `heads[i]` heads the i-th of as many equal parts of the slots; chains have one member. Every member is up.
  [[nodiscard]] protocol::TableMessage table(std::vector<MemberId> heads, Epoch epoch = 1) const;
  // One chain for all slots.
  [[nodiscard]] protocol::TableMessage chain_table(std::vector<MemberId> chain, Epoch epoch = 1) const;
  void publish(protocol::TableMessage message);  // gives it the next version; takes up new links

  // ---- coordinators
  // Accepts whatever the router dials to coordinators and to members; new ones from now on, too.
  void accept_all();
  void accept_links(bool accept) { accepts_ = accept; }
  [[nodiscard]] ConnId leader() const;  // the open link to a coordinator; kNoConn for none
  [[nodiscard]] uint16_t leader_port() const;
  [[nodiscard]] std::vector<protocol::Subscribe> subscriptions();
  void say_not_leader(uint16_t leader_port);
  bool leader_answers = true;  // each Subscribe, by a Grant
  Micros lease = 0;            // as Grants tell it; 0: links are not watched

  // ---- nodes; member kNoMember is the coordinators' leader
  [[nodiscard]] ConnId link(MemberId member) const;  // kNoConn while down
  [[nodiscard]] std::vector<Arrived> requests(MemberId member);
  [[nodiscard]] std::vector<ArrivedCall> calls(MemberId member);
  void reply(MemberId member, uint64_t id, std::string_view body, Epoch epoch = 1,
             protocol::ReplyStatus status = protocol::ReplyStatus::done);
  void bounce(MemberId member, uint64_t id, Epoch epoch = 0);
  void answer(MemberId member, const ArrivedCall& call, std::string_view body,
              std::optional<std::vector<protocol::SlotRange>> answered = std::nullopt);
  void break_link(MemberId member);
  void stop_reading(MemberId member);  // as a process that stands still, until go_on_reading()
  void go_on_reading(MemberId member);
  // The link between it and the router is cut, what is in flight too; others still reach both.
  void cut(MemberId member);
  [[nodiscard]] uint16_t carrier(MemberId member) const;                 // the port that the router dialled to reach it
  void restart(MemberId member) { incarnations_[member] += 1'000'000; }  // answers as another incarnation from now on

  FakeTransport transport;
  SilentLog log;
  SeededRandom random;
  std::optional<router::Router> router;

 private:
  struct Peer {
    ConnId conn = kNoConn;
    uint16_t dialled = 0;
    uint16_t port = 0;  // another than was dialled when that one was asked to carry the link
    bool shaken = false;
    bool reads = true;
    std::string received;
    std::vector<Arrived> requests;
    std::vector<ArrivedCall> calls;
    std::vector<protocol::Subscribe> subscriptions;
  };
  void meet_dials();
  void read_peer(Peer& peer);
  void shake_hands(Peer& peer);
  void take_frames(Peer& peer);
  template <class Message>
  void send_frame(ConnId conn, protocol::FrameType type, const Message& message, std::string_view tail = {});
  [[nodiscard]] Peer* find(MemberId member);
  [[nodiscard]] const Peer* find(MemberId member) const;
  [[nodiscard]] Incarnation incarnation(MemberId member) const;

  Now now_{1'000'000, 1'700'000'000'000};
  size_t dials_seen_ = 0;
  bool accepts_ = true;
  std::set<uint16_t> cut_;  // ports
  std::vector<Peer> peers_;
  std::map<MemberId, Incarnation> incarnations_;
  TableVersion version_ = 0;
};

// What a client is told at its deadline: that nobody knows whether it ran, and that it did not.
inline const std::string kUnknown = protocol::error_reply(protocol::errors::kOutcomeUnknown);
inline const std::string kDown = protocol::error_reply(protocol::errors::kClusterDown);

// A key of that slot, "k<number>"; the same for each slot every time.
[[nodiscard]] std::string key_in(Slot slot);

}  // namespace chainring::test
