#include "coordinator/founding.h"

#include <set>

#include "base/bytes.h"
#include "base/check.h"
#include "protocol/slot.h"

namespace chainring::coordinator {

uint64_t cluster_id_of(const Founders& founders) {
  const uint64_t hash = protocol::key_hash(encode(founders));
  return hash == 0 ? 1 : hash;
}

Founding::Founding(std::string_view name, uint64_t disk_id, std::vector<std::string> names) {
  for (std::string& configured : names) probes_[std::move(configured)];
  protocol::Probe& own = probes_[std::string(name)];
  own.name = name;
  own.disk_id = disk_id;
}

void Founding::heard(const protocol::Probe& probe) {
  const auto known = probes_.find(probe.name);
  if (known != probes_.end() && probe.disk_id != 0) known->second = probe;
}

std::vector<std::string> Founding::missing() const {
  std::vector<std::string> names;
  for (const auto& [name, probe] : probes_) {
    if (probe.disk_id == 0) names.push_back(name);
  }
  return names;
}

uint64_t Founding::cluster_heard() const {
  for (const auto& [name, probe] : probes_) {
    if (probe.founded) return probe.cluster_id;
  }
  return 0;
}

Founders Founding::founders() const {
  Founders founders;
  for (const auto& [name, probe] : probes_) founders.push_back({name, probe.disk_id});
  return founders;
}

Founding::Decision Founding::decide() const {
  std::set<uint64_t> disks;
  for (const auto& [name, probe] : probes_) {
    if (probe.disk_id == 0) return Decision::wait;
    disks.insert(probe.disk_id);
  }
  if (disks.size() != probes_.size()) return Decision::wait;  // a directory was copied: two would vote as one
  const uint64_t founded = cluster_heard();
  if (founded == 0 || founded == cluster_id_of(founders())) return Decision::found;
  return Decision::join_blank;
}

}  // namespace chainring::coordinator
