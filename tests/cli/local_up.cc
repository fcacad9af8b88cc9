#include "tests/cli/local_up.h"

#include <unistd.h>

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

// Below the ports that the system gives to clients, which come and go; spread by process, as tests run side by side.
std::string free_port() {
  constexpr int kFirst = 11'000, kStep = 100, kSteps = 190;
  static int next = ::getpid();
  for (;;) {
    const auto port = static_cast<uint16_t>(kFirst + kStep * (next++ % kSteps));
    if (all_free(port)) return std::to_string(port);
  }
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
