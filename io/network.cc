#include "io/network.h"

#include <event2/event.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/text.h"
#include "io/real_clock.h"

namespace chainring::io {
namespace {

constexpr int kAcceptedPerTurnMax = 64;
constexpr Micros kAcceptPause = 100 * kMicrosPerMilli;
constexpr Micros kAcceptComplaintEvery = 10 * kMicrosPerSecond;
constexpr Micros kConnectTimeout = 5 * kMicrosPerSecond;
constexpr Micros kFlushTimeout = 5 * kMicrosPerSecond;
constexpr Micros kLingerTimeout = 1 * kMicrosPerSecond;
constexpr size_t kSpareOutputsMax = 64;
constexpr size_t kSpareOutputBytesMax = 64 * 1024;
const size_t kInlineCapacity = std::string().capacity();

constexpr unsigned kIndexBits = 24;
constexpr uint64_t kIndexMask = (uint64_t{1} << kIndexBits) - 1;

}  // namespace

void EventDeleter::operator()(event* handle) const { event_free(handle); }

Network::Network(event_base* base, Log& log, const NetworkOptions& options)
    : base_(base), log_(log), options_(options), now_(read_mono()) {}

Network::~Network() = default;

// ---- the loop's side

Micros Network::next_deadline() const {
  return deadlines_.empty() ? accept_again_at_ : std::min(deadlines_.top().at, accept_again_at_);
}

std::span<const NetEvent> Network::begin_turn(Micros now) {
  now_ = now;
  ++turn_;
  if (now >= accept_again_at_) resume_accepting();
  while (!deadlines_.empty() && deadlines_.top().at <= now) {
    const Deadline due = deadlines_.top();
    deadlines_.pop();
    Connection* connection = find_any(due.conn);
    if (connection != nullptr && connection->deadline == due.at) expire(*connection);
  }
  handed_out_.clear();
  handed_out_.swap(gathered_);
  return handed_out_;
}

void Network::finish_turn() {
  for (Connection* connection : to_flush_) {
    connection->in_flush_list = false;
    if (connection->state != Connection::State::closed) flush(*connection);
  }
  to_flush_.clear();
  for (Connection* connection : emptied_) {
    connection->in_emptied_list = false;
    if (connection->state != Connection::State::closed) release_input(*connection);
  }
  emptied_.clear();
  forgotten_.clear();
}

// ---- listening

Result<uint16_t> Network::listen(const Address& address) {
  Result<Listener> listener = open_listener(address);
  if (!listener) return listener.status();
  auto socket = std::make_unique<ListenSocket>(ListenSocket{*this, *std::move(listener), nullptr});
  socket->event.reset(
      event_new(base_, socket->listener.fd.number(), EV_READ | EV_PERSIST, &Network::on_acceptable, socket.get()));
  CHECK(socket->event != nullptr && event_add(socket->event.get(), nullptr) == 0, "libevent takes a new socket");
  const uint16_t port = socket->listener.port;
  listeners_.push_back(std::move(socket));
  return port;
}

void Network::on_acceptable(int, short, void* listen_socket) {
  auto& socket = *static_cast<ListenSocket*>(listen_socket);
  socket.owner.accept_some(socket);
}

void Network::accept_some(ListenSocket& socket) {
  for (int i = 0; i < kAcceptedPerTurnMax; ++i) {
    std::optional<Accepted> accepted = accept_one(socket.listener.fd.number(), options_.keepalive_seconds);
    if (!accepted) {
      if (errno != EAGAIN && errno != EWOULDBLOCK) pause_accepting(errno);
      return;
    }
    Connection& connection = add(std::move(accepted->fd), to_text(accepted->peer), Connection::State::open);
    want_readable(connection, true);
    gather(NetEvent::Kind::accepted, connection.id);
  }
}

// Without a pause a listener that cannot accept stays ready, and the loop would spin.
void Network::pause_accepting(int error) {
  for (const auto& socket : listeners_) event_del(socket->event.get());
  accept_again_at_ = now_ + kAcceptPause;
  if (now_ < accept_complaint_after_) return;
  accept_complaint_after_ = now_ + kAcceptComplaintEvery;
  log_.warning(concat("cannot accept connections for now: ", std::strerror(error),
                      "; raise the limit of open files (ulimit -n) or lower maxclients"));
}

void Network::resume_accepting() {
  accept_again_at_ = kNever;
  for (const auto& socket : listeners_) event_add(socket->event.get(), nullptr);
}

// ---- connecting

ConnId Network::connect(const Address& address) {
  Result<Fd> fd = begin_connect(address);
  const bool begun = fd.ok();
  if (!begun) log_.debug(fd.status().message());
  Connection& connection =
      add(begun ? *std::move(fd) : Fd(), concat(address.host, ':', address.port), Connection::State::connecting);
  const ConnId id = connection.id;
  if (begun) {
    want_writable(connection, true);
    set_deadline(connection, kConnectTimeout);
  } else {
    lose(connection);
  }
  return id;
}

void Network::finish_connect(Connection& connection) {
  if (!is_connected(connection.fd.number())) return lose(connection);
  connection.state = Connection::State::open;
  connection.deadline = kNever;
  want_writable(connection, false);
  want_readable(connection, connection.reading);
  gather(NetEvent::Kind::connected, connection.id);
  if (connection.unsent() > 0) flush(connection);
}

// ---- input

void Network::on_readable(int, short, void* connection) {
  auto& ready = *static_cast<Connection*>(connection);
  ready.owner.receive(ready);
}

void Network::receive(Connection& connection) {
  if (connection.state != Connection::State::open) return receive_unwanted(connection);
  if (input_capacity_ + connection.growth() > options_.input_bytes_max) {
    log_.warning(concat("closing the connection of ", connection.peer_name, ": the input of all connections reached ",
                        options_.input_bytes_max, " bytes"));
    return lose(connection);
  }
  const size_t capacity_before = connection.input.capacity();
  const Connection::Received received = connection.receive(pool_);
  input_capacity_ += connection.input.capacity() - capacity_before;
  switch (received) {
    case Connection::Received::bytes:
      gather_input(connection);
      break;
    case Connection::Received::nothing:
      release_input(connection);
      break;
    case Connection::Received::end:
      lose(connection);
      break;
  }
}

void Network::receive_unwanted(Connection& connection) {
  if (connection.discard() != Connection::Received::end) return;
  if (connection.state == Connection::State::lingering) return forget(connection);
  connection.peer_ended = true;  // it may have shut down its sending side only, and wait for our output
  want_readable(connection, false);
}

std::string_view Network::input(ConnId conn) const {
  const Connection* connection = find(conn);
  return connection == nullptr ? std::string_view() : connection->input.bytes();
}

void Network::consume(ConnId conn, size_t bytes) {
  Connection* connection = find(conn);
  if (connection == nullptr) {
    CHECK(bytes == 0, "a dead connection has no input to consume");
    return;
  }
  connection->input.consume(bytes);
  if (connection->input.size() > 0 || connection->in_emptied_list) return;
  connection->in_emptied_list = true;
  emptied_.push_back(connection);
}

void Network::set_reading(ConnId conn, bool reading) {
  Connection* connection = find(conn);
  if (connection == nullptr || connection->reading == reading) return;
  connection->reading = reading;
  if (connection->state == Connection::State::open) want_readable(*connection, reading);
  if (reading && connection->input.size() > 0) gather_input(*connection);
}

void Network::release_input(Connection& connection) {
  const size_t capacity_before = connection.input.capacity();
  connection.input.release_if_empty(pool_);
  input_capacity_ -= capacity_before - connection.input.capacity();
}

// ---- output

std::string* Network::output(ConnId conn) {
  Connection* connection = find(conn);
  if (connection == nullptr) return nullptr;
  if (connection->output.capacity() <= kInlineCapacity && connection->output.empty() && !spare_outputs_.empty()) {
    connection->output = std::move(spare_outputs_.back());
    spare_outputs_.pop_back();
  }
  want_flush(*connection);
  return &connection->output;
}

size_t Network::unsent(ConnId conn) const {
  const Connection* connection = find(conn);
  return connection == nullptr ? 0 : connection->unsent();
}

uint64_t Network::sent_late(ConnId conn) const {
  const Connection* connection = find(conn);
  return connection == nullptr ? 0 : connection->sent_late();
}

void Network::on_writable(int, short, void* connection) {
  auto& ready = *static_cast<Connection*>(connection);
  if (ready.state == Connection::State::connecting) return ready.owner.finish_connect(ready);
  ready.owner.want_writable(ready, false);
  ready.owner.flush(ready);
}

void Network::flush(Connection& connection) {
  if (connection.state == Connection::State::connecting || connection.writable_wanted) return;
  if (connection.unsent() == 0) return all_sent(connection);
  if (connection.unsent() > kOutputLowWater) connection.awaits_drained = true;
  switch (connection.send()) {
    case Connection::Sent::all:
      return all_sent(connection);
    case Connection::Sent::part:
      return want_writable(connection, true);
    case Connection::Sent::failed:
      return lose(connection);
  }
}

void Network::all_sent(Connection& connection) {
  recycle_output(connection);
  if (connection.state == Connection::State::flushing) return linger(connection);
  if (!connection.awaits_drained) return;
  connection.awaits_drained = false;
  gather(NetEvent::Kind::drained, connection.id);
}

// A connection that waits for its next request keeps no buffer.
void Network::recycle_output(Connection& connection) {
  connection.output.clear();
  connection.sent = 0;
  const size_t capacity = connection.output.capacity();
  if (capacity > kSpareOutputBytesMax || spare_outputs_.size() >= kSpareOutputsMax) {
    std::string().swap(connection.output);
  } else if (capacity > kInlineCapacity) {
    spare_outputs_.push_back(std::move(connection.output));
    connection.output = std::string();
  }
}

// ---- closing

void Network::close(ConnId conn) {
  if (Connection* connection = find(conn); connection != nullptr) forget(*connection);
}

void Network::close_after_flush(ConnId conn) {
  Connection* connection = find(conn);
  if (connection == nullptr) return;
  if (connection->state == Connection::State::connecting) return forget(*connection);
  connection->state = Connection::State::flushing;
  want_readable(*connection, true);
  set_deadline(*connection, kFlushTimeout);
  want_flush(*connection);
}

// Closing a socket with unread input sends a reset, and that can destroy our last reply before the other end has
// read it. So the end of our output is sent first, and the input drained for a while.
void Network::linger(Connection& connection) {
  connection.state = Connection::State::lingering;
  if (connection.peer_ended || ::shutdown(connection.fd.number(), SHUT_WR) != 0) return forget(connection);
  set_deadline(connection, kLingerTimeout);
}

void Network::expire(Connection& connection) {
  if (connection.state == Connection::State::connecting) {
    lose(connection);
  } else {
    forget(connection);
  }
}

void Network::lose(Connection& connection) {
  if (connection.alive()) gather(NetEvent::Kind::closed, connection.id);
  forget(connection);
}

void Network::forget(Connection& connection) {
  connection.state = Connection::State::closed;
  connection.read_event.reset();
  connection.write_event.reset();
  connection.fd.reset();
  input_capacity_ -= connection.input.capacity();
  const auto index = static_cast<uint32_t>(connection.id & kIndexMask);
  forgotten_.push_back(std::move(connections_[index]));
  free_indices_.push_back(index);
}

std::string Network::peer_name(ConnId conn) const {
  const Connection* connection = find(conn);
  return connection == nullptr ? std::string() : connection->peer_name;
}

// ---- bookkeeping

Connection& Network::add(Fd fd, std::string peer, Connection::State state) {
  if (free_indices_.empty()) {
    CHECK(connections_.size() <= kIndexMask, "the system has fewer file descriptors than this");
    free_indices_.push_back(static_cast<uint32_t>(connections_.size()));
    connections_.emplace_back();
  }
  const uint32_t index = free_indices_.back();
  free_indices_.pop_back();
  const ConnId id = (next_serial_++ << kIndexBits) | index;
  connections_[index] = std::make_unique<Connection>(*this, id, std::move(fd), std::move(peer), state);
  return *connections_[index];
}

Connection* Network::find_any(ConnId conn) const {
  const uint64_t index = conn & kIndexMask;
  if (index >= connections_.size()) return nullptr;
  Connection* connection = connections_[index].get();
  return connection != nullptr && connection->id == conn ? connection : nullptr;
}

Connection* Network::find(ConnId conn) const {
  Connection* connection = find_any(conn);
  return connection != nullptr && connection->alive() ? connection : nullptr;
}

void Network::gather(NetEvent::Kind kind, ConnId conn) { gathered_.push_back(NetEvent{kind, conn}); }

void Network::gather_input(Connection& connection) {
  if (connection.input_event_turn == turn_) return;  // it is on its way already
  connection.input_event_turn = turn_;
  gather(NetEvent::Kind::input, connection.id);
}

void Network::want_flush(Connection& connection) {
  if (connection.in_flush_list) return;
  connection.in_flush_list = true;
  to_flush_.push_back(&connection);
}

void Network::want_readable(Connection& connection, bool wanted) {
  if (!wanted) {
    if (connection.read_event != nullptr) event_del(connection.read_event.get());
    return;
  }
  if (connection.read_event == nullptr) {
    connection.read_event.reset(
        event_new(base_, connection.fd.number(), EV_READ | EV_PERSIST, &Network::on_readable, &connection));
  }
  CHECK(connection.read_event != nullptr && event_add(connection.read_event.get(), nullptr) == 0,
        "libevent takes an open socket");
}

void Network::want_writable(Connection& connection, bool wanted) {
  connection.writable_wanted = wanted;
  if (!wanted) {
    if (connection.write_event != nullptr) event_del(connection.write_event.get());
    return;
  }
  if (connection.write_event == nullptr) {
    connection.write_event.reset(
        event_new(base_, connection.fd.number(), EV_WRITE | EV_PERSIST, &Network::on_writable, &connection));
  }
  CHECK(connection.write_event != nullptr && event_add(connection.write_event.get(), nullptr) == 0,
        "libevent takes an open socket");
}

void Network::set_deadline(Connection& connection, Micros delay) {
  connection.deadline = now_ + delay;
  deadlines_.push(Deadline{connection.deadline, connection.id});
}

}  // namespace chainring::io
