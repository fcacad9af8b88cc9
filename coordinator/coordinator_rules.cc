// RING RULES: the placement rules, and the end of a change of them (R23).

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "coordinator/coordinator.h"
#include "protocol/reply.h"

namespace chainring::coordinator {
namespace {

using protocol::ReplyWriter;

// Whoever waits for longer than that is told to ask again: a router does not wait for a silent leader for ever.
constexpr int64_t kAnswerHeartbeatsMax = 3;
constexpr size_t kRulesWishesMax = 1024;
constexpr std::string_view kStillLooking =
    "TRYAGAIN the keys are still being looked through; send the command again to hear the outcome";

std::optional<RulesEntry> parse_wish(std::span<const std::string_view> args) {
  if (args.size() != 2) return std::nullopt;
  if (equals_ignoring_case(args[0], "add")) return RulesEntry{RulesVerb::add, std::string(args[1])};
  if (equals_ignoring_case(args[0], "remove")) return RulesEntry{RulesVerb::remove, std::string(args[1])};
  return std::nullopt;
}

}  // namespace

void Coordinator::run_rules(const LockRequest& request) {
  const LockCommand command = request.command();
  const std::span<const std::string_view> args = command.args.subspan(2);  // behind RING RULES
  std::string body;
  ReplyWriter writer(body, request.resp);
  if (args.size() == 1 && equals_ignoring_case(args[0], "list")) {
    writer.array(state_.ring().rules().size());
    for (const std::string& rule : state_.ring().rules()) writer.bulk(rule);
    return answer(request.origin, protocol::ReplyStatus::done, body);
  }
  const std::optional<RulesEntry> wish = parse_wish(args);
  if (!wish) {
    writer.error(protocol::errors::kSyntax);
    return answer(request.origin, protocol::ReplyStatus::done, body);
  }
  if (Status refused = state_.ring().check(*wish); !refused.ok()) {
    writer.error(concat("ERR ", refused.message()));
    return answer(request.origin, protocol::ReplyStatus::done, body);
  }
  propose_wish(request, encode_entry(*wish));
}

// An operator's wish is in the replicated state: it is answered, or waits for the end of the change that it began.
void Coordinator::wish_applied(raft::Index index, const std::optional<LockOutcome>& outcome) {
  const auto waiting = wishes_.find(index);
  if (waiting == wishes_.end()) return;
  LockRequest request = std::move(waiting->second);
  wishes_.erase(waiting);
  const TableVersion change = state_.ring().rules_change().since;
  if (outcome && !outcome->expired && outcome->reply.resp.empty() && rules_wishes_.size() < kRulesWishesMax) {
    const Micros patience = kAnswerHeartbeatsMax * settings_.number(Setting::heartbeat_ms) * kMicrosPerMilli;
    rules_wishes_.push_back({std::move(request), change, now_.mono + patience});
    return;
  }
  const bool expired = outcome && outcome->expired;
  answer(request.origin, expired ? protocol::ReplyStatus::expired : protocol::ReplyStatus::done,
         outcome ? std::string_view(outcome->reply.resp) : "+OK\r\n");
}

// The change that somebody waits for has ended: it is known how.
void Coordinator::rules_settled(const std::optional<RulesOutcomeEntry>& outcome) {
  if (!outcome || state_.ring().rules_change().since == outcome->change) return;  // it is judged again
  if (leading_) {
    log_.info(outcome->refusal.empty() ? std::string("new placement rules are in force")
                                       : concat("the placement rules stay as they are: ", outcome->refusal));
  }
  std::erase_if(rules_wishes_, [&](const RulesWish& wish) {
    if (wish.change != outcome->change) return false;
    answer(wish.request.origin, protocol::ReplyStatus::done,
           outcome->refusal.empty() ? ":1\r\n" : protocol::error_reply(concat("ERR ", outcome->refusal)));
    return true;
  });
}

void Coordinator::mind_the_rules() {
  std::erase_if(rules_wishes_, [&](const RulesWish& wish) {
    if (now_.mono < wish.until) return false;
    answer(wish.request.origin, protocol::ReplyStatus::done, protocol::error_reply(kStillLooking));
    return true;
  });
  if (rules_index_ > replica_->applied()) return;  // judged again when it has been applied
  if (!std::exchange(rules_due_, false) && now_.mono < rules_check_.next_check()) return;
  const std::optional<RulesOutcomeEntry> outcome = rules_check_.judge(state_.ring(), leases_, now_.mono);
  if (!outcome) return;
  rules_due_ = true;  // what was not taken, or changes nothing, is judged again
  if (const auto index = propose_entry(encode_entry(*outcome))) rules_index_ = *index;
}

Micros Coordinator::next_rules_tick() const {
  Micros next = rules_index_ <= replica_->applied() ? rules_check_.next_check() : kNever;
  for (const RulesWish& wish : rules_wishes_) next = std::min(next, wish.until);
  return next;
}

}  // namespace chainring::coordinator
