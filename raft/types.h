// What Raft talks about: entries, configurations, snapshots, messages. Section numbers are those of Ongaro's
// dissertation, "Consensus: Bridging Theory and Practice" (2014).
//
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace chainring::raft {

using ServerId = uint64_t;  // a coordinator's disk id (R2), so that a blank disk is another server; 0 is nobody
using Term = uint64_t;
using Index = uint64_t;  // the first entry has 1
inline constexpr ServerId kNobody = 0;

enum class EntryKind : uint8_t { data = 0, configuration = 1, no_op = 2 };

struct Entry {
  Term term = 0;
  Index index = 0;
  EntryKind kind = EntryKind::data;
  std::string data;
  template <class A>
  void fields(A& a) {
    a(term, index, kind, data);
  }
  friend bool operator==(const Entry&, const Entry&) = default;
};

// One server is added, removed or promoted at a time (4.1); learners receive the log and do not count (4.2.1).
struct Configuration {
  std::vector<ServerId> voters;    // sorted
  std::vector<ServerId> learners;  // sorted, disjoint from voters
  template <class A>
  void fields(A& a) {
    a(voters, learners);
  }
  friend bool operator==(const Configuration&, const Configuration&) = default;
};

struct Snapshot {
  Index index = 0;  // 0: none
  Term term = 0;
  Configuration configuration;
  std::string data;  // of the state machine
  template <class A>
  void fields(A& a) {
    a(index, term, configuration, data);
  }
};

// What must be on disk before any message that rests on it leaves (3.8).
struct HardState {
  Term term = 0;
  ServerId vote = kNobody;
  template <class A>
  void fields(A& a) {
    a(term, vote);
  }
  friend bool operator==(const HardState&, const HardState&) = default;
};

}  // namespace chainring::raft
