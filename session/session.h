// What Clients is made of: the table of connections, the loop that executes their requests, and the limits.
// Commands are in session/commands.h.
//
// Thread-safety: none. Re-entrancy: the Backend may call complete(), hold() and release() from within request().
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "session/client.h"
#include "session/clients.h"
#include "session/statistics.h"

namespace chainring::session {

// CLIENT PAUSE.
struct Pause {
  Micros until = 0;
  bool all = false;  // else writes alone
};

class Session {
 public:
  Session(Settings& settings, Transport& transport, Log& log, Backend& backend, RoleFacts facts);

  // What Clients offers; see there.
  void accepted(ConnId conn, Now now);
  [[nodiscard]] bool owns(ConnId conn) const { return by_conn_.contains(conn); }
  Clients::Outcome on_event(const NetEvent& event, Now now);
  [[nodiscard]] std::span<const std::string> peer_args() const { return peer_args_; }
  void complete(Ticket ticket, std::string_view reply);
  [[nodiscard]] bool is_next(Ticket ticket) const;
  void flush(Now now);
  [[nodiscard]] Micros next_tick() const;
  void hold(ClientId id);
  void release(ClientId id);
  void close_all();
  void set_port(uint16_t port) { port_ = port; }
  void set_now(Now now) { now_ = now; }

  // For the commands.
  [[nodiscard]] Settings& settings() { return settings_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] Transport& transport() { return transport_; }
  [[nodiscard]] Backend& backend() { return backend_; }
  [[nodiscard]] const RoleFacts& facts() const { return facts_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] Now now() const { return now_; }
  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] bool speaks_cluster() const { return facts_.mode == "cluster"; }
  [[nodiscard]] size_t client_count() const { return by_id_.size(); }
  [[nodiscard]] size_t memory_of(const Client& client) const;
  [[nodiscard]] size_t client_memory() const;  // of all of them
  [[nodiscard]] Client* find(ClientId id);     // nullptr for one that is gone
  // In the order in which they connected.
  [[nodiscard]] std::vector<Client*> clients() const;
  [[nodiscard]] int64_t commands_per_second();
  // Bytes of a single client, over the last seconds.
  [[nodiscard]] uint64_t input_peak() const { return input_peak_.peak(now_.mono); }
  [[nodiscard]] uint64_t output_peak() const { return output_peak_.peak(now_.mono); }
  void reset_statistics();
  // Whether it may go on without AUTH; gives the client the limits of its state.
  void set_authenticated(Client& client, bool authenticated);
  [[nodiscard]] bool password_needed() const;
  // After settings were changed: gives all clients the limits of now.
  void apply_limits();
  // Closes without waiting for replies or output, when nobody works with the client any more.
  void kill(Client& client);
  // Takes no more requests; closes when the replies to those that came have left.
  void close_after_replies(Client& client);
  void pause(Micros until, bool all);
  void unpause();

 private:
  enum class Verdict { executed, postponed, peer };
  struct Dead {
    ClientId id;
    bool flushes;  // its output leaves first
  };

  Clients::Outcome serve(Client& client);
  Verdict execute(Client& client, std::span<const std::string_view> args, std::string_view bytes);
  bool admit(Client& client);
  // The text of the error that the request gets instead of being executed; empty for none.
  [[nodiscard]] std::string refusal(const Client& client, const protocol::CommandSpec* command,
                                    std::span<const std::string_view> args) const;
  void answer_error(Client& client, std::string_view text);
  void answer(Client& client, std::string_view reply);
  void run(Client& client, const protocol::CommandSpec& command, std::span<const std::string_view> args,
           std::string_view bytes);
  void become_peer(std::span<const std::string_view> args);

  // ---- session_transactions.cc
  // An error came instead of a command of an open transaction, or instead of EXEC. Returns the error to answer.
  [[nodiscard]] static std::string spoil(Client& client, const protocol::CommandSpec* command, std::string error);
  void queue(Client& client, const protocol::CommandSpec& command, std::span<const std::string_view> args);
  void exec(Client& client);
  void finish_exec(Client& client, uint64_t place, std::string_view reply);
  void watch(Client& client, const protocol::CommandSpec& command, std::span<const std::string_view> args,
             std::string_view bytes);
  void await(Client& client, Awaited awaited);
  void take_awaited(Client& client, std::string_view reply);

  void complete(Client& client, uint64_t place, std::string_view reply);
  [[nodiscard]] uint64_t open_place(Client& client) const;
  void check_output(Client& client);
  void enforce_limits(Client& client);
  void stall(Client& client);
  void consider_resuming(Client& client);
  void resume_all();
  void bury_if_done(Client& client);
  void bury_dead();
  void forget(Client& client);
  void check_clients();
  [[nodiscard]] bool clients_need_checks() const;
  void close_for_its_query(Client& client);
  void account(Client& client);  // brings the count of its memory up to date
  void add_memory(Client& client, size_t bytes);
  void evict_clients();
  [[nodiscard]] size_t client_memory_limit() const;  // 0: none
  [[nodiscard]] std::string_view too_many_clients() const;
  [[nodiscard]] protocol::RequestLimits request_limits(bool authenticated) const;

  Settings& settings_;
  Transport& transport_;
  Log& log_;
  Backend& backend_;
  const RoleFacts facts_;
  uint16_t port_ = 0;
  Now now_;  // of the present turn

  boost::unordered_flat_map<ConnId, std::unique_ptr<Client>> by_conn_;
  boost::unordered_flat_map<ClientId, Client*> by_id_;
  Client* current_ = nullptr;  // whose request is being executed
  ClientId last_id_ = 0;
  size_t admitted_ = 0;
  std::vector<Dead> dead_;
  std::vector<ClientId> resuming_;
  std::vector<std::string> peer_args_;
  Pause pause_;
  Micros check_at_ = 0;      // of idle times and of times above soft limits
  size_t client_bytes_ = 0;  // memory of all clients; not less than it is
  RecentPeak input_peak_;
  RecentPeak output_peak_;

  Counters counters_;
  CommandRate rate_;
  std::string scratch_;       // the reply of the session's own command that is being executed
  std::string inline_bytes_;  // an inline command as RESP
};

}  // namespace chainring::session
