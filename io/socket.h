// TCP sockets: made, non-blocking, closed on exec. Messages of errors name the address and say what to do.
//
// Thread-safety: pure functions over the system.
#pragma once

#include <netinet/in.h>

#include <optional>
#include <string>

#include "base/transport.h"
#include "io/fd.h"

namespace chainring::io {

// An IPv4 or IPv6 address with its port.
union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// "host:port" with a numeric host; "[host]:port" for IPv6.
[[nodiscard]] std::string to_text(const SocketAddress& address);

struct Listener {
  Fd fd;
  uint16_t port = 0;  // the one that was bound
};
[[nodiscard]] Result<Listener> open_listener(const Address& address);

struct Accepted {
  Fd fd;
  SocketAddress peer;
};
// `keepalive_seconds` as NetworkOptions has it.
// nullopt with errno set when there is nobody, or when the system has no room for one more.
[[nodiscard]] std::optional<Accepted> accept_one(int listener, int keepalive_seconds);

// A connection that has been begun; it is made, or has failed, when the socket becomes writable.
// Blocks only to resolve a host that is not a numeric address.
[[nodiscard]] Result<Fd> begin_connect(const Address& address);
// Whether a connect begun by begin_connect() came to a connection, once the socket is writable.
[[nodiscard]] bool is_connected(int fd);

}  // namespace chainring::io
