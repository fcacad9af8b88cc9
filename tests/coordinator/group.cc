#include "tests/coordinator/group.h"

#include <algorithm>

#include "base/text.h"
#include "protocol/resp.h"
#include "ring/table.h"

namespace chainring::coordinator {
namespace {

constexpr uint16_t kCoordinatorPorts = 7301, kNodePorts = 7401, kRouterPort = 7379;
constexpr uint16_t kMovedBy = 40;
constexpr Micros kHeartbeat = 100 * kMicrosPerMilli;
constexpr Micros kPatience = 200 * kMicrosPerMilli;
constexpr Micros kRouterPatience = 500 * kMicrosPerMilli;

session::PeerIdentity identity_of(session::PeerRole role, std::string name, Random& random) {
  return {0, role, std::move(name), random.next() | 1, "secret"};
}

}  // namespace

// ---- node -----------------------------------------------------------------------------------------------------------

FakeNode::FakeNode(std::string name, uint16_t port, const Settings& settings, Transport& transport, Random& random)
    : identity_(identity_of(session::PeerRole::node, std::move(name), random)),
      port_(port),
      link_(transport, random, log_, settings) {}

Status FakeNode::start(Now now) {
  now_ = now;
  heard_at_ = now.mono;
  link_.tick(now.mono, identity_);
  return {};
}

void FakeNode::turn(Now now, std::span<const NetEvent> events) {
  now_ = now;
  for (const NetEvent& event : events) {
    if (!link_.owns(event.conn)) continue;
    if (link_.on_event(event, now.mono, identity_) == session::PeerLink::Change::up) {
      heartbeat_at_ = heard_at_ = now.mono;
    }
    link_.frames(now.mono, [&](const protocol::Frame& frame) { on_frame(frame); });
  }
  link_.tick(now.mono, identity_);
  if (link_.up() && now.mono - heard_at_ > kPatience) {
    link_.suspect(now.mono);
    heard_at_ = now.mono;
  }
  if (now.mono >= heartbeat_at_) heartbeat();
}

Micros FakeNode::next_wake() const { return std::min(heartbeat_at_, link_.next_tick()); }

void FakeNode::heartbeat() {
  heartbeat_at_ = now_.mono + kHeartbeat;
  if (!link_.up()) return;
  link_.link().send(protocol::FrameType::heartbeat, protocol::Heartbeat{identity_.id,
                                                                        identity_.incarnation,
                                                                        "127.0.0.1",
                                                                        port_,
                                                                        identity_.id,
                                                                        "",
                                                                        100,
                                                                        now_.mono,
                                                                        table_.version(),
                                                                        false,
                                                                        {}});
  state_stops();
}

void FakeNode::state_stops() {
  if (mute || self_ == kNoMember) return;
  std::map<Epoch, protocol::Stopped> stops;
  for (const protocol::TableRange& range : table_.message().ranges) {
    if (range.next_epoch == 0 || !ring::names(range, self_)) continue;
    protocol::Stopped& stopped = stops[range.next_epoch];
    stopped.member = self_;
    stopped.epoch = range.next_epoch;
    stopped.runs.push_back({range.first, {applied_.begin() + range.first, applied_.begin() + range.last + 1}});
  }
  for (const auto& [epoch, stopped] : stops) link_.link().send(protocol::FrameType::stopped, stopped);
}

void FakeNode::on_frame(const protocol::Frame& frame) {
  heard_at_ = now_.mono;
  if (frame.type == protocol::FrameType::table && !mute) {
    const auto message = decode<protocol::TableMessage>(frame.payload);
    if (!message || message->version <= table_.version()) return;
    table_ = *ring::Table::from_message(*message);
    link_.of_generation(message->generation);
    link_.follow(message->coordinators, now_.mono);
    self_ = kNoMember;
    for (const protocol::TableMember& member : message->members) {
      if (member.incarnation == identity_.incarnation) self_ = member.id;
    }
    heartbeat();  // says at once what it obeys
  } else if (frame.type == protocol::FrameType::grant) {
    const auto grant = decode<protocol::Grant>(frame.payload);
    if (!grant || grant->member != self_) return;
    lease_until_ = std::max(lease_until_, grant->sent_at + grant->lease_us);
    ++grants_;
  } else if (frame.type == protocol::FrameType::level) {
    const auto level = decode<protocol::Level>(frame.payload);
    if (!level) return;
    for (const protocol::LevelItem& item : level->items) {
      levels_.push_back(item);
      if (on_level) on_level(item);
    }
  }
}

bool FakeNode::serves(Slot slot, Micros now) const {
  if (!table_.has_ranges() || !has_lease(now) || self_ == kNoMember) return false;
  const protocol::TableRange& range = table_.range(slot);
  return range.next_epoch == 0 && !range.chain.empty() && range.chain.front() == self_;
}

// ---- router ---------------------------------------------------------------------------------------------------------

FakeRouter::FakeRouter(uint16_t port, const Settings& settings, Transport& transport, Random& random)
    : identity_(identity_of(session::PeerRole::router, "r1", random)),
      port_(port),
      link_(transport, random, log_, settings) {}

Status FakeRouter::start(Now now) {
  now_ = now;
  link_.tick(now.mono, identity_);
  return {};
}

size_t FakeRouter::call(std::string_view line, uint64_t number_again) {
  Call& call = calls_.emplace_back();
  std::vector<std::string_view> args;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    args.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  protocol::append_request(call.command, args);
  const protocol::CommandSpec* spec = protocol::find_command(args);
  if (spec != nullptr && (spec->flags & protocol::kWrite) != 0) {
    call.number = number_again != 0 ? number_again : ++last_number_;
    call.flags = protocol::kRequestWrite;
  }
  return calls_.size() - 1;
}

void FakeRouter::turn(Now now, std::span<const NetEvent> events) {
  now_ = now;
  for (const NetEvent& event : events) {
    if (!link_.owns(event.conn)) continue;
    const ConnId before = link_.link().conn();
    if (link_.on_event(event, now.mono, identity_) == session::PeerLink::Change::up) subscribe_at_ = now.mono;
    link_.frames(now.mono, [&](const protocol::Frame& frame) {
      heard_at_ = now.mono;
      on_frame(frame);
    });
    if (link_.link().conn() != before) drop_ = true;
  }
  if (!link_.up()) heard_at_ = now.mono;
  if (now.mono - heard_at_ > kRouterPatience) link_.suspect(now.mono);
  if (std::exchange(drop_, false)) {
    for (Call& call : calls_) call.sent_as = 0;
  }
  link_.tick(now.mono, identity_);
  if (now.mono >= subscribe_at_) {
    subscribe_at_ = now.mono + kHeartbeat;
    link_.link().send(protocol::FrameType::subscribe, protocol::Subscribe{identity_.id, identity_.incarnation,
                                                                          "127.0.0.1", port_, table_.version, accused});
  }
  send_calls();
}

Micros FakeRouter::next_wake() const {
  return std::min({now_.mono + 5 * kMicrosPerMilli, subscribe_at_, link_.next_tick()});
}

void FakeRouter::send_calls() {
  if (!link_.up()) return;
  uint64_t answered_below = last_number_ + 1;
  for (const Call& call : calls_) {
    if (call.number != 0 && !call.reply) answered_below = std::min(answered_below, call.number);
  }
  for (Call& call : calls_) {
    const bool waiting = call.sent_as != 0 && now_.mono - call.sent_at < kPatience;
    if (call.reply || call.refused || waiting) continue;
    protocol::Request request;
    request.id = call.sent_as = ++last_request_;
    request.db = call.db;
    request.flags = call.flags;
    request.attempt = call.attempt = attempt_;
    request.number = call.number;
    request.answered_below = forget_answers ? 0 : answered_below;
    call.sent_at = now_.mono;
    ++call.tries;
    link_.link().send(protocol::FrameType::request, request, call.command);
  }
}

void FakeRouter::on_frame(const protocol::Frame& frame) {
  if (frame.type == protocol::FrameType::table) {
    if (const auto table = decode<protocol::TableMessage>(frame.payload)) table_ = *table;
    link_.of_generation(table_.generation);
    link_.follow(table_.coordinators, now_.mono);
    return;
  }
  if (frame.type != protocol::FrameType::reply) return;
  protocol::Reply reply;
  ByteReader reader(frame.payload);
  reader(reply);
  for (Call& call : calls_) {
    if (reader.failed() || call.sent_as != reply.id || call.reply) continue;
    switch (reply.status) {
      case protocol::ReplyStatus::done:
        call.reply = std::string(reader.rest());
        break;
      case protocol::ReplyStatus::expired:
        call.refused = reply.status;
        break;
      default:
        if (call.attempt == attempt_) ++attempt_;
        break;  // sent again when it has waited long enough
    }
  }
}

// ---- group ----------------------------------------------------------------------------------------------------------

Group::Group(const Options& options) : world(options.seed, false), options_(options) {
  for (size_t i = 0; i < options.coordinators; ++i) new_coordinator();
}

size_t Group::new_coordinator() {
  const size_t i = disks_.size();
  disks_.push_back(std::make_unique<testing::SimDisk>());
  ports_.push_back(static_cast<uint16_t>(kCoordinatorPorts + i));
  coordinators_.push_back(host_for(i));
  return i;
}

HostId Group::host_for(size_t i) {
  return world.add_host(
      name_of(i), ports_[i],
      [this, i](Transport& transport, Random& random, Log& log) {
        return std::make_unique<Coordinator>(settings_of(i), transport, *disks_[i], random, log);
      },
      static_cast<int32_t>(i) * 100 - 100);
}

void Group::move(size_t i) {
  ports_[i] = static_cast<uint16_t>(ports_[i] + kMovedBy);
  coordinators_[i] = host_for(i);
}

std::string Group::add_command(size_t i) const {
  return concat("RING COORDINATOR ADD ", name_of(i), " 127.0.0.1:", ports_[i]);
}

std::string Group::voters() {
  const Coordinator* leading = leader();
  if (leading == nullptr) return "no leader";
  std::string names;
  const std::vector<raft::ServerId>& voting = leading->replica()->configuration().voters;
  size_t listed_voters = 0;
  for (const ListedCoordinator& listed : leading->state().ring().coordinators().coordinators) {
    const bool votes = std::find(voting.begin(), voting.end(), listed.disk_id) != voting.end();
    listed_voters += votes ? 1 : 0;
    const bool both = votes && listed.standing == Standing::member;
    append_text(names, names.empty() ? "" : " ", both ? "" : "(", listed.name, both ? "" : ")");
  }
  for (size_t more = listed_voters; more < voting.size(); ++more) names.append(" (?)");
  return names;
}

// As nodes and the router are configured: with the founders.
Settings Group::founders() const {
  Settings settings(kNodeRole);
  std::string list;
  for (size_t i = 0; i < options_.coordinators; ++i) {
    append_text(list, i == 0 ? "" : ",", name_of(i), "=127.0.0.1:", kCoordinatorPorts + i);
  }
  const Status taken = settings.set(Setting::coordinators, list);
  CHECK(taken.ok(), "a test's settings are allowed");
  return settings;
}

Settings Group::settings_of(size_t i) const {
  Settings settings(kCoordinatorRole);
  std::string group;
  const auto list = [&](size_t c, uint16_t port) {
    append_text(group, group.empty() ? "" : ",", name_of(c), "=127.0.0.1:", port);
  };
  for (size_t c = 0; c < options_.coordinators; ++c) {
    list(c, c == i ? ports_[i] : static_cast<uint16_t>(kCoordinatorPorts + c));
  }
  if (i >= options_.coordinators) list(i, ports_[i]);
  const auto set = [&](Setting id, std::string_view value) {
    const Status taken = settings.set(id, value);
    CHECK(taken.ok(), "a test's settings are allowed");
  };
  set(Setting::name, name_of(i));
  set(Setting::port, std::to_string(ports_[i]));
  set(Setting::coordinators, group);
  set(Setting::peer_secret, "secret");
  set(Setting::initial_nodes, "3");
  for (const auto& [id, value] : options_.settings) set(id, value);
  return settings;
}

Coordinator* Group::leader() {
  Coordinator* found = nullptr;
  for (size_t i = 0; i < coordinators_.size(); ++i) {
    Coordinator* each = coordinator(i);
    if (each != nullptr && each->leads() && each->state().ring().founded() &&
        (found == nullptr || each->replica()->term() > found->replica()->term())) {
      found = each;
    }
  }
  return found;
}

size_t Group::leader_index() {
  const Coordinator* leading = leader();
  for (size_t i = 0; i < coordinators_.size(); ++i) {
    if (leading != nullptr && coordinator(i) == leading) return i;
  }
  check_failed(__FILE__, __LINE__, "leader", "the test has waited for one");
}

void Group::kill(size_t i) {
  world.kill(coordinators_[i]);
  disks_[i]->crash(world.random());
}

FakeNode& Group::node(const std::string& name) {
  if (!nodes_.contains(name)) {
    const auto port = static_cast<uint16_t>(kNodePorts + nodes_.size());
    nodes_[name] = world.add_host(
        name, port,
        [this, name, port](Transport& transport, Random& random, Log&) {
          auto made = std::make_unique<FakeNode>(name, port, founders(), transport, random);
          made->on_level = [this](const protocol::LevelItem& item) {
            for (const auto& [other, host] : nodes_) {
              auto* node = dynamic_cast<FakeNode*>(world.process(host));
              if (node != nullptr && node->self() == item.to && node->applied(item.slot) == item.after) {
                node->hold(item.slot, item.through);
              }
            }
          };
          return made;
        },
        0);
  }
  world.start(nodes_[name]);
  return running(name);
}

FakeRouter& Group::router() {
  if (!router_) {
    router_ = world.add_host(
        "r1", kRouterPort,
        [this](Transport& transport, Random& random, Log&) {
          return std::make_unique<FakeRouter>(kRouterPort, founders(), transport, random);
        },
        0);
    world.start(*router_);
  }
  return *dynamic_cast<FakeRouter*>(world.process(*router_));
}

bool Group::within(Micros time, const std::function<bool()>& condition) {
  const Micros until = world.now() + time;
  while (!condition()) {
    if (world.now() >= until) return false;
    world.run_until(std::min(until, world.now() + kMicrosPerMilli));
  }
  return true;
}

std::string Group::ask(std::string_view line) {
  FakeRouter& by = router();
  const size_t call = by.call(line);
  const bool answered = within(5 * kMicrosPerSecond, [&] { return by.calls(call).reply.has_value(); });
  return answered ? *by.calls(call).reply : std::string("no reply");
}

bool Group::all_served() {
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    size_t servers = 0;
    for (const auto& [name, host] : nodes_) {
      auto* node = dynamic_cast<FakeNode*>(world.process(host));
      if (node != nullptr && node->serves(static_cast<Slot>(slot), world.local_now(host).mono)) ++servers;
    }
    if (servers != 1) return false;
  }
  return true;
}

std::vector<std::string> Group::chain_of(Slot slot) {
  std::vector<std::string> chain;
  const Coordinator* leading = leader();
  if (leading == nullptr) return chain;
  for (const protocol::TableRange& range : leading->state().ring().ranges()) {
    if (slot < range.first || slot > range.last) continue;
    for (const MemberId id : range.chain) chain.push_back(leading->state().ring().member(id)->listed.name);
  }
  return chain;
}

}  // namespace chainring::coordinator
