#include "cli/reshard.h"

#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "cli/control_socket.h"
#include "cli/interrupt.h"
#include "cli/progress_display.h"
#include "cli/reshard_text.h"
#include "cli/ring_connection.h"
#include "cli/up_report.h"
#include "io/real_clock.h"

namespace chainring::cli {
namespace {

constexpr uint16_t kDefaultPort = 7379;
constexpr Millis kUpTimeout = 5000;
constexpr Micros kAskEvery = kMicrosPerSecond / 4;
constexpr Micros kSendFor = 30 * kMicrosPerSecond;     // while there is no leader
constexpr Micros kSilenceMax = 60 * kMicrosPerSecond;  // while watching
constexpr Micros kRegisterTimeout = 30 * kMicrosPerSecond;
constexpr Micros kStopTimeout = 20 * kMicrosPerSecond;

void print(std::string_view text) {
  std::fputs(std::string(text).c_str(), stdout);
  std::fflush(stdout);
}

void tell(std::string_view text) { std::fputs(concat("chainring reshard: ", text, '\n').c_str(), stderr); }

int fail(std::string_view text) {
  tell(text);
  return kFailed;
}

bool contains(const auto& list, const auto& item) { return std::find(list.begin(), list.end(), item) != list.end(); }

// The cluster that `chainring up` runs in the directory, if that is the one which is meant.
std::optional<UpReport> find_up(const ReshardCommand& command) {
  Result<RedisClient> up = ControlSocket::connect(command.directory, kUpTimeout);
  if (!up) return std::nullopt;
  const auto answer = up->command({"CLUSTER"});
  if (!answer) return std::nullopt;
  Result<UpReport> report = parse_up(answer->text);
  if (!report || report->routers.empty()) return std::nullopt;
  if (command.host && *command.host != report->host) return std::nullopt;
  if (command.port && !contains(report->routers, *command.port) && !contains(report->coordinators, *command.port)) {
    return std::nullopt;
  }
  return *std::move(report);
}

RedisEndpoint endpoint_of(const ReshardCommand& command, const std::optional<UpReport>& up) {
  const std::string host = up ? up->host : command.host.value_or("127.0.0.1");
  const auto port = up ? static_cast<uint16_t>(up->routers.front()) : kDefaultPort;
  return {host, command.port.value_or(port), command.password};
}

std::string outcome_text(const RingChange& change) {
  switch (change.kind) {
    case RingChange::Kind::add:
      return concat(change.name, " is in the ring");
    case RingChange::Kind::remove:
      return concat(change.name, " is out of the ring");
    case RingChange::Kind::weight:
      return concat(change.name, " has the weight ", change.number);
    case RingChange::Kind::copies:
      break;
  }
  return concat("the ring keeps ", change.number, change.number == 1 ? " copy" : " copies", " of each slot");
}

class Reshard {
 public:
  explicit Reshard(const ReshardCommand& command)
      : command_(command), up_(find_up(command)), ring_(endpoint_of(command, up_)) {}

  int run() {
    switch (command_.verb) {
      case ReshardCommand::Verb::change:
        return change(*command_.change);
      case ReshardCommand::Verb::plan:
        return plan();
      case ReshardCommand::Verb::pause:
        return tell_ring("PAUSE", "paused: nothing more moves until `chainring reshard resume`");
      case ReshardCommand::Verb::resume:
        return tell_ring("RESUME", "moves go on; `chainring reshard status --watch` shows them");
      case ReshardCommand::Verb::cancel:
        return cancel();
      case ReshardCommand::Verb::status:
        break;
    }
    return status();
  }

 private:
  // How watching a change came to an end.
  enum class End { idle, ended, unseen, interrupted, silent, failed };

  int change(RingChange change) {
    if (change.kind == RingChange::Kind::add && change.name.empty()) {
      const int named = name_new_node(change);
      if (named != kDone) return named;
    }
    const bool stops = change.kind == RingChange::Kind::remove && up_ && contains(up_->nodes, change.name);
    if (Status sent = send(change); !sent.ok()) {
      const bool idle = stops && sent.code() == ErrorCode::invalid_argument && is_idle(change.name);
      if (!idle) return fail_asking(sent);  // else there is nothing to move, and it may go at once
      if (Status retired = retire(change.name); !retired.ok()) return fail(retired.message());
      return await_stop(change.name);
    }
    if (stops) {
      if (Status retired = retire(change.name); !retired.ok()) tell(retired.message());
    }
    if (command_.no_wait) {
      print(concat(change.text(), " has begun; `chainring reshard status --watch` shows how far it is\n"));
      return kDone;
    }
    return finish(change, stops);
  }

  int finish(const RingChange& change, bool stops) {
    ChangeWatch watch(change, io::read_mono());
    const Micros begun = io::read_mono();
    switch (follow(change.text(), &watch)) {
      case End::ended:
      case End::idle:
        break;
      case End::unseen:
        return fail(concat(change.text(), " was accepted, but nothing of it is seen; see `chainring status`"));
      default:
        return kFailed;  // told already
    }
    const Result<bool> done = in_effect(change);
    if (!done) return fail_asking(done.status());
    if (!*done) {
      return fail(
          concat(change.text(), " was taken back, or gave way to another change; see `chainring reshard status`"));
    }
    print(concat(outcome_text(change), ": ", last_.slots_total, " slots changed, ", bytes_text(last_.bytes_copied),
                 " copied in ", duration_text(io::read_mono() - begun), '\n'));
    if (stops) return await_stop(change.name);
    if (change.kind == RingChange::Kind::remove) print("its process may be stopped now\n");
    return kDone;
  }

  // ---- nodes of `chainring up` -------------------------------------------------------------------------------------

  // One that `up` runs and that waits for it, or else one more.
  int name_new_node(RingChange& change) {
    if (!up_) {
      tell(
          concat("which node? Give the NAME of one that has registered (`chainring status` lists them), or --dir, the "
                 "directory of a running `chainring up`, which starts one more; none that serves ",
                 ring_.where(), " runs in ", command_.directory));
      return kUsedWrongly;
    }
    const Result<StatusReport> report = ring_.status();
    if (!report) return fail_asking(report.status());
    change.name = idle_node(*report, up_->nodes);
    if (!change.name.empty()) return kDone;
    const Result<std::string> added = ask_up({"NODE", "ADD"});
    if (!added) return fail(added.status().message());
    change.name = *added;
    return await_registered(change.name);
  }

  int await_registered(const std::string& name) {
    tell(concat("`chainring up` has started ", name, "; waiting until it has registered"));
    const Micros end = io::read_mono() + kRegisterTimeout;
    while (!is_idle(name)) {
      if (io::read_mono() > end) {
        return fail(concat(name, " did not register within ", duration_text(kRegisterTimeout), "; its log is ",
                           command_.directory, '/', name, "/log"));
      }
      if (!interrupts_.wait(kAskEvery)) return fail(concat(name, " runs, and was not added"));
    }
    return kDone;
  }

  bool is_idle(const std::string& name) {
    const Result<StatusReport> report = ring_.status();
    return report && idle_node(*report, {name}) == name;
  }

  int await_stop(const std::string& name) {
    const Micros end = io::read_mono() + kStopTimeout;
    for (;;) {
      const Result<std::string> answer = ask_up({"CLUSTER"});
      const Result<UpReport> report = answer ? parse_up(*answer) : Result<UpReport>(answer.status());
      if (report && !contains(report->nodes, name)) {
        print(concat(name, " was stopped; the next `chainring up` here is without it\n"));
        return kDone;
      }
      if (io::read_mono() > end)
        return fail(concat(name, " is out of the ring, but `chainring up` has not stopped it"));
      if (!interrupts_.wait(kAskEvery)) return fail(concat("`chainring up` stops ", name, " when it can"));
    }
  }

  Status retire(const std::string& name) { return ask_up({"NODE", "RETIRE", name}).status(); }

  Result<std::string> ask_up(const std::vector<std::string>& words) {
    Result<RedisClient> client = ControlSocket::connect(command_.directory, kUpTimeout);
    const auto reply = client ? client->command(words) : Result<RedisReply>(client.status());
    if (reply) return reply->text;
    return Status(reply.status().code(), concat("`chainring up` says: ", plain(reply.status().message())));
  }

  // ---- the ring ----------------------------------------------------------------------------------------------------

  // Sends the change until it is known to have been taken or refused, and never twice without having looked.
  Status send(const RingChange& change) {
    const Micros end = io::read_mono() + kSendFor;
    bool maybe_taken = false;
    for (;;) {
      Status status;
      if (maybe_taken) {
        const Result<bool> taken = was_taken(change);
        if (taken && *taken) return {};
        if (taken) maybe_taken = false;
        status = taken.status();
      }
      if (!maybe_taken) {
        status = ring_.ask(change.words()).status();
        if (status.ok() || status.code() == ErrorCode::invalid_argument) return status;
        maybe_taken = status.code() == ErrorCode::outcome_unknown;
      }
      if (io::read_mono() > end || !interrupts_.wait(kAskEvery)) return status;
    }
  }

  Result<bool> was_taken(const RingChange& change) {
    const Result<ReshardReport> report = ring_.reshard();
    if (!report) return report.status();
    if (is_under_way(change, *report)) return true;
    return in_effect(change);
  }

  Result<bool> in_effect(const RingChange& change) {
    const Result<StatusReport> report = ring_.status();
    if (!report) return report.status();
    return is_in_effect(change, *report);
  }

  // Shows how far it is until nothing moves, or with a watch until its change has ended.
  End follow(const std::string& label, ChangeWatch* watch) {
    ProgressDisplay display;
    RateMeter meter;
    Micros heard_at = io::read_mono();
    do {
      const Result<ReshardReport> report = ring_.reshard();
      const Micros now = io::read_mono();
      if (!report) {
        if (report.status().code() == ErrorCode::invalid_argument) return tell_end(display, report.status().message());
        if (now - heard_at > kSilenceMax) return tell_silence(display);
        display.show(concat(label, "  no answer (", plain(report.status().message()), "); asking again"), now);
        continue;
      }
      heard_at = now;
      if (watch == nullptr ? report->idle() : !is_under_way(watch->change(), *report)) {
        if (watch == nullptr) return End::idle;
        const auto asked = [&] {
          const Result<bool> done = in_effect(watch->change());
          return done && *done;
        };
        const ChangeWatch::Verdict verdict = watch->judge(*report, now, asked);
        if (verdict == ChangeWatch::Verdict::ended) return End::ended;
        if (verdict == ChangeWatch::Verdict::unseen) return End::unseen;
        continue;
      }
      last_ = *report;
      meter.add(*report, now);
      display.show(progress_line(label.empty() ? report->change : label, *report, meter), now);
    } while (interrupts_.wait(kAskEvery));
    return tell_end(display,
                    "the change goes on without this command: `chainring reshard status --watch` shows it again, "
                    "`pause` stops it for a while, `cancel` undoes it",
                    End::interrupted);
  }

  static End tell_end(ProgressDisplay& display, std::string_view message, End end = End::failed) {
    display.end();
    tell(plain(message));
    return end;
  }

  End tell_silence(ProgressDisplay& display) const {
    return tell_end(
        display,
        concat("no answer from ", ring_.where(), " for ", duration_text(kSilenceMax),
               "; the change goes on as soon as the coordinators do: see `chainring reshard status --watch`"),
        End::silent);
  }

  int fail_asking(const Status& status) const {
    const bool there = status.code() == ErrorCode::invalid_argument;
    return fail(there ? std::string(plain(status.message()))
                      : concat(ring_.where(), ": ", plain(status.message()),
                               "\ngive a router or a coordinator of a running cluster with --host and --port"));
  }

  int tell_ring(const std::string& word, std::string_view done) {
    const Result<std::string> answer = ring_.ask({word});
    if (!answer) return fail_asking(answer.status());
    print(concat(done, '\n'));
    return kDone;
  }

  int cancel() {
    const Result<ReshardReport> before = ring_.reshard();
    if (!before) return fail_asking(before.status());
    if (before->idle()) return fail("there is no change under way");
    const Result<std::string> answer = ring_.ask({"CANCEL"});
    if (!answer) return fail_asking(answer.status());
    if (!command_.no_wait && follow(concat("undoing ", before->change), nullptr) != End::idle) return kFailed;
    print(concat(before->change, command_.no_wait ? " is being undone\n" : " was undone\n"));
    return kDone;
  }

  int plan() {
    std::vector<std::string> words{"PLAN"};
    if (command_.change) {
      for (const std::string& word : command_.change->words()) words.push_back(word);
    }
    const Result<std::string> json = ring_.ask(words);
    if (!json) return fail_asking(json.status());
    if (command_.json) return print(concat(*json, '\n')), kDone;
    const Result<PlanReport> plan = parse_plan(*json);
    if (!plan) return fail(plan.status().message());
    print(to_text(*plan));
    return kDone;
  }

  int status() {
    if (command_.watch) {
      const End end = follow("", nullptr);
      if (end == End::idle) print("nothing moves\n");
      return end == End::idle || end == End::interrupted ? kDone : kFailed;
    }
    const Result<std::string> json = ring_.ask({"RESHARD"});
    if (!json) return fail_asking(json.status());
    if (command_.json) return print(concat(*json, '\n')), kDone;
    const Result<ReshardReport> report = parse_reshard(*json);
    if (!report) return fail(report.status().message());
    print(concat(reshard_text(*report), '\n'));
    return kDone;
  }

  const ReshardCommand& command_;
  Interrupts interrupts_;
  const std::optional<UpReport> up_;
  RingConnection ring_;
  ReshardReport last_;  // of the change while it was under way
};

}  // namespace

int run_reshard(const ReshardCommand& command) { return Reshard(command).run(); }

}  // namespace chainring::cli
