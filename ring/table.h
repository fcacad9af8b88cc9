// The table in force, unfolded for look-ups: what nodes and routers keep of a protocol::TableMessage.
//
// Thread-safety: none; one owner each. Ownership: owns everything.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "protocol/messages.h"
#include "protocol/placement_rules.h"

namespace chainring::ring {

[[nodiscard]] bool contains(const std::vector<MemberId>& chain, MemberId member);
// Whether `member` is in the chain in force or in the intended one.
[[nodiscard]] bool names(const protocol::TableRange& range, MemberId member);
// Whether the ranges differ in nothing but their slots.
[[nodiscard]] bool same_chains(const protocol::TableRange& a, const protocol::TableRange& b);

class Table {
 public:
  Table() = default;  // version 0: no slot is served

  // Checks everything that a receiver relies on: ranges ascend and cover all slots (or there are none), chains are not
  // longer than the members, name known members and nobody twice, next_epoch > epoch when not 0, and the placement
  // rules are ones.
  [[nodiscard]] static Result<Table> from_message(const protocol::TableMessage& message);

  [[nodiscard]] const protocol::TableMessage& message() const { return message_; }
  [[nodiscard]] TableVersion version() const { return message_.version; }
  [[nodiscard]] bool has_ranges() const { return !message_.ranges.empty(); }

  // From keys to slots, by the table's placement rules.
  [[nodiscard]] const protocol::Placement& placement() const { return placement_; }

  // REQUIRES: has_ranges(), slot < kSlotCount. Lifetime: until the Table is assigned or destroyed.
  [[nodiscard]] const protocol::TableRange& range(Slot slot) const;
  [[nodiscard]] MemberId head(Slot slot) const;  // kNoMember when the chain is empty
  // nullptr for an id that is not listed.
  [[nodiscard]] const protocol::TableMember* member(MemberId id) const;
  // The slots that `id` heads, as ranges.
  [[nodiscard]] std::vector<protocol::SlotRange> headed_by(MemberId id) const;

 private:
  protocol::TableMessage message_;
  protocol::Placement placement_;
  std::vector<uint32_t> range_of_slot_;
  std::unordered_map<MemberId, size_t> member_index_;
};

}  // namespace chainring::ring
