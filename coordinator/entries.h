// What the coordinators' log is made of: each entry is one change of the replicated state.
//
// An entry is the version of the command set (R28), its type, and the fields of one of the structs below. What an entry
// means never changes within a version: whoever cannot run a version ends, and does not guess.
// Thread-safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/time.h"
#include "protocol/messages.h"

namespace chainring::coordinator {

inline constexpr uint8_t kCommandSetVersion = 4;

enum class EntryType : uint8_t {
  found = 1,
  settings = 2,
  register_member = 3,
  member_states = 4,
  intention = 5,
  activation = 6,
  shutdown = 7,
  lock_command = 8,
  lock_time = 9,
  digest = 10,
  reshard = 11,
  target = 12,
  goals = 13,
  lock_transaction = 14,
  serve_empty = 15,
  recover = 16,
  coordinators = 20,
  stop_lapsed = 21,
  rules = 22,
  rules_outcome = 23,
};

// What an operator may change by starting the coordinators with other settings; the leader proposes its own.
struct SettingsEntry {
  static constexpr EntryType kType = EntryType::settings;
  uint64_t lock_count_max = 0;
  template <class A>
  void fields(A& a) {
    a(lock_count_max);
  }
  friend bool operator==(const SettingsEntry&, const SettingsEntry&) = default;
};

// The first entry of a cluster's life; later ones change nothing.
struct FoundEntry {
  static constexpr EntryType kType = EntryType::found;
  uint64_t cluster_id = 0;
  uint64_t generation = 0;
  uint64_t hash_seed = 0;
  uint32_t copies = 0;
  std::vector<std::string> lock_prefixes;
  SettingsEntry settings;
  protocol::CoordinatorList coordinators;
  template <class A>
  void fields(A& a) {
    a(cluster_id, generation, hash_seed, copies, lock_prefixes, settings, coordinators);
  }
};

// In place of it, the first entry of the next generation of a cluster that has lost all its coordinators (R31).
struct RecoverEntry {
  static constexpr EntryType kType = EntryType::recover;
  FoundEntry found;              // cluster, copies ... as in the table; of the next generation
  protocol::TableMessage table;  // the newest that nodes have obeyed
  template <class A>
  void fields(A& a) {
    a(found, table);
  }
};

// The next list of coordinators (R2). It changes nothing when it does not follow the present version, or cannot be.
struct CoordinatorsEntry {
  static constexpr EntryType kType = EntryType::coordinators;
  protocol::CoordinatorList list;
  template <class A>
  void fields(A& a) {
    a(list);
  }
};

// A new incarnation of a node (R1); it gets the next member id.
struct RegisterEntry {
  static constexpr EntryType kType = EntryType::register_member;
  std::string name;
  Incarnation incarnation = 0;
  std::string host;
  uint16_t port = 0;
  std::string failure_host;
  std::string failure_zone;
  uint32_t weight = 0;
  template <class A>
  void fields(A& a) {
    a(name, incarnation, host, port, failure_host, failure_zone, weight);
  }
};

// What the leader found about leases: who lapsed, who came back, whose place a later incarnation has taken, who is
// absent for too long; and who was asked to end and is leaving.
struct MemberStateChange {
  MemberId member = kNoMember;
  protocol::MemberState state = protocol::MemberState::joining;
  template <class A>
  void fields(A& a) {
    a(member, state);
  }
  friend bool operator==(const MemberStateChange&, const MemberStateChange&) = default;
};
struct MemberStatesEntry {
  static constexpr EntryType kType = EntryType::member_states;
  std::vector<MemberStateChange> changes;
  std::vector<MemberId> struck = {};  // absent members that the target is to do without
  Millis time = 0;                    // the leader's lock time, which runs on under the next one (R25)
  template <class A>
  void fields(A& a) {
    a(changes, struck, time);
  }
};

// The chain that slots first..last shall have (R14). The epoch is given when the entry is applied.
struct IntendedRun {
  Slot first = 0;
  Slot last = 0;
  std::vector<MemberId> chain;
  template <class A>
  void fields(A& a) {
    a(first, last, chain);
  }
  friend bool operator==(const IntendedRun&, const IntendedRun&) = default;
};
struct IntentionEntry {
  static constexpr EntryType kType = EntryType::intention;
  std::vector<IntendedRun> runs;  // ascending, disjoint
  // The slots begin anew without what their chains held: the first table, the start after an orderly stop (R32), the
  // word of an operator after a loss (R18).
  bool from_empty = false;
  // The table that it was planned for, as RingState::ranges_version(): with another one it changes nothing.
  TableVersion planned_on = 0;
  // A move that can be put off, and is withdrawn when it takes long (R14): its chains are the slots' goals.
  bool planned = false;
  template <class A>
  void fields(A& a) {
    a(runs, from_empty, planned_on, planned);
  }
};

// All slots that still intend this epoch take it up (R14, R15).
struct ActivationEntry {
  static constexpr EntryType kType = EntryType::activation;
  Epoch epoch = 0;
  template <class A>
  void fields(A& a) {
    a(epoch);
  }
};

// What an operator wishes of the ring; RingState::check() says what may be wished.
enum class ReshardVerb : uint8_t { add = 1, remove = 2, weight = 3, copies = 4, pause = 5, resume = 6, cancel = 7 };
struct ReshardEntry {
  static constexpr EntryType kType = EntryType::reshard;
  ReshardVerb verb = ReshardVerb::add;
  std::string name;        // of the node, for add, remove and weight
  uint32_t value = 0;      // the weight, or the copies
  Incarnation sender = 0;  // as a lock command's (R20)
  uint64_t number = 0;
  uint64_t answered_below = 0;
  protocol::Sent sent = protocol::Sent::once;
  template <class A>
  void fields(A& a) {
    a(verb, name, value, sender, number, answered_below, sent);
  }
};

// Where every slot belongs by the wishes so far: computed once, by the leader (ring::target_table).
struct TargetEntry {
  static constexpr EntryType kType = EntryType::target;
  uint64_t wishes = 0;            // RingState::wishes() that it was computed for: with another it changes nothing
  std::vector<IntendedRun> runs;  // all slots
  template <class A>
  void fields(A& a) {
    a(wishes, runs);
  }
};

// The goals that slots have from now on: their chains copy them to those who are not in them yet (R16, R17). An empty
// chain takes the goal away.
struct GoalsEntry {
  static constexpr EntryType kType = EntryType::goals;
  std::vector<IntendedRun> runs;
  TableVersion planned_on = 0;  // as an intention's
  template <class A>
  void fields(A& a) {
    a(runs, planned_on);
  }
};

// An operator's word that what the chains of these slots held is lost for good, and that they begin again, empty (R18).
// It is about the chains as they are, and is void for all when one of them has changed or can still be served.
struct ServeEmptyEntry {
  static constexpr EntryType kType = EntryType::serve_empty;
  std::vector<IntendedRun> runs;  // with the chains that begin them
  Epoch planned_at = 0;           // RingState::last_epoch(): a chain that has changed since has a greater one
  std::vector<MemberId> gone;     // absent, without a lease, and declared lost: their incarnations never serve again
  Incarnation sender = 0;         // as a lock command's (R20)
  uint64_t number = 0;
  uint64_t answered_below = 0;
  protocol::Sent sent = protocol::Sent::once;
  template <class A>
  void fields(A& a) {
    a(runs, planned_at, gone, sender, number, answered_below, sent);
  }
};

// What an operator wishes of the placement rules (R23); RingState::check() says what may be wished.
enum class RulesVerb : uint8_t { add = 1, remove = 2 };
struct RulesEntry {
  static constexpr EntryType kType = EntryType::rules;
  RulesVerb verb = RulesVerb::add;
  std::string pattern;
  template <class A>
  void fields(A& a) {
    a(verb, pattern);
  }
};

// How a change of the placement rules ends: the new ones come into force, or it was in vain.
struct RulesOutcomeEntry {
  static constexpr EntryType kType = EntryType::rules_outcome;
  TableVersion change = 0;      // the version at which it began
  TableVersion planned_on = 0;  // as an intention's, for rules that come into force
  std::string refusal;          // why it was in vain; empty when it was not
  template <class A>
  void fields(A& a) {
    a(change, planned_on, refusal);
  }
};

// The operator stops everything in order (R32).
struct ShutdownEntry {
  static constexpr EntryType kType = EntryType::shutdown;
  template <class A>
  void fields(A&) {}
};

// The orderly stop that was recorded did not happen: its nodes went on (R32).
struct StopLapsedEntry {
  static constexpr EntryType kType = EntryType::stop_lapsed;
  template <class A>
  void fields(A&) {}
};

// One command on the lock keyspace, at the leader's lock time (R25).
struct LockCommandEntry {
  static constexpr EntryType kType = EntryType::lock_command;
  Millis time = 0;
  Incarnation sender = 0;  // 0: nobody who could send it again (R20)
  uint64_t number = 0;
  uint64_t answered_below = 0;
  protocol::Sent sent = protocol::Sent::once;
  // What the leader answered this sender without an entry (R20, R30). Lifetime of the views: the caller's.
  std::vector<protocol::EarlierAnswer> earlier;
  uint64_t forgotten_below = 0;  // such answers below this number may be forgotten: refuse what is sent again
  uint8_t db = 0;
  uint8_t resp = 2;
  std::vector<std::string> args;
  template <class A>
  void fields(A& a) {
    a(time, sender, number, answered_below, sent, earlier, forgotten_below, db, resp, args);
  }
};

// A transaction on the lock keyspace, at the leader's lock time: all of it, or nothing when a watched lock has changed.
struct LockTransactionEntry {
  static constexpr EntryType kType = EntryType::lock_transaction;
  Millis time = 0;
  Incarnation sender = 0;  // as in LockCommandEntry
  uint64_t number = 0;
  uint64_t answered_below = 0;
  protocol::Sent sent = protocol::Sent::once;
  std::vector<protocol::EarlierAnswer> earlier;
  uint64_t forgotten_below = 0;
  uint8_t db = 0;
  uint8_t resp = 2;
  std::string payload;  // protocol/transaction.h
  template <class A>
  void fields(A& a) {
    a(time, sender, number, answered_below, sent, earlier, forgotten_below, db, resp, payload);
  }
};

// Moves the lock time on, so that what has expired by it is gone for everybody (R25).
struct LockTimeEntry {
  static constexpr EntryType kType = EntryType::lock_time;
  Millis time = 0;
  template <class A>
  void fields(A& a) {
    a(time);
  }
};

// The leader's digest of all outcomes up to an index; a member with another one has left the path (R28).
struct DigestEntry {
  static constexpr EntryType kType = EntryType::digest;
  uint64_t index = 0;
  uint64_t digest = 0;
  template <class A>
  void fields(A& a) {
    a(index, digest);
  }
};

template <class E>
[[nodiscard]] std::string encode_entry(const E& entry) {
  std::string out;
  ByteWriter writer(out);
  writer(kCommandSetVersion, E::kType, entry);
  return out;
}

}  // namespace chainring::coordinator
