// The list of coordinators that the group agrees on (R2): who they are, where they are reached, who comes and who goes.
// It is replicated, authoritative from the founding on; Raft's configuration follows it one server at a time
// (coordinator/group_change.h).
//
// Pure. Thread-safety: plain values.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/settings.h"
#include "base/transport.h"
#include "coordinator/founding.h"
#include "protocol/messages.h"

namespace chainring::coordinator {

using protocol::ListedCoordinator;
using protocol::Standing;
using Roster = protocol::CoordinatorList;

inline constexpr size_t kCoordinatorsMax = 5;   // that vote or shall vote
inline constexpr size_t kRosterMax = 16;        // entries, those that leave included
inline constexpr size_t kRemovedNamesMax = 16;  // remembered, so that a REMOVE that is sent again is answered
inline constexpr size_t kRosterTextMax = 256;   // bytes of a name or a host

// Version 1: of a group that was just founded. Founders whose address is not configured have none.
[[nodiscard]] Roster founding_roster(const Founders& founders, const std::vector<Settings::NamedAddress>& configured);

// Whether it can be a roster: something that came from a peer, a disk or a log entry need not be.
[[nodiscard]] bool well_formed(const Roster& roster);

// nullptr when nobody has the disk, or the name. Of two with one name, it is the one that does not leave.
[[nodiscard]] const ListedCoordinator* find_disk(const Roster& roster, uint64_t disk_id);
[[nodiscard]] const ListedCoordinator* find_name(const Roster& roster, std::string_view name);

// The next version, with another address of that disk.
[[nodiscard]] Roster with_address(Roster roster, uint64_t disk_id, const Address& address);

// Those that nodes and routers may ask: neither who has not caught up yet, nor who leaves.
[[nodiscard]] std::vector<protocol::CoordinatorAddress> addresses_to_ask(const Roster& roster);

}  // namespace chainring::coordinator
