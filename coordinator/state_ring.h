// The replicated part of the ring: members, what operators wish of it, the target that follows from that, the table in
// force, what is intended, epochs and versions (R1, R14, R16, R18, R32).
//
// Pure and deterministic: the same entries in the same order give the same state on every coordinator.
// Thread-safety: none; one owner. Lifetime: references into it are valid until the next apply() or assignment.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "coordinator/entries.h"
#include "coordinator/ranges.h"
#include "coordinator/roster.h"
#include "protocol/messages.h"

namespace chainring::coordinator {

inline constexpr size_t kMembersMax = 4096;    // listed and not gone; more are not registered
inline constexpr size_t kGoneMembersMax = 64;  // remembered although no chain names them, so that they stay refused
inline constexpr size_t kChangeTextBytesMax = 4096;  // of the words of a change that does not end; the oldest go

// Versions of tables and epochs of a recovered generation begin at generation << this, so that they are greater than
// all of the generations before; those of the first begin at 1 (R31).
inline constexpr int kGenerationShift = 40;

struct Member {
  protocol::TableMember listed;
  TableVersion must_obey = 0;  // of the last intention that named it: no lease before it has obeyed that (R4)
  bool placed = false;         // it is to have slots; others are registered and idle
  bool struck = false;         // from the target, as it is absent for too long: its place waits for it to come back
  bool draining = false;       // it was asked to end: its slots are served by others as soon as they can be
  bool evacuated = false;      // the target was reckoned without it, since slots would be lost with it
  bool weighed = false;        // its weight is an operator's wish, and not what its node said
  bool missed_stop = false;    // it was away when the orderly stop was recorded: nobody waits for it to end
  std::optional<Millis> absent_since = {};  // in lock time; of a recovered generation's it is not known at first
  template <class A>
  void fields(A& a) {
    a(listed, must_obey, placed, struck, draining, evacuated, weighed, missed_stop, absent_since);
  }
  [[nodiscard]] bool gone() const { return listed.state == protocol::MemberState::gone; }
  // Without those that are absent for too long, about to end, or gone.
  [[nodiscard]] bool in_target() const { return placed && !struck && !draining && !gone(); }
};

// The change of the ring that operators asked for and that is not complete.
struct Change {
  struct Undo {
    std::string name;
    bool placed = false;
    bool weighed = false;
    uint32_t weight = 0;
    template <class A>
    void fields(A& a) {
      a(name, placed, weighed, weight);
    }
  };
  std::string text;          // "add n4, weight n1 200", the latest of very many; empty: there is none
  std::vector<Undo> undo;    // the nodes that it names, as they were before
  uint32_t undo_copies = 0;  // the copies before; 0: it is being undone itself
  template <class A>
  void fields(A& a) {
    a(text, undo, undo_copies);
  }
};

// The change of the placement rules that is under way.
struct RulesChange {
  TableVersion since = 0;  // the version at which it began; 0: there is none
  std::vector<std::string> next;
  template <class A>
  void fields(A& a) {
    a(since, next);
  }
};

class RingState {
 public:
  // Each changes the version when it changes anything that a table says.
  void apply(const FoundEntry& entry);
  void apply(const RecoverEntry& entry);  // state_recover.cc
  void apply(const SettingsEntry& entry);
  void apply(const RegisterEntry& entry);
  void apply(const MemberStatesEntry& entry);
  void apply(const IntentionEntry& entry);
  void apply(const ActivationEntry& entry);
  void apply(const ShutdownEntry& entry);
  void apply(const CoordinatorsEntry& entry);
  void apply(const StopLapsedEntry& entry);
  void apply(const ReshardEntry& entry);  // state_reshard.cc, as the next two
  void apply(const TargetEntry& entry);
  void apply(const GoalsEntry& entry);
  void apply(const ServeEmptyEntry& entry);  // state_lost.cc
  void apply(const RulesEntry& entry);       // state_rules.cc, as the next one
  void apply(const RulesOutcomeEntry& entry);

  // Whether the wish can be granted; the error says why not, and what to do.
  [[nodiscard]] Status check(const ReshardEntry& entry) const;
  [[nodiscard]] Status check(const ServeEmptyEntry& entry) const;
  [[nodiscard]] Status check(const RulesEntry& entry) const;
  // The rules as the wish would have them.
  [[nodiscard]] std::vector<std::string> rules_after(const RulesEntry& entry) const;

  [[nodiscard]] bool founded() const { return cluster_id_ != 0; }
  [[nodiscard]] uint64_t cluster_id() const { return cluster_id_; }
  [[nodiscard]] uint64_t generation() const { return generation_; }
  [[nodiscard]] uint64_t hash_seed() const { return hash_seed_; }
  [[nodiscard]] uint32_t copies() const { return copies_; }
  [[nodiscard]] const std::vector<std::string>& lock_prefixes() const { return lock_prefixes_; }
  [[nodiscard]] const SettingsEntry& settings() const { return settings_; }
  [[nodiscard]] const Roster& coordinators() const { return coordinators_; }

  [[nodiscard]] TableVersion version() const { return version_; }
  // The version at which chains or intentions last changed, or whether the cluster is stopped: what begins slots empty
  // means another thing then.
  [[nodiscard]] TableVersion ranges_version() const { return ranges_version_; }
  [[nodiscard]] const Ranges& ranges() const { return ranges_; }
  // REQUIRES: there are ranges.
  [[nodiscard]] const protocol::TableRange& range_of(Slot slot) const;
  [[nodiscard]] const std::vector<Member>& members() const { return members_; }  // by ascending id
  [[nodiscard]] const Member* member(MemberId id) const;                         // nullptr when not listed
  [[nodiscard]] const Member* find(Incarnation incarnation) const;
  // Whether a later incarnation of the same name has registered.
  [[nodiscard]] bool superseded(const Member& member) const;
  [[nodiscard]] bool in_any_chain(MemberId id) const;  // in force or intended
  // Whether every member that could hold the slots of a range is gone (R18).
  [[nodiscard]] bool lost(const protocol::TableRange& range) const;
  [[nodiscard]] Epoch last_epoch() const { return epochs_; }  // the greatest that was given
  // The newest incarnation of the name that is not gone; nullptr for none.
  [[nodiscard]] const Member* newest(std::string_view name) const;
  [[nodiscard]] bool full() const;  // no more members can register

  // Whether the cluster was stopped in order and no table has been made since (R32); members that registered up to
  // stopped_before() belong to the time before.
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] MemberId stopped_before() const { return stopped_before_; }
  // How many nodes are to have slots, by name, without those that are struck from the target.
  [[nodiscard]] size_t placed_count() const;

  // Counts what changes where slots belong: wishes of operators, members that have come or gone for good.
  [[nodiscard]] uint64_t wishes() const { return wishes_; }
  // The wishes() that the target was computed for.
  [[nodiscard]] uint64_t target_wishes() const { return target_wishes_; }
  // Where all slots belong; empty before the first one is computed.
  [[nodiscard]] const std::vector<IntendedRun>& target() const { return target_; }
  [[nodiscard]] bool paused() const { return paused_; }
  [[nodiscard]] const Change& change() const { return change_; }

  // The placement rules in force, in the order in which they were added (R23).
  [[nodiscard]] const std::vector<std::string>& rules() const { return rules_; }
  [[nodiscard]] const RulesChange& rules_change() const { return rules_change_; }

  // How many slots do not have the chain of the target yet, and how many there were when it was computed.
  [[nodiscard]] uint32_t slots_left() const;
  [[nodiscard]] uint32_t slots_total() const { return slots_total_; }

  // What nodes and routers get.
  [[nodiscard]] protocol::TableMessage table() const;

  template <class A>
  void fields(A& a) {
    a(cluster_id_, generation_, hash_seed_, copies_, lock_prefixes_, settings_, coordinators_, version_,
      ranges_version_, epochs_, next_member_, stopped_, stopped_before_, members_, ranges_, wishes_, target_wishes_,
      target_, slots_total_, paused_, change_, rules_, rules_change_);
  }

 private:
  Member* mutable_member(MemberId id);
  Member* mutable_newest(std::string_view name);
  [[nodiscard]] bool well_formed(const std::vector<IntendedRun>& runs, bool may_be_empty) const;
  void intend(const std::vector<IntendedRun>& runs, bool from_empty, bool planned);
  void give_place(MemberId beginner);
  void begin_again();
  void forget_gone();
  bool refresh_states();
  void inherit(Member& member);
  [[nodiscard]] bool is_named(MemberId id) const;  // by any range, goals included
  [[nodiscard]] bool holds_alone(const Member& leaving) const;
  void evacuate_leaving();
  void begin_change(const ReshardEntry& entry);
  void undo_change();
  void end_change_when_done();

  uint64_t cluster_id_ = 0;
  uint64_t generation_ = 0;
  uint64_t hash_seed_ = 0;
  uint32_t copies_ = 0;
  std::vector<std::string> lock_prefixes_;
  SettingsEntry settings_;
  Roster coordinators_;

  TableVersion version_ = 0;
  TableVersion ranges_version_ = 0;
  Epoch epochs_ = 0;  // the last one given
  MemberId next_member_ = 1;
  bool stopped_ = false;
  MemberId stopped_before_ = kNoMember;
  std::vector<Member> members_;
  Ranges ranges_;

  uint64_t wishes_ = 0;
  uint64_t target_wishes_ = 0;
  std::vector<IntendedRun> target_;
  uint32_t slots_total_ = 0;
  bool paused_ = false;
  Change change_;

  std::vector<std::string> rules_;
  RulesChange rules_change_;
};

}  // namespace chainring::coordinator
