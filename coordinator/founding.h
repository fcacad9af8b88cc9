// How a group of coordinators begins (R2; docs/conversations.md, "Founding the Raft group"), and how an empty disk
// finds that it has begun without it.
//
// Pure: probes come in, a decision comes out. Thread-safety: none; one owner.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/messages.h"

namespace chainring::coordinator {

// A coordinator of the first configuration: its name and the id that was written when its disk was first used.
struct Founder {
  std::string name;
  uint64_t disk_id = 0;
  template <class A>
  void fields(A& a) {
    a(name, disk_id);
  }
  friend bool operator==(const Founder&, const Founder&) = default;
};
using Founders = std::vector<Founder>;  // sorted by name

// The cluster id that all founders compute alike; never 0.
[[nodiscard]] uint64_t cluster_id_of(const Founders& founders);

class Founding {
 public:
  enum class Decision {
    wait,        // not all have been heard
    found,       // founders() is the group
    join_blank,  // there is a group, and this disk is not of it
  };

  // `names` are all configured coordinators. One that is not among them founds nothing: it waits for a group to join.
  Founding(std::string_view name, uint64_t disk_id, std::vector<std::string> names);

  // What another coordinator says of itself; of names that are not configured nothing is taken.
  void heard(const protocol::Probe& probe);
  [[nodiscard]] Decision decide() const;
  // REQUIRES: decide() == found.
  [[nodiscard]] Founders founders() const;
  // The cluster id that founded coordinators name; 0 when none was heard. REQUIRES for use: decide() == join_blank.
  [[nodiscard]] uint64_t cluster_heard() const;
  // Whether this coordinator is among the configured ones.
  [[nodiscard]] bool listed() const { return listed_; }
  // The configured names that nobody has answered for.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  [[nodiscard]] const protocol::Probe* founded_one() const;
  [[nodiscard]] Founders founders_heard() const;  // of all configured ones; empty while some are missing

  const std::string name_;
  const uint64_t disk_id_;
  bool listed_ = false;
  std::map<std::string, protocol::Probe> probes_;  // the newest of each; disk_id 0: none yet
};

}  // namespace chainring::coordinator
