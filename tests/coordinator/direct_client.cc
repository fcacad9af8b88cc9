#include "tests/coordinator/direct_client.h"

#include <memory>

#include "protocol/resp.h"

namespace chainring::coordinator {

DirectClient& DirectClient::connect(sim::World& world, uint16_t to) {
  static uint16_t port = 20'000;  // nobody dials it; hosts of a world have one each
  const sim::HostId host = world.add_host(
      "client", ++port,
      [to](Transport& transport, Random&, Log&) { return std::make_unique<DirectClient>(to, transport); }, 0);
  world.start(host);
  return *dynamic_cast<DirectClient*>(world.process(host));
}

Status DirectClient::start(Now now) {
  now_ = now.mono;
  conn_ = transport_.connect({"127.0.0.1", to_});
  return {};
}

void DirectClient::turn(Now now, std::span<const NetEvent> events) {
  now_ = now.mono;
  for (const NetEvent& event : events) {
    if (event.conn == conn_ && event.kind == NetEvent::Kind::connected) up_ = true;
    if (event.conn == conn_ && event.kind == NetEvent::Kind::closed) up_ = false;
  }
  if (!up_) return;
  const std::string_view input = transport_.input(conn_);
  received_.append(input);
  transport_.consume(conn_, input.size());
  if (to_send_.empty()) return;
  transport_.output(conn_)->append(to_send_);
  to_send_.clear();
}

void DirectClient::send(std::string_view line) {
  received_.clear();
  to_send_.append(line).append("\r\n");  // inline
}

std::string DirectClient::ask(sim::World& world, std::string_view line) {
  send(line);
  return await_reply(world);
}

std::string DirectClient::ask(sim::World& world, std::span<const std::string_view> words) {
  received_.clear();
  protocol::append_request(to_send_, words);
  return await_reply(world);
}

std::string DirectClient::await_reply(sim::World& world) {
  const Micros until = world.now() + kMicrosPerSecond;
  while (world.now() < until) {
    world.run_until(world.now() + kMicrosPerMilli);
    const protocol::ReplyExtent extent = protocol::measure_reply(received_);
    if (extent.state == protocol::ReplyExtent::State::ready) return received_.substr(0, extent.size);
  }
  return "no reply";
}

}  // namespace chainring::coordinator
