#include "cli/up.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "base/text.h"
#include "cli/control_socket.h"
#include "cli/local_cluster.h"
#include "cli/node_keeper.h"
#include "cli/probe.h"
#include "cli/system.h"
#include "io/directory_lock.h"
#include "io/fd.h"
#include "io/real_clock.h"

namespace chainring::cli {
namespace {

constexpr Micros kProbeEvery = 100 * kMicrosPerMilli;
constexpr Micros kTendEvery = 200 * kMicrosPerMilli;
constexpr Micros kStopPoll = 20 * kMicrosPerMilli;
constexpr Micros kReadyTimeout = 120 * kMicrosPerSecond;
constexpr Micros kStopTimeout = 5 * kMicrosPerSecond;  // for each group of processes

// Progress goes to standard error, so that standard output holds the endpoints alone.
void say(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

void print_line(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

int usage(const Status& status) {
  say(concat("chainring up: ", status.message()));
  return kUsedWrongly;
}

int fail(const Status& status) {
  say(concat("chainring up: ", status.message()));
  return kFailed;
}

// Signals as something to wait for, instead of interruptions.
class Signals {
 public:
  Signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_ = io::Fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    CHECK(fd_.is_open(), "Linux has signalfd");
  }

  // Waits until a signal comes, a child's end too, or something at one of `others`, but for at most this long.
  void wait(Micros at_most, std::vector<pollfd> others = {}) {
    others.push_back({fd_.number(), POLLIN, 0});
    ::poll(others.data(), others.size(), static_cast<int>(at_most / kMicrosPerMilli));
    signalfd_siginfo signal{};
    while (::read(fd_.number(), &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo != SIGCHLD) ++stops_;
    }
  }
  [[nodiscard]] int stops() const { return stops_; }  // how often a stop was asked for

 private:
  io::Fd fd_;
  int stops_ = 0;
};

Result<std::optional<ClusterShape>> remembered_shape(const std::string& path) {
  const Result<std::string> text = read_file(path);
  if (!text && text.status().code() == ErrorCode::not_found) return std::optional<ClusterShape>();
  if (!text) return text.status();
  const Result<ClusterShape> shape = shape_from_toml(*text, path);
  if (!shape) return shape.status();
  return std::optional(*shape);
}

std::string try_it_line(const ClusterPlan& plan, bool has_password) {
  return concat("redis-cli", plan.host == "127.0.0.1" ? "" : concat(" -h ", plan.host), " -p ", plan.shape.port,
                has_password ? " --askpass" : "", " set hello world");
}

void print_endpoints(const ClusterPlan& plan, bool has_password) {
  for (const Role role : {kRouterRole, kNodeRole, kCoordinatorRole}) {
    for (const PlannedProcess& process : plan.processes) {
      if (process.role != role) continue;
      std::puts(endpoint_line(plan, process).c_str());
    }
  }
  std::puts(try_it_line(plan, has_password).c_str());
  std::puts("ready");
  std::fflush(stdout);
}

// The children from their start to their end.
class Run {
 public:
  Run(LocalCluster& cluster, NodeKeeper& nodes, Signals& signals, const Settings& settings, std::string directory)
      : cluster_(cluster),
        nodes_(nodes),
        signals_(signals),
        directory_(std::move(directory)),
        password_(settings.text(Setting::requirepass)),
        losses_wait_(settings.text(Setting::on_loss) == "wait") {}

  int go() {
    Status status = cluster_.start_all(io::read_mono());
    if (status.ok()) status = await_ready();
    if (status.ok() && signals_.stops() == 0) status = serve();
    const int exit_status = status.ok() ? kDone : fail(status);
    stop(status.ok());
    return exit_status;
  }

 private:
  Status await_ready() {
    const Micros give_up_at = io::read_mono() + kReadyTimeout;
    std::string told;
    while (signals_.stops() == 0) {
      if (Status tended = cluster_.tend(io::read_mono()); !tended.ok()) return tended;
      const Awaited awaited = what_is_awaited(cluster_.plan(), password_);
      if (awaited.needs_the_operator && losses_wait_) return Status(ErrorCode::unavailable, awaited.what);
      if (awaited.what.empty()) {
        Result<ControlSocket> control = ControlSocket::open(directory_);
        if (!control) return control.status();
        control_.emplace(*std::move(control));
        cluster_.set_ready();
        ready_ = true;
        print_endpoints(cluster_.plan(), !password_.empty());
        return {};
      }
      if (awaited.what != told) say(concat("waiting: ", awaited.what));
      told = awaited.what;
      if (io::read_mono() > give_up_at) {
        return Status(ErrorCode::unavailable,
                      concat("the cluster did not come to serve within ", kReadyTimeout / kMicrosPerSecond, " s (",
                             awaited.what, "); the logs are in its directory"));
      }
      signals_.wait(kProbeEvery);
    }
    return {};
  }

  Status serve() {
    while (signals_.stops() == 0) {
      const Micros now = io::read_mono();
      if (Status tended = cluster_.tend(now); !tended.ok()) return tended;
      nodes_.tend(now);
      control_->turn(now, [&](std::span<const std::string_view> words) { return nodes_.answer(words, now); });
      signals_.wait(kTendEvery, control_->awaited());
    }
    return {};
  }

  void stop(bool orderly) {
    say("stopping");
    const int stops_before = signals_.stops();
    control_.reset();
    cluster_.stop_restarting();
    if (orderly && ready_) {
      nodes_.remember_for_next_start();
      const Status told = announce_shutdown(cluster_.plan(), password_);
      if (!told.ok()) say(concat("the stop could not be recorded: ", told.message()));
    }
    end({kRouterRole, kNodeRole}, stops_before);
    end({kCoordinatorRole}, stops_before);  // last: the others may have something to tell them
    cluster_.kill_all();
    say("stopped");
  }

  // Asks them to end and waits, but not for ever, and not when the operator asks again.
  void end(std::initializer_list<Role> roles, int stops_before) {
    for (const Role role : roles) cluster_.signal_all(SIGTERM, role);
    const Micros kill_at = io::read_mono() + kStopTimeout;
    while (running(roles) > 0 && io::read_mono() < kill_at && signals_.stops() == stops_before) {
      signals_.wait(kStopPoll);
    }
    if (running(roles) > 0) say("some processes did not end in time and are killed; what they held is lost");
    for (const Role role : roles) cluster_.signal_all(SIGKILL, role);
  }

  int running(std::initializer_list<Role> roles) {
    int count = 0;
    for (const Role role : roles) count += cluster_.count_running(role);
    return count;
  }

  LocalCluster& cluster_;
  NodeKeeper& nodes_;
  Signals& signals_;
  const std::string directory_;
  const std::string password_;
  const bool losses_wait_;  // for the operator's word; else the coordinators mend them
  bool ready_ = false;
  std::optional<ControlSocket> control_;  // while the cluster serves
};

}  // namespace

int run_up(const UpCommand& command) {
  const std::string directory =
      std::filesystem::absolute(std::string(command.settings.text(Setting::dir))).lexically_normal().string();
  const std::string memory = memory_path(directory);
  const auto lock = io::DirectoryLock::take(directory);
  if (!lock) return fail(lock.status());
  const auto remembered = remembered_shape(memory);
  if (!remembered) return fail(remembered.status());
  const auto shape = settle_shape(command, *remembered);
  if (!shape) return usage(shape.status());
  auto plan = plan_cluster(*shape, command.settings, directory);
  if (!plan) return usage(plan.status());

  Signals signals;
  LocalCluster cluster(*std::move(plan), !command.no_restart, say);
  if (Status free = cluster.check_ports(); !free.ok()) return fail(free);
  if (Status prepared = cluster.prepare(command); !prepared.ok()) return fail(prepared);
  if (!*remembered) {  // only now, so that a start that could not work leaves nothing to contradict
    if (Status written = write_file(memory, to_toml(*shape)); !written.ok()) return fail(written);
  }
  NodeKeeper nodes(cluster, command, directory, *shape, say, print_line);
  return Run(cluster, nodes, signals, command.settings, directory).go();
}

}  // namespace chainring::cli
