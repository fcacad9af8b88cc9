// Links between peers: the PEER handshake and frames after it (docs/wire.md).
//
// A dialled link says `PEER <wire version> <cluster id> <role> <id> <incarnation> <secret>` as a RESP request; the
// other end answers "+PEER <wire version> <cluster id> <role> <id> <incarnation>\r\n" and from then on both send
// frames, or it answers an error and closes. The wire version is decimal, cluster id and incarnation are hexadecimal. A
// cluster id of 0 means "not known yet": whoever says it learns it from the answer (R2). With an address behind the
// secret, the other end is asked to carry the bytes to who listens there (session/relay.h).
//
// Thread-safety: none; one owner. The Transport is not owned and outlives these.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/process.h"
#include "base/random.h"
#include "base/result.h"
#include "base/settings.h"
#include "base/time.h"
#include "base/transport.h"
#include "protocol/frame.h"

namespace chainring::session {

enum class PeerRole : uint8_t { node, router, coordinator };
[[nodiscard]] std::string_view role_name(PeerRole role);

// Who one is, as the handshake tells it.
struct PeerIdentity {
  uint64_t cluster_id = 0;  // 0: not known yet
  PeerRole role = PeerRole::node;
  std::string id;  // the configured name
  Incarnation incarnation = 0;
  std::string secret;  // compared in constant time; never logged
};

// Who this process is from now on: its configured name and secret, and an incarnation drawn for this start (R1).
[[nodiscard]] PeerIdentity own_identity(PeerRole role, const Settings& settings, Random& random);

// What a dialling peer said, parsed from the arguments of its PEER request. The error is the text to answer behind "-".
[[nodiscard]] Result<PeerIdentity> parse_peer_request(std::span<const std::string_view> args);
// What a dialling peer says; `to` is whom it wants to be connected with, nullptr for the other end itself.
[[nodiscard]] std::string peer_request(const PeerIdentity& ours, const Address* to = nullptr);
// Whom a PEER request asks to be connected with: nullopt for none, without a host when what it says is no address.
[[nodiscard]] std::optional<Address> peer_target(std::span<const std::string> args);
// "host:port"; without a host when it is not that.
[[nodiscard]] Address parse_address(std::string_view text);
// Whether `theirs` may talk to `ours`: wire version (judged by parse), cluster (R2), secret. The error text says which.
[[nodiscard]] Status accept_peer(const PeerIdentity& ours, const PeerIdentity& theirs);
// The line that answers an accepted request.
[[nodiscard]] std::string peer_welcome(const PeerIdentity& ours);

// Which refusals the log has told already: a peer that is refused dials again and again. Bounded: beyond 64 of them it
// forgets all and begins anew.
class ToldRefusals {
 public:
  // Whether this is the first of its kind since the peer was last accepted. `peer` is what it calls itself, or its
  // host.
  bool is_new(std::string_view peer, std::string_view why);
  void accepted(std::string_view peer) { told_.erase(std::string(peer)); }

 private:
  std::map<std::string, std::string> told_;  // peer, why
};

// Judges a PEER request on `conn`: without a value it was answered by an error, after which the connection is closed;
// else nothing has been answered yet.
[[nodiscard]] std::optional<PeerIdentity> admit_peer(Transport& transport, Log& log, ToldRefusals& told, ConnId conn,
                                                     std::span<const std::string> args, const PeerIdentity& ours,
                                                     size_t peers, size_t peers_max);

// Answers a PEER request on `conn` with a welcome, or with an error after which the connection is closed. `peers` of
// `peers_max` links are open already. Returns who it is when it was accepted.
[[nodiscard]] std::optional<PeerIdentity> answer_peer(Transport& transport, Log& log, ToldRefusals& told, ConnId conn,
                                                      std::span<const std::string> args, const PeerIdentity& ours,
                                                      size_t peers, size_t peers_max);

// Takes the complete frames off the front of a connection's input and gives them to `on_frame`, which may close the
// connection. Returns false when the stream is broken (malformed frame): close it.
bool consume_frames(Transport& transport, ConnId conn, const std::function<void(const protocol::Frame&)>& on_frame);

// Growing waits between attempts, each drawn from the upper half of a bound that doubles from 40 ms to `most`, so that
// those who lost the same peer do not come back at the same moment.
class BackOff {
 public:
  explicit BackOff(Micros most) : most_us_(most) {}
  [[nodiscard]] Micros next(Random& random);
  void reset() { bound_us_ = 0; }

 private:
  const Micros most_us_;
  Micros bound_us_ = 0;
};

// How trouble() begins when the other end has answered the handshake with an error.
inline constexpr std::string_view kRefusedTrouble = "refused: ";

// A link that we dial and keep: connects, shakes hands, connects again after a growing wait with jitter
// (20 ms to 500 ms). Frames sent while it is down are not kept.
class PeerLink {
 public:
  // What became of input() and tick().
  enum class Change { none, up, down };

  PeerLink(Transport& transport, Random& random, Address address);
  ~PeerLink();  // closes
  PeerLink(const PeerLink&) = delete;
  PeerLink& operator=(const PeerLink&) = delete;

  [[nodiscard]] const Address& address() const { return address_; }
  void set_address(Address address, Micros now);  // closes and dials anew when it differs
  // Closes and dials `address` at that time, whatever it was before; through `via` when that has a host, for
  // kRoundLasts, and then directly again; when that fails, for twice as long the next time, up to kRoundLastsMost.
  static constexpr Micros kRoundLasts = 30 * kMicrosPerSecond;
  static constexpr Micros kRoundLastsMost = 600 * kMicrosPerSecond;
  void redial(Address address, Micros dial_at, Address via = {});
  // The next dial, and that one alone, goes through `via`. REQUIRES: conn() == kNoConn.
  void go_round(Address via) { via_ = std::move(via); }
  // Whether it goes through another process, or will when it is dialled.
  [[nodiscard]] bool goes_round() const { return !via_.host.empty(); }
  // Of how it failed last: the other end said nothing, as against a hang-up or a refusal; it went through another one.
  [[nodiscard]] bool fell_silent() const { return fell_silent_; }
  [[nodiscard]] bool failed_round() const { return failed_round_; }

  // Watches over the link from now on: when nothing came from the other end for a third of `patience` it is asked
  // (`ping`), and without an answer after all of `patience` the link is closed and dialled anew. TCP alone would wait
  // for minutes on what a cut cable or a frozen process holds. Time in which this process itself stood still does not
  // count: next_tick() asks for a tick every third of `patience`, and more than half of it without one is standing
  // still. While more waits to leave than the system takes, whatever it takes is a sign, too: the other end may be long
  // in reading what stands before the question.
  void expect_signs(Micros patience) { patience_ = patience; }
  // Whether the other end has been silent for so long, or not been there; false before the first tick().
  [[nodiscard]] bool silent(Micros now, Micros how_long) const {
    return heard_at_ >= 0 && now - heard_at_ >= how_long && (!up_ || pinged_at_ > heard_at_);
  }

  // When the other end was heard last, or first dialled; -1 before the first tick() of a link that is watched.
  [[nodiscard]] Micros heard_at() const { return heard_at_; }
  // Dials directly and at once, as patiently as the first time: what failed so far says nothing any more.
  void dial_anew(Micros now);

  // Dials when it is time to; gives up a handshake that takes longer than 200 ms, the next ones after up to 1 s. Where
  // the first packet of a connection is lost, the system sends it again only after a second, and a lease is over
  // before.
  void tick(Micros now, const PeerIdentity& ours);
  [[nodiscard]] Micros next_tick() const;

  // The events of its connection. `down` is said only of a link that was up. Frames may have come together with what
  // made it `up`: call frames() then, too. REQUIRES: event.conn == conn().
  Change on_event(const NetEvent& event, Micros now, const PeerIdentity& ours);
  // After `input` events while up: all frames that are there whole. False: the stream broke and the link is down now.
  bool frames(Micros now, const std::function<void(const protocol::Frame&)>& on_frame);

  [[nodiscard]] ConnId conn() const { return conn_; }  // kNoConn while waiting
  [[nodiscard]] bool up() const { return up_; }
  [[nodiscard]] const PeerIdentity& theirs() const { return theirs_; }  // REQUIRES: up()
  // Why it is down, for status and logs: "connection refused", "refused: another cluster" ...
  [[nodiscard]] std::string_view trouble() const { return trouble_; }
  void drop(Micros now);  // closes; dials again after the wait

  // Appends a frame while up; silently nothing while down.
  template <class Message>
  void send(protocol::FrameType type, const Message& message, std::string_view tail = {}) {
    if (std::string* out = up_ ? transport_.output(conn_) : nullptr) protocol::append_frame(*out, type, message, tail);
  }

 private:
  void shake_hands(Micros now, const PeerIdentity& ours);
  void note_way(Micros now);
  void fail(std::string trouble, Micros now, bool silent = false);
  void listen_for_signs(Micros now);
  [[nodiscard]] Micros next_look() const;

  Transport& transport_;
  Random& random_;
  Address address_;
  Address via_;  // no host: directly
  ConnId conn_ = kNoConn;
  bool up_ = false;
  PeerIdentity theirs_;
  std::string trouble_;
  bool fell_silent_ = false;
  bool failed_round_ = false;
  Micros direct_at_ = kNever;  // when a way round is left for the direct one
  // The last way round, since when nobody was reached there directly.
  struct Detour {
    Address to;
    Micros lasts = 0;
  } detour_;
  BackOff back_off_;
  Micros dial_at_ = 0;          // when down and not dialling
  Micros handshake_within_;     // the next one
  Micros give_up_at_ = kNever;  // while dialling or shaking hands
  Micros patience_ = 0;         // 0: it is not watched
  Micros heard_at_ = -1;        // bytes came from the other end, or it was first dialled
  Micros pinged_at_ = -1;       // the last ping; unanswered while it is later than heard_at_
  Micros ticked_at_ = -1;
  uint64_t sent_late_ = 0;  // as of the last tick
};

}  // namespace chainring::session
