// Clients in memory: a fake transport below, a fake role above, and a clock that the test moves.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"
#include "base/random.h"
#include "base/settings.h"
#include "protocol/transaction.h"
#include "session/clients.h"
#include "tests/support/fake_transport.h"

namespace chainring::session {

class ListedLog final : public Log {
 public:
  void write(LogLevel level, std::string_view text) override {
    if (level >= LogLevel::warning) warnings.emplace_back(text);
  }
  std::vector<std::string> warnings;
};

// A role that answers each request at once with its last argument, or leaves it open for the test to answer; a
// transaction by the array of those, with its number of databases and marks noted in `transactions`.
class FakeBackend final : public Backend {
 public:
  struct Seen {
    Ticket ticket;
    std::vector<std::string> args;
    std::string bytes;
    int db;
    protocol::RespVersion resp;
  };

  void request(const ClientRequest& request) override;
  [[nodiscard]] Placement placement(const protocol::CommandSpec& command,
                                    std::span<const std::string_view> args) const override;
  void transaction(const ClientTransaction& transaction) override;
  void client_gone(ClientId client) override { gone.push_back(client); }
  void info(std::string_view section, InfoWriter& out) override;
  void reset_stats() override { ++resets; }
  [[nodiscard]] bool answers_info() const override { return takes_info; }
  [[nodiscard]] int64_t replicas() const override { return 2; }

  struct SeenTransaction {
    Ticket ticket;
    Place place;
    bool writes;
    std::vector<std::string> commands;  // "2 set k v": the database first
    std::vector<std::string> marks;
  };

  Clients* clients = nullptr;
  bool at_once = true;
  bool takes_info = false;
  int resets = 0;
  std::function<std::string(const ClientRequest&)> answer;  // instead of the last argument
  std::vector<Seen> seen;
  std::vector<SeenTransaction> transactions;
  std::string transaction_reply;  // instead of the array
  std::vector<ClientId> gone;
};

struct Rig {
  explicit Rig(std::string_view mode = "standalone");

  ConnId connect();
  // Bytes arrive and a turn passes; the replies that it brought.
  std::string send(ConnId conn, std::string_view bytes);
  // The same for one request of space-separated words.
  std::string ask(ConnId conn, std::string_view words);
  // One turn of the event loop, as a role makes it.
  void turn();
  void pass(Micros time);
  [[nodiscard]] bool open(ConnId conn) const { return transport.state(conn) == test::FakeTransport::State::open; }
  void set(Setting id, std::string_view value);

  Settings settings{kRouterRole};
  test::FakeTransport transport;
  SeededRandom random{7};
  ListedLog log;
  FakeBackend backend;
  ProcessFigures figures{.rss_bytes = 3 << 20, .cpu_user = 1'500'000, .cpu_system = 250'000};
  Clients clients;
  Now now{.mono = 5 * kMicrosPerSecond, .wall = 1'700'000'000'123};
  std::vector<ConnId> peers;  // connections that became peers
};

// RESP of a request.
[[nodiscard]] std::string request(std::string_view words);
[[nodiscard]] std::string request(std::initializer_list<std::string_view> args);
[[nodiscard]] std::string bulk(std::string_view bytes);

}  // namespace chainring::session
