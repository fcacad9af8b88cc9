#include "tests/sim/history.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_set>

#include "base/check.h"
#include "base/text.h"

namespace chainring::sim {
namespace {

using Value = std::optional<std::string>;

constexpr size_t kNobody = SIZE_MAX;                // no client's number
constexpr size_t kNone = SIZE_MAX;                  // no operation's index
constexpr Micros kTriedFor = 4 * kMicrosPerSecond;  // a request, at the longest

struct State {
  Value value;
  // When its time is over, by the clock of whoever judges that.
  Micros ends_least = kNever;
  Micros ends_most = kNever;

  void set(Value to) { *this = State{std::move(to)}; }
};

Micros later(Micros time, Micros by) { return time == kNever ? kNever : time + by; }

void end_after(const Operation& op, State& state) {
  state.ends_least = op.called + op.ttl_least;
  state.ends_most = later(op.returned, op.ttl_most);
}

// Runs the operation on one copy of the key; false when the client cannot have got its result from this state.
bool run(const Operation& op, State& state) {
  const auto matches = [&](const Value& expected) {
    return op.outcome == Operation::Outcome::unknown || op.result == expected;
  };
  switch (op.kind) {
    case Operation::Kind::set:
      state.set(op.argument);
      return true;
    case Operation::Kind::set_px:
      state.set(op.argument);
      end_after(op, state);
      return true;
    case Operation::Kind::pexpire:
      if (state.value) end_after(op, state);
      return matches(state.value ? "1" : "0");
    case Operation::Kind::get:
      return matches(state.value);
    case Operation::Kind::getdel: {
      const bool fits = matches(state.value);
      state.set(std::nullopt);
      return fits;
    }
    case Operation::Kind::del: {
      const bool fits = matches(state.value ? "1" : "0");
      state.set(std::nullopt);
      return fits;
    }
    case Operation::Kind::incr: {
      const int64_t next = (state.value ? parse_int(*state.value).value_or(0) : 0) + 1;
      state.value = concat(next);
      return matches(state.value);
    }
    case Operation::Kind::set_nx: {
      const bool fits = matches(state.value ? "0" : "1");
      if (!state.value) state.set(op.argument);
      return fits;
    }
    case Operation::Kind::set_ifeq: {
      const bool equal = state.value && *state.value == op.compare;
      const bool fits = matches(equal ? "1" : "0");
      if (equal) state.set(op.argument);
      return fits;
    }
    case Operation::Kind::loss:
      state.set(std::nullopt);
      return true;
  }
  return false;
}

class Search {
 public:
  Search(std::vector<Operation> operations, size_t states_max)
      : ops_(std::move(operations)), done_(ops_.size()), before_(ops_.size(), kNone), states_max_(states_max) {
    for (size_t i = 0; i < ops_.size(); ++i) {
      if (!ops_[i].not_behind) continue;
      const auto limit = std::find_if(ops_.begin(), ops_.end(), [&](const Operation& other) {
        return other.client == ops_[i].client && other.place == *ops_[i].not_behind;
      });
      if (limit != ops_.end()) before_[i] = static_cast<size_t>(limit - ops_.begin());
    }
  }

  bool go() {
    if (seen_.size() > states_max_) {
      gave_up_ = true;
      return true;
    }
    Micros now = 0;  // at the earliest: the last call of what has happened
    for (size_t i = 0; i < ops_.size(); ++i) {
      if (done_[i]) now = std::max(now, ops_[i].called);
    }
    if (!seen_.insert(signature(now)).second) return false;
    Micros bound = kNever;  // nothing called after the earliest return of an open operation can come before it
    bool open = false;
    for (size_t i = 0; i < ops_.size(); ++i) {
      if (done_[i] || ops_[i].outcome != Operation::Outcome::returned) continue;
      open = true;
      bound = std::min(bound, ops_[i].returned);
    }
    if (!open) return true;
    for (size_t i = 0; i < ops_.size(); ++i) {
      if (done_[i] || ops_[i].called > bound || is_too_late(i, now) || !is_first_of_client(i)) continue;
      // The key's time may have come before it: a delete at no moment that is known better.
      if (state_.ends_least <= ops_[i].returned && go_on_with(i, State())) return true;
      if (state_.ends_most >= ops_[i].called && go_on_with(i, state_)) return true;
    }
    return false;
  }
  [[nodiscard]] bool gave_up() const { return gave_up_; }

 private:
  bool go_on_with(size_t i, State state) {
    if (!run(ops_[i], state)) return false;
    std::swap(state, state_);
    done_[i] = true;
    if (go()) return true;
    done_[i] = false;
    state_ = std::move(state);
    return false;
  }
  // What did not happen before `now`, or before what has happened, cannot happen any more.
  [[nodiscard]] bool is_too_late(size_t i, Micros now) const {
    return ops_[i].happened_by < now || (before_[i] != kNone && done_[before_[i]]);
  }
  // A client's pipelined operations on a key happen in its order.
  [[nodiscard]] bool is_first_of_client(size_t i) const {
    if (ops_[i].client == kNobody) return true;
    for (size_t j = 0; j < ops_.size(); ++j) {
      if (!done_[j] && j != i && ops_[j].client == ops_[i].client && ops_[j].place < ops_[i].place &&
          ops_[j].outcome == Operation::Outcome::returned) {
        return false;
      }
    }
    return true;
  }
  [[nodiscard]] std::string signature(Micros now) const {
    std::string text;
    for (size_t i = 0; i < ops_.size(); ++i) text.push_back(done_[i] || is_too_late(i, now) ? '1' : '0');
    text.append(state_.value ? *state_.value : "(none)");
    if (state_.ends_least != kNever) append_text(text, " ", state_.ends_least, " ", state_.ends_most);
    return text;
  }

  std::vector<Operation> ops_;
  std::vector<bool> done_;
  std::vector<size_t> before_;  // the operation behind which each may not happen
  size_t states_max_;
  State state_;
  std::unordered_set<std::string> seen_;
  bool gave_up_ = false;
};

std::string describe(const Operation& op) {
  static constexpr std::string_view kNames[] = {"SET",      "GET", "INCR",   "GETDEL",  "SET NX",
                                                "SET IFEQ", "DEL", "SET PX", "PEXPIRE", "loss"};
  std::string text = concat("  client ", op.client, " #", op.place, " ", kNames[static_cast<size_t>(op.kind)], " ",
                            op.argument, op.compare.empty() ? "" : " if ", op.compare, " [", op.called, " .. ");
  if (op.outcome == Operation::Outcome::returned) {
    append_text(text, op.returned, "] -> ", op.result ? *op.result : "(nil)", "\n");
  } else {
    append_text(text, "?] unknown\n");
  }
  return text;
}

// What had been called by `time`, with what had not returned by then of unknown outcome.
std::vector<Operation> seen_at(const std::vector<Operation>& operations, Micros time) {
  std::vector<Operation> seen;
  for (Operation op : operations) {
    if (op.called > time) continue;
    if (op.returned > time) op.outcome = Operation::Outcome::unknown;
    if (op.outcome == Operation::Outcome::unknown && op.kind == Operation::Kind::get) continue;
    seen.push_back(std::move(op));
  }
  return seen;
}

// The first moment at which the history could not be explained any more, and what came shortly before.
std::string explain(const std::vector<Operation>& operations, size_t states_max) {
  std::vector<Micros> returns;
  for (const Operation& op : operations) {
    if (op.outcome == Operation::Outcome::returned) returns.push_back(op.returned);
  }
  std::sort(returns.begin(), returns.end());
  const auto first_bad = std::partition_point(
      returns.begin(), returns.end(), [&](Micros time) { return Search(seen_at(operations, time), states_max).go(); });
  const Micros bad = first_bad == returns.end() ? returns.back() : *first_bad;
  std::string text = concat("key ", operations[0].key, " is not linearizable at ", bad, ":\n");
  std::vector<Operation> seen = seen_at(operations, bad);
  constexpr size_t kShown = 25;
  for (size_t i = seen.size() > kShown ? seen.size() - kShown : 0; i < seen.size(); ++i) text.append(describe(seen[i]));
  return text;
}

std::optional<std::string> find_wrong_token(const std::vector<Grant>& by_call) {
  std::map<int64_t, const Grant*> by_token;
  std::vector<const Grant*> by_return;
  for (const Grant& grant : by_call) {
    by_return.push_back(&grant);
    const Grant* other = by_token.try_emplace(grant.token, &grant).first->second;
    if (other->owner != grant.owner) return concat("token ", grant.token, " was granted twice");
  }
  std::sort(by_return.begin(), by_return.end(),
            [](const Grant* a, const Grant* b) { return a->returned < b->returned; });
  int64_t known = INT64_MIN;  // the highest token that somebody had when the grant was asked for
  size_t next = 0;
  for (const Grant& grant : by_call) {
    for (; next < by_return.size() && by_return[next]->returned < grant.called; ++next) {
      known = std::max(known, by_return[next]->token);
    }
    if (grant.token <= known) return concat("token ", grant.token, " was granted after ", known);
  }
  return std::nullopt;
}

// The end of its time, counted from the call, less clock drift.
Micros time_of(const Grant& grant) {
  const Micros drift = grant.ttl / 1'000'000 * kDriftPpmMost + grant.ttl % 1'000'000 * kDriftPpmMost / 1'000'000;
  return std::max(grant.called, grant.renewed) + grant.ttl - drift - kMicrosPerMilli;
}

// Held for sure: from when its owner learned of it until then.
Micros until(const Grant& grant) { return std::min(time_of(grant), grant.given_back); }

std::string said(const Grant& grant) {
  return concat(grant.owner, " [token ", grant.token, ", asked ", grant.called, ", granted ", grant.returned, ", for ",
                grant.ttl, ", until ", until(grant), "]");
}

std::optional<std::string> find_gone_early(const std::vector<Grant>& grants) {
  for (const Grant& grant : grants) {
    if (grant.gone > time_of(grant)) continue;
    return concat(grant.key, " was gone at ", grant.gone, " before the time of ", said(grant), " was over");
  }
  return std::nullopt;
}

std::optional<std::string> find_two_holders(std::vector<Grant> grants) {
  std::erase_if(grants, [&](const Grant& grant) { return until(grant) <= grant.returned; });
  std::sort(grants.begin(), grants.end(),
            [](const Grant& a, const Grant& b) { return std::tie(a.key, a.returned) < std::tie(b.key, b.returned); });
  const Grant* longest = nullptr;
  for (const Grant& grant : grants) {
    if (longest && longest->key == grant.key && grant.returned < until(*longest)) {
      return concat(grant.key, " was held by ", said(*longest), " and by ", said(grant), " at once");
    }
    if (!longest || longest->key != grant.key || until(grant) > until(*longest)) longest = &grant;
  }
  return std::nullopt;
}

}  // namespace

void add_loss(const std::string& key, const Loss& loss, std::vector<Operation>& operations) {
  std::vector<Operation> again;
  for (Operation& op : operations) {
    op.not_behind.reset();  // who was to refuse it then may have forgotten
    const bool open_then = op.called <= loss.returned && op.returned >= loss.called;
    const bool given_up = op.outcome != Operation::Outcome::returned && op.called + kTriedFor < loss.called;
    // Refused when it was run again, by who knows no more whether it was: the watched key has changed with the loss, or
    // the slot is another one by now.
    const bool never_ran = op.outcome == Operation::Outcome::refused && op.returned == kNever;
    const bool leaves_nothing = never_ran || op.kind == Operation::Kind::get;
    if (!open_then || given_up || leaves_nothing || op.client == kNobody) continue;
    Operation& before = again.emplace_back(op);
    before.client = kNobody;
    before.outcome = Operation::Outcome::unknown;
    before.returned = kNever;
    before.happened_by = loss.returned;
  }
  operations.insert(operations.end(), again.begin(), again.end());
  Operation lost;
  lost.key = key;
  lost.client = kNobody;
  lost.kind = Operation::Kind::loss;
  lost.called = loss.called;
  lost.returned = loss.returned;
  lost.outcome = loss.certain ? Operation::Outcome::returned : Operation::Outcome::unknown;
  operations.push_back(std::move(lost));
}

void add_loss(const Loss& loss, std::vector<Grant>& grants) {
  for (Grant& grant : grants) {
    if (grant.called > loss.called) continue;
    grant.given_back = std::min(grant.given_back, loss.called);
    if (grant.gone >= loss.called) grant.gone = kNever;
  }
}

std::optional<std::string> judge_total(const std::vector<Operation>& operations, int64_t total) {
  int64_t acknowledged = 0, unknown = 0;
  for (const Operation& op : operations) {
    if (op.kind != Operation::Kind::incr) continue;
    if (op.outcome == Operation::Outcome::returned) ++acknowledged;
    if (op.outcome == Operation::Outcome::unknown) ++unknown;
  }
  if (acknowledged <= total && total <= acknowledged + unknown) return std::nullopt;
  return concat(operations[0].key, " has come to ", total, " by ", acknowledged, " acknowledged increments and ",
                unknown, " of unknown outcome");
}

std::optional<std::string> judge_order(const std::vector<OrderedRead>& reads, const std::vector<Operation>& of_first) {
  // Also those of unknown outcome may never have happened, and what came behind them went on.
  std::vector<Micros> missing;  // when they were called
  for (const Operation& op : of_first) {
    if (op.kind == Operation::Kind::incr && op.outcome != Operation::Outcome::returned) missing.push_back(op.called);
  }
  std::sort(missing.begin(), missing.end());
  for (const OrderedRead& read : reads) {
    const auto by_then = std::upper_bound(missing.begin(), missing.end(), read.returned) - missing.begin();
    if (read.second <= read.first + by_then) continue;
    return concat("what was sent first had happened ", read.first, " times, what was sent behind it ", read.second);
  }
  return std::nullopt;
}

std::optional<std::string> judge_grants(std::vector<Grant> grants) {
  std::sort(grants.begin(), grants.end(), [](const Grant& a, const Grant& b) { return a.called < b.called; });
  if (auto wrong = find_wrong_token(grants)) return wrong;
  if (auto wrong = find_gone_early(grants)) return wrong;
  return find_two_holders(std::move(grants));
}

Verdict judge(std::vector<Operation> operations, size_t states_max) {
  std::erase_if(operations, [](const Operation& op) {
    // A read of unknown outcome says nothing.
    return op.outcome == Operation::Outcome::refused ||
           (op.outcome == Operation::Outcome::unknown && op.kind == Operation::Kind::get);
  });
  std::sort(operations.begin(), operations.end(),
            [](const Operation& a, const Operation& b) { return a.called < b.called; });
  Search search(operations, states_max);
  Verdict verdict;
  verdict.linearizable = search.go();
  verdict.gave_up = search.gave_up();
  if (!verdict.linearizable) verdict.explanation = explain(operations, states_max);
  return verdict;
}

}  // namespace chainring::sim
