#include "coordinator/rules_check.h"

#include <algorithm>

#include "base/text.h"

namespace chainring::coordinator {
namespace {

// As part of a line of text.
std::string shown(std::string_view key) {
  std::string text(key);
  for (char& byte : text) {
    if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f) byte = '?';
  }
  return text;
}

}  // namespace

void RulesCheck::begin() { *this = RulesCheck{}; }

void RulesCheck::stated(const protocol::RulesChecked& statement) { statements_[statement.member] = statement; }

// Whether the head of these slots has found none of the keys, and knows that all members of its chain have none.
bool RulesCheck::has_looked(const protocol::TableRange& range, TableVersion change) const {
  const auto head = statements_.find(range.chain.front());
  if (head == statements_.end() || head->second.change != change) return false;
  uint32_t next = range.first;
  for (const protocol::LearnedRun& run : head->second.runs) {
    if (run.epoch == range.epoch && run.first <= next && next <= run.last) next = run.last + 1u;
  }
  return next > range.last;
}

std::optional<RulesOutcomeEntry> RulesCheck::judge(const RingState& ring, const LeaseBook& leases, Micros now) {
  next_check_ = kNever;
  const RulesChange& change = ring.rules_change();
  if (change.since != change_) {
    change_ = change.since;
    since_ = now;
  }
  if (change_ == 0) {
    statements_.clear();
    return std::nullopt;
  }
  RulesOutcomeEntry outcome;
  outcome.change = change_;
  outcome.planned_on = ring.ranges_version();
  for (const auto& [member, statement] : statements_) {
    if (statement.change != change_ || !statement.found) continue;
    outcome.refusal = concat("there are keys that the rules would place elsewhere, as '", shown(statement.example),
                             "': delete them, or give them a {tag}, and try again");
    return outcome;
  }
  bool complete = true;
  for (const protocol::TableRange& range : ring.ranges()) {
    if (ring.lost(range)) {  // moves of slots do not wait for what an operator may never decide
      outcome.refusal = "every copy of some slots is lost: chainring serve-empty lists them; decide, then try again";
      return outcome;
    }
    complete = complete && range.next_epoch == 0 && !range.chain.empty() && has_looked(range, change_);
    // Who reads for clients must know of the change, too, or be unable to serve.
    complete =
        complete && std::all_of(range.chain.begin(), range.chain.end(), [&](MemberId id) {
          const auto statement = statements_.find(id);
          return leases.lapsed(id, now) || (statement != statements_.end() && statement->second.change == change_);
        });
  }
  if (complete) return outcome;
  if (now < since_ + kPatience) {
    next_check_ = since_ + kPatience;
    return std::nullopt;
  }
  outcome.refusal = "some slots are not served, so their keys could not be looked through: RING STATUS shows which";
  return outcome;
}

}  // namespace chainring::coordinator
