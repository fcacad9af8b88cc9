#include "cli/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/text.h"
#include "io/fd.h"

namespace chainring::cli {
namespace {

struct Prepared {
  const char* executable;
  char* const* arguments;
  int input;
  int output;
  int report;  // gets errno when there is nothing to run
  pid_t parent;
};

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(const Prepared& child) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != child.parent) ::_exit(1);  // the parent died before prctl()
  ::dup2(child.input, STDIN_FILENO);
  ::dup2(child.output, STDOUT_FILENO);
  ::dup2(child.output, STDERR_FILENO);
  ::execv(child.executable, child.arguments);
  const int error = errno;
  static_cast<void>(!::write(child.report, &error, sizeof error));
  ::_exit(1);
}

}  // namespace

Result<pid_t> start_child(const ChildCommand& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const io::Fd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const io::Fd output(::open(command.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  int ends[2];
  if (!input.is_open() || !output.is_open() || ::pipe2(ends, O_CLOEXEC) != 0) {
    return Status(ErrorCode::io_error, concat("cannot write ", command.output_file, ": ", std::strerror(errno)));
  }
  const io::Fd reading(ends[0]);
  io::Fd writing(ends[1]);
  const Prepared prepared{command.executable.c_str(), arguments.data(), input.number(), output.number(),
                          writing.number(),           ::getpid()};
  const pid_t pid = ::fork();
  if (pid == 0) become(prepared);
  if (pid < 0) return Status(ErrorCode::resource_exhausted, concat("cannot start a process: ", std::strerror(errno)));
  writing.reset();
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(reading.number(), &error, sizeof error);  // ends without bytes when exec has closed the other end
  } while (got < 0 && errno == EINTR);
  if (got != sizeof error) return pid;
  ::waitpid(pid, nullptr, 0);
  return Status(ErrorCode::io_error, concat("cannot run ", command.executable, ": ", std::strerror(error)));
}

std::string ChildEnd::text() const { return concat(by_signal ? "was ended by signal " : "ended with status ", number); }

std::optional<ChildEnd> reap_child(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
  if (WIFSIGNALED(status)) return ChildEnd{true, WTERMSIG(status)};
  return ChildEnd{false, WEXITSTATUS(status)};
}

}  // namespace chainring::cli
