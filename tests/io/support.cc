#include "tests/io/support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace chainring::io {

constexpr Micros kPatience = 30 * kMicrosPerSecond;
constexpr Micros kPumpWait = 2 * kMicrosPerMilli;  // clients on the same thread want their turn too

Client::Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd_.number(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::fcntl(fd_.number(), F_SETFL, O_NONBLOCK) == 0);
}

size_t Client::send(std::string_view bytes) {
  const ssize_t taken = ::send(fd_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return taken < 0 ? 0 : static_cast<size_t>(taken);
}

bool Client::receive() {
  char buffer[64 * 1024];
  while (!ended && !reset) {
    const ssize_t got = ::recv(fd_.number(), buffer, sizeof buffer, 0);
    if (got > 0) {
      received.append(buffer, static_cast<size_t>(got));
    } else if (got == 0) {
      ended = true;
    } else if (errno == EAGAIN) {
      break;
    } else {
      reset = true;
    }
  }
  return !ended && !reset;
}

void Client::shut_down_sending() { REQUIRE(::shutdown(fd_.number(), SHUT_WR) == 0); }

uint16_t World::listen() {
  const Result<uint16_t> port = net().listen({"127.0.0.1", 0});
  REQUIRE(port.ok());
  return *port;
}

bool World::until(const std::function<bool()>& holds) {
  const Micros end = read_mono() + kPatience;
  while (!holds()) {
    if (read_mono() > end) return false;
    loop.turn(process, kPumpWait);
  }
  return true;
}

std::pair<Client, ConnId> World::accept(uint16_t port) {
  const size_t before = process.accepted.size();
  Client client(port);
  REQUIRE(until([&] { return process.accepted.size() > before; }));
  return {std::move(client), process.accepted.back()};
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

std::string pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 2654435761u) >> 13);
  return bytes;
}

}  // namespace chainring::io
