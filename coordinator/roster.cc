#include "coordinator/roster.h"

#include <algorithm>
#include <set>

namespace chainring::coordinator {

Roster founding_roster(const Founders& founders, const std::vector<Settings::NamedAddress>& configured) {
  Roster roster;
  roster.version = 1;
  for (const Founder& founder : founders) {
    ListedCoordinator& listed = roster.coordinators.emplace_back();
    listed.name = founder.name;
    listed.disk_id = founder.disk_id;
    const auto at = std::find_if(configured.begin(), configured.end(),
                                 [&](const Settings::NamedAddress& address) { return address.name == founder.name; });
    if (at == configured.end()) continue;
    listed.host = at->host;
    listed.port = at->port;
  }
  return roster;
}

bool well_formed(const Roster& roster) {
  if (roster.version == 0) return roster == Roster{};
  if (roster.coordinators.empty() || roster.coordinators.size() > kRosterMax) return false;
  if (roster.removed.size() > kRemovedNamesMax) return false;
  std::set<uint64_t> disks;
  std::set<std::string_view> staying;
  for (const ListedCoordinator& listed : roster.coordinators) {
    if (listed.name.empty() || listed.name.size() > kRosterTextMax || listed.host.size() > kRosterTextMax) return false;
    if (listed.disk_id == 0 || !disks.insert(listed.disk_id).second) return false;
    if (listed.standing > Standing::leaving) return false;
    if (listed.standing != Standing::leaving && !staying.insert(listed.name).second) return false;
  }
  return std::all_of(roster.removed.begin(), roster.removed.end(),
                     [](const std::string& name) { return name.size() <= kRosterTextMax; });
}

const ListedCoordinator* find_disk(const Roster& roster, uint64_t disk_id) {
  const auto at = std::find_if(roster.coordinators.begin(), roster.coordinators.end(),
                               [&](const ListedCoordinator& listed) { return listed.disk_id == disk_id; });
  return at == roster.coordinators.end() ? nullptr : &*at;
}

const ListedCoordinator* find_name(const Roster& roster, std::string_view name) {
  const ListedCoordinator* found = nullptr;
  for (const ListedCoordinator& listed : roster.coordinators) {
    if (listed.name != name) continue;
    if (found == nullptr || listed.standing != Standing::leaving) found = &listed;
  }
  return found;
}

Roster with_address(Roster roster, uint64_t disk_id, const Address& address) {
  ++roster.version;
  for (ListedCoordinator& listed : roster.coordinators) {
    if (listed.disk_id != disk_id) continue;
    listed.host = address.host;
    listed.port = address.port;
  }
  return roster;
}

std::vector<protocol::CoordinatorAddress> addresses_to_ask(const Roster& roster) {
  std::vector<protocol::CoordinatorAddress> addresses;
  for (const ListedCoordinator& listed : roster.coordinators) {
    if (listed.standing == Standing::member) addresses.push_back({listed.name, listed.host, listed.port});
  }
  return addresses;
}

}  // namespace chainring::coordinator
