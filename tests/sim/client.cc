#include "tests/sim/client.h"

#include <algorithm>
#include <ranges>

#include "base/text.h"

namespace chainring::sim {
namespace {

constexpr Micros kDialAgain = 30 * kMicrosPerMilli;
constexpr size_t kPipelineMost = 5;
constexpr size_t kManyMost = 4;
constexpr size_t kEagerOpenMost = 12;
constexpr Micros kEagerThinkMost = 2 * kMicrosPerMilli;
// The default of request-timeout-ms, less what a router's clock may be fast by.
constexpr Micros kRequestTimeout = 3 * kMicrosPerSecond;
constexpr Micros kGivenUpAfter = kRequestTimeout - kRequestTimeout / 1'000'000 * kDriftPpmMost;

using Kind = protocol::ReplyValue::Kind;

std::string in_millis(Micros time) { return concat(time / kMicrosPerMilli); }

std::string lock_key(size_t lock) { return concat("lock:", lock); }

int64_t number(const protocol::ReplyValue& reply, size_t item) {
  return item < reply.items.size() ? parse_int(reply.items[item].text).value_or(0) : 0;
}

bool is_ruled(const std::string& key) { return key.starts_with("bull:"); }

// Whether it was a write that has changed something, by its reply.
bool is_record(const Operation& operation) {
  switch (operation.kind) {
    case Operation::Kind::set:
    case Operation::Kind::set_px:
    case Operation::Kind::incr:
      return true;
    case Operation::Kind::getdel:
      return operation.result.has_value();
    case Operation::Kind::del:
    case Operation::Kind::set_nx:
    case Operation::Kind::set_ifeq:
    case Operation::Kind::pexpire:
      return operation.result == "1";
    case Operation::Kind::get:
    case Operation::Kind::loss:
      break;
  }
  return false;
}

}  // namespace

Client::Client(Plan plan, Notebook& notebook, const Micros& world_time, Transport& transport, Random& random)
    : plan_(std::move(plan)),
      notebook_(notebook),
      world_time_(world_time),
      transport_(transport),
      random_(random),
      calls_(plan_.id, notebook, world_time, random) {}

Status Client::start(Now now) {
  dial_any(now);
  return {};
}

void Client::request_stop(Now) { calling_ = false; }

void Client::dial(Now now, size_t router) {
  given_up_.clear();
  router_ = router;
  conn_ = transport_.connect(plan_.routers[router]);
  up_ = false;
  call_at_ = now.mono;
  dial_at_ = kNever;
}

Micros Client::next_wake() const {
  if (conn_ == kNoConn) return dial_at_;
  return up_ && calling_ && may_call() ? call_at_ : kNever;
}

bool Client::may_call() const {
  if (open_.empty()) return true;
  return plan_.eager && calling_ && !watching_ && open_.size() < kEagerOpenMost;
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
    if (now.mono >= dial_at_) dial_any(now);
    return;
  }
  take_replies(now);
  if (reads_through_ && open_.empty()) return read_all_through(now, *reads_through_);
  if (!up_ || !calling_ || !may_call() || now.mono < call_at_) return;
  call_some();
  call_at_ = now.mono +
             static_cast<Micros>(random_.below(static_cast<uint64_t>(same_key_ ? kEagerThinkMost : plan_.think_most)));
}

void Client::take_replies(Now now) {
  for (;;) {
    protocol::ReplyValue reply;
    const protocol::ReplyExtent extent = protocol::parse_reply(transport_.input(conn_), reply);
    if (extent.state != protocol::ReplyExtent::State::ready) break;
    transport_.consume(conn_, extent.size);
    if (open_.empty()) return complain("a reply that nobody asked for", reply);
    answered(reply);
    if (!open_.empty()) continue;
    if (watching_) end_swap();
    call_at_ = now.mono + static_cast<Micros>(random_.below(static_cast<uint64_t>(plan_.think_most)));
  }
}

// The connection is gone: whatever is open may have happened or not.
void Client::lost() {
  if (world_time_ >= notebook_.no_errors_from) complain("its router", "hung up");
  open_.clear();
  watching_.reset();
  same_key_.reset();
}

void Client::send(const std::vector<std::string>& words) {
  const std::vector<std::string_view> views(words.begin(), words.end());
  if (std::string* out = transport_.output(conn_)) protocol::append_request(*out, views);
}

// ---- calling -------------------------------------------------------------------------------------------------------

void Client::call_some() {
  if (same_key_ || (plan_.eager && random_.percent(50))) return call_eagerly();
  if (open_.empty() && random_.percent(10)) return begin_swap();
  const size_t count = random_.percent(60) ? 1 : 1 + random_.below(kPipelineMost);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t choice = random_.below(100);
    if (choice < 12 && plan_.locks > 0) {
      call_lock();
    } else if (choice < 24) {
      const auto kind = random_.percent(60) ? Operation::Kind::incr : Operation::Kind::get;
      call_transaction(kind, draw_pair(random_));
    } else if (choice < 34) {
      call_many();
    } else if (choice < 40) {
      call_in_order();
    } else {
      call(calls_.draw());
    }
  }
}

void Client::read_all_through(Now now, size_t router) {
  if (router_ != router) {
    transport_.close(conn_);
    return dial(now, router);
  }
  if (!up_) return;
  for (const std::string& key : data_keys()) call(calls_.make(Operation::Kind::get, key));
  for (const std::string& key : lock_strings()) call(calls_.make(Operation::Kind::get, key));
  for (size_t lock = 0; lock < plan_.locks; ++lock) acquire(lock_key(lock));
  for (const std::string& pair : pairs()) call_transaction(Operation::Kind::get, pair);
  read_ordered();
  if (++*reads_through_ == plan_.routers.size()) reads_through_.reset();
}

// Two calls on one key, one soon behind the other, are on their way together and may meet a slot that changes hands.
void Client::call_eagerly() {
  const bool goes_on = same_key_.has_value();
  Operation operation = goes_on ? calls_.draw_for(*same_key_) : calls_.draw();
  same_key_ = goes_on ? std::nullopt : std::optional(operation.key);
  call(std::move(operation));
}

void Client::call(Operation operation) {
  send(Calls::words(operation));
  open_.push_back({Open::What::operation, calls_.note(std::move(operation)), world_time_});
}

void Client::call_many() {
  std::vector<std::string> keys = string_keys();
  const size_t count = 2 + random_.below(std::min(kManyMost, keys.size()) - 1);
  for (size_t i = 0; i < count; ++i) std::swap(keys[i], keys[i + random_.below(keys.size() - i)]);
  const auto kind = random_.percent(50) ? Operation::Kind::set : Operation::Kind::get;
  std::vector<std::string> words = {kind == Operation::Kind::set ? "MSET" : "MGET"};
  const size_t first = notebook_.operations.size();
  for (size_t i = 0; i < count; ++i) {
    Operation leg = calls_.make(kind, keys[i]);
    words.push_back(leg.key);
    if (kind == Operation::Kind::set) words.push_back(leg.argument);
    calls_.note(std::move(leg));
  }
  send(words);
  open_.push_back({Open::What::legs, first, world_time_, count});
}

void Client::call_in_order() {
  if (random_.percent(50)) {
    for (const std::string& key : ordered_keys()) call(calls_.make(Operation::Kind::incr, key));
    return;
  }
  if (random_.percent(50)) {
    const std::vector<std::string> keys = ordered_keys();
    for (const std::string& key : keys | std::views::reverse) call(calls_.make(Operation::Kind::get, key));
    open_.back().what = Open::What::behind;
    return;
  }
  read_ordered();
}

void Client::read_ordered() {
  std::vector<std::string> words = {"MGET"};
  const size_t first = notebook_.operations.size();
  for (const std::string& key : ordered_keys()) {
    words.push_back(key);
    calls_.note(calls_.make(Operation::Kind::get, key));
  }
  send(words);
  open_.push_back({Open::What::ordered, first, world_time_, words.size() - 1});
}

void Client::call_transaction(Operation::Kind kind, std::string pair) {
  Operation operation = calls_.make(kind, std::move(pair));
  send({"MULTI"});
  for (const std::string_view half : {"left", "right"}) {
    send({kind == Operation::Kind::incr ? "INCR" : "GET", concat("{", operation.key, "}", half)});
  }
  send({"EXEC"});
  open_.insert(open_.end(), 3, Open{Open::What::plain});
  open_.push_back({Open::What::transaction, calls_.note(std::move(operation)), world_time_});
}

void Client::begin_swap() {
  const std::vector<std::string> keys = string_keys();
  Operation read = calls_.make(Operation::Kind::get, keys[random_.below(keys.size())]);
  send({"WATCH", read.key});
  open_.push_back({Open::What::plain, 0, world_time_});
  call(std::move(read));
  watching_ = notebook_.operations.size() - 1;
}

void Client::end_swap() {
  const Operation read = notebook_.operations[*std::exchange(watching_, std::nullopt)];
  if (read.outcome != Operation::Outcome::returned) {
    send({"UNWATCH"});
    open_.push_back({Open::What::plain});
    return;
  }
  const auto kind = read.result ? Operation::Kind::set_ifeq : Operation::Kind::set_nx;
  Operation swap = calls_.make(kind, read.key);
  swap.compare = read.result.value_or("");
  send({"MULTI"});
  send({"SET", swap.key, swap.argument});
  send({"EXEC"});
  open_.insert(open_.end(), 2, Open{Open::What::plain});
  open_.push_back({Open::What::swap, calls_.note(std::move(swap)), world_time_});
}

void Client::call_lock() {
  const std::string key = lock_key(random_.below(plan_.locks));
  for (Grant& held : notebook_.grants) {
    const bool ours = held.key == key && held.owner.starts_with(concat("c", plan_.id, "."));
    if (ours && held.given_back == kNever && world_time_ <= std::max(held.called, held.renewed) + held.ttl) {
      return call_for_held(held);
    }
  }
  acquire(key);
}

void Client::call_for_held(Grant& held) {
  const uint64_t choice = random_.below(100);
  if (choice < 60) return release(held);
  if (choice < 85) {
    send({"LOCK", "RENEW", held.key, held.owner, "TTL", in_millis(held.ttl)});
  } else {
    send({"LOCK", "TOKEN", held.key, held.owner});
  }
  open_.push_back({choice < 85 ? Open::What::renew : Open::What::token, 0, world_time_, 1, held});
}

void Client::acquire(const std::string& key) {
  Grant wanted;
  wanted.key = key;
  wanted.owner = concat("c", plan_.id, ".", notebook_.calls++);
  wanted.called = world_time_;
  wanted.ttl = kLockTtl;
  send({"LOCK", "ACQUIRE", key, wanted.owner, "TTL", in_millis(kLockTtl)});
  open_.push_back({Open::What::acquire, 0, world_time_, 1, std::move(wanted)});
}

void Client::release(Grant& held) {
  held.given_back = world_time_;
  send({"LOCK", "RELEASE", held.key, held.owner});
  open_.push_back({Open::What::release, 0, world_time_, 1, held});
}

// ---- replies -------------------------------------------------------------------------------------------------------

void Client::answered(const protocol::ReplyValue& reply) {
  const Open open = open_.front();
  open_.pop_front();
  ++notebook_.answered;
  if (reply.kind == Kind::error) ++notebook_.errors;
  switch (open.what) {
    case Open::What::operation:
      if (!take(open.index, reply)) failed(open, reply);
      return;
    case Open::What::behind:
      return answered_behind(open, reply);
    case Open::What::legs:
      return answered_legs(open, reply);
    case Open::What::ordered:
      answered_legs(open, reply);
      if (reply.kind == Kind::array)
        notebook_.ordered_reads.push_back({number(reply, 0), number(reply, 1), world_time_});
      return;
    case Open::What::plain:
      // WATCH alone asks somebody else.
      if (reply.kind != Kind::simple && !(open.called != 0 && is_known_error(open, reply))) complain("OK", reply);
      return;
    case Open::What::transaction:
      return answered_transaction(open, reply);
    case Open::What::swap:
      return answered_swap(open, reply);
    case Open::What::acquire:
      return answered_acquire(open, reply);
    case Open::What::release:
    case Open::What::renew:
    case Open::What::token:
      return answered_held(open, reply);
  }
}

bool Client::take(size_t index, const protocol::ReplyValue& reply) {
  Operation& operation = notebook_.operations[index];
  if (!calls_.take(operation, reply)) return false;
  if (is_record(operation)) settle(operation);
  return true;
}

// The slot's record of it says what its sender had been answered when it was sent (R20).
void Client::settle(const Operation& write) {
  std::erase_if(given_up_, [&](const GivenUp& one) {
    Operation& before = notebook_.operations[one.index];
    if (before.key != write.key || one.told >= write.called) return false;
    before.not_behind = write.place;
    return true;
  });
}

void Client::answered_legs(const Open& open, const protocol::ReplyValue& reply) {
  if (reply.kind == Kind::error) return failed(open, reply);
  const bool reads = notebook_.operations[open.index].kind == Operation::Kind::get;
  if (reads && reply.items.size() != open.count) return complain("MGET", reply);
  for (size_t i = 0; i < open.count; ++i) {
    if (!take(open.index + i, reads ? reply.items[i] : reply)) complain(notebook_.operations[open.index].key, reply);
  }
}

// What was read first is of no later state than what was read behind it.
void Client::answered_behind(const Open& open, const protocol::ReplyValue& reply) {
  const Operation& of_first = notebook_.operations[open.index];
  const Operation& of_second = notebook_.operations[open.index - 1];
  if (!take(open.index, reply)) return failed(open, reply);
  if (of_second.outcome != Operation::Outcome::returned) return;
  const auto count = [](const Operation& read) { return parse_int(read.result.value_or("0")).value_or(0); };
  notebook_.ordered_reads.push_back({count(of_first), count(of_second), world_time_});
}

void Client::answered_transaction(const Open& open, const protocol::ReplyValue& reply) {
  if (reply.kind == Kind::error) return failed(open, reply);
  if (reply.kind != Kind::array || reply.items.size() != 2) return complain("EXEC", reply);
  const protocol::ReplyValue& left = reply.items[0];
  const protocol::ReplyValue& right = reply.items[1];
  if (left.kind != right.kind || left.text != right.text || left.integer != right.integer) {
    complain("half of a transaction was seen", right);
  }
  if (!take(open.index, left)) complain("EXEC", left);
}

// Null may be in vain, and always means that nothing was done.
void Client::answered_swap(const Open& open, const protocol::ReplyValue& reply) {
  Operation& swap = notebook_.operations[open.index];
  if (reply.kind == Kind::error) return failed(open, reply);
  if (reply.kind == Kind::null) {
    swap.outcome = Operation::Outcome::refused;
    swap.returned = world_time_;
    return;
  }
  if (reply.kind != Kind::array || reply.items.size() != 1) return complain("EXEC", reply);
  if (!take(open.index, reply.items[0])) complain("EXEC", reply.items[0]);
}

void Client::answered_acquire(const Open& open, const protocol::ReplyValue& reply) {
  if (is_known_error(open, reply)) return;  // nobody can tell
  const bool held_by_another = reply.kind == Kind::null && open.called < notebook_.locks_free_from;
  if (held_by_another) return;
  if (reply.kind != Kind::array || reply.items.size() != 2) return complain("LOCK ACQUIRE", reply);
  Grant& grant = notebook_.grants.emplace_back(open.lock);
  grant.returned = world_time_;
  grant.token = reply.items[0].integer;
  if (!calling_) release(grant);
}

void Client::answered_held(const Open& open, const protocol::ReplyValue& reply) {
  if (is_known_error(open, reply)) return;
  const auto held = std::find_if(notebook_.grants.rbegin(), notebook_.grants.rend(),
                                 [&](const Grant& grant) { return grant.owner == open.lock.owner; });
  const bool releases = open.what == Open::What::release;
  const bool holds_no_more = releases ? reply.kind == Kind::integer && reply.integer == 0 : reply.kind == Kind::null;
  if (holds_no_more) {
    held->gone = std::min(held->gone, world_time_);
    held->given_back = std::min(held->given_back, open.called);
    return;
  }
  const bool renews = open.what == Open::What::renew;
  const bool fits =
      renews ? reply.kind == Kind::array && reply.items.size() == 2 && reply.items[0].integer == open.lock.token
             : reply.kind == Kind::integer && reply.integer == (releases ? 1 : open.lock.token);
  if (!fits) return complain(concat("what the holder of ", open.lock.key, " asked"), reply);
  if (renews) held->renewed = std::max(held->renewed, open.called);
}

void Client::failed(const Open& open, const protocol::ReplyValue& reply) {
  const Operation& first = notebook_.operations[open.index];
  // Its slot may have become another one on the way.
  const bool moved_by_rule =
      is_ruled(first.key) && reply.text.starts_with("TRYAGAIN") && open.called < notebook_.no_errors_from;
  if (!moved_by_rule && !is_known_error(open, reply)) return complain(first.key, reply);
  if (reply.text.starts_with("TIMEOUT")) return note_given_up(open);
  for (size_t i = 0; i < open.count; ++i) {
    Operation& operation = notebook_.operations[open.index + i];
    operation.outcome = Operation::Outcome::refused;
    if (moved_by_rule) operation.returned = world_time_;
  }
}

// A router numbers what it sends, and gives up in the order of the numbers what was given all its time. Where the rules
// may move the key nothing follows: then its next write may be one to another slot.
void Client::note_given_up(const Open& open) {
  if (world_time_ - open.called < kGivenUpAfter || is_ruled(notebook_.operations[open.index].key)) return;
  for (size_t i = 0; i < open.count; ++i) given_up_.push_back({open.index + i, world_time_});
}

// "Not run" and "outcome unknown". Whether that may come before the time of a request is over is judged at the end.
bool Client::is_known_error(const Open& open, const protocol::ReplyValue& reply) {
  if (reply.kind != Kind::error || open.called >= notebook_.no_errors_from) return false;
  if (!reply.text.starts_with("CLUSTERDOWN") && !reply.text.starts_with("TIMEOUT")) return false;
  if (world_time_ - open.called < kGivenUpAfter) {
    notebook_.given_up_early.push_back({open.called, world_time_, concat("client ", plan_.id, ": ", reply.text)});
  }
  return true;
}

void Client::complain(std::string_view about, std::string_view what) {
  notebook_.complaints.push_back(concat("client ", plan_.id, " at ", world_time_, ": ", about, ": ", what));
}

void Client::complain(std::string_view about, const protocol::ReplyValue& reply) {
  complain(about, reply.text.empty() ? std::string_view("(no text)") : std::string_view(reply.text));
}

}  // namespace chainring::sim
