// What an operator minds who watches the cluster: coordinators whose disk was exchanged get their place back, and slots
// whose every copy is lost are served again, empty. It says in the notebook what was given up.
//
// It looks into the processes instead of reading what they say, so that it acts on what is so.
//
// Thread-safety: none. Hosts, notebook and the world's time are not owned and outlive it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/sim/calls.h"
#include "tests/sim/hosts.h"
#include "tests/sim/operator.h"

namespace chainring::sim {

class Caretaker final : public Duties {
 public:
  Caretaker(const Hosts& hosts, Notebook& notebook, const Micros& world_time)
      : hosts_(hosts), notebook_(notebook), world_time_(world_time) {}

  [[nodiscard]] std::vector<std::string> next() override;
  void answered(Answer answer) override;

  [[nodiscard]] uint64_t coordinators_added() const { return coordinators_added_; }
  [[nodiscard]] uint64_t slots_given_up() const { return slots_given_up_; }

 private:
  [[nodiscard]] std::vector<std::string> add_coordinator() const;
  [[nodiscard]] std::vector<std::string> serve_empty();

  const Hosts& hosts_;
  Notebook& notebook_;
  const Micros& world_time_;
  std::optional<size_t> loss_;  // of the notebook, that was asked for
  uint64_t coordinators_added_ = 0;
  uint64_t slots_given_up_ = 0;
};

}  // namespace chainring::sim
