#include "session/peer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "protocol/messages.h"
#include "protocol/resp.h"
#include "session/secret.h"

namespace chainring::session {
namespace {

constexpr Micros kBackOffFirst = 40 * kMicrosPerMilli;
constexpr Micros kBackOffMost = 500 * kMicrosPerMilli;
constexpr Micros kHandshakeFirst = 200 * kMicrosPerMilli;
constexpr Micros kHandshakeMax = kMicrosPerSecond;
constexpr size_t kPeerIdBytesMax = 128;
constexpr size_t kWelcomeBytesMax = 512;
constexpr size_t kPeerArguments = 7;  // without an address
constexpr std::string_view kPeerCommand = "PEER";

constexpr std::array kRoles = {PeerRole::node, PeerRole::router, PeerRole::coordinator};

std::optional<uint64_t> parse_hex(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<PeerRole> parse_role(std::string_view text) {
  for (const PeerRole role : kRoles) {
    if (equals_ignoring_case(text, role_name(role))) return role;
  }
  return std::nullopt;
}

// The id stands between spaces in the welcome, and in logs.
bool is_peer_id(std::string_view text) {
  return !text.empty() && text.size() <= kPeerIdBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

Status refused(ErrorCode code, std::string_view why) { return Status(code, concat("ERR peer refused: ", why)); }

// Of a PEER request or a welcome without its first word: wire version, cluster id, role, id, incarnation.
Result<PeerIdentity> parse_identity(std::span<const std::string_view> words) {
  if (words[0] != concat(protocol::kWireVersion)) {
    return refused(ErrorCode::invalid_argument,
                   concat("wire version ", protocol::kWireVersion, " is spoken here, not '", words[0].substr(0, 16),
                          "'; run the same release everywhere"));
  }
  const auto cluster_id = parse_hex(words[1]);
  if (!cluster_id) return refused(ErrorCode::invalid_argument, "the cluster id is not a hexadecimal number");
  const auto role = parse_role(words[2]);
  if (!role) return refused(ErrorCode::invalid_argument, "the role is none of node, router, coordinator");
  if (!is_peer_id(words[3])) {
    return refused(ErrorCode::invalid_argument, "the id must be 1 to 128 printable characters without spaces");
  }
  const auto incarnation = parse_hex(words[4]);
  if (!incarnation || *incarnation == 0) {
    return refused(ErrorCode::invalid_argument, "the incarnation must be a hexadecimal number other than 0");
  }
  return PeerIdentity{*cluster_id, *role, std::string(words[3]), *incarnation, {}};
}

std::string identity_text(const PeerIdentity& who) {
  return concat(protocol::kWireVersion, ' ', hex(who.cluster_id), ' ', role_name(who.role), ' ', who.id, ' ',
                hex(who.incarnation));
}

bool clusters_differ(const PeerIdentity& ours, const PeerIdentity& theirs) {
  return ours.cluster_id != 0 && theirs.cluster_id != 0 && ours.cluster_id != theirs.cluster_id;
}

std::vector<std::string_view> split_words(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

std::string host_of(const std::string& address) { return address.substr(0, address.rfind(':')); }

Result<PeerIdentity> parse_welcome(std::string_view line) {
  if (line.starts_with('-')) return Status(ErrorCode::permission_denied, concat(kRefusedTrouble, line.substr(1)));
  const std::vector<std::string_view> words = split_words(line);
  if (words.size() != kPeerArguments - 1 || words[0] != "+PEER") {
    return Status(ErrorCode::corrupt, "what answers there is not a peer");
  }
  return parse_identity(std::span(words).subspan(1));
}

}  // namespace

std::string_view role_name(PeerRole role) {
  switch (role) {
    case PeerRole::node:
      return "node";
    case PeerRole::router:
      return "router";
    case PeerRole::coordinator:
      return "coordinator";
  }
  check_failed(__FILE__, __LINE__, "role", "a PeerRole is one of three");
}

Result<PeerIdentity> parse_peer_request(std::span<const std::string_view> args) {
  const bool counts = args.size() == kPeerArguments || args.size() == kPeerArguments + 1;
  if (!counts || !equals_ignoring_case(args[0], kPeerCommand)) {
    return refused(ErrorCode::invalid_argument,
                   "expected PEER <wire version> <cluster id> <role> <id> <incarnation> <secret> [address]");
  }
  Result<PeerIdentity> who = parse_identity(args.subspan(1, kPeerArguments - 2));
  if (who.ok()) who->secret.assign(args[kPeerArguments - 1]);
  return who;
}

std::string peer_request(const PeerIdentity& ours, const Address* to) {
  const std::string version = concat(protocol::kWireVersion);
  const std::string cluster_id = hex(ours.cluster_id);
  const std::string incarnation = hex(ours.incarnation);
  const std::string address = to == nullptr ? std::string() : concat(to->host, ':', to->port);
  const std::array<std::string_view, kPeerArguments + 1> args = {
      kPeerCommand, version, cluster_id, role_name(ours.role), ours.id, incarnation, ours.secret, address};
  std::string request;
  protocol::append_request(request, std::span(args).first(to == nullptr ? kPeerArguments : args.size()));
  return request;
}

std::optional<Address> peer_target(std::span<const std::string> args) {
  if (args.size() <= kPeerArguments) return std::nullopt;
  return parse_address(args[kPeerArguments]);
}

Address parse_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return {};
  const std::optional<uint64_t> port = parse_uint(text.substr(colon + 1));
  if (!port || *port == 0 || *port > UINT16_MAX) return {};
  return {std::string(text.substr(0, colon)), static_cast<uint16_t>(*port)};
}

Status accept_peer(const PeerIdentity& ours, const PeerIdentity& theirs) {
  // The secret first: who does not know it learns nothing about this cluster.
  if (!secrets_equal(ours.secret, theirs.secret)) {
    return refused(ErrorCode::permission_denied, "wrong peer secret; peer-secret must be the same everywhere");
  }
  if (theirs.incarnation == 0) {
    return refused(ErrorCode::invalid_argument, "the incarnation must be a hexadecimal number other than 0");
  }
  if (clusters_differ(ours, theirs)) {
    return refused(ErrorCode::permission_denied,
                   concat("this is cluster ", hex(ours.cluster_id), ", you said ", hex(theirs.cluster_id)));
  }
  return Status();
}

std::string peer_welcome(const PeerIdentity& ours) { return concat("+PEER ", identity_text(ours), "\r\n"); }

PeerIdentity own_identity(PeerRole role, const Settings& settings, Random& random) {
  PeerIdentity self;
  self.role = role;
  self.id = settings.text(Setting::name);
  while (self.incarnation == 0) self.incarnation = random.next();
  self.secret = settings.text(Setting::peer_secret);
  return self;
}

bool ToldRefusals::is_new(std::string_view peer, std::string_view why) {
  constexpr size_t kToldMax = 64;
  const auto known = told_.find(std::string(peer));
  if (known != told_.end() && known->second == why) return false;
  if (told_.size() >= kToldMax) told_.clear();
  told_[std::string(peer)] = why;
  return true;
}

std::optional<PeerIdentity> admit_peer(Transport& transport, Log& log, ToldRefusals& told, ConnId conn,
                                       std::span<const std::string> args, const PeerIdentity& ours, size_t peers,
                                       size_t peers_max) {
  const std::vector<std::string_view> words(args.begin(), args.end());
  Result<PeerIdentity> theirs = parse_peer_request(words);
  Status accepted = theirs.ok() ? accept_peer(ours, *theirs) : theirs.status();
  if (accepted.ok() && peers >= peers_max) accepted = refused(ErrorCode::resource_exhausted, "too many peers");
  std::string* out = transport.output(conn);
  if (out == nullptr) return std::nullopt;
  if (!accepted.ok()) {
    append_text(*out, "-", accepted.message(), "\r\n");
    const std::string address = transport.peer_name(conn);
    const std::string who = theirs.ok() ? concat(role_name(theirs->role), ' ', theirs->id) : host_of(address);
    if (told.is_new(who, accepted.message())) {
      log.warning(concat("refused ", who, " at ", address, ": ", accepted.message(), " (told once)"));
    }
    transport.close_after_flush(conn);
    return std::nullopt;
  }
  told.accepted(concat(role_name(theirs->role), ' ', theirs->id));
  return *std::move(theirs);
}

std::optional<PeerIdentity> answer_peer(Transport& transport, Log& log, ToldRefusals& told, ConnId conn,
                                        std::span<const std::string> args, const PeerIdentity& ours, size_t peers,
                                        size_t peers_max) {
  std::optional<PeerIdentity> theirs = admit_peer(transport, log, told, conn, args, ours, peers, peers_max);
  if (theirs) transport.output(conn)->append(peer_welcome(ours));
  return theirs;
}

bool consume_frames(Transport& transport, ConnId conn, const std::function<void(const protocol::Frame&)>& on_frame) {
  // One look at the input: what arrives later comes with a later event, so a turn cannot be kept here for ever.
  const std::string_view input = transport.input(conn);
  size_t taken = 0;
  for (;;) {
    protocol::Frame frame;
    const protocol::FrameState state = protocol::parse_frame(input.substr(taken), frame);
    if (state == protocol::FrameState::error) return false;
    if (state == protocol::FrameState::need_more) break;
    on_frame(frame);
    if (transport.output(conn) == nullptr) return true;  // closed by on_frame; its input is gone
    taken += frame.size;
  }
  if (taken > 0) transport.consume(conn, taken);
  return true;
}

Micros BackOff::next(Random& random) {
  bound_us_ = bound_us_ == 0 ? kBackOffFirst : std::min(bound_us_ * 2, most_us_);
  const Micros half = bound_us_ / 2;
  return half + static_cast<Micros>(random.below(static_cast<uint64_t>(half) + 1));
}

PeerLink::PeerLink(Transport& transport, Random& random, Address address)
    : transport_(transport),
      random_(random),
      address_(std::move(address)),
      back_off_(kBackOffMost),
      handshake_within_(kHandshakeFirst) {}

PeerLink::~PeerLink() {
  if (conn_ != kNoConn) transport_.close(conn_);
}

void PeerLink::set_address(Address address, Micros now) {
  if (address == address_) return;
  address_ = std::move(address);
  dial_anew(now);
}

void PeerLink::dial_anew(Micros now) {
  back_off_.reset();
  handshake_within_ = kHandshakeFirst;
  redial(std::move(address_), now);
}

void PeerLink::redial(Address address, Micros dial_at, Address via) {
  if (conn_ != kNoConn) transport_.close(conn_);
  conn_ = kNoConn;
  sent_late_ = 0;
  up_ = false;
  address_ = std::move(address);
  via_ = std::move(via);
  dial_at_ = dial_at;
  direct_at_ = kNever;
  give_up_at_ = kNever;
}

void PeerLink::tick(Micros now, const PeerIdentity& ours) {
  CHECK(ours.incarnation != 0, "a process draws its incarnation before it speaks to peers");
  if (patience_ > 0) listen_for_signs(now);
  if (now >= direct_at_) redial(address_, now);
  if (conn_ == kNoConn) {
    if (now < dial_at_) return;
    conn_ = transport_.connect(goes_round() ? via_ : address_);
    give_up_at_ = now + handshake_within_;
  } else if (!up_ && now >= give_up_at_) {
    fail(concat("no answer to the handshake within ", handshake_within_ / kMicrosPerMilli, " ms"), now, true);
    handshake_within_ = std::min(2 * handshake_within_, kHandshakeMax);
  }
}

void PeerLink::listen_for_signs(Micros now) {
  const Micros third = patience_ / 3;
  const Micros since_tick = ticked_at_ < 0 ? 0 : now - ticked_at_;
  ticked_at_ = now;
  if (heard_at_ < 0) heard_at_ = now;
  if (since_tick > patience_ / 2) {  // this process stood still
    heard_at_ = std::min(now, heard_at_ + since_tick);
    pinged_at_ = -1;
  }
  if (!up_) return;
  if (const uint64_t sent_late = transport_.sent_late(conn_); sent_late != sent_late_) {
    sent_late_ = sent_late;
    heard_at_ = now;
  }
  if (pinged_at_ <= heard_at_) {
    if (now - heard_at_ < third) return;
    send(protocol::FrameType::ping, protocol::Ping{});
    pinged_at_ = now;
  } else if (now - pinged_at_ >= patience_ - third) {
    fail(concat("it has been silent for ", (now - heard_at_) / kMicrosPerMilli, " ms"), now, true);
  }
}

Micros PeerLink::next_tick() const {
  const Micros next = conn_ == kNoConn ? dial_at_ : std::min(give_up_at_, direct_at_);
  return patience_ == 0 ? next : std::min(next, next_look());
}

// Also while there is nothing to do: a longer sleep could not be told from standing still.
Micros PeerLink::next_look() const {
  const Micros third = patience_ / 3;
  const Micros next = ticked_at_ + third;
  if (!up_) return next;
  return std::min(next, pinged_at_ <= heard_at_ ? heard_at_ + third : pinged_at_ + patience_ - third);
}

PeerLink::Change PeerLink::on_event(const NetEvent& event, Micros now, const PeerIdentity& ours) {
  CHECK(event.conn == conn_ && conn_ != kNoConn, "a link is given the events of its own connection");
  if (event.kind == NetEvent::Kind::input) heard_at_ = now;
  switch (event.kind) {
    case NetEvent::Kind::connected:
      if (std::string* out = transport_.output(conn_)) {
        out->append(peer_request(ours, goes_round() ? &address_ : nullptr));
      }
      return Change::none;
    case NetEvent::Kind::input:
      if (up_) return Change::none;
      shake_hands(now, ours);
      return up_ ? Change::up : Change::none;
    case NetEvent::Kind::closed: {
      const bool was_up = up_;
      fail(was_up ? "connection lost" : "connection refused", now);
      return was_up ? Change::down : Change::none;
    }
    case NetEvent::Kind::accepted:
    case NetEvent::Kind::drained:
      return Change::none;
  }
  return Change::none;
}

void PeerLink::shake_hands(Micros now, const PeerIdentity& ours) {
  const std::string_view input = transport_.input(conn_);
  const size_t end = input.substr(0, kWelcomeBytesMax).find("\r\n");
  if (end == std::string_view::npos) {
    if (input.size() >= kWelcomeBytesMax) fail("what answers there is not a peer", now);
    return;
  }
  Result<PeerIdentity> theirs = parse_welcome(input.substr(0, end));
  if (!theirs.ok()) return fail(std::string(theirs.status().message()), now);
  if (clusters_differ(ours, *theirs)) {
    return fail(concat("refused: it is of cluster ", hex(theirs->cluster_id), ", this is of ", hex(ours.cluster_id)),
                now);
  }
  transport_.consume(conn_, end + 2);
  theirs_ = *std::move(theirs);
  up_ = true;
  trouble_.clear();
  back_off_.reset();
  handshake_within_ = kHandshakeFirst;
  give_up_at_ = kNever;
  note_way(now);
}

// Each way round to the same end lasts twice as long as the one before: to look whether the direct way is open again
// costs a pause.
void PeerLink::note_way(Micros now) {
  const bool known = detour_.to == address_;
  if (goes_round()) {
    detour_ = {address_, known ? std::min(2 * detour_.lasts, kRoundLastsMost) : kRoundLasts};
    direct_at_ = now + detour_.lasts;
  } else if (known) {
    detour_ = {};
  }
}

bool PeerLink::frames(Micros now, const std::function<void(const protocol::Frame&)>& on_frame) {
  if (!up_) return true;
  if (consume_frames(transport_, conn_, on_frame)) return true;
  fail("the other end sent a malformed frame", now);
  return false;
}

void PeerLink::drop(Micros now) { fail("dropped", now); }

void PeerLink::fail(std::string trouble, Micros now, bool silent) {
  trouble_ = std::move(trouble);
  fell_silent_ = silent;
  failed_round_ = goes_round();
  redial(std::move(address_), now + back_off_.next(random_));
}

}  // namespace chainring::session
