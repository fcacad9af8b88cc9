#include "coordinator/lock_desk.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "protocol/reply.h"

namespace chainring::coordinator {
namespace {

// How often, at most, the time is moved on although nobody asks for a lock that has expired.
constexpr Micros kExpiryInterval = 20 * kMicrosPerMilli;

}  // namespace

Micros LockClock::when(Millis time) const {
  if (time <= base_) return begun_;
  Micros after = 0;
  if (__builtin_mul_overflow(time - base_, kMicrosPerMilli, &after) || after > kNever - begun_) return kNever;
  return begun_ + after;
}

LockRequest::LockRequest(Origin from, const protocol::CommandSpec& command, std::span<const std::string_view> arguments)
    : origin(from), spec(&command), args_(arguments.begin(), arguments.end()), views_(args_.begin(), args_.end()) {
  for (const std::string& arg : args_) bytes_ += arg.size();
}

LockRequest::LockRequest(Origin from, std::string_view payload)
    : origin(from),
      spec(&protocol::command(protocol::CommandId::exec)),
      args_{std::string(payload)},
      bytes_(payload.size()) {}

void LockDesk::lead(Millis known_time, Now now) {
  now_ = now;
  clock_.begin(std::max(known_time, state_.locks().time()), now.mono);
  time_index_ = 0;
  time_proposed_at_ = now.mono - kExpiryInterval;
}

void LockDesk::resign() {
  lost(take_waiting());
  for (const LockRequest& waiting : std::exchange(awaiting_writes_, {})) give_back(waiting);
  for (const AwaitingTime& waiting : std::exchange(awaiting_time_, {})) give_back(waiting.request);
  numbered_.clear();
  for (const auto& [index, proposal] : std::exchange(proposals_, {})) {
    finished(proposal.bytes);
    if (proposal.number != 0) {
      sink_.answer(proposal.origin, protocol::ReplyStatus::unsettled, {});  // it sends the same number again
    } else {
      sink_.outcome_unknown(proposal.origin);
    }
  }
}

void LockDesk::tick(Now now) {
  now_ = now;
  if (state_.locks().earliest_deadline() > time() || time_index_ != 0) return;
  if (now.mono - time_proposed_at_ >= kExpiryInterval) propose_time();
}

Micros LockDesk::next_tick() const {
  const Millis deadline = state_.locks().earliest_deadline();
  if (deadline == INT64_MAX || time_index_ != 0) return kNever;
  return std::max(clock_.when(deadline), time_proposed_at_ + kExpiryInterval);
}

void LockDesk::finished(size_t bytes) {
  --requests_;
  bytes_ -= bytes;
}

void LockDesk::refuse(const LockRequest& request, std::string_view error) {
  std::string body;
  protocol::ReplyWriter(body, request.resp).error(error);
  sink_.answer(request.origin, protocol::ReplyStatus::done, body);
}

std::string LockDesk::refusal(const LockRequest& request) const {
  if (!request.is_transaction()) return refuse_lock_command(request.command(), state_.ring().lock_prefixes());
  const auto transaction = protocol::parse_transaction(request.payload(), request.db);
  if (!transaction.ok()) return concat("ERR a peer forwarded no transaction: ", transaction.status().message());
  return refuse_lock_transaction(*transaction, state_.ring().lock_prefixes());
}

void LockDesk::submit(LockRequest request) {
  if (const std::string error = refusal(request); !error.empty()) return refuse(request, error);
  if (requests_ == kRequestsMax || bytes_ + request.bytes() > kRequestBytesMax) {
    return sink_.answer(request.origin, protocol::ReplyStatus::bounced, {});
  }
  ++requests_;
  bytes_ += request.bytes();
  if (request.is_transaction()) return propose(std::move(request));
  const LockCommand command = request.command();
  if (command.writes() && !state_.locks().changes_nothing(command)) {
    propose(std::move(request));
  } else {
    if (!proposals_.empty()) request.behind = proposals_.rbegin()->first;
    waiting_.push_back(std::move(request));
  }
}

void LockDesk::confirmed(std::vector<LockRequest> requests) {
  for (LockRequest& request : requests) settle(std::move(request));
}

void LockDesk::lost(std::vector<LockRequest> requests) {
  for (const LockRequest& request : requests) give_back(request);
}

// It has no entry in the log.
void LockDesk::give_back(const LockRequest& request) {
  finished(request.bytes());
  sink_.answer(request.origin, protocol::ReplyStatus::not_leader, {});
}

// This coordinator led when the request had come: its state may answer once it has the writes that came before.
void LockDesk::settle(LockRequest request) {
  const LockCommand command = request.command();
  if (command.writes()) {
    // One that has run, or is about to, is not judged by what the keys hold now.
    const bool known = request.numbered() &&
                       (numbered_.contains({request.sender, request.number}) ||
                        state_.answers().find(request.sender, request.number).verdict != Answers::Verdict::fresh);
    if (known || !state_.locks().changes_nothing(command)) return propose(std::move(request));
  }
  if (is_ahead_of_state(request)) return awaiting_writes_.push_back(std::move(request));
  if (state_.locks().rests_on_expiry(command, time())) {
    awaiting_time_.push_back({std::move(request), time()});
    if (time_index_ == 0) propose_time();
    return;
  }
  answer_read(request);
}

void LockDesk::answer_read(const LockRequest& request) {
  const LockCommand command = request.command();
  // What expires at this very moment is still there by the time that was committed.
  const Millis as_of = state_.locks().rests_on_expiry(command, time()) ? state_.locks().time() : time();
  finished(request.bytes());
  sink_.answer(request.origin, protocol::ReplyStatus::done, state_.locks().read(command, {as_of, now_.wall, &random_}));
}

std::string LockDesk::entry_of(const LockRequest& request) const {
  const auto with_origin = [&](auto entry) {
    entry.time = time();
    entry.sender = request.sender;
    entry.number = request.number;
    entry.answered_below = request.answered_below;
    entry.db = request.db;
    entry.resp = static_cast<uint8_t>(request.resp);
    return entry;
  };
  if (request.is_transaction()) {
    auto entry = with_origin(LockTransactionEntry());
    const auto transaction = protocol::parse_transaction(request.payload(), request.db);
    CHECK(transaction.ok(), "it was looked at when it came");
    entry.payload = with_durations(*transaction, request.db, now_.wall);
    return encode_entry(entry);
  }
  auto entry = with_origin(LockCommandEntry());
  entry.args = with_durations(request.command(), now_.wall);
  return encode_entry(entry);
}

void LockDesk::propose(LockRequest request) {
  const std::pair identity(request.sender, request.number);
  if (request.numbered()) {
    if (const auto same = numbered_.find(identity); same != numbered_.end()) {  // sent again: the old link is gone
      finished(request.bytes());
      proposals_.at(same->second).origin = request.origin;
      return;
    }
  }
  const Result<uint64_t> index = log_.propose(entry_of(request));
  if (!index.ok()) {
    finished(request.bytes());
    const bool busy = index.status().code() == ErrorCode::resource_exhausted;
    return sink_.answer(request.origin, busy ? protocol::ReplyStatus::bounced : protocol::ReplyStatus::not_leader, {});
  }
  proposals_[*index] = {request.origin, request.sender, request.numbered() ? request.number : 0, request.resp,
                        request.bytes()};
  if (request.numbered()) numbered_[identity] = *index;
}

// One at a time: what waits for a later one is looked at when this one is applied.
void LockDesk::propose_time() {
  time_proposed_at_ = now_.mono;
  // When it is not accepted, a later tick tries again.
  if (const Result<uint64_t> index = log_.propose(encode_entry(LockTimeEntry{time()})); index.ok())
    time_index_ = *index;
}

void LockDesk::applied(uint64_t index, const Applied& applied) {
  if (const auto at = proposals_.find(index); at != proposals_.end()) {
    const Proposal proposal = std::move(at->second);
    proposals_.erase(at);
    numbered_.erase({proposal.sender, proposal.number});
    finished(proposal.bytes);
    CHECK(applied.lock.has_value(), "an entry of the desk is a lock command");
    if (applied.lock->expired) {
      sink_.answer(proposal.origin, protocol::ReplyStatus::expired, {});
    } else {
      sink_.answer(proposal.origin, protocol::ReplyStatus::done, applied.lock->reply.render(proposal.resp, time()));
    }
  }
  if (index == time_index_) time_index_ = 0;
  if (!awaiting_time_.empty()) time_moved();
  writes_arrived();
}

void LockDesk::writes_arrived() {
  while (!awaiting_writes_.empty() && !is_ahead_of_state(awaiting_writes_.front())) {
    LockRequest request = std::move(awaiting_writes_.front());
    awaiting_writes_.pop_front();
    settle(std::move(request));
  }
}

void LockDesk::time_moved() {
  const Millis committed = state_.locks().time();
  const auto due = std::stable_partition(awaiting_time_.begin(), awaiting_time_.end(),
                                         [&](const AwaitingTime& waiting) { return waiting.time > committed; });
  std::vector<AwaitingTime> ready(std::make_move_iterator(due), std::make_move_iterator(awaiting_time_.end()));
  awaiting_time_.erase(due, awaiting_time_.end());
  for (AwaitingTime& waiting : ready) {
    const LockCommand command = waiting.request.command();
    if (command.writes() && !state_.locks().changes_nothing(command)) {
      propose(std::move(waiting.request));  // what stood in its way has expired
    } else {
      answer_read(waiting.request);
    }
  }
  if (!awaiting_time_.empty() && time_index_ == 0) propose_time();
}

}  // namespace chainring::coordinator
