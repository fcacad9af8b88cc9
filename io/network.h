// base/transport.h over TCP sockets: the sockets of one event loop.
//
// The loop lets libevent call it for each ready socket, takes the events that came of it, and after the process' turn
// has it write all output: one recv() and one send() for each connection and turn.
// Thread-safety: none; belongs to one Loop.
#pragma once

#include <queue>
#include <span>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/time.h"
#include "base/transport.h"
#include "io/block_pool.h"
#include "io/connection.h"
#include "io/socket.h"

struct event_base;

namespace chainring::io {

struct NetworkOptions {
  // Memory of the input of all connections. The connection that would exceed it is closed: whoever has sent most of
  // an unfinished request is the likeliest to be hit, and processes have lower limits for each client.
  size_t input_bytes_max = size_t{4} << 30;
  // After how long a silence a connection is probed (TCP keep-alive); 0: never.
  int keepalive_seconds = 300;
};

class Network final : public Transport {
 public:
  // `base` and `log` outlive it.
  Network(event_base* base, Log& log, const NetworkOptions& options);
  ~Network() override;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // The loop's side. A turn: sockets are ready (callbacks), begin_turn(), the process' turn, finish_turn().
  // Whether there are events already, so that the loop must not wait for sockets.
  [[nodiscard]] bool has_events() const { return !gathered_.empty(); }
  // When the loop must begin a turn at the latest for the network's own sake.
  [[nodiscard]] Micros next_deadline() const;
  // All that happened since the last call. Lifetime: until the next call.
  [[nodiscard]] std::span<const NetEvent> begin_turn(Micros now);
  void finish_turn();

  [[nodiscard]] Result<uint16_t> listen(const Address& address) override;
  ConnId connect(const Address& address) override;
  [[nodiscard]] std::string_view input(ConnId conn) const override;
  void consume(ConnId conn, size_t bytes) override;
  [[nodiscard]] std::string* output(ConnId conn) override;
  [[nodiscard]] size_t unsent(ConnId conn) const override;
  [[nodiscard]] uint64_t sent_late(ConnId conn) const override;
  void set_reading(ConnId conn, bool reading) override;
  void close(ConnId conn) override;
  void close_after_flush(ConnId conn) override;
  [[nodiscard]] std::string peer_name(ConnId conn) const override;

  // Of all connections together; for tests and INFO.
  [[nodiscard]] size_t input_capacity() const { return input_capacity_; }

 private:
  struct ListenSocket {
    Network& owner;
    Listener listener;
    EventHandle event;
  };
  struct Deadline {
    Micros at;
    ConnId conn;
    bool operator>(const Deadline& other) const { return at > other.at; }
  };

  static void on_acceptable(int fd, short what, void* listen_socket);
  static void on_readable(int fd, short what, void* connection);
  static void on_writable(int fd, short what, void* connection);

  void accept_some(ListenSocket& socket);
  void pause_accepting(int error);
  void resume_accepting();
  void receive(Connection& connection);
  void receive_unwanted(Connection& connection);
  void finish_connect(Connection& connection);
  void flush(Connection& connection);
  void all_sent(Connection& connection);
  void linger(Connection& connection);
  void expire(Connection& connection);

  Connection& add(Fd fd, std::string peer, Connection::State state);
  [[nodiscard]] Connection* find_any(ConnId conn) const;  // also one that only its output keeps
  [[nodiscard]] Connection* find(ConnId conn) const;      // one that its process may use
  void gather(NetEvent::Kind kind, ConnId conn);
  void gather_input(Connection& connection);
  void want_flush(Connection& connection);
  void want_readable(Connection& connection, bool wanted);
  void want_writable(Connection& connection, bool wanted);
  void set_deadline(Connection& connection, Micros delay);
  void lose(Connection& connection);    // the other end is gone
  void forget(Connection& connection);  // closes; freed at the end of the turn
  void release_input(Connection& connection);
  void recycle_output(Connection& connection);

  event_base* const base_;
  Log& log_;
  const NetworkOptions options_;
  Micros now_;
  uint64_t turn_ = 1;

  std::vector<std::unique_ptr<ListenSocket>> listeners_;
  Micros accept_again_at_ = kNever;
  Micros accept_complaint_after_ = 0;

  // A ConnId is a serial number over an index into this; see add().
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint32_t> free_indices_;
  uint64_t next_serial_ = 1;

  std::vector<NetEvent> gathered_;  // for the next turn
  std::vector<NetEvent> handed_out_;
  std::vector<Connection*> to_flush_;
  std::vector<Connection*> emptied_;
  std::vector<std::unique_ptr<Connection>> forgotten_;
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;

  BlockPool pool_;
  std::vector<std::string> spare_outputs_;
  size_t input_capacity_ = 0;
};

}  // namespace chainring::io
