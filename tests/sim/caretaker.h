// What an operator minds who watches the cluster: coordinators whose disk was exchanged get their place back, and slots
// whose every copy is lost are served again, empty. It says in the notebook what was given up.
//
// It looks into the processes instead of reading what they say, so that it acts on what is so.
//
// Thread-safety: none. Hosts, invariants, notebook and the world's time are not owned and outlive it.
#pragma once

#include <bitset>
#include <string>
#include <vector>

#include "tests/sim/calls.h"
#include "tests/sim/hosts.h"
#include "tests/sim/invariants.h"
#include "tests/sim/operator.h"

namespace chainring::sim {

class Caretaker final : public Duties {
 public:
  Caretaker(const Hosts& hosts, const Invariants& seen, Notebook& notebook, const Micros& world_time)
      : hosts_(hosts), seen_(seen), notebook_(notebook), world_time_(world_time) {}

  [[nodiscard]] std::vector<std::string> next() override;
  // Notes which of the slots that it gave up have begun again, empty, and which it was not taken at its word for, as it
  // goes by what a leader knows that may be deposed. Call it once more at the end.
  void look();
  // Whether it leaves slots alone whose every copy is lost: it looks first whether all others are served.
  void leave_lost_slots(bool leaves) { leaves_lost_slots_ = leaves; }
  using Slots = std::bitset<kSlotCount>;
  [[nodiscard]] Slots orphans() const;  // slots that nobody who runs holds. REQUIRES: somebody leads

 private:
  [[nodiscard]] std::vector<std::string> add_coordinator() const;
  [[nodiscard]] std::vector<std::string> serve_empty();

  const Hosts& hosts_;
  const Invariants& seen_;
  Notebook& notebook_;
  const Micros& world_time_;
  bool leaves_lost_slots_ = false;
};

}  // namespace chainring::sim
