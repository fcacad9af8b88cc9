// The placement rules: what operators wish, the change under way, and how it ends (R23).

#include <algorithm>

#include "base/text.h"
#include "coordinator/state_ring.h"
#include "protocol/placement_rules.h"

namespace chainring::coordinator {
namespace {

Status refused(std::string why) { return {ErrorCode::invalid_argument, std::move(why)}; }

}  // namespace

std::vector<std::string> RingState::rules_after(const RulesEntry& entry) const {
  std::vector<std::string> after = rules_;
  const auto at = std::find(after.begin(), after.end(), entry.pattern);
  if (entry.verb == RulesVerb::add && at == after.end()) after.push_back(entry.pattern);
  if (entry.verb == RulesVerb::remove && at != after.end()) after.erase(at);
  return after;
}

Status RingState::check(const RulesEntry& entry) const {
  const std::vector<std::string> after = rules_after(entry);
  if (auto rules = protocol::PlacementRules::compile(after); !rules) return rules.status();
  if (stopped_) return refused("the cluster has been stopped, and has not begun again");
  if (rules_change_.since != 0 && rules_change_.next != after) {
    return refused("another change of the rules is under way; try again");
  }
  return {};
}

void RingState::apply(const RulesEntry& entry) {
  if (!check(entry).ok() || rules_change_.since != 0) return;
  std::vector<std::string> after = rules_after(entry);
  if (after == rules_) return;
  ++version_;
  if (ranges_.empty()) {  // nobody has a key yet
    rules_ = std::move(after);
    return;
  }
  rules_change_ = {version_, std::move(after)};
  for (Member& member : members_) {
    if (in_any_chain(member.listed.id)) member.must_obey = version_;
  }
}

void RingState::apply(const RulesOutcomeEntry& entry) {
  if (entry.change == 0 || entry.change != rules_change_.since) return;
  if (entry.refusal.empty()) {
    if (entry.planned_on != ranges_version_) return;  // it is judged again
    rules_ = std::move(rules_change_.next);
  }
  rules_change_ = {};
  ++version_;
}

}  // namespace chainring::coordinator
