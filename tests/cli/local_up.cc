#include "tests/cli/local_up.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>

#include "base/settings.h"
#include "cli/system.h"
#include "io/socket.h"

namespace chainring::cli {
bool all_free(uint16_t port) {
  for (const int offset : {0, -78, -77, -76, 22, 23, 24, 25}) {
    for (const int more : {0, kHttpPortOffset}) {
      if (!io::open_listener({"127.0.0.1", static_cast<uint16_t>(port + offset + more)}).ok()) return false;
    }
  }
  return true;
}

namespace {

// Whether the block of ports around `port` is this process's from now on. tests/cluster/harness.py does the same.
bool reserve(int port) {
  const int holder = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);  // its name is held until the process ends
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "chainring-test-ports-" + std::to_string(port);
  std::copy(name.begin(), name.end(), address.sun_path + 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (holder >= 0 && ::bind(holder, reinterpret_cast<const sockaddr*>(&address), size) == 0) return true;
  if (holder >= 0) ::close(holder);
  return false;
}

}  // namespace

// Tests run side by side, and ports that are free now may be another's in a moment. So blocks are reserved: of 125
// ports around a router's and those of their HTTP, 1000 above; below the ports that the system gives to clients.
std::string free_port() {
  constexpr int kFirst = 11'100, kBlocks = 80;
  static int next = ::getpid();
  for (const int last = next + kBlocks; next < last; ++next) {
    const int block = next % kBlocks;
    const int port = kFirst + 2'000 * (block / 8) + 125 * (block % 8);
    if (all_free(static_cast<uint16_t>(port)) && reserve(port)) return std::to_string(port);
  }
  throw std::runtime_error("no free ports for a local cluster");
}

std::vector<std::string> up_arguments(const TempDirectory& directory, const std::string& port) {
  return {"up", "--dir", directory.path() + "/data", "--port", port};
}

bool until_ready(Program& up) {
  return up.until([&] { return contains(up.out, "\nready\n"); });
}

pid_t pid_of(const TempDirectory& directory, const std::string& name) {
  const auto text = read_file(directory.path() + "/data/" + name + "/pid");
  return text ? std::stoi(*text) : 0;
}

bool runs(pid_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  return stat && !contains(*stat, ") Z ");
}

}  // namespace chainring::cli
