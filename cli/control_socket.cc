#include "cli/control_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace chainring::cli {
namespace {

constexpr char kFileName[] = "up.sock";
constexpr int kBacklog = 8;

// By way of the open directory, because a socket's path may have 107 bytes at most and directories are longer.
std::string path_in(const io::Fd& directory) { return concat("/proc/self/fd/", directory.number(), '/', kFileName); }

io::Fd open_directory(const std::string& directory) {
  return io::Fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

Status socket_error(const std::string& directory) {
  return Status(ErrorCode::io_error,
                concat("cannot make the socket ", directory, '/', kFileName, ": ", std::strerror(errno)));
}

bool bind_privately(int fd, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::umask(before);
  return bound == 0;
}

}  // namespace

ControlSocket::ControlSocket(io::Fd directory, io::Fd listener)
    : directory_(std::move(directory)), listener_(std::move(listener)) {}

ControlSocket::~ControlSocket() {
  if (directory_.is_open()) ::unlinkat(directory_.number(), kFileName, 0);
}

Result<ControlSocket> ControlSocket::open(const std::string& directory) {
  io::Fd held = open_directory(directory);
  io::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!held.is_open() || !listener.is_open()) return socket_error(directory);
  if (::unlinkat(held.number(), kFileName, 0) != 0 && errno != ENOENT) return socket_error(directory);
  if (!bind_privately(listener.number(), path_in(held)) || ::listen(listener.number(), kBacklog) != 0) {
    return socket_error(directory);
  }
  return ControlSocket(std::move(held), std::move(listener));
}

Result<RedisClient> ControlSocket::connect(const std::string& directory, Millis timeout) {
  const io::Fd held = open_directory(directory);
  if (!held.is_open()) return Status(ErrorCode::not_found, concat("there is no directory ", directory));
  return RedisClient::connect_local(path_in(held), timeout);
}

std::vector<pollfd> ControlSocket::awaited() const {
  std::vector<pollfd> fds{{listener_.number(), POLLIN, 0}};
  for (const Client& client : clients_) fds.push_back({client.fd.number(), POLLIN, 0});
  return fds;
}

void ControlSocket::turn(Micros now, const Answer& answer) {
  accept_all(now);
  for (auto client = clients_.begin(); client != clients_.end();) {
    client = serve(*client, now, answer) ? std::next(client) : clients_.erase(client);
  }
}

void ControlSocket::accept_all(Micros now) {
  for (;;) {
    io::Fd fd(::accept4(listener_.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.is_open()) return;
    if (clients_.size() >= kClientsMax) continue;  // let go at once
    protocol::RequestLimits limits;
    limits.bulk_bytes_max = limits.request_bytes_max = limits.inline_bytes_max = kRequestBytesMax;
    limits.args_max = 16;
    clients_.push_back({std::move(fd), protocol::RequestParser(limits), "", now});
  }
}

bool ControlSocket::serve(Client& client, Micros now, const Answer& answer) {
  char buffer[kRequestBytesMax];
  const ssize_t got = ::recv(client.fd.number(), buffer, sizeof buffer, 0);
  if (got < 0) return (errno == EAGAIN || errno == EINTR) && now - client.heard_at < kIdleMax;
  if (got == 0) return false;
  client.heard_at = now;
  client.input.append(buffer, static_cast<size_t>(got));
  using State = protocol::RequestParser::State;
  State state = State::need_more;
  while ((state = client.parser.parse(client.input)) == State::ready) {
    const std::string reply = client.parser.args().empty() ? "" : answer(client.parser.args());
    client.input.erase(0, client.parser.size());
    client.parser.next();
    // Small enough for an empty socket; who does not read replies is let go.
    if (::send(client.fd.number(), reply.data(), reply.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(reply.size())) {
      return false;
    }
  }
  return state == State::need_more && client.input.size() < kRequestBytesMax;
}

}  // namespace chainring::cli
