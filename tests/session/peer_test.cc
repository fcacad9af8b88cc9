// The PEER handshake and links that are kept.
#include "session/peer.h"

#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "protocol/messages.h"
#include "session/secret.h"
#include "tests/session/link_rig.h"
#include "tests/session/rig.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

using protocol::FrameType;

Result<PeerIdentity> parse(std::vector<std::string_view> args) { return parse_peer_request(args); }

std::string refusal(std::vector<std::string_view> args) {
  const auto parsed = parse(std::move(args));
  return parsed.ok() ? "accepted" : std::string(parsed.status().message());
}

}  // namespace

TEST_CASE("secrets_equal: as ==, for all lengths") {
  const std::vector<std::string> texts = {"",       "a",       "b",     "aa",           "ab",
                                          "secret", "secret ", "secre", "secretsecret", std::string(1, '\0')};
  for (const std::string& expected : texts) {
    for (const std::string& given : texts) {
      INFO(expected << " / " << given);
      CHECK(secrets_equal(expected, given) == (expected == given));
    }
  }
}

TEST_CASE("parse_peer_request: who it is") {
  const auto who = parse({"peer", "6", "1f", "Router", "r-1", "deadbeef00000001", "s"});
  REQUIRE(who.ok());
  CHECK(who->cluster_id == 0x1f);
  CHECK(who->role == PeerRole::router);
  CHECK(who->id == "r-1");
  CHECK(who->incarnation == 0xdeadbeef00000001);
  CHECK(who->secret == "s");
}

TEST_CASE("parse_peer_request: refusals say what is wrong") {
  CHECK(refusal({"PEER"}).starts_with("ERR peer refused: expected PEER <wire version>"));
  CHECK(refusal({"PEER", "7", "0", "node", "n", "1", ""}) ==
        "ERR peer refused: wire version 6 is spoken here, not '7'; run the same release everywhere");
  CHECK(refusal({"PEER", "6", "xyz", "node", "n", "1", ""}) ==
        "ERR peer refused: the cluster id is not a hexadecimal number");
  CHECK(refusal({"PEER", "6", "11112222333344445", "node", "n", "1", ""}) ==
        "ERR peer refused: the cluster id is not a hexadecimal number");
  CHECK(refusal({"PEER", "6", "0", "boss", "n", "1", ""}) ==
        "ERR peer refused: the role is none of node, router, coordinator");
  const std::string long_id(129, 'n');
  for (const std::string_view id :
       {std::string_view(""), std::string_view("a b"), std::string_view("a\r\nb"), std::string_view(long_id)}) {
    CHECK(refusal({"PEER", "6", "0", "node", id, "1", ""}) ==
          "ERR peer refused: the id must be 1 to 128 printable characters without spaces");
  }
  for (const std::string_view incarnation : {"0", "", "-1", "g"}) {
    CHECK(refusal({"PEER", "6", "0", "node", "n", incarnation, ""}) ==
          "ERR peer refused: the incarnation must be a hexadecimal number other than 0");
  }
}

TEST_CASE("accept_peer: the same cluster or none yet, and the secret") {
  const PeerIdentity ours{0xabc, PeerRole::node, "n1", 1, "secret"};
  PeerIdentity theirs{0xabc, PeerRole::router, "r1", 2, "secret"};
  CHECK(accept_peer(ours, theirs).ok());
  theirs.cluster_id = 0;
  CHECK(accept_peer(ours, theirs).ok());
  theirs.cluster_id = 0xdef;
  CHECK(accept_peer(ours, theirs).message() == "ERR peer refused: this is cluster abc, you said def");
  theirs.secret = "guess";
  CHECK(accept_peer(ours, theirs).message() ==
        "ERR peer refused: wrong peer secret; peer-secret must be the same everywhere");
  const PeerIdentity blank{0, PeerRole::coordinator, "c1", 1, "secret"};
  theirs.secret = "secret";
  CHECK(accept_peer(blank, theirs).ok());
}

TEST_CASE("PeerLink: shakes hands and carries frames both ways") {
  LinkRig rig;
  const ConnId conn = rig.dialled();
  rig.transport.establish(conn);
  rig.turn();
  const std::string said = rig.transport.take_output(conn);
  const PeerIdentity heard = LinkRig::parse(said);
  CHECK(heard.cluster_id == rig.ours.cluster_id);
  CHECK(heard.role == PeerRole::node);
  CHECK(heard.id == "n1");
  CHECK(heard.incarnation == rig.ours.incarnation);
  CHECK(heard.secret == "secret");
  CHECK_FALSE(rig.link.up());

  // The welcome in two parts, frames right behind it.
  const std::string welcome = peer_welcome(rig.theirs);
  rig.transport.receive(conn, welcome.substr(0, 5));
  rig.turn();
  CHECK_FALSE(rig.link.up());
  std::string rest = welcome.substr(5);
  protocol::append_frame(rest, FrameType::grant, protocol::Grant{.member = 7}, {});
  rig.transport.receive(conn, rest);
  rig.turn();
  CHECK(rig.link.up());
  CHECK(rig.link.theirs().id == "n2");
  CHECK(rig.link.trouble().empty());
  REQUIRE(rig.frames.size() == 1);
  CHECK(rig.frames[0] == FrameType::grant);
  CHECK(rig.transport.input(conn).empty());
  CHECK(rig.link.next_tick() == kNever);

  rig.link.send(FrameType::not_leader, protocol::NotLeader{"h", 1});
  protocol::Frame frame;
  const std::string sent = rig.transport.take_output(conn);
  REQUIRE(protocol::parse_frame(sent, frame) == protocol::FrameState::ready);
  CHECK(frame.type == FrameType::not_leader);
  CHECK(frame.size == sent.size());
}

TEST_CASE("PeerLink: frames are not kept while it is down") {
  LinkRig rig;
  const ConnId conn = rig.dialled();
  rig.link.send(FrameType::not_leader, protocol::NotLeader{"h", 1});
  rig.transport.establish(conn);
  rig.turn();
  CHECK(rig.transport.take_output(conn).starts_with("*7\r\n$4\r\nPEER\r\n"));
  rig.link.send(FrameType::not_leader, protocol::NotLeader{"h", 1});
  CHECK(rig.transport.take_output(conn).empty());
}

TEST_CASE("PeerLink: comes back after waits that grow from 20 ms to 500 ms, with jitter") {
  const uint64_t seed = GENERATE(1, 2, 3);
  INFO("seed " << seed);
  LinkRig rig(seed);
  Micros bound = 40 * kMicrosPerMilli;
  for (int attempt = 0; attempt < 8; ++attempt) {
    const ConnId conn = rig.dialled();
    rig.transport.refuse(conn);
    rig.turn();
    CHECK(rig.link.conn() == kNoConn);
    CHECK(rig.link.trouble() == "connection refused");
    const Micros wait = rig.link.next_tick() - rig.now;
    CHECK(wait >= bound / 2);
    CHECK(wait <= bound);
    rig.pass(wait - 1);
    CHECK(rig.link.conn() == kNoConn);
    rig.pass(1);
    CHECK(rig.link.conn() != kNoConn);
    bound = std::min<Micros>(bound * 2, 500 * kMicrosPerMilli);
  }
}

TEST_CASE("PeerLink: a link that was up tells that it is down and begins again with the shortest wait") {
  LinkRig rig;
  for (int i = 0; i < 5; ++i) {
    rig.transport.refuse(rig.dialled());
    rig.turn();
  }
  const ConnId conn = rig.dialled();
  rig.welcome(conn);
  CHECK(rig.link.up());
  rig.changes.clear();
  rig.transport.disconnect(conn);
  rig.turn();
  CHECK(rig.changes == std::vector<PeerLink::Change>{PeerLink::Change::down});
  CHECK(rig.link.trouble() == "connection lost");
  CHECK(rig.link.next_tick() - rig.now <= 40 * kMicrosPerMilli);
}

TEST_CASE("PeerLink: gives up a handshake that takes longer than 200 ms, and has more patience each time, up to 1 s") {
  LinkRig rig;
  const bool established = GENERATE(false, true);
  for (const int within_ms : {200, 400, 800, 1000, 1000}) {
    const ConnId conn = rig.dialled();
    if (established) rig.transport.establish(conn);
    rig.pass(within_ms * kMicrosPerMilli - 1);
    CHECK(rig.link.conn() == conn);
    rig.pass(1);
    CHECK(rig.link.conn() != conn);
    CHECK(rig.link.trouble() == concat("no answer to the handshake within ", within_ms, " ms"));
    CHECK(rig.transport.state(conn) == test::FakeTransport::State::closed);
  }
  rig.welcome(rig.dialled());
  rig.link.drop(rig.now);
  static_cast<void>(rig.dialled());
  rig.pass(200 * kMicrosPerMilli);
  CHECK(rig.link.trouble() == "no answer to the handshake within 200 ms");
}

TEST_CASE("PeerLink: who refuses, answers nonsense or is of another cluster is left") {
  struct Case {
    std::string answer;
    std::string trouble;
  };
  PeerIdentity other = LinkRig().theirs;
  other.cluster_id = 0xdead;
  PeerIdentity nobody = LinkRig().theirs;
  nobody.incarnation = 0;
  const Case example = GENERATE_COPY(
      Case{"-ERR peer refused: wrong peer secret\r\n", "refused: ERR peer refused: wrong peer secret"},
      Case{"+OK\r\n", "what answers there is not a peer"},
      Case{"HTTP/1.1 400 Bad Request\r\n", "what answers there is not a peer"},
      Case{std::string(600, 'x'), "what answers there is not a peer"},
      Case{peer_welcome(other), "refused: it is of cluster dead, this is of c1"},
      Case{peer_welcome(nobody), "ERR peer refused: the incarnation must be a hexadecimal number other than 0"},
      Case{"+PEER 9 c1 node n2 5\r\n",
           "ERR peer refused: wire version 6 is spoken here, not '9'; run the same release everywhere"});
  LinkRig rig;
  const ConnId conn = rig.dialled();
  rig.transport.establish(conn);
  rig.turn();
  rig.transport.receive(conn, example.answer);
  rig.turn();
  CHECK_FALSE(rig.link.up());
  CHECK(rig.link.trouble() == example.trouble);
  CHECK(rig.transport.state(conn) == test::FakeTransport::State::closed);
  CHECK(rig.link.next_tick() > rig.now);
}

TEST_CASE("PeerLink: learns the cluster when it does not know it yet") {
  LinkRig rig;
  rig.ours.cluster_id = 0;
  rig.welcome(rig.dialled());
  CHECK(rig.link.up());
  CHECK(rig.link.theirs().cluster_id == 0xc1);
}

TEST_CASE("PeerLink: a malformed frame ends the link") {
  LinkRig rig;
  const ConnId conn = rig.dialled();
  rig.welcome(conn);
  rig.transport.receive(conn, "\xff\xff\xff\xff\x01\x01\x01\x01");
  rig.turn();
  CHECK_FALSE(rig.link.up());
  CHECK(rig.link.trouble() == "the other end sent a malformed frame");
}

namespace {

constexpr Micros kPatience = 90 * kMicrosPerMilli;

// It is up, watched, and has nothing to send.
struct WatchedLink : LinkRig {
  WatchedLink() {
    link.expect_signs(kPatience);
    conn = dialled();
    welcome(conn);
    transport.take_output(conn);
  }
  ConnId conn = kNoConn;
};

}  // namespace

TEST_CASE("PeerLink.expect_signs: one that says nothing is asked, and dialled anew without an answer") {
  WatchedLink rig;
  const ConnId conn = rig.conn;
  const auto pass = [&](Micros time) {
    for (const Micros end = rig.now + time; rig.now < end; rig.now += 10 * kMicrosPerMilli) rig.turn();
  };
  pass(kPatience / 3);
  CHECK(rig.transport.take_output(conn).empty());
  CHECK_FALSE(rig.link.silent(rig.now, kPatience / 3));  // it has not been asked yet
  pass(10 * kMicrosPerMilli);
  std::string ping;
  protocol::append_frame(ping, FrameType::ping, protocol::Ping{}, {});
  CHECK(rig.transport.take_output(conn) == ping);
  CHECK(rig.link.silent(rig.now, kPatience / 3));

  std::string pong;
  protocol::append_frame(pong, FrameType::pong, protocol::Ping{}, {});
  rig.transport.receive(conn, pong);
  rig.turn();
  CHECK_FALSE(rig.link.silent(rig.now, 1));
  pass(kPatience);
  CHECK(rig.link.up());
  pass(20 * kMicrosPerMilli);
  CHECK_FALSE(rig.link.up());
  CHECK(rig.link.silent(rig.now, kPatience));
  CHECK(rig.link.trouble().starts_with("it has been silent for"));
}

TEST_CASE("PeerLink.expect_signs: while what waits to leave leaves bit by bit, the other end is there") {
  WatchedLink rig;
  const ConnId conn = rig.conn;
  rig.transport.output(conn)->append(1000, 'x');
  const auto pass = [&](size_t taken) {
    for (const Micros end = rig.now + 3 * kPatience; rig.now < end; rig.now += 10 * kMicrosPerMilli) {
      static_cast<void>(rig.transport.take_output(conn, taken));
      rig.turn();
    }
  };
  pass(1);
  CHECK(rig.link.up());
  CHECK_FALSE(rig.link.silent(rig.now, kPatience));
  pass(0);
  CHECK_FALSE(rig.link.up());
}

TEST_CASE("PeerLink.expect_signs: time in which this process stood still is nobody else's silence") {
  WatchedLink rig;
  rig.now += kMicrosPerSecond;
  rig.turn();
  CHECK(rig.link.up());
  CHECK_FALSE(rig.link.silent(rig.now, kPatience));
}

TEST_CASE("PeerLink.expect_signs: an idle process that sleeps between its ticks notices the silence as soon") {
  const Micros interval = GENERATE(kPatience * 2 / 5, kPatience * 3 / 5, 10 * kPatience);  // of what else wakes it
  CAPTURE(interval);
  WatchedLink rig;
  Micros wake_at = rig.now + interval;
  const auto idle_until = [&](Micros end) {
    while (rig.now < end) {
      rig.now = std::min(rig.link.next_tick(), wake_at) + kMicrosPerMilli;  // timers are late
      if (rig.now >= wake_at) wake_at += interval;
      rig.turn();
    }
  };
  const Micros began = rig.now;
  idle_until(began + kPatience * 5 / 4);
  CHECK(rig.link.trouble().starts_with("it has been silent for"));
  idle_until(began + 10 * kPatience);  // nobody answers its dials
  CHECK(rig.link.silent(rig.now, 9 * kPatience));
}

TEST_CASE("PeerLink.redial: through another process, whom it tells where to, and directly again after a while") {
  LinkRig rig;
  const Address carrier{"10.0.0.7", 7407};
  rig.link.redial({"10.0.0.2", 7401}, rig.now, carrier);
  const ConnId conn = rig.dialled();
  CHECK(rig.transport.dials().back().address == carrier);
  rig.transport.establish(conn);
  rig.turn();
  const std::string said = rig.transport.take_output(conn);
  CHECK(said.starts_with("*8\r\n$4\r\nPEER\r\n"));
  CHECK(said.ends_with("$13\r\n10.0.0.2:7401\r\n"));
  CHECK(LinkRig::parse(said).id == "n1");
  rig.transport.receive(conn, peer_welcome(rig.theirs));
  rig.turn();
  CHECK(rig.link.up());
  CHECK(rig.link.goes_round());
  CHECK(rig.link.next_tick() == rig.now + PeerLink::kRoundLasts);
  rig.pass(PeerLink::kRoundLasts);
  CHECK(rig.transport.state(conn) == test::FakeTransport::State::closed);
  CHECK(rig.transport.dials().back().address == rig.link.address());
  CHECK_FALSE(rig.link.goes_round());
  const auto reach = [&](Address via) {
    rig.link.redial({"10.0.0.2", 7401}, rig.now, std::move(via));
    rig.welcome(rig.dialled());
    REQUIRE(rig.link.up());
    return rig.link.next_tick() - rig.now;
  };
  for (const int times : {2, 4, 8, 16, 20, 20}) CHECK(reach(carrier) == times * PeerLink::kRoundLasts);
  static_cast<void>(reach({}));  // it is open again
  CHECK(reach(carrier) == PeerLink::kRoundLasts);
}

TEST_CASE("PeerLink.go_round: for one dial, and how it failed is known") {
  LinkRig rig;
  static_cast<void>(rig.dialled());
  rig.pass(kMicrosPerSecond / 5);
  CHECK(rig.link.fell_silent());
  CHECK_FALSE(rig.link.failed_round());
  rig.link.go_round({"10.0.0.7", 7407});
  rig.transport.refuse(rig.dialled());
  rig.turn();
  CHECK_FALSE(rig.link.fell_silent());
  CHECK(rig.link.failed_round());
  CHECK(rig.transport.dials().back().address.host == "10.0.0.7");
  static_cast<void>(rig.dialled());
  CHECK(rig.transport.dials().back().address.host == "10.0.0.2");
}

TEST_CASE("parse_address: host and port, or no host") {
  CHECK(parse_address("10.0.0.1:7301") == Address{"10.0.0.1", 7301});
  CHECK(parse_address("fe80::1:7301") == Address{"fe80::1", 7301});
  for (const std::string_view text : {"", "10.0.0.1", ":7301", "h:", "h:0", "h:65536", "h:x"}) {
    CHECK(parse_address(text).host.empty());
  }
}

TEST_CASE("PeerLink.set_address: the same address changes nothing, another one is dialled at once") {
  LinkRig rig;
  const ConnId conn = rig.dialled();
  rig.welcome(conn);
  rig.link.set_address({"10.0.0.2", 7401}, rig.now);
  CHECK(rig.link.up());
  rig.link.set_address({"10.0.0.3", 7401}, rig.now);
  CHECK_FALSE(rig.link.up());
  CHECK(rig.transport.state(conn) == test::FakeTransport::State::closed);
  rig.turn();
  CHECK(rig.transport.dials().back().address == Address{"10.0.0.3", 7401});
}

TEST_CASE("consume_frames: frames may be cut at any byte") {
  std::string input;
  for (const FrameType type : {FrameType::ack, FrameType::gap, FrameType::records}) {
    protocol::append_frame(input, type, [&](std::string& body) { body.append(static_cast<size_t>(type), 'x'); });
  }
  for (size_t cut = 0; cut <= input.size(); ++cut) {
    test::FakeTransport transport;
    const ConnId conn = transport.accept();
    std::vector<FrameType> seen;
    for (const std::string& part : {input.substr(0, cut), input.substr(cut)}) {
      transport.receive(conn, part);
      REQUIRE(consume_frames(transport, conn, [&](const protocol::Frame& frame) {
        seen.push_back(frame.type);
        REQUIRE(frame.payload == std::string(static_cast<size_t>(frame.type), 'x'));
      }));
    }
    REQUIRE(seen == std::vector<FrameType>{FrameType::ack, FrameType::gap, FrameType::records});
    REQUIRE(transport.input(conn).empty());
  }
}

TEST_CASE("consume_frames: whoever handles a frame may close the connection") {
  test::FakeTransport transport;
  const ConnId conn = transport.accept();
  std::string input;
  for (int i = 0; i < 3; ++i) protocol::append_frame(input, FrameType::ack, [](std::string&) {});
  transport.receive(conn, input);
  int seen = 0;
  CHECK(consume_frames(transport, conn, [&](const protocol::Frame&) {
    ++seen;
    transport.close(conn);
  }));
  CHECK(seen == 1);
}

TEST_CASE("answer_peer: a refusal is logged once for each peer, never with a secret, and again after it was accepted") {
  test::FakeTransport transport;
  ListedLog log;
  ToldRefusals told;
  const PeerIdentity ours{0xc1, PeerRole::node, "n1", 0x11, "the-secret"};
  const auto dial = [&](std::string id, std::string secret) {
    const ConnId conn = transport.accept("10.0.0.9:1234");
    const std::vector<std::string> args{"PEER", concat(protocol::kWireVersion), "c1", "router", id, "22", secret};
    return answer_peer(transport, log, told, conn, args, ours, 0, 8).has_value();
  };
  for (int i = 0; i < 5; ++i) CHECK_FALSE(dial("r1", "a-guess"));
  REQUIRE(log.warnings.size() == 1);
  CHECK(log.warnings[0] ==
        "refused router r1 at 10.0.0.9:1234: ERR peer refused: wrong peer secret; peer-secret must be the same "
        "everywhere (told once)");
  CHECK_FALSE(dial("r2", "a-guess"));
  CHECK(log.warnings.size() == 2);
  CHECK(dial("r1", "the-secret"));
  CHECK_FALSE(dial("r1", "a-guess"));
  CHECK(log.warnings.size() == 3);
  for (int i = 0; i < 200; ++i) CHECK_FALSE(dial(concat("r", i), "a-guess"));  // what is remembered is bounded
}

}  // namespace chainring::session
