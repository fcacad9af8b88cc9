#include "io/http_server.h"

#include <utility>

#include "base/text.h"

namespace chainring::io {
namespace {

constexpr Micros kCheckInterval = kMicrosPerSecond;
constexpr std::string_view kText = "text/plain; charset=utf-8";

struct RequestLine {
  std::string_view method, path;
};

// An empty method: malformed.
RequestLine parse_request_line(std::string_view line) {
  const size_t method_end = line.find(' ');
  const size_t target_end = line.rfind(' ');
  if (method_end == 0 || method_end == std::string_view::npos || target_end == method_end) return {};
  if (!line.substr(target_end + 1).starts_with("HTTP/1.")) return {};
  const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  if (!target.starts_with('/') || target.find(' ') != std::string_view::npos) return {};
  return {line.substr(0, method_end), target.substr(0, target.find('?'))};
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

}  // namespace

void HttpServer::turn(Now now, std::span<const NetEvent> events) {
  for (const NetEvent& event : events) {
    switch (event.kind) {
      case NetEvent::Kind::accepted:
        if (requests_.size() >= kHttpConnectionsMax) {
          transport_.close(event.conn);
          break;
        }
        if (requests_.empty()) check_at_ = now.mono + kCheckInterval;
        requests_.emplace(event.conn, now.mono);
        break;
      case NetEvent::Kind::input:
        read(event.conn, now);
        break;
      case NetEvent::Kind::closed:
        requests_.erase(event.conn);
        break;
      case NetEvent::Kind::connected:
      case NetEvent::Kind::drained:
        break;
    }
  }
  if (now.mono < check_at_) return;
  check_at_ = now.mono + kCheckInterval;
  std::erase_if(requests_, [&](const auto& request) {
    if (now.mono - request.second < kHttpRequestTimeout) return false;
    transport_.close(request.first);
    return true;
  });
}

void HttpServer::read(ConnId conn, Now now) {
  if (!requests_.contains(conn)) return;
  const std::string_view input = transport_.input(conn).substr(0, kHttpRequestBytesMax);
  const size_t end = input.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (input.size() == kHttpRequestBytesMax) answer(conn, {431, kText, "the request is too long\n"}, true);
    return;
  }
  const RequestLine line = parse_request_line(input.substr(0, input.find("\r\n")));
  if (line.method.empty()) return answer(conn, {400, kText, "this is no HTTP/1.1 request\n"}, true);
  const bool head = line.method == "HEAD";
  if (!head && line.method != "GET") return answer(conn, {405, kText, "only GET and HEAD\n"}, true);
  answer(conn, pages_(line.path, now), !head);
}

void HttpServer::answer(ConnId conn, const HttpAnswer& answer, bool with_body) {
  requests_.erase(conn);
  if (std::string* out = transport_.output(conn)) {
    append_text(*out, "HTTP/1.1 ", answer.status, ' ', reason_of(answer.status),
                "\r\nContent-Type: ", answer.content_type, "\r\nContent-Length: ", answer.body.size(),
                "\r\nCache-Control: no-store\r\nConnection: close\r\n",
                answer.status == 405 ? "Allow: GET, HEAD\r\n" : "", "\r\n");
    if (with_body) out->append(answer.body);
  }
  transport_.close_after_flush(conn);
}

}  // namespace chainring::io
