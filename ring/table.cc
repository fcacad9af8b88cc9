#include "ring/table.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "protocol/runs.h"

namespace chainring::ring {
namespace {

using MemberIndex = std::unordered_map<MemberId, size_t>;

Status corrupt(std::string message) { return {ErrorCode::corrupt, std::move(message)}; }

Result<MemberIndex> index_members(const std::vector<protocol::TableMember>& members) {
  MemberIndex index;
  index.reserve(members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    const MemberId id = members[i].id;
    if (id == kNoMember) return corrupt("a member of the table has the id 0");
    if (!index.emplace(id, i).second) return corrupt(concat("member ", id, " stands in the table twice"));
  }
  return index;
}

Status check_chain(const std::vector<MemberId>& chain, const MemberIndex& members, Slot first_slot) {
  if (chain.size() > members.size()) {
    return corrupt(concat("the chain of slot ", first_slot, " is longer than the list of members"));
  }
  for (size_t i = 0; i < chain.size(); ++i) {
    if (!members.contains(chain[i])) {
      return corrupt(concat("the chain of slot ", first_slot, " names member ", chain[i], ", which is not listed"));
    }
    for (size_t j = 0; j < i; ++j) {
      if (chain[i] == chain[j]) {
        return corrupt(concat("the chain of slot ", first_slot, " names member ", chain[i], " twice"));
      }
    }
  }
  return {};
}

Status check_range(const protocol::TableRange& range, uint32_t expected_first, const MemberIndex& members) {
  if (range.first != expected_first) {
    return corrupt(concat("a range begins at slot ", range.first, " instead of ", expected_first));
  }
  if (range.last < range.first || range.last >= kSlotCount) {
    return corrupt(concat("the range that begins at slot ", range.first, " ends at slot ", range.last));
  }
  if (range.next_epoch != 0 && range.next_epoch <= range.epoch) {
    return corrupt(concat("slot ", range.first, " is to go from epoch ", range.epoch, " back to ", range.next_epoch));
  }
  if (Status status = check_chain(range.chain, members, range.first); !status) return status;
  if (Status status = check_chain(range.next_chain, members, range.first); !status) return status;
  return check_chain(range.goal, members, range.first);
}

Result<protocol::Placement> placement_of(const protocol::TableMessage& message) {
  Result<protocol::PlacementRules> in_force = protocol::PlacementRules::compile(message.rules);
  if (!in_force) return in_force.status();
  if (message.rules_change == 0) return protocol::Placement(*std::move(in_force));
  Result<protocol::PlacementRules> next = protocol::PlacementRules::compile(message.next_rules);
  if (!next) return next.status();
  return protocol::Placement(*std::move(in_force), *std::move(next));
}

}  // namespace

bool contains(const std::vector<MemberId>& chain, MemberId member) {
  return std::find(chain.begin(), chain.end(), member) != chain.end();
}

bool names(const protocol::TableRange& range, MemberId member) {
  return contains(range.chain, member) || contains(range.next_chain, member);
}

bool same_chains(const protocol::TableRange& a, const protocol::TableRange& b) {
  return a.epoch == b.epoch && a.next_epoch == b.next_epoch && a.chain == b.chain && a.next_chain == b.next_chain &&
         a.goal == b.goal;
}

Result<Table> Table::from_message(const protocol::TableMessage& message) {
  Result<MemberIndex> members = index_members(message.members);
  if (!members) return members.status();

  Result<protocol::Placement> placement = placement_of(message);
  if (!placement) return corrupt(std::string(placement.status().message()));

  Table table;
  table.message_ = message;
  table.placement_ = *std::move(placement);
  table.member_index_ = *std::move(members);
  if (message.ranges.empty()) return table;

  table.range_of_slot_.reserve(kSlotCount);
  for (uint32_t i = 0; i < message.ranges.size(); ++i) {
    const protocol::TableRange& range = message.ranges[i];
    const auto next_slot = static_cast<uint32_t>(table.range_of_slot_.size());
    if (Status status = check_range(range, next_slot, table.member_index_); !status) return status;
    table.range_of_slot_.resize(uint32_t{range.last} + 1, i);
  }
  if (table.range_of_slot_.size() != kSlotCount) {
    return corrupt(concat("the ranges end at slot ", table.range_of_slot_.size() - 1));
  }
  return table;
}

const protocol::TableRange& Table::range(Slot slot) const {
  CHECK(has_ranges(), "a table without ranges serves no slot");
  CHECK(slot < kSlotCount, "slots end at 16383");
  return message_.ranges[range_of_slot_[slot]];
}

MemberId Table::head(Slot slot) const {
  const std::vector<MemberId>& chain = range(slot).chain;
  return chain.empty() ? kNoMember : chain.front();
}

const protocol::TableMember* Table::member(MemberId id) const {
  const auto found = member_index_.find(id);
  return found == member_index_.end() ? nullptr : &message_.members[found->second];
}

std::vector<protocol::SlotRange> Table::headed_by(MemberId id) const {
  std::vector<protocol::SlotRange> headed;
  for (const protocol::TableRange& range : message_.ranges) {
    if (range.chain.empty() || range.chain.front() != id) continue;
    protocol::append_run(headed, {range.first, range.last});
  }
  return headed;
}

}  // namespace chainring::ring
