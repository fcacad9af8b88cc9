// The network as a process sees it: byte streams that deliver in order or break.
//
// A process never blocks on it. What happened since the last turn comes as NetEvents (base/process.h); what a
// process writes leaves after its turn, one write for each connection. A stream that breaks may have lost any
// suffix of what was sent; both ends learn of it at different times, or only by their own timers.
//
// Thread-safety: none; belongs to one process (one event loop).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace chainring {

using ConnId = uint64_t;  // never used twice by one Transport
inline constexpr ConnId kNoConn = 0;

// A process that stops producing because unsent() is above this is told by `drained` when to go on.
inline constexpr size_t kOutputLowWater = 64 * 1024;

struct Address {
  std::string host;  // a numeric address or a name that the system resolves
  uint16_t port = 0;
  friend bool operator==(const Address&, const Address&) = default;
};

struct NetEvent {
  enum class Kind {
    accepted,   // a peer or client connected to our listener
    connected,  // our connect() succeeded
    input,      // input(conn) has grown, or reading was switched on again with bytes waiting
    drained,    // all output has been handed to the system after more than kOutputLowWater was waiting
    closed,     // gone, by the other end, by an error or by a failed connect(); the id is dead already
  };
  Kind kind;
  ConnId conn;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Returns the port that was bound (for port 0, the one chosen).
  [[nodiscard]] virtual Result<uint16_t> listen(const Address& address) = 0;

  // Always returns an id; the outcome comes as `connected` or `closed`.
  virtual ConnId connect(const Address& address) = 0;

  // All bytes received and not consumed, contiguous. Empty for a dead id.
  // Lifetime: until consume() on this connection or the end of the turn.
  [[nodiscard]] virtual std::string_view input(ConnId conn) const = 0;
  // REQUIRES: bytes <= input(conn).size().
  virtual void consume(ConnId conn, size_t bytes) = 0;

  // The output buffer to append to; nullptr for a dead id. It holds what the system has not taken yet, so it is
  // only ever appended to. Lifetime of the pointer: until the next call of this Transport.
  [[nodiscard]] virtual std::string* output(ConnId conn) = 0;
  // Bytes appended and not yet handed to the system.
  [[nodiscard]] virtual size_t unsent(ConnId conn) const = 0;
  // Bytes handed to the system, since the connection was made, after it had had no room for them: while this grows, the
  // other end takes what it is sent, though it may say nothing. 0 for a dead id.
  [[nodiscard]] virtual uint64_t sent_late(ConnId conn) const = 0;

  // Back-pressure: with false, nothing more is read from the peer (the kernel's buffers then fill).
  virtual void set_reading(ConnId conn, bool reading) = 0;

  // Closes and forgets at once; unsent output is lost. No event follows. No effect on a dead id.
  virtual void close(ConnId conn) = 0;
  // Closes once the output has left (or after a bounded time). Input is ignored from now on; no event follows.
  virtual void close_after_flush(ConnId conn) = 0;

  // "host:port" of the other end, for CLIENT LIST and logs. Empty for a dead id.
  [[nodiscard]] virtual std::string peer_name(ConnId conn) const = 0;
};

}  // namespace chainring
