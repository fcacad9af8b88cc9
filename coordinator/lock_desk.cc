#include "coordinator/lock_desk.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "protocol/reply.h"
#include "protocol/slot.h"

namespace chainring::coordinator {
namespace {

// How often, at most, the time is moved on although nobody asks for a lock that has expired.
constexpr Micros kExpiryInterval = 20 * kMicrosPerMilli;

bool is_conditional(const LockRequest& request) {
  return !request.is_transaction() && LockSpace::is_conditional(request.command());
}

constexpr std::string_view kTooManyWalks =
    "TRYAGAIN too many KEYS, LOCK LIST, SCAN and RANDOMKEY wait at the coordinators; the command was not executed";

// With each key as often as it is named. REQUIRES: the request was not refused.
LockOrder::Claim claim_of(const LockRequest& request) {
  LockOrder::Claim claim{request.origin.link, request.origin.ticket.client, {}, false, false};
  const auto add = [&](std::string_view key) { claim.keys.push_back(protocol::key_hash(key)); };
  if (request.is_transaction()) {
    const auto transaction = protocol::parse_transaction(request.payload(), request.db);
    CHECK(transaction.ok(), "it was looked at when it came");
    claim.writes = true;
    for (const std::string& mark : transaction->marks) {
      for (const std::string& key : LockSpace::watched_keys(mark)) add(key);
    }
    for (const protocol::QueuedCommand& queued : transaction->commands) {
      for (const std::string_view key : LockCommand{queued.spec, queued.args, queued.db}.keys()) add(key);
    }
  } else {
    const LockCommand command = request.command();
    claim.writes = command.writes();
    for (const std::string_view key : command.keys()) add(key);
    claim.all_keys = claim.keys.empty();
  }
  return claim;
}

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
  order_.clear();
  freed_.clear();
  awaiting_writes_.clear();
  awaiting_time_.clear();
  noted_ = Answers();  // the next leader may answer otherwise
  lookups_ = walks_ = Share();
  looks_owed_ = proposed_keys_ = 0;
  for (const auto& [id, at] : std::exchange(undecided_, {})) {
    give_back(at.request, protocol::ReplyStatus::not_leader);
  }
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
  read_bytes_ = 0;
  begin_share(walks_);  // first: one that is under way is not sent back for what others read in this turn
  begin_share(lookups_);
  if (state_.locks().earliest_deadline() > time() || time_index_ != 0) return;
  if (now.mono - time_proposed_at_ >= kExpiryInterval) propose_time();
}

Micros LockDesk::next_tick() const {
  if (!walks_.line.empty() || !lookups_.line.empty()) return now_.mono;
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
  const std::vector<std::string>& prefixes = state_.ring().lock_prefixes();
  if (!request.is_transaction()) {
    std::string error = refuse_lock_command(request.command(), prefixes);
    return error.empty() ? refuse_too_long(request.command()) : error;
  }
  const auto transaction = protocol::parse_transaction(request.payload(), request.db);
  if (!transaction.ok()) return concat("ERR a peer forwarded no transaction: ", transaction.status().message());
  std::string error = refuse_lock_transaction(*transaction, prefixes);
  return error.empty() ? refuse_too_long(*transaction) : error;
}

void LockDesk::submit(LockRequest request) {
  if (const std::string error = refusal(request); !error.empty()) return refuse(request, error);
  if (requests_ == kRequestsMax || bytes_ + request.bytes() > kRequestBytesMax) {
    return sink_.answer(request.origin, protocol::ReplyStatus::bounced, {});
  }
  const uint64_t looks = request.is_transaction() ? 0 : state_.locks().walk_length(request.command());
  if (looks > 0 && looks_owed_ > 0 && looks_owed_ + looks > kLooksOwedMax) return refuse(request, kTooManyWalks);
  ++requests_;
  bytes_ += request.bytes();
  LockOrder::Claim claim = claim_of(request);
  request.keys = claim.keys.size();
  std::sort(claim.keys.begin(), claim.keys.end());
  claim.keys.erase(std::unique(claim.keys.begin(), claim.keys.end()), claim.keys.end());
  const bool in_turn = order_.is_free(claim);
  if (in_turn && is_to_be_proposed(request)) {
    propose(std::move(request));
    return;
  }
  order_.add(++last_id_, std::move(claim));
  looks_owed_ += looks;
  undecided_.emplace(last_id_, Undecided{std::move(request), in_turn, !in_turn, last_proposal(), looks, 0, {}});
}

// One that has run, or is about to, is not judged by what the keys hold now.
bool LockDesk::has_run(const LockRequest& request) const {
  return request.numbered() &&
         (numbered_.contains({request.sender, request.number}) ||
          state_.answers().find(request.sender, request.number, request.sent).verdict != Answers::Verdict::fresh);
}

Answers::Found LockDesk::noted(const LockRequest& request) const {
  return request.numbered() ? noted_.find(request.sender, request.number, request.sent)
                            : Answers::Found{Answers::Verdict::fresh, nullptr};
}

bool LockDesk::is_to_be_proposed(const LockRequest& request) const {
  if (has_run(request)) return true;
  if (noted(request).verdict != Answers::Verdict::fresh) return false;
  if (request.is_transaction()) return true;
  const LockCommand command = request.command();
  return command.writes() && !state_.locks().changes_nothing(command);
}

uint64_t LockDesk::take_round() {
  if (undecided_.empty() || undecided_.rbegin()->first <= in_rounds_) return 0;
  return in_rounds_ = undecided_.rbegin()->first;
}

void LockDesk::confirmed(uint64_t round) {
  std::vector<uint64_t> ids;
  for (auto at = undecided_.upper_bound(confirmed_); at != undecided_.end() && at->first <= round; ++at) {
    if (at->second.in_turn) ids.push_back(at->first);
  }
  confirmed_ = std::max(confirmed_, round);
  for (const uint64_t id : ids) {
    advance(id);
    advance_freed();
  }
}

void LockDesk::lost(uint64_t round) {
  for (auto at = undecided_.upper_bound(confirmed_); at != undecided_.end() && at->first <= round;
       at = undecided_.upper_bound(confirmed_)) {
    const uint64_t id = at->first;
    const LockRequest request = take_out(at);
    give_back(request, protocol::ReplyStatus::not_leader);
    give_back_behind(id, request.origin.link, protocol::ReplyStatus::not_leader);
  }
  advance_freed();
}

// It has no entry in the log.
void LockDesk::give_back(const LockRequest& request, protocol::ReplyStatus status) {
  finished(request.bytes());
  sink_.answer(request.origin, status, {});
}

// What came later on that link must not be run before what was given back. A client that is connected here is told
// that the one was not executed; its next ones are in order without it.
void LockDesk::give_back_behind(uint64_t id, ConnId link, protocol::ReplyStatus status) {
  if (link == kNoConn) return;
  for (auto at = undecided_.upper_bound(id); at != undecided_.end();) {
    const auto next = std::next(at);
    if (at->second.request.origin.link == link) give_back(take_out(at), status);
    at = next;
  }
}

LockRequest LockDesk::take_out(UndecidedById::iterator at) {
  order_.remove(at->first, freed_);
  looks_owed_ -= at->second.looks;
  share_of(at->second).line.erase(at->second.in_line);
  LockRequest request = std::move(at->second.request);
  undecided_.erase(at);
  return request;
}

void LockDesk::advance_freed() {
  while (!freed_.empty()) {
    const uint64_t id = freed_.extract(freed_.begin()).value();
    const auto at = undecided_.find(id);
    if (at == undecided_.end()) continue;  // given back
    at->second.in_turn = true;
    at->second.behind = last_proposal();
    advance(id);
  }
}

void LockDesk::advance(uint64_t id, bool time_awaited) {
  const auto at = undecided_.find(id);
  if (at == undecided_.end()) return;  // given back
  const LockRequest& request = at->second.request;
  const uint64_t behind = at->second.behind;
  CHECK(at->second.in_turn, "who waits for others is not woken by anything else");
  const bool behind_writes = is_ahead_of_state(behind);
  // It may find its lock taken by the very one that it waited for: then it needs no entry (R30).
  const bool judged_later = behind_writes && at->second.deferred && is_conditional(request);
  if (!judged_later && is_to_be_proposed(request)) {
    const ConnId link = request.origin.link;
    if (!propose(take_out(at))) give_back_behind(id, link, protocol::ReplyStatus::bounced);
    return;
  }
  const Answers::Found before = noted(request);
  if (before.verdict == Answers::Verdict::expired) return give_back(take_out(at), protocol::ReplyStatus::expired);
  if (id > confirmed_) return;
  if (before.verdict == Answers::Verdict::known) {
    return answer_unproposed(take_out(at), before.answer->resp);
  }
  if (behind_writes) {
    awaiting_writes_.emplace(behind, id);
    return;
  }
  if (!time_awaited && state_.locks().rests_on_expiry(request.command(), time())) {
    awaiting_time_.emplace(time(), id);
    if (time_index_ == 0) propose_time();
    return;
  }
  if (share_of(at->second).left == 0) return line_up(at);
  if (read_bytes_ >= kReadBytesPerTurnMax) {  // they wait to be sent, all of them in memory
    const ConnId link = request.origin.link;
    give_back(take_out(at), protocol::ReplyStatus::bounced);
    return give_back_behind(id, link, protocol::ReplyStatus::bounced);
  }
  answer_from_state(at);
}

// One that was there already has its place again, so one walk at most has begun and waits.
void LockDesk::line_up(UndecidedById::iterator at) {
  uint64_t& place = at->second.in_line;
  if (place == 0) place = ++last_place_;
  share_of(at->second).line.emplace(place, at->first);
}

// A new turn's. Who has waited for the time to be committed does so once: what expires while it stands in the line is
// still there for it.
void LockDesk::begin_share(Share& share) {
  share.left = kLooksPerTurnMax;
  while (share.left > 0 && !share.line.empty()) {
    advance(share.line.extract(share.line.begin()).mapped(), true);
    advance_freed();
  }
}

void LockDesk::answer_from_state(UndecidedById::iterator at) {
  Undecided& one = at->second;
  const LockCommand command = one.request.command();
  Share& share = share_of(one);
  std::string body;
  if (LockSpace::is_list(command)) {
    std::optional<std::string> told = state_.locks().list(command, one.walk, share.left);
    if (!told) return line_up(at);
    body = *std::move(told);
  } else {
    share.take(one.looks > 0 ? state_.locks().walk_length(command) : one.request.keys);
    body = read(command);
  }
  share.take(1);  // the request itself
  const LockRequest answered = take_out(at);
  read_bytes_ += body.size();
  answer_unproposed(answered, std::move(body));
}

std::string LockDesk::read(const LockCommand& command) {
  // What expires at this very moment is still there by the time that was committed.
  const Millis as_of = state_.locks().rests_on_expiry(command, time()) ? state_.locks().time() : time();
  return state_.locks().read(command, {as_of, now_.wall, &random_});
}

void LockDesk::answer_unproposed(const LockRequest& request, std::string body) {
  finished(request.bytes());
  sink_.answer(request.origin, protocol::ReplyStatus::done, body);
  if (!request.numbered() || noted(request).verdict != Answers::Verdict::fresh) return;
  noted_.record(request.sender, request.number, request.answered_below, last_id_, {std::move(body), 0, 0});
}

std::string LockDesk::entry_of(const LockRequest& request) const {
  const auto with_origin = [&](auto entry) {
    entry.time = time();
    entry.sender = request.sender;
    entry.number = request.number;
    entry.answered_below = request.answered_below;
    entry.sent = request.sent;
    if (request.numbered()) {
      entry.forgotten_below = noted_.forgotten_below(request.sender);
      // Too many to remember them all: those that are forgotten must not be run again.
      entry.answered_below = std::max(entry.answered_below, noted_.answered_below(request.sender));
      for (const auto& [number, answer] : noted_.of(request.sender)) {
        if (number >= entry.answered_below) entry.earlier.push_back({number, answer.resp});
      }
    }
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

bool LockDesk::propose(LockRequest request) {
  const std::pair identity(request.sender, request.number);
  if (request.numbered()) {
    if (const auto same = numbered_.find(identity); same != numbered_.end()) {  // sent again: one of the links is gone
      finished(request.bytes());
      Origin& to = proposals_.at(same->second).origin;
      if (request.origin.link >= to.link) to = request.origin;  // ids of links grow
      return true;
    }
  }
  if (proposed_keys_ + request.keys > kProposedKeysMax) {
    give_back(request, protocol::ReplyStatus::bounced);
    return false;
  }
  const Result<uint64_t> index = log_.propose(entry_of(request));
  if (!index.ok()) {
    const ErrorCode why = index.status().code();
    if (why == ErrorCode::invalid_argument) {  // an entry that no log takes: sent again it would be no shorter
      finished(request.bytes());
      refuse(request, concat("ERR ", index.status().message()));
      return true;
    }
    const bool busy = why == ErrorCode::resource_exhausted;
    give_back(request, busy ? protocol::ReplyStatus::bounced : protocol::ReplyStatus::not_leader);
    return false;
  }
  proposals_[*index] = {request.origin, request.sender,  request.numbered() ? request.number : 0,
                        request.resp,   request.bytes(), request.keys};
  proposed_keys_ += request.keys;
  if (request.numbered()) {
    numbered_[identity] = *index;
    noted_.forget_answers(request.sender);  // whatever is looked at behind this entry finds them in the state
  }
  return true;
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
    proposed_keys_ -= proposal.keys;
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
  while (!awaiting_writes_.empty() && !is_ahead_of_state(awaiting_writes_.begin()->first)) {
    advance(awaiting_writes_.extract(awaiting_writes_.begin()).mapped());
    advance_freed();
  }
}

void LockDesk::time_moved() {
  std::vector<uint64_t> due;
  while (!awaiting_time_.empty() && awaiting_time_.begin()->first <= state_.locks().time()) {
    due.push_back(awaiting_time_.extract(awaiting_time_.begin()).mapped());
  }
  for (const uint64_t id : due) {  // what stood in its way may have expired
    advance(id, true);
    advance_freed();
  }
  if (!awaiting_time_.empty() && time_index_ == 0) propose_time();
}

}  // namespace chainring::coordinator
