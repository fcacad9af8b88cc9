// Memberships in motion: members join, leave, start again and change their weight, from one seed.
//
// Thread-safety: none; one owner each.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "ring/placement.h"

namespace chainring::ring {

struct HistoryShape {
  uint32_t members = 10;    // about so many: a history stays within a fifth of it, or one member
  bool weighted = false;    // weights from 50 to 400 that change, else 100 each
  bool in_domains = false;  // up to three members a host, hosts in four zones; else a host each and one zone
};

class History {
 public:
  // Begins with shape.members members. REQUIRES: shape.members > 0. `random` outlives the history.
  History(HistoryShape shape, Random& random);
  // One member joins, leaves, starts again under its name, or changes its weight.
  void change();
  // In the order of their names, as target_table looks at them.
  [[nodiscard]] const std::vector<Candidate>& members() const { return members_; }

 private:
  void join();
  void leave(size_t victim) { members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(victim)); }
  [[nodiscard]] uint32_t any_weight();

  HistoryShape shape_;
  Random& random_;
  uint32_t least_;
  uint32_t most_;
  uint32_t host_count_;
  MemberId last_id_ = 0;
  uint32_t last_name_ = 0;
  std::vector<Candidate> members_;
};

}  // namespace chainring::ring
