// The limits on clients, as Redis has them: output and query buffers, memory of all together, idle time.
#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.h"
#include "session/limits.h"
#include "session/session.h"

namespace chainring::session {
namespace {

// What a client costs beside its buffers, its places in tables included.
constexpr size_t kClientBytes = 1024;
static_assert(sizeof(Client) <= kClientBytes);
constexpr Micros kUnadmittedTimeout = kMicrosPerSecond;
constexpr Micros kCheckInterval = kMicrosPerSecond;
// A smaller maxmemory-clients would close every client, also the one that comes to raise it (Redis has the same floor).
constexpr size_t kClientMemoryLimitMin = size_t{128} * 1024;

}  // namespace

std::string_view Session::too_many_clients() const {
  return speaks_cluster() ? "ERR max number of clients + cluster connections reached"
                          : "ERR max number of clients reached";
}

protocol::RequestLimits Session::request_limits(bool authenticated) const {
  if (!authenticated) return protocol::kUnauthenticatedLimits;
  protocol::RequestLimits limits;
  limits.bulk_bytes_max = static_cast<uint64_t>(settings_.number(Setting::proto_max_bulk_len));
  limits.request_bytes_max = static_cast<uint64_t>(settings_.number(Setting::client_query_buffer_limit));
  return limits;
}

void Session::close_for_its_query(Client& client) {
  log_.warning(concat("closed client ", client.id, " at ", transport_.peer_name(client.conn),
                      ": its request is longer than client-query-buffer-limit"));
  ++counters_.query_limit_closed;
  kill(client);
}

// ---- replies that are not read --------------------------------------------------------------------------------------

// What is known without asking the Transport is never too little, so most calls do not ask.
void Session::check_output(Client& client) {
  const OutputLimit& limit = settings_.output_limit(ClientClass::normal);
  const auto waiting = [&client] { return client.output_bytes + client.replies.waiting_bytes(); };
  const auto reaches = [&](uint64_t bound) { return bound > 0 && waiting() >= bound; };
  output_peak_.see(waiting(), now_.mono);
  if (reaches(limit.hard_bytes) || reaches(limit.soft_bytes) || reaches(kOutputBytesSoftMax)) {
    client.output_bytes = transport_.unsent(client.conn);
  }
  const bool over_soft = reaches(limit.soft_bytes);
  if (!over_soft) {
    client.over_soft_since = kNever;
  } else if (client.over_soft_since == kNever) {
    client.over_soft_since = now_.mono;
  }
  const bool too_long = over_soft && now_.mono - client.over_soft_since > limit.soft_seconds * kMicrosPerSecond;
  if (client.dead || !(too_long || reaches(limit.hard_bytes))) return;
  log_.warning(concat("closed client ", client.id, " at ", transport_.peer_name(client.conn), ": it left ", waiting(),
                      " bytes of replies unread, beyond client-output-buffer-limit"));
  ++counters_.output_limit_closed;
  kill(client);
}

// ---- the memory of all clients --------------------------------------------------------------------------------------

size_t Session::memory_of(const Client& client) const {
  return kClientBytes + transport_.input(client.conn).size() + transport_.unsent(client.conn) +
         client.replies.waiting_bytes() + client.transaction.bytes();
}

size_t Session::client_memory() const {
  size_t bytes = 0;
  for (const auto& [id, client] : by_id_) bytes += memory_of(*client);
  return bytes;
}

void Session::account(Client& client) {
  const size_t bytes = memory_of(client);
  client_bytes_ += bytes - client.counted_bytes;
  client.counted_bytes = bytes;
}

void Session::add_memory(Client& client, size_t bytes) {
  client.counted_bytes += bytes;
  client_bytes_ += bytes;
}

size_t Session::client_memory_limit() const {
  const int64_t limit = settings_.number(Setting::maxmemory_clients);
  const int64_t bytes = limit < 0 ? settings_.number(Setting::maxmemory) / 100 * -limit : limit;
  return bytes == 0 ? 0 : std::max(static_cast<size_t>(bytes), kClientMemoryLimitMin);
}

// The biggest first, until the others fit. What was counted since the last look is never too little: output that has
// left meanwhile is still in it. So a closer look is needed only when the count is over the limit.
void Session::evict_clients() {
  const size_t limit = client_memory_limit();
  if (limit == 0 || client_bytes_ <= limit) return;
  std::vector<Client*> evictable;
  for (const auto& [id, client] : by_id_) {
    account(*client);
    if (client->dead) client_bytes_ -= std::exchange(client->counted_bytes, 0);
    if (!client->no_evict && !client->dead) evictable.push_back(client);
  }
  std::sort(evictable.begin(), evictable.end(), [](const Client* a, const Client* b) {
    return std::pair(a->counted_bytes, a->id) > std::pair(b->counted_bytes, b->id);
  });
  for (Client* client : evictable) {
    if (client_bytes_ <= limit) return;
    log_.warning(concat("closed client ", client->id, " at ", transport_.peer_name(client->conn), ": it used ",
                        client->counted_bytes, " bytes, and all clients together more than maxmemory-clients"));
    ++counters_.evicted_clients;
    client_bytes_ -= std::exchange(client->counted_bytes, 0);
    kill(*client);
  }
}

// ---- time -----------------------------------------------------------------------------------------------------------

bool Session::clients_need_checks() const {
  if (by_id_.empty()) return false;
  return by_id_.size() > admitted_ || settings_.number(Setting::timeout) > 0 ||
         settings_.output_limit(ClientClass::normal).soft_bytes > 0;
}

void Session::check_clients() {
  check_at_ = now_.mono + kCheckInterval;
  const Micros timeout = settings_.number(Setting::timeout) * kMicrosPerSecond;
  for (const auto& [id, client] : by_id_) {
    if (client->over_soft_since != kNever) check_output(*client);
    const bool unadmitted = !client->admitted && !client->asked;
    const bool waits = client->replies.pending() > 0 || client->postponed;
    const bool idle = timeout > 0 && !waits && now_.mono - client->active_at > timeout;
    if (idle) ++counters_.idle_closed;
    if (idle || (unadmitted && now_.mono - client->created_at >= kUnadmittedTimeout)) kill(*client);
  }
}

}  // namespace chainring::session
