#include "tests/support/fake_transport.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace chainring::test {
namespace {

constexpr uint16_t kFirstFreePort = 40000;

}  // namespace

ConnId FakeTransport::accept(std::string peer) {
  const ConnId conn = ++last_conn_;
  if (peer.empty()) peer = concat("127.0.0.1:", 50000 + conn);
  connections_[conn].peer = std::move(peer);
  events_.push_back({NetEvent::Kind::accepted, conn});
  return conn;
}

void FakeTransport::establish(ConnId conn) {
  CHECK(known(conn).state == State::dialling, "only a connection that is dialled is established");
  connections_[conn].state = State::open;
  events_.push_back({NetEvent::Kind::connected, conn});
}

void FakeTransport::receive(ConnId conn, std::string_view bytes) {
  Connection* connection = alive(conn);
  if (connection == nullptr) return;  // as to a socket that was closed
  if (!connection->reading) {
    connection->in_system.append(bytes);
    return;
  }
  connection->input.append(bytes);
  events_.push_back({NetEvent::Kind::input, conn});
}

std::string FakeTransport::take_output(ConnId conn, size_t bytes_max) {
  Connection& connection = connections_.at(conn);
  if (connection.output.size() > kOutputLowWater) connection.awaits_drained = true;
  const size_t size = std::min(bytes_max, connection.output.size());
  std::string taken = connection.output.substr(0, size);
  connection.output.erase(0, size);
  if (connection.system_is_full) connection.sent_late += size;
  connection.system_is_full = !connection.output.empty();
  if (!connection.output.empty()) return taken;
  if (std::exchange(connection.awaits_drained, false) && connection.state == State::open) {
    events_.push_back({NetEvent::Kind::drained, conn});
  }
  if (connection.state == State::flushing) connection.state = State::closed;
  return taken;
}

void FakeTransport::disconnect(ConnId conn) {
  if (alive(conn) == nullptr) return;
  connections_[conn].state = State::closed;
  connections_[conn].output.clear();
  events_.push_back({NetEvent::Kind::closed, conn});
}

std::vector<NetEvent> FakeTransport::take_events() { return std::exchange(events_, {}); }

FakeTransport::State FakeTransport::state(ConnId conn) const { return known(conn).state; }
bool FakeTransport::reading(ConnId conn) const { return known(conn).reading; }
size_t FakeTransport::unread(ConnId conn) const { return known(conn).in_system.size(); }

Result<uint16_t> FakeTransport::listen(const Address& address) {
  listeners_.push_back(address);
  if (address.port != 0) return address.port;
  return static_cast<uint16_t>(kFirstFreePort + listeners_.size());
}

ConnId FakeTransport::connect(const Address& address) {
  const ConnId conn = ++last_conn_;
  Connection& connection = connections_[conn];
  connection.state = State::dialling;
  connection.peer = concat(address.host, ':', address.port);
  dials_.push_back({conn, address});
  return conn;
}

std::string_view FakeTransport::input(ConnId conn) const {
  const Connection* connection = alive(conn);
  return connection == nullptr ? std::string_view() : std::string_view(connection->input);
}

void FakeTransport::consume(ConnId conn, size_t bytes) {
  Connection* connection = alive(conn);
  if (connection == nullptr) return;
  CHECK(bytes <= connection->input.size(), "only what has come can be consumed");
  connection->input = connection->input.substr(bytes);  // into other memory
}

std::string* FakeTransport::output(ConnId conn) {
  Connection* connection = alive(conn);
  return connection == nullptr ? nullptr : &connection->output;
}

size_t FakeTransport::unsent(ConnId conn) const {
  const Connection* connection = alive(conn);
  return connection == nullptr ? 0 : connection->output.size();
}

uint64_t FakeTransport::sent_late(ConnId conn) const {
  const Connection* connection = alive(conn);
  return connection == nullptr ? 0 : connection->sent_late;
}

void FakeTransport::set_reading(ConnId conn, bool reading) {
  Connection* connection = alive(conn);
  if (connection == nullptr || std::exchange(connection->reading, reading) == reading || !reading) return;
  connection->input.append(std::exchange(connection->in_system, {}));
  if (!connection->input.empty()) events_.push_back({NetEvent::Kind::input, conn});
}

void FakeTransport::close(ConnId conn) {
  Connection* connection = alive(conn);
  if (connection == nullptr) return;
  connection->state = State::closed;
  connection->output.clear();
  std::erase_if(events_, [&](const NetEvent& event) { return event.conn == conn; });
}

void FakeTransport::close_after_flush(ConnId conn) {
  Connection* connection = alive(conn);
  if (connection == nullptr) return;
  connection->state = connection->output.empty() ? State::closed : State::flushing;
  std::erase_if(events_, [&](const NetEvent& event) { return event.conn == conn; });
}

std::string FakeTransport::peer_name(ConnId conn) const {
  const Connection* connection = alive(conn);
  return connection == nullptr ? std::string() : connection->peer;
}

const FakeTransport::Connection* FakeTransport::alive(ConnId conn) const {
  const auto found = connections_.find(conn);
  if (found == connections_.end()) return nullptr;
  const State state = found->second.state;
  return state == State::open || state == State::dialling ? &found->second : nullptr;
}

FakeTransport::Connection* FakeTransport::alive(ConnId conn) {
  return const_cast<Connection*>(std::as_const(*this).alive(conn));
}

const FakeTransport::Connection& FakeTransport::known(ConnId conn) const { return connections_.at(conn); }

}  // namespace chainring::test
