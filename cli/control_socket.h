// The Unix socket in its directory at which `chainring up` takes orders: RESP, one small request at a time. Only the
// user who runs it can connect.
//
// Thread-safety: none; one owner. Nothing in it blocks.
#pragma once

#include <poll.h>

#include <functional>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cli/redis_client.h"
#include "io/fd.h"
#include "protocol/resp.h"

namespace chainring::cli {

class ControlSocket {
 public:
  // Takes the words of a request and gives the reply in RESP.
  using Answer = std::function<std::string(std::span<const std::string_view> words)>;

  // REQUIRES: the caller holds the directory (io::DirectoryLock), so that whatever socket is there is nobody's any
  // more.
  [[nodiscard]] static Result<ControlSocket> open(const std::string& directory);
  ControlSocket(ControlSocket&&) = default;
  ControlSocket& operator=(ControlSocket&&) = delete;
  ~ControlSocket();  // the file goes too

  // Connects to the one in that directory.
  [[nodiscard]] static Result<RedisClient> connect(const std::string& directory, Millis timeout);

  // What to wait for with poll().
  [[nodiscard]] std::vector<pollfd> awaited() const;
  // Takes in whoever connects, and answers what has been asked.
  void turn(Micros now, const Answer& answer);

 private:
  static constexpr size_t kClientsMax = 8;
  static constexpr Micros kIdleMax = 30 * kMicrosPerSecond;
  static constexpr size_t kRequestBytesMax = 4096;

  struct Client {
    io::Fd fd;
    protocol::RequestParser parser;
    std::string input;
    Micros heard_at;
  };

  ControlSocket(io::Fd directory, io::Fd listener);
  void accept_all(Micros now);
  // False when the client is to be let go.
  [[nodiscard]] static bool serve(Client& client, Micros now, const Answer& answer);

  io::Fd directory_;
  io::Fd listener_;
  std::list<Client> clients_;
};

}  // namespace chainring::cli
