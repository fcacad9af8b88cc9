#include "node/rules_check.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "protocol/runs.h"

namespace chainring::node {
namespace {

constexpr size_t kExampleBytesMax = 128;

}  // namespace

void RulesCheck::follow(const ring::Table& table) {
  const TableVersion change = table.message().rules_change;
  if (change != change_) {
    *this = RulesCheck{};
    change_ = change;
    due_ = change != 0;
    if (change != 0) checked_.resize(kSlotCount);
  }
  if (change_ == 0 || found_) return;
  slot_ = 0;
  has_work_ = true;
}

void RulesCheck::work(const engine::Database* database, const Chains& chains, const protocol::Placement& placement,
                      size_t keys_max) {
  if (!has_work_ || database == nullptr) return;
  for (size_t left = keys_max; slot_ < kSlotCount; ++slot_) {
    const auto slot = static_cast<Slot>(slot_);
    if (!chains.heads(slot, 0)) continue;
    const Chains::View view = chains.view(slot);
    if (checked_[slot].epoch == view.epoch) continue;
    if (std::exchange(cursor_epoch_, view.epoch) != view.epoch) cursor_ = {};
    if (left == 0) return;
    left -= std::min(left, 1 + database->walk(slot, cursor_, left, [&](std::string_view key) {
      if (found_ || !placement.unsettled(key)) return;
      found_ = true;
      example_ = key.substr(0, kExampleBytesMax);
    }));
    if (found_) break;
    if (!cursor_.at_end()) return;
    checked_[slot] = {view.epoch, view.applied};
    cursor_ = {};
  }
  has_work_ = false;
  due_ = true;
}

bool RulesCheck::take_due() { return std::exchange(due_, false); }

// What a walk did not find may have been removed by a record that is not committed yet, and come back with the next
// head.
protocol::RulesChecked RulesCheck::statement(const Chains& chains, MemberId self) const {
  CHECK(under_way(), "there is a change to speak of");
  protocol::RulesChecked statement;
  statement.member = self;
  statement.change = change_;
  statement.found = found_;
  statement.example = example_;
  for (uint32_t at = 0; at < kSlotCount; ++at) {
    const auto slot = static_cast<Slot>(at);
    const Checked& checked = checked_[slot];
    if (checked.epoch == 0 || !chains.heads(slot, checked.epoch)) continue;
    const Chains::View view = chains.view(slot);
    if (view.epoch != checked.epoch || view.committed < checked.through) continue;
    protocol::append_run(statement.runs, protocol::LearnedRun{slot, slot, checked.epoch});
  }
  return statement;
}

}  // namespace chainring::node
