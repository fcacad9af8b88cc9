#include "coordinator/founding.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "protocol/slot.h"

namespace chainring::coordinator {

uint64_t cluster_id_of(const Founders& founders) {
  const uint64_t hash = protocol::key_hash(encode(founders));
  return hash == 0 ? 1 : hash;
}

Founding::Founding(std::string_view name, uint64_t disk_id, std::vector<std::string> names)
    : name_(name), disk_id_(disk_id) {
  for (std::string& configured : names) probes_[std::move(configured)];
  const auto own = probes_.find(name_);
  listed_ = own != probes_.end();
  if (!listed_) return;
  own->second.name = name;
  own->second.disk_id = disk_id;
}

void Founding::heard(const protocol::Probe& probe) {
  const auto known = probes_.find(probe.name);
  if (known != probes_.end() && probe.name != name_ && probe.disk_id != 0) known->second = probe;
}

std::vector<std::string> Founding::missing() const {
  std::vector<std::string> names;
  for (const auto& [name, probe] : probes_) {
    if (probe.disk_id == 0) names.push_back(name);
  }
  return names;
}

const protocol::Probe* Founding::founded_one() const {
  for (const auto& [name, probe] : probes_) {
    if (probe.founded) return &probe;
  }
  return nullptr;
}

uint64_t Founding::cluster_heard() const {
  const protocol::Probe* founded = founded_one();
  return founded == nullptr ? 0 : founded->cluster_id;
}

Founders Founding::founders_heard() const {
  Founders founders;
  std::set<uint64_t> disks;
  for (const auto& [name, probe] : probes_) {
    if (probe.disk_id == 0) return {};
    // A directory that was copied: two would vote as one.
    if (!disks.insert(probe.disk_id).second) return {};
    founders.push_back({name, probe.disk_id});
  }
  return founders;
}

Founders Founding::founders() const {
  const protocol::Probe* founded = founded_one();
  if (founded == nullptr) return founders_heard();
  Founders founders;
  for (const protocol::ListedCoordinator& listed : founded->list.coordinators) {
    founders.push_back({listed.name, listed.disk_id});
  }
  return founders;
}

Founding::Decision Founding::decide() const {
  if (const protocol::Probe* founded = founded_one()) {
    // It had crashed in the midst of the founding: the group that the others founded is the one that it would have.
    const Founders theirs = founders();
    const bool is_founder = std::find(theirs.begin(), theirs.end(), Founder{name_, disk_id_}) != theirs.end();
    return is_founder && cluster_id_of(theirs) == founded->cluster_id ? Decision::found : Decision::join_blank;
  }
  return listed_ && !founders_heard().empty() ? Decision::found : Decision::wait;
}

}  // namespace chainring::coordinator
