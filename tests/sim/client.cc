#include "tests/sim/client.h"

#include "base/text.h"

namespace chainring::sim {
namespace {

constexpr Micros kDialAgain = 30 * kMicrosPerMilli;
constexpr size_t kPipelineMost = 5;
constexpr Micros kLockTtl = 700 * kMicrosPerMilli;
constexpr Micros kLockHeldForSure = kLockTtl - kLockTtl / 40;  // by true time, however fast the leader's clock runs

constexpr size_t kKeys = 6;
constexpr size_t kPairs = 2;

using Kind = protocol::ReplyValue::Kind;

// Some keys are counters: they hold numbers only.
bool is_counter(size_t number) { return number % 3 == 0; }
std::string key_name(size_t number) { return concat(is_counter(number) ? "count" : "key", number); }
std::string pair_name(size_t number) { return concat("pair", number); }

}  // namespace

std::vector<std::string> Client::all_keys() {
  std::vector<std::string> keys;
  for (size_t i = 0; i < kKeys; ++i) keys.push_back(key_name(i));
  for (size_t i = 0; i < kPairs; ++i) keys.push_back(pair_name(i));
  return keys;
}

Client::Client(Plan plan, Notebook& notebook, const Micros& world_time, Transport& transport, Random& random)
    : plan_(std::move(plan)), notebook_(notebook), world_time_(world_time), transport_(transport), random_(random) {}

Status Client::start(Now now) {
  dial(now);
  return {};
}

void Client::request_stop(Now) { calling_ = false; }

void Client::dial(Now now) {
  conn_ = transport_.connect(plan_.routers[random_.below(plan_.routers.size())]);
  up_ = false;
  call_at_ = now.mono;
  dial_at_ = kNever;
}

Micros Client::next_wake() const {
  if (conn_ == kNoConn) return dial_at_;
  return up_ && calling_ && open_.empty() ? call_at_ : kNever;
}

void Client::turn(Now now, std::span<const NetEvent> events) {
  for (const NetEvent& event : events) {
    if (event.conn != conn_) continue;
    if (event.kind == NetEvent::Kind::connected) up_ = true;
    if (event.kind == NetEvent::Kind::closed) {
      lost();
      conn_ = kNoConn;
      dial_at_ = now.mono + kDialAgain;
    }
  }
  if (conn_ == kNoConn) {
    if (now.mono >= dial_at_) dial(now);
    return;
  }
  for (;;) {
    protocol::ReplyValue reply;
    const protocol::ReplyExtent extent = protocol::parse_reply(transport_.input(conn_), reply);
    if (extent.state != protocol::ReplyExtent::State::ready) break;
    transport_.consume(conn_, extent.size);
    if (open_.empty()) return complain("a reply that nobody asked for", reply);
    answered(reply);
    if (open_.empty())
      call_at_ = now.mono + static_cast<Micros>(random_.below(static_cast<uint64_t>(plan_.think_most)));
  }
  if (up_ && calling_ && open_.empty() && now.mono >= call_at_) call_some();
}

// The connection is gone: whatever is open may have happened or not.
void Client::lost() { open_.clear(); }

void Client::send(const std::vector<std::string>& words) {
  const std::vector<std::string_view> views(words.begin(), words.end());
  if (std::string* out = transport_.output(conn_)) protocol::append_request(*out, views);
}

void Client::call_some() {
  const size_t count = random_.percent(60) ? 1 : 1 + random_.below(kPipelineMost);
  for (size_t i = 0; i < count; ++i) {
    if (plan_.locks > 0 && random_.percent(15)) {
      call_lock();
    } else if (random_.percent(15)) {
      call_transaction();
    } else {
      call_operation();
    }
  }
}

void Client::call_operation() {
  const size_t key_number = random_.below(kKeys);
  const bool counter = is_counter(key_number);
  Operation operation;
  operation.client = plan_.id;
  operation.place = notebook_.calls++;
  operation.key = key_name(key_number);
  operation.argument = concat("v", plan_.id, ".", operation.place);
  operation.called = world_time_;
  const uint64_t choice = random_.below(100);
  if (counter) {
    operation.kind = choice < 60 ? Operation::Kind::incr : choice < 90 ? Operation::Kind::get : Operation::Kind::getdel;
  } else {
    operation.kind = choice < 35   ? Operation::Kind::set
                     : choice < 65 ? Operation::Kind::get
                     : choice < 75 ? Operation::Kind::set_nx
                     : choice < 85 ? Operation::Kind::set_ifeq
                     : choice < 95 ? Operation::Kind::getdel
                                   : Operation::Kind::del;
  }
  switch (operation.kind) {
    case Operation::Kind::set:
      send({"SET", operation.key, operation.argument});
      break;
    case Operation::Kind::get:
      send({"GET", operation.key});
      break;
    case Operation::Kind::incr:
      send({"INCR", operation.key});
      break;
    case Operation::Kind::getdel:
      send({"GETDEL", operation.key});
      break;
    case Operation::Kind::del:
      send({"DEL", operation.key});
      break;
    case Operation::Kind::set_nx:
      send({"SET", operation.key, operation.argument, "NX"});
      break;
    case Operation::Kind::set_ifeq: {
      operation.compare = "nothing";
      if (!notebook_.operations.empty()) {  // something that somebody wrote lately, perhaps to this key
        const size_t last = notebook_.operations.size();
        for (size_t back = 1; back <= 20 && back <= last; ++back) {
          const Operation& other = notebook_.operations[last - back];
          if (other.key == operation.key && other.kind == Operation::Kind::set) operation.compare = other.argument;
        }
      }
      send({"SET", operation.key, operation.argument, "IFEQ", operation.compare});
      break;
    }
  }
  notebook_.operations.push_back(std::move(operation));
  open_.push_back({Open::What::operation, notebook_.operations.size() - 1, world_time_, {}});
}

void Client::call_transaction() {
  Operation operation;
  operation.client = plan_.id;
  operation.place = notebook_.calls++;
  operation.key = pair_name(random_.below(kPairs));
  operation.called = world_time_;
  operation.kind = random_.percent(60) ? Operation::Kind::incr : Operation::Kind::get;
  const std::string command = operation.kind == Operation::Kind::incr ? "INCR" : "GET";
  send({"MULTI"});
  for (const std::string_view half : {"left", "right"}) send({command, concat("{", operation.key, "}", half)});
  send({"EXEC"});
  for (int answers_before = 0; answers_before < 3; ++answers_before) {
    open_.push_back({Open::What::queued, 0, world_time_, {}});
  }
  notebook_.operations.push_back(std::move(operation));
  open_.push_back({Open::What::transaction, notebook_.operations.size() - 1, world_time_, {}});
}

void Client::call_lock() {
  const std::string key = concat("lock:", random_.below(plan_.locks));
  for (size_t i = 0; i < notebook_.grants.size(); ++i) {
    Grant& held = notebook_.grants[i];
    const bool ours = held.key == key && held.owner.starts_with(concat("c", plan_.id, "."));
    if (!ours || held.given_back != kNever || held.called + held.ttl < world_time_) continue;
    held.given_back = world_time_;
    send({"LOCK", "RELEASE", key, held.owner});
    open_.push_back({Open::What::release, i, world_time_, {}});
    return;
  }
  Grant wanted;
  wanted.key = key;
  wanted.owner = concat("c", plan_.id, ".", notebook_.calls++);
  wanted.called = world_time_;
  wanted.ttl = kLockHeldForSure;
  send({"LOCK", "ACQUIRE", key, wanted.owner, "TTL", concat(kLockTtl / kMicrosPerMilli)});
  open_.push_back({Open::What::acquire, 0, world_time_, wanted});
}

void Client::answered(const protocol::ReplyValue& reply) {
  const Open open = open_.front();
  open_.pop_front();
  ++notebook_.answered;
  if (reply.kind == Kind::error) ++notebook_.errors;
  switch (open.what) {
    case Open::What::operation:
      return answered_operation(notebook_.operations[open.index], reply);
    case Open::What::acquire:
      return answered_acquire(open, reply);
    case Open::What::queued:
      if (reply.kind != Kind::simple) complain("MULTI", reply);
      return;
    case Open::What::transaction:
      return answered_transaction(notebook_.operations[open.index], reply);
    case Open::What::release:
      if (reply.kind != Kind::integer && reply.kind != Kind::error) complain("LOCK RELEASE", reply);
      return;
  }
}

void Client::answered_operation(Operation& operation, const protocol::ReplyValue& reply) {
  if (reply.kind == Kind::error) {
    if (reply.text.starts_with("CLUSTERDOWN")) {
      operation.outcome = Operation::Outcome::refused;
    } else if (!reply.text.starts_with("TIMEOUT")) {
      complain(operation.key, reply);
    }
    return;
  }
  operation.outcome = Operation::Outcome::returned;
  operation.returned = world_time_;
  const bool null = reply.kind == Kind::null;
  switch (operation.kind) {
    case Operation::Kind::get:
    case Operation::Kind::getdel:
      if (!null) operation.result = reply.text;
      break;
    case Operation::Kind::incr:
    case Operation::Kind::del:
      operation.result = concat(reply.integer);
      break;
    case Operation::Kind::set_nx:
    case Operation::Kind::set_ifeq:
      operation.result = null ? "0" : "1";
      break;
    case Operation::Kind::set:
      break;
  }
}

void Client::answered_transaction(Operation& operation, const protocol::ReplyValue& reply) {
  if (reply.kind == Kind::error) return answered_operation(operation, reply);
  if (reply.kind != Kind::array || reply.items.size() != 2) return complain("EXEC", reply);
  const protocol::ReplyValue& left = reply.items[0];
  const protocol::ReplyValue& right = reply.items[1];
  if (left.kind != right.kind || left.text != right.text || left.integer != right.integer) {
    complain("half of a transaction was seen", right);
  }
  answered_operation(operation, left);
}

void Client::answered_acquire(const Open& open, const protocol::ReplyValue& reply) {
  if (reply.kind == Kind::null) return;  // held by another
  if (reply.kind == Kind::error) {
    const bool known = reply.text.starts_with("CLUSTERDOWN") || reply.text.starts_with("TIMEOUT");
    if (!known) complain("LOCK ACQUIRE", reply);
    return;
  }
  if (reply.kind != Kind::array || reply.items.size() != 2) return complain("LOCK ACQUIRE", reply);
  Grant grant = open.wanted;
  grant.returned = world_time_;
  grant.token = reply.items[0].integer;
  notebook_.grants.push_back(std::move(grant));
}

void Client::complain(std::string_view about, const protocol::ReplyValue& reply) {
  notebook_.complaints.push_back(
      concat("client ", plan_.id, ": ", about, ": ", reply.text.empty() ? "(no text)" : reply.text));
}

}  // namespace chainring::sim
