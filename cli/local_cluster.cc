#include "cli/local_cluster.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/text.h"
#include "cli/system.h"
#include "io/directory_lock.h"
#include "io/socket.h"

namespace chainring::cli {
namespace {

constexpr Micros kFirstWait = kMicrosPerSecond / 2;
constexpr Micros kLongestWait = 30 * kMicrosPerSecond;
constexpr Micros kSteadyAfter = 60 * kMicrosPerSecond;  // who ran this long begins with the first wait again
constexpr Micros kNodeStopTimeout = 10 * kMicrosPerSecond;
constexpr size_t kLastWordsMax = 2000;

std::string config_path(const PlannedProcess& process) { return process.directory + "/config.toml"; }
std::string output_path(const PlannedProcess& process) { return process.directory + "/output"; }
std::string pid_path(const PlannedProcess& process) { return process.directory + "/pid"; }

// What a child said before it ended.
std::string last_words(const PlannedProcess& process) {
  const Result<std::string> output = read_file(output_path(process));
  if (!output || output->empty()) return concat("see ", process.directory, "/log");
  const size_t begin = output->size() > kLastWordsMax ? output->size() - kLastWordsMax : 0;
  std::string words = output->substr(begin);
  while (!words.empty() && words.back() == '\n') words.pop_back();
  return words;
}

}  // namespace

LocalCluster::LocalCluster(ClusterPlan plan, bool restart, Say say)
    : plan_(std::move(plan)), say_(std::move(say)), restart_(restart) {
  for (const PlannedProcess& process : plan_.processes) members_.push_back({process});
}

LocalCluster::~LocalCluster() { kill_all(); }

Status LocalCluster::check_ports() const {
  for (const PlannedProcess& process : plan_.processes) {
    if (Status free = check_ports(process); !free.ok()) return free;
  }
  return {};
}

Status LocalCluster::check_ports(const PlannedProcess& process) const {
  for (const int port : {int{process.port}, process.port + kHttpPortOffset}) {
    const auto listener = io::open_listener({plan_.bind, static_cast<uint16_t>(port)});
    if (listener) continue;
    return Status(listener.status().code(), concat(role_name(process.role), ' ', process.name, ": ",
                                                   listener.status().message(), " with --port"));
  }
  return {};
}

Status LocalCluster::prepare(const UpCommand& up) const {
  for (const PlannedProcess& process : plan_.processes) {
    if (Status prepared = prepare_one(process, up); !prepared.ok()) return prepared;
  }
  return {};
}

Status LocalCluster::prepare_one(const PlannedProcess& process, const UpCommand& up) const {
  if (Status made = io::make_directory(process.directory); !made.ok()) return made;
  if (Status written = write_file(config_path(process), config_text(plan_, process, up)); !written.ok()) {
    return written;
  }
  return write_file(output_path(process), "");
}

Status LocalCluster::add_node(const PlannedProcess& node, const UpCommand& up, Micros now) {
  if (Status prepared = prepare_one(node, up); !prepared.ok()) return prepared;
  Member member{node};
  if (Status started = start(member, now); !started.ok()) return started;
  plan_.processes.push_back(node);
  members_.push_back(std::move(member));
  return {};
}

void LocalCluster::stop_node(const std::string& name, Micros now) {
  for (Member& member : members_) {
    if (member.process.name != name || member.is_leaving()) continue;
    member.kill_at = now + kNodeStopTimeout;
    member.start_again_at = kNever;
    if (member.pid != 0) ::kill(member.pid, SIGTERM);
  }
  forget_those_who_left();  // it may not be running
}

bool LocalCluster::has(const std::string& name) const {
  return std::any_of(members_.begin(), members_.end(), [&](const Member& m) { return m.process.name == name; });
}

void LocalCluster::forget_those_who_left() {
  std::erase_if(members_, [](const Member& member) { return member.is_leaving() && member.pid == 0; });
  std::erase_if(plan_.processes, [&](const PlannedProcess& process) { return !has(process.name); });
}

Status LocalCluster::start_all(Micros now) {
  for (Member& member : members_) {
    if (Status started = start(member, now); !started.ok()) return started;
  }
  return {};
}

Status LocalCluster::start(Member& member, Micros now) {
  const PlannedProcess& process = member.process;
  const Result<pid_t> pid =
      start_child({own_executable(),
                   {"chainring", std::string(role_name(process.role)), "--config", config_path(process)},
                   output_path(process)});
  if (!pid) return pid.status();
  member.pid = *pid;
  member.started_at = now;
  member.start_again_at = kNever;
  return write_file(pid_path(process), concat(*pid, '\n'));
}

Status LocalCluster::tend(Micros now) {
  for (Member& member : members_) {
    if (Status status = tend(member, now); !status.ok()) return status;
  }
  forget_those_who_left();
  return {};
}

Status LocalCluster::tend(Member& member, Micros now) {
  const PlannedProcess& process = member.process;
  if (member.pid != 0) {
    const pid_t pid = member.pid;
    const std::optional<ChildEnd> end = reap_child(pid);
    if (!end) {
      if (member.kill_at <= now) ::kill(pid, SIGKILL);
      return {};
    }
    forget_pid(member);
    if (member.is_leaving()) return {};
    say_(concat(role_name(process.role), ' ', process.name, " (pid ", pid, ") ", end->text()));
    return has_ended(member, *end, now);
  }
  if (member.start_again_at > now) return {};
  if (Status status = start(member, now); !status.ok()) return status;
  say_(concat(role_name(process.role), ' ', process.name, " was started again, pid ", member.pid));
  return {};
}

Status LocalCluster::has_ended(Member& member, const ChildEnd& end, Micros now) {
  if (!was_ready_ && !end.by_signal) {
    return Status(ErrorCode::unavailable,
                  concat(member.process.name, " could not start: ", last_words(member.process)));
  }
  if (!restart_) return {};
  const bool was_steady = now - member.started_at >= kSteadyAfter;
  member.wait = was_steady || member.wait == 0 ? kFirstWait : std::min(2 * member.wait, kLongestWait);
  member.start_again_at = now + member.wait;
  say_(concat(role_name(member.process.role), ' ', member.process.name, " will be started again in ",
              member.wait / kMicrosPerMilli, " ms; its log is ", member.process.directory, "/log"));
  return {};
}

void LocalCluster::forget_pid(Member& member) {
  member.pid = 0;
  ::unlink(pid_path(member.process).c_str());
}

void LocalCluster::signal_all(int number, Role role) {
  for (const Member& member : members_) {
    if (member.pid != 0 && member.process.role == role) ::kill(member.pid, number);
  }
}

int LocalCluster::count_running(Role role) {
  int running = 0;
  for (Member& member : members_) {
    if (member.pid == 0 || member.process.role != role) continue;
    if (reap_child(member.pid)) {
      forget_pid(member);
    } else {
      ++running;
    }
  }
  return running;
}

void LocalCluster::kill_all() {
  for (const Member& member : members_) {
    if (member.pid != 0) ::kill(member.pid, SIGKILL);
  }
  for (Member& member : members_) {
    if (member.pid == 0) continue;
    ::waitpid(member.pid, nullptr, 0);
    forget_pid(member);
  }
}

}  // namespace chainring::cli
