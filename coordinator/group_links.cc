#include "coordinator/group_links.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace chainring::coordinator {
namespace {

// What waits for a coordinator that does not read; beyond it messages are dropped.
constexpr size_t kUnsentBytesMax = size_t{64} << 20;
constexpr size_t kPlacesMax = 8;  // of one coordinator

void append_place(std::vector<Address>& places, const Address& place) {
  if (place.host.empty() || std::find(places.begin(), places.end(), place) != places.end()) return;
  places.push_back(place);
}

}  // namespace

GroupLinks::GroupLinks(Transport& transport, Random& random, std::vector<Settings::NamedAddress> configured,
                       Micros probe_us)
    : transport_(transport), random_(random), configured_(std::move(configured)), probe_us_(probe_us) {
  for (const Settings::NamedAddress& address : configured_) {
    others_.push_back(make(address.name, {address.host, address.port}));
  }
}

std::unique_ptr<GroupLinks::Other> GroupLinks::make(std::string name, const Address& place) const {
  auto other = std::make_unique<Other>();
  other->name = std::move(name);
  other->places = {place};
  other->link = std::make_unique<session::PeerLink>(transport_, random_, place);
  return other;
}

std::vector<Address> GroupLinks::places_of(const ListedCoordinator& listed, const Address& announced) const {
  std::vector<Address> places;
  append_place(places, announced);
  append_place(places, {listed.host, listed.port});
  for (const Settings::NamedAddress& address : configured_) {
    if (address.name == listed.name) append_place(places, {address.host, address.port});
  }
  return places;
}

// The link that there is to it, if there is one.
std::unique_ptr<GroupLinks::Other> GroupLinks::take(const ListedCoordinator& listed) {
  const auto is_it = [&](const std::unique_ptr<Other>& other) {
    return other != nullptr && other->name == listed.name && other->server == listed.disk_id;
  };
  const auto at = std::find_if(others_.begin(), others_.end(), is_it);
  if (at != others_.end()) return std::move(*at);
  return is_it(sought_) ? std::move(sought_) : nullptr;
}

void GroupLinks::follow(const Roster& roster, raft::ServerId self, Micros now) {
  follows_roster_ = true;
  Others next;
  for (const ListedCoordinator& listed : roster.coordinators) {
    if (listed.disk_id == self) continue;
    std::unique_ptr<Other> other = take(listed);
    std::vector<Address> places = places_of(listed, other == nullptr ? Address() : other->announced);
    if (places.empty()) continue;  // it has to announce itself first
    if (other == nullptr) other = make(listed.name, places.front());
    other->server = listed.disk_id;
    other->places = std::move(places);
    const bool well_placed =
        std::find(other->places.begin(), other->places.end(), other->link->address()) != other->places.end();
    if (!well_placed) other->link->set_address(other->places.front(), now);
    next.push_back(std::move(other));
  }
  others_ = std::move(next);
}

void GroupLinks::seek(const Settings::NamedAddress& whom, Micros now) {
  sought_ = make(whom.name, {whom.host, whom.port});
  sought_->probe_at = now;
}

const GroupLinks::Other* GroupLinks::find(raft::ServerId server) const {
  const auto at =
      std::find_if(others_.begin(), others_.end(), [&](const auto& other) { return other->server == server; });
  return at == others_.end() ? nullptr : at->get();
}

// Whether the probe is of who is linked: by its disk once the group is known; before that by its name, and its disk is
// what it says.
bool GroupLinks::is_of(const protocol::Probe& probe, const Other& other) const {
  return other.name == probe.name && (!follows_roster_ || other.server == probe.disk_id);
}

void GroupLinks::heard(const protocol::Probe& probe, Micros now) {
  if (probe.disk_id == 0) return;
  for (const auto& other : others_) {
    if (is_of(probe, *other)) take_in(*other, probe, now);
  }
  if (sought_ != nullptr && sought_->name == probe.name) take_in(*sought_, probe, now);
}

void GroupLinks::take_in(Other& other, const protocol::Probe& probe, Micros now) {
  // It began anew, or has not heard of us: it wants to know.
  if (!probe.founded && other.founded) other.probe_at = now;
  other.server = probe.disk_id;
  other.founded = probe.founded;
  other.heard_at = now;
  if (probe.host.empty()) return;
  other.announced = {probe.host, probe.port};
  append_place(other.places, other.announced);
  if (other.places.size() > kPlacesMax) other.places.erase(other.places.begin());
  if (!other.link->up()) other.link->set_address(other.announced, now);
}

void GroupLinks::heard(const raft::Message& message, Micros now) {
  for (const auto& other : others_) {
    if (other->server != message.from) continue;
    other->heard_at = now;
    if (message.type == raft::MessageType::append_reply && !message.refused) {
      other->matched = std::max(other->matched, message.index);
    }
  }
}

void GroupLinks::say(Other& other, const protocol::Probe& probe, Micros now) {
  other.link->send(protocol::FrameType::probe, probe);
  other.probe_at = now + probe_us_;
}

// After a dial in vain: the wait before the next one stays as it is.
void GroupLinks::try_elsewhere(Other& other) const {
  if (other.places.size() < 2) return;
  const auto at = std::find(other.places.begin(), other.places.end(), other.link->address());
  const auto next = at == other.places.end() || at + 1 == other.places.end() ? other.places.begin() : at + 1;
  other.link->redial(*next, other.link->next_tick());
}

void GroupLinks::tick(Other& other, Micros now, const session::PeerIdentity& ours, const protocol::Probe& probe) {
  const bool had_connection = other.link->conn() != kNoConn;
  other.link->tick(now, ours);
  if (had_connection && other.link->conn() == kNoConn) try_elsewhere(other);
  const bool both_founded = probe.founded && other.founded;
  if (other.link->up() && !both_founded && now >= other.probe_at) say(other, probe, now);
}

void GroupLinks::tick(Micros now, const session::PeerIdentity& ours, const protocol::Probe& probe) {
  for (const auto& other : others_) tick(*other, now, ours, probe);
  if (sought_ != nullptr) tick(*sought_, now, ours, probe);
}

Micros GroupLinks::next_tick(bool founded) const {
  Micros next = kNever;
  const auto look_at = [&](const Other& other) {
    next = std::min(next, other.link->next_tick());
    if (other.link->up() && !(founded && other.founded)) next = std::min(next, other.probe_at);
  };
  for (const auto& other : others_) look_at(*other);
  if (sought_ != nullptr) look_at(*sought_);
  return next;
}

GroupLinks::Other* GroupLinks::owner_of(ConnId conn) const {
  if (conn == kNoConn) return nullptr;
  const auto at =
      std::find_if(others_.begin(), others_.end(), [&](const auto& other) { return other->link->conn() == conn; });
  if (at != others_.end()) return at->get();
  return sought_ != nullptr && sought_->link->conn() == conn ? sought_.get() : nullptr;
}

bool GroupLinks::owns(ConnId conn) const { return owner_of(conn) != nullptr; }

void GroupLinks::on_event(const NetEvent& event, Micros now, const session::PeerIdentity& ours,
                          const protocol::Probe& probe, const OnProbe& on_probe) {
  Other& other = *owner_of(event.conn);
  if (other.link->on_event(event, now, ours) == session::PeerLink::Change::up) {
    const session::PeerIdentity& theirs = other.link->theirs();
    const bool is_it = theirs.role == session::PeerRole::coordinator && theirs.id == other.name;
    other.trouble =
        is_it ? std::string() : concat("at its address is ", session::role_name(theirs.role), " ", theirs.id);
    if (is_it) {
      say(other, probe, now);
    } else {
      other.link->drop(now);
    }
  }
  if (other.link->conn() == kNoConn) return try_elsewhere(other);
  other.link->frames(now, [&](const protocol::Frame& frame) {
    if (frame.type != protocol::FrameType::probe) return;
    const auto answer = decode<protocol::Probe>(frame.payload);
    if (!answer || answer->name != other.name) return;
    other.founded = answer->founded;  // also of another disk than the roster's: it need not be told again
    on_probe(*answer);
  });
}

void GroupLinks::send(const raft::Message& message, Transport& transport) {
  for (const auto& other : others_) {
    if (other->server != message.to || !other->link->up()) continue;
    if (transport.unsent(other->link->conn()) <= kUnsentBytesMax) {
      other->link->send(protocol::FrameType::raft, message);
    }
    return;
  }
}

}  // namespace chainring::coordinator
