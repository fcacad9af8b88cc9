#include "cli/role_runner.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/system.h"
#include "io/entropy.h"
#include "io/logger.h"
#include "io/loop.h"
#include "io/real_clock.h"

namespace chainring::cli {
namespace {

constexpr Micros kFiguresEvery = 100 * kMicrosPerMilli;
constexpr rlim_t kOwnFiles = 64;  // logs, disk, peers: beside the clients' sockets

Micros micros(const timeval& time) { return time.tv_sec * kMicrosPerSecond + time.tv_usec; }

void refresh(session::ProcessFigures& figures) {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    figures.cpu_user = micros(usage.ru_utime);
    figures.cpu_system = micros(usage.ru_stime);
  }
  std::ifstream statm("/proc/self/statm");
  int64_t pages = 0;
  int64_t resident = 0;
  if (statm >> pages >> resident) figures.rss_bytes = resident * ::sysconf(_SC_PAGESIZE);
}

// Keeps the figures that INFO tells fresh, for a process that cannot ask the system itself.
class Measured final : public Process {
 public:
  Measured(Process& process, session::ProcessFigures& figures) : process_(process), figures_(figures) {}

  Status start(Now now) override {
    refresh(figures_);
    return process_.start(now);
  }
  void turn(Now now, std::span<const NetEvent> events) override {
    if (now.mono >= refresh_at_) {
      refresh(figures_);
      refresh_at_ = now.mono + kFiguresEvery;
    }
    process_.turn(now, events);
  }
  Micros next_wake() const override { return process_.next_wake(); }
  void request_stop(Now now) override { process_.request_stop(now); }
  bool finished() const override { return process_.finished(); }
  Status outcome() const override { return process_.outcome(); }
  void metrics(Now now, MetricsWriter& out) const override { process_.metrics(now, out); }
  Status health(Now now) const override { return process_.health(now); }

 private:
  Process& process_;
  session::ProcessFigures& figures_;
  Micros refresh_at_ = 0;
};

// Sixteen digits.
std::string random_digits() {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(io::read_entropy()));
  return digits;
}

session::RoleFacts facts_of_this_process(const std::string& config_file, const session::ProcessFigures& figures) {
  session::RoleFacts facts;
  constexpr size_t kRunIdDigits = 40;  // as Redis'
  facts.run_id = (random_digits() + random_digits() + random_digits()).substr(0, kRunIdDigits);
  facts.pid = ::getpid();
  utsname system{};
  if (::uname(&system) == 0) facts.os = concat(system.sysname, ' ', system.release, ' ', system.machine);
  facts.executable = own_executable();
  facts.config_file = config_file;
  facts.started_at = io::read_mono();
  facts.figures = &figures;
  return facts;
}

// As many files as the system allows; says so when that is fewer than the settings promise.
void raise_file_limit(int64_t clients, Log& log) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
  const rlim_t wanted = static_cast<rlim_t>(clients) + kOwnFiles;
  if (limit.rlim_max >= wanted) return;
  log.warning(concat("maxclients is ", clients, ", but the system allows ", limit.rlim_max,
                     " open files; raise the limit (ulimit -n ", wanted, ") or lower maxclients"));
}

io::HttpAnswer page(const Process& process, std::string_view path, Now now) {
  constexpr std::string_view kText = "text/plain; charset=utf-8";
  if (path == "/metrics") {
    MetricsWriter writer;
    process.metrics(now, writer);
    return {200, "text/plain; version=0.0.4; charset=utf-8", writer.text()};
  }
  if (path == "/healthz") {
    const Status health = process.health(now);
    return health.ok() ? io::HttpAnswer{200, kText, "ok\n"}
                       : io::HttpAnswer{503, kText, concat(health.message(), '\n')};
  }
  return {404, kText, "there are /metrics and /healthz\n"};
}

// The port at which HTTP is answered about `process`; 0: nowhere, as the settings want it.
Result<uint16_t> serve_http(io::Loop& loop, const Settings& settings, const Process& process) {
  const std::optional<uint16_t> wanted = settings.http_port();
  if (!wanted) return uint16_t{0};
  const Result<uint16_t> port =
      loop.serve_http({std::string(settings.text(Setting::bind)), *wanted},
                      [&process](std::string_view path, Now now) { return page(process, path, now); });
  if (port) return port;
  return Status(port.status().code(), concat(port.status().message(), " with --http-port"));
}

int fail(const Status& status, Log* log) {
  if (log != nullptr) log->error(status.message());
  std::fprintf(stderr, "chainring: %.*s\n", static_cast<int>(status.message().size()), status.message().data());
  return kFailed;
}

}  // namespace

int run_role(const Settings& settings, const std::string& config_file, const RoleFactory& make) {
  const std::string log_file(settings.text(Setting::logfile));
  auto logger = io::open_logger(
      {std::string(settings.text(Setting::name)), log_file, io::log_level(settings.text(Setting::loglevel))});
  if (!logger) return fail(logger.status(), nullptr);
  Log& log = **logger;
  Log* const log_beside_stderr = log_file.empty() ? nullptr : &log;
  raise_file_limit(settings.number(Setting::maxclients), log);

  io::NetworkOptions network;
  network.keepalive_seconds = static_cast<int>(settings.number(Setting::tcp_keepalive));
  io::Loop loop(log, network);
  loop.watch_signals();
  SeededRandom random(io::read_entropy());
  session::ProcessFigures figures;
  auto role = make(RoleParts{settings, loop.transport(), random, log, facts_of_this_process(config_file, figures)});
  if (!role) return fail(role.status(), log_beside_stderr);
  Measured process(**role, figures);
  const Result<uint16_t> http_port = serve_http(loop, settings, process);
  if (!http_port) return fail(http_port.status(), log_beside_stderr);
  if (*http_port != 0) log.info(concat("HTTP (/metrics, /healthz) at port ", *http_port));
  const Status outcome = loop.run(process);
  if (!outcome.ok()) return fail(outcome, log_beside_stderr);
  log.info("stopped in order");
  return kDone;
}

}  // namespace chainring::cli
