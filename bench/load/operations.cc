#include "bench/load/operations.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"

namespace chainring::load {

namespace {

using protocol::ReplyValue;

std::string_view code_of(std::string_view error) { return error.substr(0, error.find(' ')); }

}  // namespace

Operations::Operations(const OperationsOptions& options, Transport& transport, Ledger& ledger, Window& window)
    : options_(options),
      ledger_(ledger),
      window_(window),
      topology_(options.servers),
      links_(transport, topology_, *this, options.password),
      busy_(ledger.size()) {
  CHECK(topology_.size() > 0 && options.lanes > 0, "whoever makes a load names servers");
}

bool Operations::handle(const NetEvent& event, Micros now) {
  now_ = now;
  return links_.handle(event, now);
}

void Operations::tend(Micros now) {
  now_ = now;
  expire();
  while (!retries_.empty() && retries_.top().at <= now) {
    const Id id = retries_.top().id;
    retries_.pop();
    attempt(id, server_of(operations_[id].key), false);
  }
  if (!ready() || (options_.cluster && now < trouble_until_)) ask_slots();
}

void Operations::begin(Kind kind, Key key, Micros due, Micros now) {
  CHECK(!busy_[key], "a key has one operation at a time");
  now_ = now;
  if (free_.empty()) {
    free_.push_back(static_cast<Id>(operations_.size()));
    operations_.emplace_back();
  }
  const Id id = free_.back();
  free_.pop_back();
  Operation& operation = operations_[id];
  operation = {.key = key, .due = due, .attempt = operation.attempt, .kind = kind, .under_way = true, .lane = {}};
  operation.version = kind == Kind::write ? ledger_.send(key) : ledger_.acknowledged(key);
  busy_[key] = true;
  ++under_way_;
  attempt(id, server_of(key), false);
}

Server Operations::server_of(Key key) const {
  if (options_.cluster) return topology_.owner(ledger_.slot(key));
  return static_cast<Server>(key % options_.servers.size());
}

std::string Operations::request_of(const Operation& operation) const {
  std::string request;
  const std::string name = ledger_.name(operation.key);
  if (operation.kind == Kind::read) {
    const std::array<std::string_view, 2> args{"GET", name};
    protocol::append_request(request, args);
  } else {
    const std::string value = ledger_.value(operation.key, operation.version);
    const std::array<std::string_view, 3> args{"SET", name, value};
    protocol::append_request(request, args);
  }
  return request;
}

void Operations::attempt(Id id, Server server, bool asking) {
  Operation& operation = operations_[id];
  ++operation.attempt;
  if (server == kNoServer) return fail(id, "nobody known");
  operation.lane = {server, static_cast<uint16_t>(operation.key % options_.lanes)};
  if (!links_.send(operation.lane, id, request_of(operation), asking, now_)) return fail(id, "not connected");
  timeouts_.push_back({now_ + options_.attempt_timeout, id, operation.attempt});
}

void Operations::answered(Tag tag, Lane lane, const ReplyValue& reply) {
  if (tag == kSlotsTag) {
    slots_asked_ = false;
    (void)topology_.learn(lane.server, reply);  // what is no such reply is asked for again
    return;
  }
  Operation& operation = operations_[tag];
  if (reply.kind == ReplyValue::Kind::error) {
    const std::optional<Redirection> to = parse_redirection(reply.text);
    if (to && operation.redirections < kRedirectionsMax) return redirect(tag, lane, *to);
    return fail(tag, code_of(reply.text));
  }
  if (operation.kind == Kind::write) {
    ledger_.acknowledge(operation.key, operation.version);
  } else {
    judge(operation, reply);
  }
  finish(tag);
}

void Operations::judge(const Operation& operation, const ReplyValue& reply) {
  const std::string* const found = reply.kind == ReplyValue::Kind::bulk ? &reply.text : nullptr;
  if (found_) return found_(operation.key, found);
  const auto value = found != nullptr ? std::optional<std::string_view>(*found) : std::nullopt;
  const Finding finding = ledger_.judge(operation.key, operation.version, value);
  if (finding == Finding::older || finding == Finding::strange) {
    window_.note_older(ledger_.slot(operation.key), now_);
  }
}

void Operations::finish(Id id) {
  Operation& operation = operations_[id];
  window_.note_done(ledger_.slot(operation.key), operation.kind, now_ - operation.due, now_);
  operation.under_way = false;
  busy_[operation.key] = false;
  --under_way_;
  free_.push_back(id);
}

void Operations::redirect(Id id, Lane from, const Redirection& to) {
  Address address = to.address;
  if (address.host.empty()) address.host = topology_.address(from.server).host;
  const Server server = topology_.find(address);
  ++operations_[id].redirections;
  if (!to.once) {
    topology_.set_owner(to.slot, server);
    trouble_until_ = now_ + kTroubleLasts;
  }
  attempt(id, server, to.once);
}

void Operations::lost(Tag tag, Lane lane) {
  if (tag == kSlotsTag) {
    if (lane == slots_lane_) slots_asked_ = false;
    return;
  }
  const Operation& operation = operations_[tag];
  if (operation.kind == Kind::write) ledger_.doubt(operation.key, operation.version);
  fail(tag, giving_up_ ? "no answer in time" : "connection lost");
}

void Operations::fail(Id id, std::string_view kind) {
  Operation& operation = operations_[id];
  ++operation.attempt;  // its time-out is none any more
  window_.note_failure(ledger_.slot(operation.key), kind, operation.failures == 0, now_);
  const Micros pause = std::min(kRetryAfterMost, kRetryAfterLeast << std::min<uint32_t>(operation.failures, 10));
  ++operation.failures;
  operation.redirections = 0;
  retries_.push({now_ + pause, id});
  trouble_until_ = now_ + kTroubleLasts;
}

// Whoever waits in vain breaks the connection, as clients that block on it do: nothing can be skipped there.
void Operations::expire() {
  while (!timeouts_.empty() && timeouts_.front().at <= now_) {
    const Timeout timeout = timeouts_.front();
    timeouts_.pop_front();
    const Operation& operation = operations_[timeout.id];
    if (!operation.under_way || operation.attempt != timeout.attempt) continue;
    giving_up_ = true;
    links_.abort(operation.lane, now_);
    giving_up_ = false;
  }
}

// Asks one server after the other, on a lane of its own, so that one that is silent holds up nothing else.
void Operations::ask_slots() {
  if (now_ - slots_asked_at_ < (slots_asked_ ? kAskSlotsTimeout : kAskSlotsEvery)) return;
  if (slots_asked_) links_.abort(slots_lane_, now_);
  slots_lane_ = {static_cast<Server>((slots_lane_.server + 1u) % topology_.size()), options_.lanes};
  constexpr std::array<std::string_view, 2> kSlots{"CLUSTER", "SLOTS"};
  std::string request;
  protocol::append_request(request, kSlots);
  slots_asked_at_ = now_;
  slots_asked_ = links_.send(slots_lane_, kSlotsTag, request, false, now_);
}

std::vector<Waiting> Operations::waiting(Micros now) const {
  std::vector<Waiting> waiting;
  for (const Operation& operation : operations_) {
    if (operation.under_way) {
      waiting.push_back({ledger_.slot(operation.key), operation.kind, now - operation.due});
    }
  }
  return waiting;
}

}  // namespace chainring::load
