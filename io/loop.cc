#include "io/loop.h"

#include <event2/event.h>

#include <algorithm>
#include <csignal>

#include "io/real_clock.h"

namespace chainring::io {
namespace {

constexpr size_t kHttpInputBytesMax = size_t{4} * 1024 * 1024;
constexpr Micros kWaitMax = 3600 * kMicrosPerSecond;  // also of a loop with nothing to wait for

event_base* make_base() {
  event_config* config = event_config_new();
  CHECK(config != nullptr, "libevent has memory at the start");
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_base* base = event_base_new_with_config(config);
  event_config_free(config);
  CHECK(base != nullptr, "libevent finds epoll on Linux");
  return base;
}

}  // namespace

void Loop::BaseDeleter::operator()(event_base* base) const { event_base_free(base); }

Loop::HttpSide::HttpSide(event_base* base, Log& log, HttpServer::Pages pages)
    : network(base, log, {.input_bytes_max = kHttpInputBytesMax}), server(network, std::move(pages)) {}

Loop::Loop(Log& log, const NetworkOptions& options)
    : base_(make_base()),
      log_(log),
      network_(std::make_unique<Network>(base_.get(), log, options)),
      wake_(evtimer_new(base_.get(), &Loop::on_wake, this)) {
  CHECK(wake_ != nullptr, "libevent has memory at the start");
}

Loop::~Loop() = default;

Result<uint16_t> Loop::serve_http(const Address& address, HttpServer::Pages pages) {
  CHECK(http_ == nullptr, "HTTP is served at one address");
  http_ = std::make_unique<HttpSide>(base_.get(), log_, std::move(pages));
  return http_->network.listen(address);
}

void Loop::watch_signals() {
  std::signal(SIGPIPE, SIG_IGN);  // a log that is piped into a program that ended
  for (const int number : {SIGTERM, SIGINT}) {
    signals_.emplace_back(evsignal_new(base_.get(), number, &Loop::on_signal, this));
    CHECK(signals_.back() != nullptr && event_add(signals_.back().get(), nullptr) == 0, "signals are watched once");
  }
}

Status Loop::run(Process& process) {
  if (Status started = process.start(read_clocks()); !started.ok()) return started;
  network_->finish_turn();
  while (!process.finished()) {
    turn(process);
    if (stop_signals_ > 1) {
      return Status(ErrorCode::outcome_unknown, "a second signal ended the process before its orderly stop was done");
    }
  }
  return process.outcome();
}

void Loop::turn(Process& process, Micros wait_max) {
  Micros deadline = std::min(process.next_wake(), network_->next_deadline());
  if (http_) deadline = std::min({deadline, http_->network.next_deadline(), http_->server.next_tick()});
  wait(deadline, wait_max);

  const Now now = read_clocks();
  const std::span<const NetEvent> events = network_->begin_turn(now.mono);
  if (stop_signals_ > 0 && !stop_requested_) {
    stop_requested_ = true;
    process.request_stop(now);
  }
  if (!events.empty() || now.mono >= process.next_wake()) process.turn(now, events);
  network_->finish_turn();
  if (http_) turn_http(now);
}

void Loop::turn_http(Now now) {
  const bool due = now.mono >= std::min(http_->network.next_deadline(), http_->server.next_tick());
  if (!due && !http_->network.has_events()) return;
  http_->server.turn(now, http_->network.begin_turn(now.mono));
  http_->network.finish_turn();
}

void Loop::wait(Micros deadline, Micros wait_max) {
  const Micros now = read_mono();
  deadline = std::min(deadline, now + std::min(wait_max, kWaitMax));
  int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
  if (network_->has_events() || deadline <= now) {
    flags |= EVLOOP_NONBLOCK;
  } else {
    arm_wake(now, deadline);
  }
  event_base_loop(base_.get(), flags);
}

// A timer that is due too early costs an empty turn of the loop; moving it in every turn would cost more.
void Loop::arm_wake(Micros now, Micros deadline) {
  if (deadline >= armed_for_) return;
  armed_for_ = deadline;
  const Micros delay = deadline - now;
  const timeval relative{delay / kMicrosPerSecond, delay % kMicrosPerSecond};
  event_add(wake_.get(), &relative);
}

void Loop::on_wake(int, short, void* loop) { static_cast<Loop*>(loop)->armed_for_ = kNever; }

void Loop::on_signal(int, short, void* loop) { ++static_cast<Loop*>(loop)->stop_signals_; }

}  // namespace chainring::io
