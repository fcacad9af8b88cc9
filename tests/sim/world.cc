#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "base/text.h"

namespace chainring::sim {
namespace {

constexpr Micros kWorldBegins = 10 * kMicrosPerSecond;  // so that no clock reads zero
constexpr Millis kWallBegins = 1'700'000'000'000;
constexpr Micros kTurnDelayMost = 100;               // a scheduler's wake-up
constexpr Micros kDialAgain = 50 * kMicrosPerMilli;  // while a cut keeps a stream from coming up
constexpr Micros kBreakNoticedWithin = 100 * kMicrosPerMilli;
constexpr Micros kLateLeast = 100 * kMicrosPerMilli;
constexpr Micros kLateMost = 1500 * kMicrosPerMilli;
constexpr Micros kTurnTakesLeast = 20;  // where it takes any time
constexpr Micros kTurnTakesMost = 100;

}  // namespace

Result<uint16_t> SimTransport::listen(const Address&) {
  world_.hosts_[host_].listening = true;
  return world_.hosts_[host_].port;
}

ConnId SimTransport::connect(const Address& address) {
  const uint64_t stream = world_.next_stream_++;
  World::Stream& made = world_.streams_[stream];
  made.ends[0].host = host_;
  made.ends[0].life = life_;
  made.ends[0].open = true;
  const uint16_t port = address.port;
  world_.at(world_.now_ + world_.delay(),
            [&world = world_, stream, host = host_, life = life_, port] { world.dial(stream, host, life, port); });
  return World::conn_of(stream, 0);
}

std::string_view SimTransport::input(ConnId conn) const {
  const World::End* end = world_.end_of(conn, host_, life_);
  return end == nullptr ? std::string_view() : std::string_view(end->in).substr(end->taken);
}

void SimTransport::consume(ConnId conn, size_t bytes) {
  World::End* end = world_.end_of(conn, host_, life_);
  if (end == nullptr) return;
  CHECK(bytes <= end->in.size() - end->taken, "only what is there can be consumed");
  end->taken += bytes;
  if (end->taken == end->in.size()) {
    end->in.clear();
    end->taken = 0;
  }
}

std::string* SimTransport::output(ConnId conn) {
  World::End* end = world_.end_of(conn, host_, life_);
  if (end == nullptr || end->flushing) return nullptr;
  if (end->out.empty()) world_.hosts_[host_].written.push_back(conn / 2);
  return &end->out;
}

size_t SimTransport::unsent(ConnId conn) const {
  const World::End* end = world_.end_of(conn, host_, life_);
  return end == nullptr ? 0 : end->out.size();
}

void SimTransport::set_reading(ConnId conn, bool reading) {
  World::End* end = world_.end_of(conn, host_, life_);
  if (end == nullptr) return;
  end->reading = reading;
  if (!reading) return;
  end->in.append(end->unread);
  end->unread.clear();
  if (end->in.size() > end->taken) world_.event(host_, {NetEvent::Kind::input, conn});
}

void SimTransport::close(ConnId conn) {
  World::End* end = world_.end_of(conn, host_, life_);
  if (end == nullptr) return;
  end->open = false;
  end->out.clear();
  const uint64_t stream = conn / 2;
  const int other = static_cast<int>(1 - conn % 2);
  world_.at(world_.now_ + world_.delay(), [&world = world_, stream, other] { world.deliver_end(stream, other); });
}

void SimTransport::close_after_flush(ConnId conn) {
  if (World::End* end = world_.end_of(conn, host_, life_)) {
    end->flushing = true;
    end->reading = false;
    world_.hosts_[host_].written.push_back(conn / 2);
  }
}

std::string SimTransport::peer_name(ConnId conn) const {
  const auto at = world_.streams_.find(conn / 2);
  if (at == world_.streams_.end()) return {};
  const World::End& other = at->second.ends[1 - conn % 2];
  return concat(world_.hosts_[other.host].name, ":", conn);
}

void QuietLog::write(LogLevel level, std::string_view text) {
  if (level != LogLevel::debug) world_.say(name_, text);
}

World::World(uint64_t seed, bool verbose) : random_(seed), verbose_(verbose), now_(kWorldBegins) {}
World::~World() {
  for (Host& host : hosts_) host.process.reset();  // they close their streams
}

void World::say(std::string_view who, std::string_view what) const {
  if (!verbose_) return;
  std::printf("%10.3f ms %s: %.*s\n", static_cast<double>(now_ - kWorldBegins) / 1000.0, std::string(who).c_str(),
              static_cast<int>(what.size()), what.data());
}

HostId World::add_host(std::string name, uint16_t port, Factory factory, int32_t clock_ppm) {
  Host& host = hosts_.emplace_back();
  host.name = std::move(name);
  host.port = port;
  host.factory = std::move(factory);
  host.clock_ppm = clock_ppm;
  host.clock_set_at = now_;
  host.clock_then = now_ + static_cast<Micros>(hosts_.size()) * kMicrosPerMilli;  // no two agree
  return hosts_.size() - 1;
}

Now World::local_now(HostId id) const {
  const Host& host = hosts_[id];
  const Micros passed = now_ - host.clock_set_at;
  return {host.clock_then + passed + passed * host.clock_ppm / 1'000'000,
          kWallBegins + now_ / kMicrosPerMilli + host.wall_ahead};
}

void World::set_drift(HostId id, int32_t clock_ppm) {
  Host& host = hosts_[id];
  host.clock_then = local_now(id).mono;
  host.clock_set_at = now_;
  host.clock_ppm = clock_ppm;
}

void World::set_wall(HostId host, Millis ahead) { hosts_[host].wall_ahead = ahead; }

void World::start(HostId id) {
  Host& host = hosts_[id];
  CHECK(host.process == nullptr, "a host runs one process at a time");
  sweep();
  ++host.life;
  host.listening = false;
  host.paused_until = host.stall = 0;
  host.turn_scheduled = kNever;
  host.events.clear();
  host.written.clear();
  host.transport = std::make_unique<SimTransport>(*this, id, host.life);
  host.random = std::make_unique<SeededRandom>(random_.next());
  host.log = std::make_unique<QuietLog>(*this, host.name);
  host.process = host.factory(*host.transport, *host.random, *host.log);
  say(host.name, "starts");
  const Status started = host.process->start(local_now(id));
  CHECK(started.ok(), "a simulated process starts");
  if (after_start) after_start(id);
  schedule_turn(id, now_);
}

void World::kill(HostId id) {
  Host& host = hosts_[id];
  if (host.process == nullptr) return;
  say(host.name, "is killed");
  if (before_kill) before_kill(id);
  const uint64_t life = host.life;
  host.process.reset();
  host.listening = false;
  host.events.clear();
  for (auto& [stream, state] : streams_) {
    for (int side = 0; side < 2; ++side) {
      End& end = state.ends[side];
      if (end.host != id || end.life != life || !end.open) continue;
      end.open = false;
      const int other = 1 - side;
      at(now_ + delay(), [this, stream = stream, other] { deliver_end(stream, other); });
    }
  }
}

void World::request_stop(HostId id) {
  if (hosts_[id].process == nullptr) return;
  say(hosts_[id].name, "is asked to end");
  hosts_[id].process->request_stop(local_now(id));
  schedule_turn(id, now_);
}

void World::wake(HostId id) { schedule_turn(id, now_); }

void World::pause(HostId id, Micros length) {
  if (hosts_[id].process == nullptr) return;
  say(hosts_[id].name, concat("is paused for ", length / kMicrosPerMilli, " ms"));
  hosts_[id].paused_until = std::max(hosts_[id].paused_until, now_ + length);
  schedule_turn(id, hosts_[id].paused_until);
}

void World::stall(HostId id, Micros length) {
  if (hosts_[id].process == nullptr) return;
  say(hosts_[id].name, concat("stalls for ", length / kMicrosPerMilli, " ms in its next turn"));
  hosts_[id].stall = length;
}

void World::slow(HostId id, uint32_t factor) {
  say(hosts_[id].name, concat("is slowed by ", factor));
  hosts_[id].slowed = factor;
}

void World::cut(HostId from, HostId to, bool cut) {
  cuts_[{from, to}] = cut;
  if (verbose_) say(hosts_[from].name, concat(cut ? "is cut from " : "is joined again to ", hosts_[to].name));
  if (cut) return;
  std::vector<uint64_t> ids;
  for (const auto& [stream, state] : streams_) ids.push_back(stream);
  std::sort(ids.begin(), ids.end());
  for (const uint64_t stream : ids) {
    for (int side = 0; side < 2; ++side) {
      const auto at_stream = streams_.find(stream);
      if (at_stream == streams_.end()) break;
      if (at_stream->second.ends[side].host != to || at_stream->second.ends[1 - side].host != from) continue;
      for (std::string& bytes : std::exchange(at_stream->second.ends[side].stalled, {})) {
        deliver(stream, side, std::move(bytes));
      }
      if (std::exchange(at_stream->second.ends[side].end_stalled, false)) deliver_end(stream, side);
    }
  }
}

void World::heal_all() {
  const auto cuts = std::exchange(cuts_, {});
  for (const auto& [way, is] : cuts) {
    if (is) cut(way.first, way.second, false);
  }
}

bool World::is_cut(HostId from, HostId to) const {
  const auto at = cuts_.find({from, to});
  return at != cuts_.end() && at->second;
}

Micros World::delay() {
  // Mostly quick, now and then slow, as a busy machine is.
  const Micros most = random_.percent(2) ? faults_.delay_most * 10 : faults_.delay_most;
  return faults_.delay_least + static_cast<Micros>(random_.below(static_cast<uint64_t>(most)));
}

World::End* World::end_of(ConnId conn, HostId host, uint64_t life) {
  const auto at = streams_.find(conn / 2);
  if (at == streams_.end()) return nullptr;
  End& end = at->second.ends[conn % 2];
  return end.open && end.host == host && end.life == life ? &end : nullptr;
}

void World::dial(uint64_t stream, HostId from, uint64_t life, uint16_t port) {
  if (end_of(conn_of(stream, 0), from, life) == nullptr) return;  // given up
  const auto target = std::find_if(hosts_.begin(), hosts_.end(), [&](const Host& host) { return host.port == port; });
  CHECK(target != hosts_.end(), "every address of a simulated world has a host");
  const HostId to = static_cast<HostId>(target - hosts_.begin());
  if (is_cut(from, to) || is_cut(to, from)) {
    return at(now_ + kDialAgain, [=, this] { dial(stream, from, life, port); });
  }
  if (target->process == nullptr || !target->listening) return deliver_end(stream, 0);  // refused
  End& end = streams_[stream].ends[1];
  end.host = to;
  end.life = target->life;
  end.open = true;
  sweep();
  event(to, {NetEvent::Kind::accepted, conn_of(stream, 1)});
  event(from, {NetEvent::Kind::connected, conn_of(stream, 0)});
}

void World::send(uint64_t stream, int from_side, Micros leaves) {
  Stream& state = streams_[stream];
  End& from = state.ends[from_side];
  End& to = state.ends[1 - from_side];
  std::string bytes = std::exchange(from.out, {});
  if (bytes.size() > kOutputLowWater) event(from.host, {NetEvent::Kind::drained, conn_of(stream, from_side)});
  if (state.broken) return;
  if (faults_.breaks_per_100k + faults_.late_per_100k > 0) {
    const uint64_t chance = random_.below(100'000);
    if (chance < faults_.breaks_per_100k) return break_stream(stream);
    if (chance < faults_.breaks_per_100k + faults_.late_per_100k) {
      return come_late(stream, from_side, std::move(bytes));
    }
  }
  to.last_arrival = std::max(to.last_arrival + 1, leaves + delay());
  const int side = 1 - from_side;
  at(to.last_arrival,
     [this, stream, side, bytes = std::move(bytes)]() mutable { deliver(stream, side, std::move(bytes)); });
}

bool World::at_rest() const {
  const bool all_have_turns = std::all_of(hosts_.begin(), hosts_.end(), [this](const Host& host) {
    return host.process == nullptr || (host.stall == 0 && host.paused_until <= now_);
  });
  return all_have_turns && std::all_of(streams_.begin(), streams_.end(), [](const auto& stream) {
           const Stream& state = stream.second;
           return state.ends[0].open == state.ends[1].open && !(state.broken && state.ends[0].open);
         });
}

void World::break_stream(uint64_t stream) {
  counts_.add(Fault::stream_broken);
  streams_[stream].broken = true;
  for (int side = 0; side < 2; ++side) {
    at(now_ + static_cast<Micros>(random_.below(kBreakNoticedWithin)), [this, stream, side] {
      const auto state = streams_.find(stream);
      if (state == streams_.end() || !state->second.ends[side].open) return;
      state->second.ends[side].open = false;
      event(state->second.ends[side].host, {NetEvent::Kind::closed, conn_of(stream, side)});
    });
  }
}

// The sender loses the stream at once and will dial again; the receiver has its bytes, and the end, only later.
void World::come_late(uint64_t stream, int from_side, std::string bytes) {
  counts_.add(Fault::stream_late);
  Stream& state = streams_[stream];
  End& from = state.ends[from_side];
  End& to = state.ends[1 - from_side];
  from.open = false;
  event(from.host, {NetEvent::Kind::closed, conn_of(stream, from_side)});
  const Micros late = kLateLeast + static_cast<Micros>(random_.below(kLateMost - kLateLeast));
  to.last_arrival = std::max(to.last_arrival + 1, now_ + late);
  const int side = 1 - from_side;
  at(to.last_arrival,
     [this, stream, side, bytes = std::move(bytes)]() mutable { deliver(stream, side, std::move(bytes)); });
  at(to.last_arrival + 1, [this, stream, side] { deliver_end(stream, side); });
}

void World::deliver(uint64_t stream, int side, std::string bytes) {
  const auto at_stream = streams_.find(stream);
  if (at_stream == streams_.end()) return;
  End& end = at_stream->second.ends[side];
  if (!end.open || at_stream->second.broken || hosts_[end.host].life != end.life) return;
  if (is_cut(at_stream->second.ends[1 - side].host, end.host)) {
    end.stalled.push_back(std::move(bytes));
    return;
  }
  (end.reading ? end.in : end.unread).append(bytes);
  if (end.reading) event(end.host, {NetEvent::Kind::input, conn_of(stream, side)});
}

void World::deliver_end(uint64_t stream, int side) {
  const auto at_stream = streams_.find(stream);
  if (at_stream == streams_.end()) return;
  End& end = at_stream->second.ends[side];
  if (!end.open) return;
  const End& other = at_stream->second.ends[1 - side];
  if (other.life != 0 && is_cut(other.host, end.host)) {
    end.end_stalled = true;
    return;
  }
  if (now_ < end.last_arrival) {  // behind what was sent before
    return at(end.last_arrival + 1, [this, stream, side] { deliver_end(stream, side); });
  }
  end.open = false;
  if (hosts_[end.host].life == end.life) event(end.host, {NetEvent::Kind::closed, conn_of(stream, side)});
}

void World::event(HostId host, NetEvent happened) {
  if (hosts_[host].process == nullptr) return;
  hosts_[host].events.push_back(happened);
  schedule_turn(host, now_ + 1 + static_cast<Micros>(random_.below(kTurnDelayMost)));
}

void World::schedule_turn(HostId id, Micros time) {
  Host& host = hosts_[id];
  time = std::max(time, host.paused_until);
  if (host.turn_scheduled <= time && host.turn_scheduled >= now_) return;
  host.turn_scheduled = time;
  at(time, [this, id, life = host.life, time] {
    Host& owner = hosts_[id];
    if (owner.life != life || owner.turn_scheduled != time) return;
    owner.turn_scheduled = kNever;
    if (now_ < owner.paused_until) return schedule_turn(id, owner.paused_until);
    turn(id);
  });
}

void World::turn(HostId id) {
  Host& host = hosts_[id];
  if (host.process == nullptr) return;
  std::vector<NetEvent> events = std::exchange(host.events, {});
  std::erase_if(events, [&](const NetEvent& e) {
    // Streams that this process closed itself, or that ended behind an earlier event.
    return e.kind != NetEvent::Kind::closed && end_of(e.conn, id, host.life) == nullptr;
  });
  host.process->turn(local_now(id), events);
  const Micros leaves = now_ + cost_of_turn(id);
  send_written(id, leaves);
  host.paused_until = std::max(host.paused_until, leaves);
  if (after_turn) after_turn(id);
  if (host.process->finished()) {
    say(host.name, concat("ends: ", host.process->outcome().message()));
    if (on_end) on_end(id);
    kill(id);
    return;
  }
  schedule_wake(id);
}

Micros World::cost_of_turn(HostId id) {
  Host& host = hosts_[id];
  Micros cost = std::exchange(host.stall, 0);
  if (host.slowed > 1) {
    const Micros takes = kTurnTakesLeast + static_cast<Micros>(random_.below(kTurnTakesMost - kTurnTakesLeast));
    cost += takes * host.slowed;
  }
  return turn_cost ? cost + turn_cost(id) : cost;
}

void World::send_written(HostId id, Micros leaves) {
  Host& host = hosts_[id];
  std::vector<uint64_t> written = std::exchange(host.written, {});
  std::sort(written.begin(), written.end());
  written.erase(std::unique(written.begin(), written.end()), written.end());
  for (const uint64_t stream : written) {
    for (int side = 0; side < 2; ++side) {
      const auto state = streams_.find(stream);
      if (state == streams_.end()) break;
      End& end = state->second.ends[side];
      if (end.host != id || end.life != host.life || !end.open) continue;
      if (!end.out.empty()) send(stream, side, leaves);
      if (!end.flushing) continue;
      end.open = false;
      at(leaves + delay(), [this, stream, other = 1 - side] { deliver_end(stream, other); });
    }
  }
}

void World::sweep() {
  std::erase_if(streams_,
                [](const auto& stream) { return !stream.second.ends[0].open && !stream.second.ends[1].open; });
}

void World::schedule_wake(HostId id) {
  const Micros wake = hosts_[id].process->next_wake();
  if (wake == kNever) return;
  schedule_turn(id, now_ + std::max<Micros>(1, wake - local_now(id).mono));
}

void World::at(Micros time, std::function<void()> action) {
  actions_.push({std::max(time, now_), order_++, std::move(action)});
}

bool World::step() {
  if (actions_.empty()) return false;
  // priority_queue gives const access only; the action is moved out just before it is popped.
  Action action = std::move(const_cast<Action&>(actions_.top()));
  actions_.pop();
  now_ = action.time;
  action.run();
  return true;
}

void World::run_until(Micros time) {
  while (!actions_.empty() && actions_.top().time <= time) step();
  now_ = std::max(now_, time);
}

}  // namespace chainring::sim
