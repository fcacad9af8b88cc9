// A Transport in memory for one process under test. The test plays the other ends and the system: it lets peers
// connect, bytes arrive, output leave, connections break; the process gets the events that io would give it.
//
// Strict where the contract is: dead ids have no input and no output, nothing is read while reading is off, consumed
// input moves (so that a stale view is a fault under AddressSanitizer).
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/transport.h"

namespace chainring::test {

class FakeTransport final : public Transport {
 public:
  enum class State { dialling, open, flushing, closed };

  // ---- the test's side

  // A client connects to our listener; `accepted` is queued.
  ConnId accept(std::string peer = {});
  // The outcome of a connect() of ours: `connected`, or `closed`.
  void establish(ConnId conn);
  void refuse(ConnId conn) { disconnect(conn); }
  // Bytes come from the other end; `input` is queued, at the latest when reading is switched on.
  void receive(ConnId conn, std::string_view bytes);
  // The system takes up to `bytes_max` of the output. Queues `drained` where io would. A connection that waited
  // for its output to leave is closed when it has.
  std::string take_output(ConnId conn, size_t bytes_max = SIZE_MAX);
  // The other end goes away: `closed` is queued, the id is dead, output is lost.
  void disconnect(ConnId conn);

  // What has happened since the last call, for the process's next turn.
  [[nodiscard]] std::vector<NetEvent> take_events();

  [[nodiscard]] State state(ConnId conn) const;
  [[nodiscard]] bool reading(ConnId conn) const;
  // Bytes that the system holds because reading is off.
  [[nodiscard]] size_t unread(ConnId conn) const;
  // Every connect(), in order.
  struct Dial {
    ConnId conn;
    Address address;
  };
  [[nodiscard]] const std::vector<Dial>& dials() const { return dials_; }
  [[nodiscard]] const std::vector<Address>& listeners() const { return listeners_; }

  // ---- the process's side

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

 private:
  struct Connection {
    State state = State::open;
    std::string peer;
    std::string input;
    std::string in_system;  // received while reading was off
    std::string output;
    bool reading = true;
    bool awaits_drained = false;
    bool system_is_full = false;  // it has taken a part of the output and left the rest
    uint64_t sent_late = 0;
  };
  [[nodiscard]] const Connection* alive(ConnId conn) const;
  [[nodiscard]] Connection* alive(ConnId conn);
  [[nodiscard]] const Connection& known(ConnId conn) const;

  std::map<ConnId, Connection> connections_;
  std::vector<NetEvent> events_;
  std::vector<Dial> dials_;
  std::vector<Address> listeners_;
  ConnId last_conn_ = kNoConn;
};

}  // namespace chainring::test
