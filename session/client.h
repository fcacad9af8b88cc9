// One client's connection, as the session keeps it.
// Thread-safety: none; owned by the Session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "base/transport.h"
#include "protocol/command.h"
#include "protocol/resp.h"
#include "session/arrivals.h"
#include "session/clients.h"
#include "session/reply_queue.h"
#include "session/transaction.h"

namespace chainring::session {

// A reply of the Backend that the session has use for, before it does anything else for the client.
struct Awaited {
  uint64_t place = 0;  // of the reply among the client's
  enum class For : uint8_t { watch, exec } what = For::exec;
  Place keys_place = 0;              // of watch
  size_t keys = 0;                   // the same
  std::optional<std::string> reply;  // of exec, once it has come
};

struct Client {
  Client(ClientId client_id, ConnId connection, Micros now)
      : id(client_id), conn(connection), created_at(now), active_at(now) {}

  const ClientId id;
  const ConnId conn;
  protocol::RequestParser parser;
  ReplyQueue replies;
  Arrivals arrivals;

  // What the client chose; RESET takes most of it back.
  protocol::RespVersion resp = protocol::RespVersion::resp2;
  uint8_t db = 0;
  bool authenticated = false;
  bool no_evict = false;
  bool no_touch = false;
  bool readonly = false;     // READONLY
  bool replies_off = false;  // CLIENT REPLY OFF
  bool skip_this = false;    // CLIENT REPLY SKIP came before this request,
  bool skip_next = false;    // or is this request
  std::string name;
  std::string library;
  std::string library_version;

  Transaction transaction;
  std::optional<Awaited> awaited;

  // How it stands.
  bool admitted = false;            // counts against maxclients; not yet, when it came while the table was full
  bool asked = false;               // its first request has come
  bool closing = false;             // takes no more requests and closes when its replies have left
  bool dead = false;                // will be removed when nobody is in the midst of working with it
  bool held = false;                // by the Backend
  bool postponed = false;           // CLIENT PAUSE
  bool stalled = false;             // nothing is read or executed, because of a limit, `held` or `postponed`
  bool resuming = false;            // stands in the list of those to go on with
  size_t output_bytes = 0;          // unsent, as last seen
  size_t counted_bytes = 0;         // what of the memory of all clients is this one's
  Micros over_soft_since = kNever;  // when its replies came to be above the soft limit
  const Micros created_at;          // monotonic
  Micros active_at;
  const protocol::CommandSpec* last_command = nullptr;
};

}  // namespace chainring::session
