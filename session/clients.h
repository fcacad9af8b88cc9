// The client side of every role: connections, RESP requests in, replies out in the client's order, and all commands of
// Routing::session (HELLO, AUTH, CLIENT, CONFIG, COMMAND, PING, ECHO, SELECT, RESET, QUIT, TIME, ROLE, WAIT, INFO ...).
// What the role itself has to answer goes to its Backend.
//
// Thread-safety: none; one owner. Settings, Transport, Random, Log and Backend are not owned and outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "base/process.h"
#include "base/random.h"
#include "base/settings.h"
#include "base/time.h"
#include "base/transport.h"
#include "protocol/command.h"
#include "protocol/reply.h"

namespace chainring::session {

using ClientId = uint64_t;  // CLIENT ID: grows with every connection

// The place of one reply in its client's order.
struct Ticket {
  ClientId client = 0;
  uint64_t place = 0;
};

// A request that the session does not answer itself. Views live until the call returns.
struct ClientRequest {
  Ticket ticket;
  const protocol::CommandSpec* command;  // arity has been checked
  std::span<const std::string_view> args;
  std::string_view bytes;  // the request as RESP, to forward (inline commands are rewritten)
  uint8_t db;
  protocol::RespVersion resp;
  Micros came_at;      // the turn in which it was taken up
  bool alone = false;  // every earlier request of the client has been answered
};

// Where keys are, as the role tells them apart. All that one transaction watches and runs is in one place.
using Place = uint32_t;
struct Placement {
  std::optional<Place> place;
  std::string refusal;  // without a place: the error to answer
};

// The refusal of a command that is not about keys of one place.
[[nodiscard]] std::string not_in_transaction(const protocol::CommandSpec& command);

// What EXEC runs. Views live until the call returns.
struct ClientTransaction {
  Ticket ticket;
  Place place;
  bool writes;               // one of its commands does
  std::string_view payload;  // protocol/transaction.h
  uint8_t db;
  protocol::RespVersion resp;
  Micros came_at;  // as of a request
};

// A section of INFO under construction.
class InfoWriter {
 public:
  void field(std::string_view name, std::string_view value);
  void field(std::string_view name, int64_t value);
  void bytes(std::string_view name, int64_t value);  // and as <name>_human: "used_memory_human:1.50M"
  // What was written for a field that is a whole number; nothing when it was not written.
  [[nodiscard]] std::optional<int64_t> number(std::string_view name) const;
  std::string& out() { return out_; }

 private:
  std::string out_;
};

// What a role supplies.
class Backend {
 public:
  virtual ~Backend() = default;
  // Must lead to exactly one Clients::complete() for the ticket, now or later, unless client_gone() comes first.
  virtual void request(const ClientRequest& request) = 0;
  // Where the command would run as part of a transaction, which also says whether it may be part of one. Asked when it
  // is queued, and for the keys of WATCH.
  [[nodiscard]] virtual Placement placement(const protocol::CommandSpec& command,
                                            std::span<const std::string_view> args) const = 0;
  // As request(), for what was queued between MULTI and EXEC: the reply is the array of all their replies, or null when
  // a watched key has changed. A WATCH comes by request(), and its reply is a bulk string, a mark that means something
  // to its place alone and that comes back with the transaction.
  virtual void transaction(const ClientTransaction& transaction) = 0;
  // Nobody waits for this client's tickets any more.
  virtual void client_gone(ClientId client) = 0;
  // INFO: adds the role's fields to a section ("memory", "stats", "replication", "keyspace", "chainring" ...). The
  // session has written before: all of "server", "clients", "cpu", "persistence", "modules", "errorstats" and
  // "cluster"; of "memory" the settings maxmemory and maxmemory_policy and the process's rss; of "stats" connections,
  // commands and network; of "replication" all that Redis tells. So the role adds used_memory, keyspace_hits, db0 ...
  // mem_fragmentation_ratio comes from used_memory by itself.
  virtual void info(std::string_view section, InfoWriter& out) = 0;
  // CONFIG RESETSTAT: sets the counters that info() adds to "stats" back to 0.
  virtual void reset_stats() {}
  // INFO needs figures of other members first? Then the Backend gets `INFO` as a request instead (routers).
  [[nodiscard]] virtual bool answers_info() const { return false; }
  // Members beyond the head that a write reaches: what WAIT and INFO replication tell (R - 1).
  [[nodiscard]] virtual int64_t replicas() const = 0;
};

// What only the system knows and what changes: kept up to date by whoever runs the event loop.
struct ProcessFigures {
  int64_t rss_bytes = 0;
  Micros cpu_user = 0;
  Micros cpu_system = 0;
};

// Facts of the role and its process. The views and `figures` outlive the Clients.
struct RoleFacts {
  std::string_view mode;       // "standalone" (router), "cluster" (node), "coordinator"
  std::string_view role_name;  // "router", "node", "coordinator"
  std::string run_id;          // 40 hex digits
  // For INFO; empty or 0 where nobody knows (the simulator).
  int64_t pid = 0;
  std::string os;
  std::string executable;
  std::string config_file;
  Micros started_at = 0;  // monotonic
  const ProcessFigures* figures = nullptr;
};

class Clients {
 public:
  Clients(Settings& settings, Transport& transport, Random& random, Log& log, Backend& backend, RoleFacts facts);
  ~Clients();

  // At the beginning of each turn, before anything else is called: durations count from turn to turn.
  void begin_turn(Now now);

  // The port that was bound, for INFO and CLIENT LIST, when it is not the setting's.
  void set_port(uint16_t port);

  void accepted(ConnId conn, Now now);

  // Whether the connection is a client's.
  [[nodiscard]] bool owns(ConnId conn) const;

  // Handles `input`, `drained` and `closed` of a client's connection. A connection whose first request is PEER is not
  // a client any more: `peer_args` then holds the arguments (valid until the next call), the request's bytes have been
  // consumed, and the connection is the role's to answer and to keep.
  enum class Outcome { handled, became_peer };
  Outcome on_event(const NetEvent& event, Now now);
  [[nodiscard]] std::span<const std::string> peer_args() const;

  // The reply of a ticket, RESP in the client's version. Sent when all earlier ones of the client are. Tickets of
  // clients that are gone are ignored. May be called from within Backend::request(). Never calls the Backend, so it is
  // safe in the midst of any work. REQUIRES: once for each ticket.
  void complete(Ticket ticket, std::string_view reply);
  // Whether all earlier ones of the client have been answered, or the client is gone.
  [[nodiscard]] bool is_next(Ticket ticket) const;

  // At the end of each turn: applies limits and resumes clients that were held back, whose requests go to the Backend
  // from here; so it comes before the role's own end of the turn.
  void flush(Now now);
  [[nodiscard]] Micros next_tick() const;  // monotonic; idle timeouts, CLIENT PAUSE; may be in the past: at once

  // Back-pressure from the Backend (R11, R21): while held, nothing more is parsed or read from this client.
  void hold(ClientId client);
  void release(ClientId client);

  void close_all();  // orderly stop: flushes and closes
  [[nodiscard]] size_t count() const;

  // The metrics that every role has.
  void metrics(Now now, MetricsWriter& out) const;

  // INFO's text from the session's and the Backend's fields; a router merges the nodes' figures by its own.
  [[nodiscard]] std::string info(std::span<const std::string_view> sections, Now now) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace chainring::session
