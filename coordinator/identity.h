// Who a coordinator is, on its disk (R2): written and synced before it says anything to anybody.
//
// Thread-safety: none; one owner. An error of these means that the disk cannot be used; the process must end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/disk.h"
#include "base/random.h"
#include "base/result.h"
#include "coordinator/founding.h"
#include "coordinator/roster.h"

namespace chainring::coordinator {

struct Identity {
  std::string name;
  uint64_t disk_id = 0;     // never 0
  uint64_t cluster_id = 0;  // 0: not known yet
  // The group that was decided on, so that a crash in the midst of founding it does not ask twice; empty before, and at
  // a coordinator that joined later.
  Founders founders;
  // The newest list of coordinators that it has heard of, so that it finds them after a start with an old
  // configuration.
  Roster roster;
  template <class A>
  void fields(A& a) {
    a(name, disk_id, cluster_id, founders, roster);
  }
};

// Reads the identity, or draws one and makes it durable on an empty disk. Refuses another coordinator's directory.
[[nodiscard]] Result<Identity> load_identity(Disk& disk, Random& random, std::string_view name);
// Replaces it, durably and in one step.
[[nodiscard]] Status save_identity(Disk& disk, const Identity& identity);

}  // namespace chainring::coordinator
