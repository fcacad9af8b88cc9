#include "session/coordinator_link.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "protocol/messages.h"

namespace chainring::session {
namespace {

// About an election: by then the followers have noticed, too, and name another leader.
constexpr Micros kAvoidFailed = 300 * kMicrosPerMilli;
// Who says nothing may go on leading for all others.
constexpr Micros kAvoidSilent = kMicrosPerSecond;
// How long to stay with a coordinator that knows of no leader, before asking whether another one does; and with the
// first one after a leader that fell silent: it may be cut off, too.
constexpr Micros kLeaderlessPatience = 300 * kMicrosPerMilli;
constexpr Micros kFirstPatience = 100 * kMicrosPerMilli;
// A group that is back elects at once, and its leader counts as lapsed whom it has not heard of for a lease and a half:
// some dials have to fit into that.
constexpr Micros kBackOffMost = 120 * kMicrosPerMilli;

constexpr std::string_view kReplaced =
    " is of an earlier generation of the cluster and is not obeyed (told once): stop it, and do not start it again";

template <class Named>
std::vector<Address> addresses_of(const std::vector<Named>& coordinators) {
  std::vector<Address> addresses;
  for (const Named& one : coordinators) addresses.push_back({one.host, one.port});
  return addresses;
}

size_t random_start(Random& random, size_t count) {
  CHECK(count > 0, "there is a coordinator to dial");
  return random.below(count);
}

}  // namespace

CoordinatorLink::CoordinatorLink(Transport& transport, Random& random, Log& log, const Settings& settings)
    : random_(random),
      log_(log),
      configured_(addresses_of(settings.addresses(Setting::coordinators))),
      coordinators_(configured_),
      listed_(coordinators_.size()),
      current_(random_start(random, coordinators_.size())),
      link_(transport, random, coordinators_[current_]),
      back_off_(kBackOffMost) {}

void CoordinatorLink::follow(const std::vector<protocol::CoordinatorAddress>& coordinators, Micros now) {
  std::vector<Address> next = addresses_of(coordinators);
  if (next.empty()) return;
  listed_ = next.size();
  for (const Address& address : configured_) {
    if (std::find(next.begin(), next.end(), address) == next.end()) next.push_back(address);
  }
  if (next == coordinators_) return;
  coordinators_ = std::move(next);
  const auto place = std::find(coordinators_.begin(), coordinators_.end(), link_.address());
  const bool listed = place - coordinators_.begin() < static_cast<ptrdiff_t>(listed_);
  current_ = listed ? static_cast<size_t>(place - coordinators_.begin()) : 0;
  if (!listed && !leads_) dial(coordinators_[current_], now);
}

void CoordinatorLink::tick(Micros now, const PeerIdentity& ours) {
  if (now >= leaderless_until()) dial_next(now);
  const bool had_connection = link_.conn() != kNoConn;
  link_.tick(now, ours);
  if (had_connection && link_.conn() == kNoConn) lost(now);
}

Micros CoordinatorLink::next_tick() const { return std::min(link_.next_tick(), leaderless_until()); }

Micros CoordinatorLink::leaderless_until() const {
  if (leaderless_since_ == kNever) return kNever;
  return leaderless_since_ + (avoided_.silent && dials_ <= 1 ? kFirstPatience : kLeaderlessPatience);
}

PeerLink::Change CoordinatorLink::on_event(const NetEvent& event, Micros now, const PeerIdentity& ours) {
  const PeerLink::Change change = link_.on_event(event, now, ours);
  if (link_.conn() == kNoConn) lost(now);
  return change;
}

void CoordinatorLink::frames(Micros now, const std::function<void(const protocol::Frame&)>& on_frame) {
  const ConnId before = link_.conn();
  std::optional<protocol::NotLeader> told;
  bool replaced = false;
  const bool intact = link_.frames(now, [&](const protocol::Frame& frame) {
    replaced = replaced || is_replaced(frame);
    if (replaced) return;
    if (frame.type == protocol::FrameType::not_leader) {
      told = decode<protocol::NotLeader>(frame.payload).value_or(protocol::NotLeader{});
      return;
    }
    if (frame.type == protocol::FrameType::grant || frame.type == protocol::FrameType::table) {
      leads_ = true;
      dials_ = 0;
      back_off_.reset();
      leaderless_since_ = kNever;
    }
    on_frame(frame);
  });
  if (replaced) {
    const std::string at = concat(link_.address().host, ':', link_.address().port);
    if (told_refusals_.is_new(at, kReplaced)) log_.warning(concat("coordinator ", at, kReplaced));
  }
  if (!intact || replaced) return lost(now);
  const bool turned_away = link_.conn() != before;  // by on_frame
  if (told && !turned_away) redirect({told->host, told->port}, now, told->heard);
}

bool CoordinatorLink::is_replaced(const protocol::Frame& frame) const {
  if (frame.type != protocol::FrameType::grant) return false;
  const auto grant = decode<protocol::Grant>(frame.payload);
  return grant && grant->generation < generation_;
}

void CoordinatorLink::suspect(Micros now) {
  avoid(now, true, link_.goes_round());
  dial_next(now);
}

void CoordinatorLink::redirect(const Address& leader, Micros now, bool heard) {
  leads_ = false;
  if (leader == link_.address() && !link_.up()) return;  // it is on its way there already
  if (leader.host.empty() || leader == link_.address()) return leader_unknown(now);
  if (avoids(leader, now)) {
    const bool can_carry = heard && avoided_.silent && link_.up() && !link_.goes_round();
    return can_carry ? dial(leader, now, Address(link_.address())) : leader_unknown(now);
  }
  const auto place = std::find(coordinators_.begin(), coordinators_.end(), leader);
  if (place != coordinators_.end()) current_ = static_cast<size_t>(place - coordinators_.begin());
  dial(leader, now);
}

// The present coordinator learns of the next leader as soon as anybody, so the link stays for a while.
void CoordinatorLink::leader_unknown(Micros now) {
  if (leaderless_since_ == kNever) leaderless_since_ = now;
}

void CoordinatorLink::lost(Micros now) {
  const std::string at = concat(link_.address().host, ':', link_.address().port);
  if (link_.trouble().starts_with(kRefusedTrouble) && told_refusals_.is_new(at, link_.trouble())) {
    log_.warning(concat("coordinator ", at, " refuses this process (told once): ", link_.trouble()));
  }
  avoid(now, link_.fell_silent(), link_.failed_round());
  dial_next(now);
}

void CoordinatorLink::avoid(Micros now, bool silent, bool round) {
  if (round) return;  // nobody knows which of the two failed
  avoided_ = {link_.address(), now + (silent ? kAvoidSilent : kAvoidFailed), silent, false};
}

bool CoordinatorLink::avoids(const Address& address, Micros now) const {
  // After all were dialled in vain, who hung up last is as good as any.
  const bool any_will_do = !avoided_.silent && dials_ > coordinators_.size();
  return address == avoided_.address && now < avoided_.until && !any_will_do;
}

void CoordinatorLink::dial_next(Micros now) {
  const size_t known = dials_ <= listed_ ? listed_ : coordinators_.size();
  current_ = (current_ + 1) % known;
  const bool skips = known > 2 && avoids(coordinators_[current_], now) && !std::exchange(avoided_.skipped, true);
  if (skips) current_ = (current_ + 1) % known;
  dial(coordinators_[current_], now);
}

void CoordinatorLink::dial(const Address& address, Micros now, const Address& via) {
  leads_ = false;
  leaderless_since_ = kNever;
  ++dials_;
  const Micros wait = dials_ <= coordinators_.size() ? 0 : back_off_.next(random_);
  link_.redial(address, now + wait, via);
}

}  // namespace chainring::session
