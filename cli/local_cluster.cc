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
  for (const PlannedProcess& process : plan_.processes) members_.push_back({&process});
}

LocalCluster::~LocalCluster() { kill_all(); }

Status LocalCluster::check_ports() const {
  for (const PlannedProcess& process : plan_.processes) {
    for (const int port : {int{process.port}, process.port + kHttpPortOffset}) {
      const auto listener = io::open_listener({plan_.bind, static_cast<uint16_t>(port)});
      if (listener) continue;
      return Status(listener.status().code(), concat(role_name(process.role), ' ', process.name, ": ",
                                                     listener.status().message(), " with --port"));
    }
  }
  return {};
}

Status LocalCluster::prepare(const UpCommand& up) const {
  for (const PlannedProcess& process : plan_.processes) {
    if (Status made = io::make_directory(process.directory); !made.ok()) return made;
    if (Status written = write_file(config_path(process), config_text(plan_, process, up)); !written.ok()) {
      return written;
    }
    if (Status emptied = write_file(output_path(process), ""); !emptied.ok()) return emptied;
  }
  return {};
}

Status LocalCluster::start_all(Micros now) {
  for (Member& member : members_) {
    if (Status started = start(member, now); !started.ok()) return started;
  }
  return {};
}

Status LocalCluster::start(Member& member, Micros now) {
  const PlannedProcess& process = *member.process;
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
    if (member.pid != 0) {
      const pid_t pid = member.pid;
      const std::optional<ChildEnd> end = reap_child(pid);
      if (!end) continue;
      forget_pid(member);
      say_(concat(role_name(member.process->role), ' ', member.process->name, " (pid ", pid, ") ", end->text()));
      if (Status status = has_ended(member, *end, now); !status.ok()) return status;
    } else if (member.start_again_at <= now) {
      if (Status status = start(member, now); !status.ok()) return status;
      say_(concat(role_name(member.process->role), ' ', member.process->name, " was started again, pid ", member.pid));
    }
  }
  return {};
}

Status LocalCluster::has_ended(Member& member, const ChildEnd& end, Micros now) {
  if (!was_ready_ && !end.by_signal) {
    return Status(ErrorCode::unavailable,
                  concat(member.process->name, " could not start: ", last_words(*member.process)));
  }
  if (!restart_) return {};
  const bool was_steady = now - member.started_at >= kSteadyAfter;
  member.wait = was_steady || member.wait == 0 ? kFirstWait : std::min(2 * member.wait, kLongestWait);
  member.start_again_at = now + member.wait;
  say_(concat(role_name(member.process->role), ' ', member.process->name, " will be started again in ",
              member.wait / kMicrosPerMilli, " ms; its log is ", member.process->directory, "/log"));
  return {};
}

void LocalCluster::forget_pid(Member& member) {
  member.pid = 0;
  ::unlink(pid_path(*member.process).c_str());
}

void LocalCluster::signal_all(int number, Role role) {
  for (const Member& member : members_) {
    if (member.pid != 0 && member.process->role == role) ::kill(member.pid, number);
  }
}

int LocalCluster::count_running(Role role) {
  int running = 0;
  for (Member& member : members_) {
    if (member.pid == 0 || member.process->role != role) continue;
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
