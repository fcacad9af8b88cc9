#include "tests/cli/program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "io/real_clock.h"

namespace chainring::cli {
namespace {

constexpr Micros kPatience = 30 * kMicrosPerSecond;

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reading = io::Fd(ends[0]);
    writing = io::Fd(ends[1]);
  }
  io::Fd reading;
  io::Fd writing;
};

// Appends what is there; closes the descriptor at the end of the stream.
void drain(io::Fd& fd, std::string& to) {
  char buffer[4096];
  const ssize_t got = ::read(fd.number(), buffer, sizeof buffer);
  if (got > 0) {
    to.append(buffer, static_cast<size_t>(got));
  } else {
    fd.reset();
  }
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments) {
  std::vector<char*> argv{const_cast<char*>("chainring")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  Pipe out_pipe;
  Pipe err_pipe;
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ::dup2(out_pipe.writing.number(), STDOUT_FILENO);
    ::dup2(err_pipe.writing.number(), STDERR_FILENO);
    ::execv(CHAINRING_DOUBLE, argv.data());
    ::_exit(127);
  }
  out_fd_ = std::move(out_pipe.reading);
  err_fd_ = std::move(err_pipe.reading);
}

Program::~Program() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Program::read_some(int wait_ms) {
  pollfd ready[2] = {{out_fd_.number(), POLLIN, 0}, {err_fd_.number(), POLLIN, 0}};  // closed ones are -1: ignored
  ::poll(ready, 2, wait_ms);
  if (ready[0].revents != 0) drain(out_fd_, out);
  if (ready[1].revents != 0) drain(err_fd_, err);
  return out_fd_.is_open() || err_fd_.is_open();
}

bool Program::until(const std::function<bool()>& holds) {
  const Micros end = io::read_mono() + kPatience;
  while (!holds()) {
    if (io::read_mono() > end || !read_some(20)) return holds();
  }
  return true;
}

void Program::signal(int number) { REQUIRE(::kill(pid_, number) == 0); }

int Program::wait() {
  until([] { return false; });  // to the end of its outputs
  INFO("it said: " << out << err);
  REQUIRE_FALSE((out_fd_.is_open() || err_fd_.is_open()));  // else it runs, and might for ever
  int status = 0;
  REQUIRE(::waitpid(pid_, &status, 0) == pid_);
  pid_ = 0;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Finished run_program(const std::vector<std::string>& arguments) {
  Program program(arguments);
  const int status = program.wait();
  return {status, program.out, program.err};
}

TempDirectory::TempDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "chainring-test-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool eventually(const std::function<bool()>& holds) {
  const Micros end = io::read_mono() + kPatience;
  while (!holds()) {
    if (io::read_mono() > end) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace chainring::cli
