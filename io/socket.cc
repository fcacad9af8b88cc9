#include "io/socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/text.h"

namespace chainring::io {
namespace {

constexpr int kBacklog = 4096;
constexpr int kLinkKeepAliveSeconds = 300;  // of links that we dial; they have heartbeats of their own
constexpr int kKeepAliveProbes = 3;

struct Resolved {
  SocketAddress address;
  socklen_t size;
};

std::string describe(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return v6 ? concat('[', address.host, "]:", address.port) : concat(address.host, ':', address.port);
}

void set_option(int fd, int level, int option, int value) {
  // An option that the system refuses costs speed, not correctness.
  static_cast<void>(::setsockopt(fd, level, option, &value, sizeof value));
}

// As Redis does it: the first probe after so many seconds, then three, a third of that apart.
void tune(int fd, int keepalive_seconds) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (keepalive_seconds == 0) return;
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_seconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::max(keepalive_seconds / kKeepAliveProbes, 1));
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
}

// The first IPv4 address, else the first of all: servers bind to IPv4 unless told, and "localhost" has both.
Result<Resolved> resolve(const Address& address, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  const std::string port = std::to_string(address.port);
  addrinfo* list = nullptr;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | flags;
  int error = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &list);
  if (error == EAI_NONAME) {
    hints.ai_flags = AI_NUMERICSERV | flags;
    error = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &list);
  }
  if (error != 0) {
    return Status(ErrorCode::invalid_argument, concat("cannot find the host '", address.host, "': ",
                                                      ::gai_strerror(error), "; give an address or a known name"));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  const addrinfo* chosen = list;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family == AF_INET) {
      chosen = entry;
      break;
    }
  }
  Resolved resolved{};
  if (chosen->ai_addrlen > sizeof resolved.address) {
    return Status(ErrorCode::invalid_argument, concat("the host '", address.host, "' has no Internet address"));
  }
  std::memcpy(&resolved.address, chosen->ai_addr, chosen->ai_addrlen);
  resolved.size = chosen->ai_addrlen;
  return resolved;
}

Status listen_error(const Address& address, int error) {
  const std::string where = concat("cannot listen on ", describe(address), ": ");
  switch (error) {
    case EADDRINUSE:
      return Status(
          ErrorCode::already_exists,
          concat(where,
                 "the port is in use by another process; stop that one (`ss -ltnp` shows it) or choose another port"));
    case EACCES:
      return Status(ErrorCode::permission_denied,
                    concat(where, "permission denied; ports below 1024 need privileges, choose another port"));
    case EADDRNOTAVAIL:
      return Status(ErrorCode::invalid_argument, concat(where, "this machine has no such address; check bind"));
    default:
      return Status(ErrorCode::io_error, concat(where, std::strerror(error)));
  }
}

Status connect_error(const Address& address, int error) {
  return Status(ErrorCode::unavailable, concat("cannot connect to ", describe(address), ": ", std::strerror(error)));
}

}  // namespace

std::string to_text(const SocketAddress& address) {
  char host[INET6_ADDRSTRLEN] = "";
  if (address.any.sa_family == AF_INET6) {
    ::inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof host);
    return concat('[', host, "]:", ntohs(address.v6.sin6_port));
  }
  ::inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof host);
  return concat(host, ':', ntohs(address.v4.sin_port));
}

Result<Listener> open_listener(const Address& address) {
  const Result<Resolved> resolved = resolve(address, AI_PASSIVE);
  if (!resolved) return resolved.status();
  Fd fd(::socket(resolved->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return listen_error(address, errno);
  set_option(fd.number(), SOL_SOCKET, SO_REUSEADDR, 1);  // a restart must not wait for old connections to fade
  if (::bind(fd.number(), &resolved->address.any, resolved->size) != 0) return listen_error(address, errno);
  if (::listen(fd.number(), kBacklog) != 0) return listen_error(address, errno);
  SocketAddress bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd.number(), &bound.any, &size) != 0) return listen_error(address, errno);
  const in_port_t port = bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port;
  return Listener{std::move(fd), ntohs(port)};
}

std::optional<Accepted> accept_one(int listener, int keepalive_seconds) {
  Accepted accepted{};
  socklen_t size = sizeof accepted.peer;
  do {
    accepted.fd = Fd(::accept4(listener, &accepted.peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  } while (!accepted.fd.is_open() && (errno == EINTR || errno == ECONNABORTED));
  if (!accepted.fd.is_open()) return std::nullopt;
  tune(accepted.fd.number(), keepalive_seconds);
  return accepted;
}

Result<Fd> begin_connect(const Address& address) {
  const Result<Resolved> resolved = resolve(address, 0);
  if (!resolved) return resolved.status();
  Fd fd(::socket(resolved->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return connect_error(address, errno);
  tune(fd.number(), kLinkKeepAliveSeconds);
  if (::connect(fd.number(), &resolved->address.any, resolved->size) != 0 && errno != EINPROGRESS) {
    return connect_error(address, errno);
  }
  return fd;
}

bool is_connected(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

}  // namespace chainring::io
