// HTTP for who watches over a process: GET and HEAD of a few pages, one request for each connection.
//
// Pure over a Transport of its own, whose connections are all its. It is written here because libevent's evhttp (2.1)
// cannot bound how many connections it holds, and what such pages need of HTTP/1.1 is little (RFC 9112): a request
// line, headers that are skipped, and an answer that ends with the connection.
//
// Limits: 32 requests at once, further connections are closed; 8 KiB and 5 s for a request; answers that are not
// taken are given up by the Transport.
// Thread-safety: none; one owner. The Transport is not owned and outlives it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/time.h"
#include "base/transport.h"

namespace chainring::io {

inline constexpr size_t kHttpConnectionsMax = 32;
inline constexpr size_t kHttpRequestBytesMax = 8 * 1024;
inline constexpr Micros kHttpRequestTimeout = 5 * kMicrosPerSecond;

struct HttpAnswer {
  int status = 200;
  std::string_view content_type;  // of a constant
  std::string body;
};

class HttpServer {
 public:
  // Answers a GET of this path (without its query).
  using Pages = std::function<HttpAnswer(std::string_view path, Now now)>;

  HttpServer(Transport& transport, Pages pages) : transport_(transport), pages_(std::move(pages)) {}

  void turn(Now now, std::span<const NetEvent> events);
  [[nodiscard]] Micros next_tick() const { return requests_.empty() ? kNever : check_at_; }

 private:
  void read(ConnId conn, Now now);
  void answer(ConnId conn, const HttpAnswer& answer, bool with_body);

  Transport& transport_;
  const Pages pages_;
  std::map<ConnId, Micros> requests_;  // not whole yet; since when
  Micros check_at_ = 0;
};

}  // namespace chainring::io
